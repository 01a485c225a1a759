//! Rules that count and compare.

use super::family::Rule;
use super::sketch::{BLANK, Sketch, TURNS, count, paint, turned};
use crate::Dihedral;
use crate::arc::{Grid, N_COLOURS};

/// The output is a single cell of the most frequent colour.
pub(super) fn most_common(_: &mut Sketch) -> Rule {
    Box::new(|sketch| {
        let (n_rows, n_cols) = (sketch.side(3), sketch.side(3));
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.speckled(n_rows, n_cols, &palette, 1.0);
        let winner = majority(input.cells())?;
        Some((input, Grid::filled(1, 1, winner)))
    })
}

/// Every row, or every column, takes its most frequent colour.
pub(super) fn majority_rows(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS[..2]);
    let palette: [u8; 3] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = (sketch.side(4), sketch.side(4));
        let mut input = Grid::filled(n_rows, n_cols, BLANK);
        let mut winners = Vec::new();
        for row in 0..n_rows {
            let often = sketch.pick(&palette);
            for col in 0..n_cols {
                let colour = if sketch.chance(0.5) { often } else { sketch.pick(&palette) };
                input.set(row, col, colour);
            }
            winners.push(majority(&input.cells()[row * n_cols..][..n_cols])?);
        }
        let output = Grid::from_fn(n_rows, n_cols, |row, _| winners[row]);
        Some(turned(direction, (input, output)))
    })
}

/// The most frequent colour; `None` on a tie.
fn majority(cells: &[u8]) -> Option<u8> {
    let mut counts: Vec<_> = (0..N_COLOURS)
        .map(|colour| (cells.iter().filter(|found| **found == colour).count(), colour))
        .collect();
    counts.sort();
    let [.., (n_second, _), (n_first, winner)] = counts[..] else { return None };
    (n_first > n_second).then_some(winner)
}

/// The output is a row with one cell for every cell of the counted colour.
pub(super) fn count_bar(sketch: &mut Sketch) -> Rule {
    let [counted, other] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(3);
        let n_cells = input.cells().len();
        let n_counted = sketch.between(1, n_cells.min(sketch.side_max()).min(9));
        let n_others = sketch.between(0, n_cells - n_counted).min(n_counted);
        let n_cols = input.n_cols();
        for (idx, cell) in sketch.sample(n_counted + n_others, n_cells).into_iter().enumerate() {
            let colour = if idx < n_counted { counted } else { other };
            input.set(cell / n_cols, cell % n_cols, colour);
        }
        Some((input, Grid::filled(1, n_counted, counted)))
    })
}

/// The output is a row with one cell for every object, whatever its size.
pub(super) fn count_objects(sketch: &mut Sketch) -> Rule {
    let [object, tally] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(5);
        let n = sketch.between(1, 5);
        let areas = sketch.areas(&input, n, (1, 3), &[]);
        areas.iter().for_each(|area| paint(&mut input, *area, object));
        Some((input, Grid::filled(1, areas.len(), tally)))
    })
}

/// The output is a column with the colours of the objects, the largest object first.
pub(super) fn rank_objects(_: &mut Sketch) -> Rule {
    Box::new(|sketch| {
        let mut input = sketch.blank(7);
        let n = sketch.between(2, 4);
        let palette: [u8; 4] = sketch.colours();
        let mut areas = sketch.areas(&input, n, (1, 4), &[]);
        areas.sort_by_key(|area| std::cmp::Reverse(area.n_cells()));
        areas.dedup_by_key(|area| area.n_cells());
        areas.iter().zip(palette).for_each(|(area, colour)| paint(&mut input, *area, colour));
        // A single object would not show the order.
        let ranked = areas.len() > 1;
        ranked.then(|| (input, Grid::from_fn(areas.len(), 1, |rank, _| palette[rank])))
    })
}

/// The picture is scaled up by the number of its colours.
pub(super) fn scale_by_colours(_: &mut Sketch) -> Rule {
    Box::new(|sketch| {
        let factor = sketch.between(2, (sketch.side_max() / 2).min(4));
        let side_max = (sketch.side_max() / factor).min(5);
        let (n_rows, n_cols) = (sketch.between(2, side_max), sketch.between(2, side_max));
        let palette: [u8; 4] = sketch.colours();
        let input = sketch.speckled(n_rows, n_cols, &palette[..factor], 0.8);
        let has_all = palette[..factor].iter().all(|colour| count(&input, *colour) > 0);
        let scaled = |row, col| input.at(row / factor, col / factor);
        has_all.then(|| (input.clone(), Grid::from_fn(n_rows * factor, n_cols * factor, scaled)))
    })
}

/// A bar is repeated in new rows, one cell longer each time, until it fills the width.
pub(super) fn staircase(sketch: &mut Sketch) -> Rule {
    let transform = sketch.pick(&[
        Dihedral::Identity,
        Dihedral::FlipLeftRight,
        Dihedral::Transpose,
        Dihedral::AntiTranspose,
    ]);
    Box::new(move |sketch| {
        let [colour] = sketch.colours();
        let n_cols = sketch.side(5);
        let start = sketch.between(1, n_cols - 2);
        let n_rows = n_cols - start + 1;
        let bar = |row, col| if col < start + row { colour } else { BLANK };
        let pair = (Grid::from_fn(1, n_cols, bar), Grid::from_fn(n_rows, n_cols, bar));
        Some(turned(transform, pair))
    })
}

/// Columns of coloured cells on the lower edge are sorted by height.
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
