//! Rules that move things.

use super::Rule;
use super::sketch::{BLANK, Sketch, TURNS, paste, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// Every cell falls until it lies on another or on the edge.
pub(super) fn gravity(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let palette: [u8; 3] = sketch.colours();
        let (n_rows, n_cols) = (sketch.side(3), sketch.side(3));
        let input = sketch.speckled(n_rows, n_cols, &palette, 0.3);
        let mut output = Grid::filled(n_rows, n_cols, BLANK);
        for col in 0..n_cols {
            let column = (0..n_rows).map(|row| input.at(row, col));
            let fallen = column.rev().filter(|colour| *colour != BLANK);
            fallen
                .enumerate()
                .for_each(|(depth, colour)| output.set(n_rows - 1 - depth, col, colour));
        }
        Some(turned(direction, (input, output)))
    })
}

/// One object slides to one edge.
pub(super) fn move_to_wall(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let palette: [u8; 2] = sketch.colours();
        let mut input = sketch.blank(4);
        let mut output = input.clone();
        let [area] = sketch.areas(&input, 1, (1, 3), &[])[..] else { return None };
        let object = sketch.shape(area.n_rows, area.n_cols, &palette);
        let bottom = input.n_rows() - area.n_rows;
        paste(&mut input, &object, area.top, area.left);
        paste(&mut output, &object, bottom, area.left);
        Some(turned(direction, (input, output)))
    })
}

/// Columns that stand on the lower edge are sorted by their height.
pub(super) fn sort_columns(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&[Dihedral::Identity, Dihedral::FlipLeftRight]);
    Box::new(move |sketch| {
        let [colour] = sketch.colours();
        let (n_rows, n_cols) = (sketch.side(3), sketch.side(3));
        let heights: Vec<_> = (0..n_cols).map(|_| sketch.between(0, n_rows)).collect();
        let mut sorted = heights.clone();
        sorted.sort();
        let bars =
            |heights: &[usize]| {
                Grid::from_fn(n_rows, n_cols, |row, col| {
                    if n_rows - row <= heights[col] { colour } else { BLANK }
                })
            };
        Some(turned(transform, (bars(&heights), bars(&sorted))))
    })
}

/// The picture moves, and what leaves at one edge comes back at the other.
pub(super) fn shift(sketch: &mut Sketch) -> Rule {
    const STEPS: [(usize, usize); 6] = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2)];
    let (down, right) = sketch.pick(&STEPS);
    Box::new(move |sketch| {
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.picture(&palette);
        let (n_rows, n_cols) = (input.n_rows(), input.n_cols());
        let output = Grid::from_fn(n_rows, n_cols, |row, col| {
            input.at((row + n_rows - down) % n_rows, (col + n_cols - right) % n_cols)
        });
        Some((input, output))
    })
}
