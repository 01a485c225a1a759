//! Rules about colours, mostly independent of position.

use super::family::Step;
use super::sketch::{BLANK, Sketch, TURNS};
use crate::arc::Grid;

/// One colour is replaced by another.
pub(super) fn recolour(sketch: &mut Sketch) -> Step {
    let [from, to, other, another] = sketch.colours();
    each_cell(&[from, other, another], move |colour| if colour == from { to } else { colour })
}

/// Two colours are swapped.
pub(super) fn swap_colours(sketch: &mut Sketch) -> Step {
    let [one, two, other] = sketch.colours();
    each_cell(&[one, two, other], move |colour| match colour {
        colour if colour == one => two,
        colour if colour == two => one,
        colour => colour,
    })
}

/// All colours except one become blank.
pub(super) fn keep_colour(sketch: &mut Sketch) -> Step {
    let [kept, other, another] = sketch.colours();
    each_cell(&[kept, other, another], move |colour| if colour == kept { kept } else { BLANK })
}

/// One colour becomes blank.
pub(super) fn drop_colour(sketch: &mut Sketch) -> Step {
    let [dropped, other, another] = sketch.colours();
    each_cell(
        &[dropped, other, another],
        move |colour| {
            if colour == dropped { BLANK } else { colour }
        },
    )
}

/// Coloured cells become blank, and blank cells take another colour.
pub(super) fn negative(sketch: &mut Sketch) -> Step {
    let [figure, inverse] = sketch.colours();
    each_cell(&[figure], move |colour| if colour == BLANK { inverse } else { BLANK })
}

/// A step that maps each cell on its own.
fn each_cell(palette: &[u8], new: impl Fn(u8) -> u8 + 'static) -> Step {
    Step::new(palette, move |picture| Some(picture.map(&new)))
}

/// Coloured cells in every second row or column take another colour.
pub(super) fn parity(sketch: &mut Sketch) -> Step {
    let [figure, other] = sketch.colours();
    let direction = sketch.pick(&TURNS[..2]);
    let odd = sketch.between(0, 1);
    Step::new(&[figure], move |picture| {
        let picture = direction.inverse().apply(picture);
        let painted = Grid::from_fn(picture.n_rows(), picture.n_cols(), |row, col| {
            match picture.at(row, col) {
                BLANK => BLANK,
                _ if col % 2 == odd => other,
                unchanged => unchanged,
            }
        });
        Some(direction.apply(&painted))
    })
}
