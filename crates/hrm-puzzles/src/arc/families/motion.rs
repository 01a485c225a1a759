//! Rules that move cells and objects.

use super::family::{Rule, Step};
use super::sketch::{BLANK, Sketch, TURNS, paste, turned};
use crate::arc::Grid;

/// Every coloured cell falls, in one of four directions, until it hits another or the edge.
pub(super) fn gravity(sketch: &mut Sketch) -> Step {
    let direction = sketch.pick(&TURNS);
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, move |picture| {
        let picture = direction.inverse().apply(picture);
        let n_rows = picture.n_rows();
        let mut fallen = Grid::filled(n_rows, picture.n_cols(), BLANK);
        for col in 0..picture.n_cols() {
            let column = (0..n_rows).rev().map(|row| picture.at(row, col));
            for (depth, colour) in column.filter(|colour| *colour != BLANK).enumerate() {
                fallen.set(n_rows - 1 - depth, col, colour);
            }
        }
        Some(direction.apply(&fallen))
    })
    .sparse()
}

/// The only object slides to one edge.
pub(super) fn move_to_wall(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let palette: [u8; 2] = sketch.colours();
        let mut input = sketch.blank(4);
        let mut output = input.clone();
        let [area] = sketch.areas(&input, 1, (1, 3), &[])[..] else { return None };
        let object = sketch.shape(area.n_rows, area.n_cols, &palette, 0.6);
        let bottom = input.n_rows() - area.n_rows;
        paste(&mut input, &object, area.top, area.left);
        paste(&mut output, &object, bottom, area.left);
        Some(turned(direction, (input, output)))
    })
}

/// The picture is shifted cyclically: cells that leave at one edge reappear at the other.
pub(super) fn shift(sketch: &mut Sketch) -> Step {
    const STEPS: [(usize, usize); 6] = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2)];
    let (down, right) = sketch.pick(&STEPS);
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, move |picture| {
        let (n_rows, n_cols) = (picture.n_rows(), picture.n_cols());
        let from = |at, by, n| (at + n * by - by) % n;
        Some(Grid::from_fn(n_rows, n_cols, |row, col| {
            picture.at(from(row, down, n_rows), from(col, right, n_cols))
        }))
    })
}
