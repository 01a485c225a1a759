//! Rules about the grid as a whole: rotating, repeating, cutting, completing.

use super::family::{Rule, Step};
use super::sketch::{Area, Sketch, TURNS, paint, paint_rim, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// The picture is reflected, left to right or top to bottom.
pub(super) fn mirror(sketch: &mut Sketch) -> Step {
    let transform = sketch.pick(&[Dihedral::FlipLeftRight, Dihedral::FlipUpDown]);
    transformed(sketch, transform)
}

/// The picture is rotated by one, two or three quarter turns.
pub(super) fn rotate(sketch: &mut Sketch) -> Step {
    let transform = sketch.pick(&TURNS[1..]);
    transformed(sketch, transform)
}

/// The picture is reflected about one of its diagonals.
pub(super) fn transpose(sketch: &mut Sketch) -> Step {
    let transform = sketch.pick(&[Dihedral::Transpose, Dihedral::AntiTranspose]);
    transformed(sketch, transform)
}

fn transformed(sketch: &mut Sketch, transform: Dihedral) -> Step {
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, move |picture| Some(transform.apply(picture)))
}

/// The picture is repeated as tiles; in half of the tasks, every other row and column of
/// tiles is mirrored.
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

/// Every cell becomes a block of two by two.
pub(super) fn scale_up(sketch: &mut Sketch) -> Step {
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, |picture| {
        let (n_rows, n_cols) = (2 * picture.n_rows(), 2 * picture.n_cols());
        Some(Grid::from_fn(n_rows, n_cols, |row, col| picture.at(row / 2, col / 2)))
    })
}

/// The picture is extended by its mirror image.
pub(super) fn reflect(sketch: &mut Sketch) -> Step {
    let direction = sketch.pick(&TURNS);
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, move |picture| {
        let upper = direction.inverse().apply(picture);
        Some(direction.apply(&mirrored_below(&upper)))
    })
}

/// The picture is extended by its mirror images to twice the height and width.
pub(super) fn kaleidoscope(sketch: &mut Sketch) -> Step {
    let direction = sketch.pick(&TURNS);
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, move |picture| {
        let corner = direction.inverse().apply(picture);
        let left = mirrored_below(&corner);
        let whole = Dihedral::Transpose.apply(&mirrored_below(&Dihedral::Transpose.apply(&left)));
        Some(direction.apply(&whole))
    })
}

/// A grid with its mirror image below it.
fn mirrored_below(upper: &Grid) -> Grid {
    let n_rows = upper.n_rows();
    Grid::from_fn(2 * n_rows, upper.n_cols(), |row, col| {
        upper.at(if row < n_rows { row } else { 2 * n_rows - 1 - row }, col)
    })
}

/// One half of the picture is cut out.
pub(super) fn half(sketch: &mut Sketch) -> Step {
    let direction = sketch.pick(&TURNS);
    let palette: [u8; 3] = sketch.colours();
    Step::new(&palette, move |picture| {
        let picture = direction.inverse().apply(picture);
        let (n_rows, n_cols) = (picture.n_rows() / 2, picture.n_cols());
        let is_even = 2 * n_rows == picture.n_rows();
        let upper = |row, col| picture.at(row, col);
        is_even.then(|| direction.apply(&Grid::from_fn(n_rows, n_cols, upper)))
    })
}

/// The cells on the edge of the picture are painted in one colour.
pub(super) fn border(sketch: &mut Sketch) -> Step {
    let [frame, one, two] = sketch.colours();
    Step::new(&[one, two], move |picture| {
        let (n_rows, n_cols) = (picture.n_rows(), picture.n_cols());
        let mut framed = picture.clone();
        paint_rim(&mut framed, Area { top: 0, left: 0, n_rows, n_cols }, frame);
        // The frame must leave at least one cell of the picture visible.
        (n_rows.min(n_cols) > 2).then_some(framed)
    })
}

/// Full rows and columns of one colour are removed.
pub(super) fn remove_lines(sketch: &mut Sketch) -> Rule {
    let [line, one, two, three] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = (sketch.side(4), sketch.side(4));
        let n_lines = [sketch.between(0, 2), sketch.between(0, 2)];
        let rows = kept(n_rows, &sketch.sample(n_lines[0], n_rows));
        let cols = kept(n_cols, &sketch.sample(n_lines[1], n_cols));
        let output = sketch.speckled(rows.len(), cols.len(), &[one, two, three], 0.6);
        let mut input = Grid::filled(n_rows, n_cols, line);
        for (row, at_row) in rows.iter().enumerate() {
            for (col, at_col) in cols.iter().enumerate() {
                input.set(*at_row, *at_col, output.at(row, col));
            }
        }
        Some((input, output))
    })
}

/// The numbers below `n` that are not `removed`.
fn kept(n: usize, removed: &[usize]) -> Vec<usize> {
    (0..n).filter(|at| !removed.contains(at)).collect()
}

/// The covered patch of a symmetric picture is restored.
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
        // Within one half, so that the other half shows the covered cells.
        let [patch] = sketch.areas(&upper, 1, (1, 4), &[])[..] else { return None };
        let top = if sketch.chance(0.5) { 0 } else { half };
        let mut input = output.clone();
        patch.cells().for_each(|(row, col)| input.set(top + row, col, cover));
        Some(turned(direction, (input, output)))
    })
}

/// The covered patch of a picture of repeated tiles is restored.
pub(super) fn complete_tiling(sketch: &mut Sketch) -> Rule {
    let [cover, one, two, three] = sketch.colours();
    Box::new(move |sketch| {
        let tile = sketch.speckled(2, 2, &[one, two, three], 1.0);
        let (n_rows, n_cols) = (sketch.side(6), sketch.side(6));
        let output = Grid::from_fn(n_rows, n_cols, |row, col| tile.at(row % 2, col % 2));
        // Small enough that every cell of the tile stays visible somewhere.
        let [patch] = sketch.areas(&output, 1, (1, 4), &[])[..] else { return None };
        let mut input = output.clone();
        paint(&mut input, patch, cover);
        Some((input, output))
    })
}
