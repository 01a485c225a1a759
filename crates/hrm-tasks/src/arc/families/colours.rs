//! Rules about colours, wherever they are.

use super::Rule;
use super::sketch::{BLANK, Sketch};
use crate::arc::Grid;

/// One colour becomes another.
pub(super) fn recolour(sketch: &mut Sketch) -> Rule {
    let [from, to, other, another] = sketch.colours();
    Box::new(move |sketch| {
        let input = sketch.picture(&[from, other, another]);
        let output = input.map(|colour| if colour == from { to } else { colour });
        Some((input, output))
    })
}

/// Two colours change places.
pub(super) fn swap_colours(sketch: &mut Sketch) -> Rule {
    let [one, two, other] = sketch.colours();
    Box::new(move |sketch| {
        let input = sketch.picture(&[one, two, other]);
        let output = input.map(|colour| match colour {
            colour if colour == one => two,
            colour if colour == two => one,
            colour => colour,
        });
        Some((input, output))
    })
}

/// Everything but one colour is wiped out.
pub(super) fn keep_colour(sketch: &mut Sketch) -> Rule {
    let [kept, other, another] = sketch.colours();
    Box::new(move |sketch| {
        let input = sketch.picture(&[kept, other, another]);
        let output = input.map(|colour| if colour == kept { kept } else { BLANK });
        Some((input, output))
    })
}

/// Figure becomes background and background a figure of another colour.
pub(super) fn negative(sketch: &mut Sketch) -> Rule {
    let [figure, inverse] = sketch.colours();
    Box::new(move |sketch| {
        let input = sketch.picture(&[figure]);
        let output = input.map(|colour| if colour == BLANK { inverse } else { BLANK });
        Some((input, output))
    })
}

/// The answer is a single cell, of the colour that occurs most.
pub(super) fn most_common(_: &mut Sketch) -> Rule {
    Box::new(|sketch| {
        let (n_rows, n_cols) = (sketch.side(3), sketch.side(3));
        let palette: [u8; 3] = sketch.colours();
        let input = sketch.speckled(n_rows, n_cols, &palette, 1.0);
        let count = |colour| input.cells().iter().filter(|found| **found == colour).count();
        let mut counts = palette.map(|colour| (count(colour), colour));
        counts.sort();
        let [_, (n_second, _), (n_first, winner)] = counts;
        // A tie has no answer.
        (n_first > n_second).then(|| (input, Grid::filled(1, 1, winner)))
    })
}

/// The answer is a row with one cell for every cell of the counted colour.
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
