//! Rules about panels: pictures side by side, with lines between them.

use super::family::Rule;
use super::sketch::{BLANK, Sketch, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// Two panels are combined cell by cell with a Boolean operation.
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

/// Two panels are overlaid; where both have colour, one of them covers the other.
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

/// A mask selects the cells of a picture that are kept, or those that become blank.
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

/// Two of three panels are equal; the output is the third.
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

/// Panels side by side, or one above the other.
const LAYOUTS: [Dihedral; 2] = [Dihedral::Identity, Dihedral::Transpose];

/// Random numbers of rows and columns of a panel, small enough that `n` fit side by side.
fn panel_sides(sketch: &mut Sketch, n: usize) -> (usize, usize) {
    let most = ((sketch.side_max() + 1) / n - 1).min(6);
    (sketch.side(3), sketch.between(2, most))
}

/// Joins panels of equal size from left to right, with a line between neighbours.
fn divided(panels: &[&Grid], divider: u8) -> Grid {
    let (n_rows, n_cols) = (panels[0].n_rows(), panels[0].n_cols());
    Grid::from_fn(n_rows, panels.len() * (n_cols + 1) - 1, |row, col| {
        let (panel, col) = (col / (n_cols + 1), col % (n_cols + 1));
        if col == n_cols { divider } else { panels[panel].at(row, col) }
    })
}
