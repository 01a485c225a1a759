//! Rules about panels: pictures beside each other, with lines between them.

use super::family::Rule;
use super::sketch::{BLANK, Sketch, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// Two halves beside a dividing line, combined cell by cell.
pub(super) fn combine_halves(sketch: &mut Sketch) -> Rule {
    const COMBINATIONS: [fn(bool, bool) -> bool; 4] =
        [|a, b| a && b, |a, b| a || b, |a, b| a != b, |a, b| !(a || b)];
    let combine = sketch.pick(&COMBINATIONS);
    let transform = sketch.pick(&LAYOUTS);
    let [first, second, divider, result] = sketch.colours();
    Box::new(move |sketch| {
        let n_rows = sketch.side(3);
        let n_cols = sketch.between(2, ((sketch.side_max() - 1) / 2).min(6));
        let [left, right] =
            [first, second].map(|side| sketch.speckled(n_rows, n_cols, &[side], 0.5));
        let input = divided(&[&left, &right], divider);
        let output = Grid::from_fn(n_rows, n_cols, |row, col| {
            let is_set = combine(left.at(row, col) != BLANK, right.at(row, col) != BLANK);
            if is_set { result } else { BLANK }
        });
        Some(turned(transform, (input, output)))
    })
}

/// Two panels laid over each other; where both are painted, one goes first.
pub(super) fn overlay(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&LAYOUTS);
    let is_left_above = sketch.chance(0.5);
    let [first, second, divider] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = panel_sides(sketch, 2);
        let [left, right] =
            [first, second].map(|colour| sketch.speckled(n_rows, n_cols, &[colour], 0.5));
        let (above, below) = if is_left_above { (&left, &right) } else { (&right, &left) };
        let output = Grid::from_fn(n_rows, n_cols, |row, col| match above.at(row, col) {
            BLANK => below.at(row, col),
            colour => colour,
        });
        Some(turned(transform, (divided(&[&left, &right], divider), output)))
    })
}

/// A mask says which cells of a picture stay, or which go.
pub(super) fn mask(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&LAYOUTS);
    let is_window = sketch.chance(0.5);
    let [mask, divider, one, two, three] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = panel_sides(sketch, 2);
        let left = sketch.speckled(n_rows, n_cols, &[mask], 0.5);
        let right = sketch.speckled(n_rows, n_cols, &[one, two, three], 0.9);
        let output = Grid::from_fn(n_rows, n_cols, |row, col| {
            let is_masked = left.at(row, col) != BLANK;
            if is_masked == is_window { right.at(row, col) } else { BLANK }
        });
        Some(turned(transform, (divided(&[&left, &right], divider), output)))
    })
}

/// Of three panels two are alike; the answer is the third.
pub(super) fn odd_one_out(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&LAYOUTS);
    let [divider, one, two] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = panel_sides(sketch, 3);
        let [usual, odd] = [(), ()].map(|()| sketch.speckled(n_rows, n_cols, &[one, two], 0.6));
        let mut panels = [&usual; 3];
        panels[sketch.between(0, 2)] = &odd;
        let input = divided(&panels, divider);
        (usual != odd).then(|| turned(transform, (input, odd)))
    })
}

/// Side by side, or one above the other.
const LAYOUTS: [Dihedral; 2] = [Dihedral::Identity, Dihedral::Transpose];

/// Rows and columns of panels of which `n` fit beside each other.
fn panel_sides(sketch: &mut Sketch, n: usize) -> (usize, usize) {
    let most = ((sketch.side_max() + 1) / n - 1).min(6);
    (sketch.side(3), sketch.between(2, most))
}

/// Panels of equal size from left to right, with a line between any two.
fn divided(panels: &[&Grid], divider: u8) -> Grid {
    let (n_rows, n_cols) = (panels[0].n_rows(), panels[0].n_cols());
    Grid::from_fn(n_rows, panels.len() * (n_cols + 1) - 1, |row, col| {
        let (panel, col) = (col / (n_cols + 1), col % (n_cols + 1));
        if col == n_cols { divider } else { panels[panel].at(row, col) }
    })
}
