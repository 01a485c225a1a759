//! Rules about the grid as a whole: turned, repeated, cut, combined.

use super::Rule;
use super::sketch::{BLANK, Sketch, TURNS, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// The picture in one of two mirrors.
pub(super) fn mirror(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&[Dihedral::FlipLeftRight, Dihedral::FlipUpDown]);
    transformed(sketch, transform)
}

/// The picture turned by one of three angles.
pub(super) fn rotate(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&TURNS[1..]);
    transformed(sketch, transform)
}

/// The picture reflected about one of its diagonals.
pub(super) fn transpose(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&[Dihedral::Transpose, Dihedral::AntiTranspose]);
    transformed(sketch, transform)
}

fn transformed(sketch: &mut Sketch, transform: Dihedral) -> Rule {
    let palette: [u8; 3] = sketch.colours();
    Box::new(move |sketch| {
        let input = sketch.picture(&palette);
        let output = transform.apply(&input);
        Some((input, output))
    })
}

/// The picture repeated, in every other row or column of tiles perhaps as a
/// mirror image.
pub(super) fn tile(sketch: &mut Sketch) -> Rule {
    const LAYOUTS: [(usize, usize); 6] = [(1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (3, 3)];
    let fits = |(down, across): &(usize, usize)| 2 * down.max(across) <= sketch.side_max();
    let fitting: Vec<_> = LAYOUTS.iter().filter(|layout| fits(layout)).copied().collect();
    let (n_down, n_across) = sketch.pick(&fitting);
    let is_mirrored = sketch.chance(0.5);
    Box::new(move |sketch| {
        let n_rows = sketch.between(2, (sketch.side_max() / n_down).min(5));
        let n_cols = sketch.between(2, (sketch.side_max() / n_across).min(5));
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.speckled(n_rows, n_cols, &palette, 0.7);
        let place = |at: usize, n: usize| {
            if is_mirrored && (at / n) % 2 == 1 { n - 1 - at % n } else { at % n }
        };
        let output = Grid::from_fn(n_rows * n_down, n_cols * n_across, |row, col| {
            input.at(place(row, n_rows), place(col, n_cols))
        });
        Some((input, output))
    })
}

/// Every cell becomes a block.
pub(super) fn scale_up(sketch: &mut Sketch) -> Rule {
    let factor = if sketch.side_max() >= 6 { sketch.between(2, 3) } else { 2 };
    Box::new(move |sketch| {
        let side_max = (sketch.side_max() / factor).min(5);
        let (n_rows, n_cols) = (sketch.between(2, side_max), sketch.between(2, side_max));
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.speckled(n_rows, n_cols, &palette, 0.7);
        let output = Grid::from_fn(n_rows * factor, n_cols * factor, |row, col| {
            input.at(row / factor, col / factor)
        });
        Some((input, output))
    })
}

/// The picture and its mirror image, back to back.
pub(super) fn reflect(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let n_rows = sketch.between(2, (sketch.side_max() / 2).min(7));
        let n_cols = sketch.side(3);
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.speckled(n_rows, n_cols, &palette, 0.7);
        let output = Grid::from_fn(2 * n_rows, n_cols, |row, col| {
            input.at(if row < n_rows { row } else { 2 * n_rows - 1 - row }, col)
        });
        Some(turned(direction, (input, output)))
    })
}

/// One half of the picture.
pub(super) fn half(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let n_rows = sketch.between(2, (sketch.side_max() / 2).min(7));
        let n_cols = sketch.side(2);
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.speckled(2 * n_rows, n_cols, &palette, 0.7);
        let output = Grid::from_fn(n_rows, n_cols, |row, col| input.at(row, col));
        Some(turned(direction, (input, output)))
    })
}

/// A frame of one colour over the picture's edge.
pub(super) fn border(sketch: &mut Sketch) -> Rule {
    let [frame, one, two] = sketch.colours();
    Box::new(move |sketch| {
        let input = sketch.picture(&[one, two]);
        let (last_row, last_col) = (input.n_rows() - 1, input.n_cols() - 1);
        let output = Grid::from_fn(last_row + 1, last_col + 1, |row, col| {
            let is_edge = row == 0 || col == 0 || row == last_row || col == last_col;
            if is_edge { frame } else { input.at(row, col) }
        });
        Some((input, output))
    })
}

/// Two halves beside a dividing line, combined cell by cell.
pub(super) fn combine_halves(sketch: &mut Sketch) -> Rule {
    const COMBINATIONS: [fn(bool, bool) -> bool; 4] =
        [|a, b| a && b, |a, b| a || b, |a, b| a != b, |a, b| !(a || b)];
    let combine = sketch.pick(&COMBINATIONS);
    let transform = sketch.pick(&[Dihedral::Identity, Dihedral::Transpose]);
    let [first, second, divider, result] = sketch.colours();
    Box::new(move |sketch| {
        let n_rows = sketch.side(3);
        let n_cols = sketch.between(2, ((sketch.side_max() - 1) / 2).min(6));
        let [left, right] =
            [first, second].map(|side| sketch.speckled(n_rows, n_cols, &[side], 0.5));
        let input = Grid::from_fn(n_rows, 2 * n_cols + 1, |row, col| match col {
            col if col < n_cols => left.at(row, col),
            col if col == n_cols => divider,
            col => right.at(row, col - n_cols - 1),
        });
        let output = Grid::from_fn(n_rows, n_cols, |row, col| {
            let is_set = combine(left.at(row, col) != BLANK, right.at(row, col) != BLANK);
            if is_set { result } else { BLANK }
        });
        Some(turned(transform, (input, output)))
    })
}

/// A symmetric picture with a covered patch, uncovered.
pub(super) fn complete_symmetry(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS[..2]);
    let [cover, one, two, three] = sketch.colours();
    Box::new(move |sketch| {
        let half = sketch.between(2, (sketch.side_max() / 2).min(7));
        let n_cols = sketch.side(3);
        let upper = sketch.speckled(half, n_cols, &[one, two, three], 0.9);
        let output = Grid::from_fn(2 * half, n_cols, |row, col| {
            upper.at(if row < half { row } else { 2 * half - 1 - row }, col)
        });
        // Within one half, or there would be nothing to copy from.
        let [patch] = sketch.areas(&upper, 1, (1, 4), &[])[..] else { return None };
        let top = if sketch.chance(0.5) { 0 } else { half };
        let mut input = output.clone();
        patch.cells().for_each(|(row, col)| input.set(top + row, col, cover));
        Some(turned(direction, (input, output)))
    })
}
