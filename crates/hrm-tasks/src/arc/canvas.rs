//! Grids on a square canvas of token ids, and back.
//!
//! ```text
//! 0 padding   1 end of grid   2..=11 colours 0..=9
//!
//! 3 4 1 0     a grid of 2 by 2 at (0, 0) on a canvas of 4 by 4: the row below
//! 5 6 1 0     and the column to the right mark its end; the corner between
//! 1 1 0 0     them stays padding
//! 0 0 0 0
//! ```
//!
//! A grid that touches the lower or right edge of the canvas has no mark there.

use hrm_puzzles::Style;
use hrm_puzzles::arc::{self, Grid, N_COLOURS, SIDE_MAX};
use hrm_train::task::PADDING;

use crate::Vocabulary;

/// Token id of the marks below and to the right of a grid.
pub const END_OF_GRID: u32 = 1;

/// Token id of colour 0; the other colours follow.
pub const FIRST_COLOUR: u32 = 2;

/// The vocabulary of a canvas: padding, `|` for the end of a grid, the digits.
pub fn vocabulary() -> Vocabulary {
    Vocabulary::new("|0123456789".chars())
}

/// Fills `cells` with an empty canvas of `side` by `side` cells and `grid` on it. The top
/// left corner of the grid is at `offset`, a `(row, column)`.
///
/// # Panics
///
/// If the grid does not fit, or `cells` is not `side * side` long.
pub fn place(grid: &Grid, offset: (usize, usize), side: usize, cells: &mut [u32]) {
    let (top, left) = offset;
    let (bottom, right) = (top + grid.n_rows(), left + grid.n_cols());
    assert!(bottom <= side && right <= side, "a grid must fit on its canvas");
    assert_eq!(cells.len(), side * side, "a canvas has side * side cells");

    cells.fill(PADDING);
    let lines = cells.chunks_exact_mut(side).skip(top);
    for (line, row) in lines.zip(grid.rows()) {
        for (cell, colour) in line[left..].iter_mut().zip(row) {
            *cell = FIRST_COLOUR + u32::from(*colour);
        }
        if right < side {
            line[right] = END_OF_GRID;
        }
    }
    if bottom < side {
        cells[bottom * side..][left..right].fill(END_OF_GRID);
    }
}

/// The grid on a canvas of `side` by `side` cells: the largest rectangle at its top left
/// corner whose ids are all colours, or the one with the fewest rows among equally large
/// ones. `None` if the corner itself is not a colour.
///
/// # Panics
///
/// If `side` is not in `1..=30`, or `cells` is not `side * side` long.
pub fn read(cells: &[u32], side: usize) -> Option<Grid> {
    assert!((1..=SIDE_MAX).contains(&side), "a canvas has 1 to 30 cells a side");
    assert_eq!(cells.len(), side * side, "a canvas has side * side cells");

    let mut best = (0, 0);
    // Number of leading columns that are colours in every row so far; it can only shrink.
    let mut n_cols = side;
    for (row, line) in cells.chunks_exact(side).enumerate() {
        n_cols = line[..n_cols].iter().take_while(|id| colour(**id).is_some()).count();
        let n_rows = row + 1;
        if n_rows * n_cols > best.0 * best.1 {
            best = (n_rows, n_cols);
        }
    }
    let (n_rows, n_cols) = best;
    let colour_at = |row: usize, col: usize| {
        colour(cells[row * side + col]).expect("the rectangle holds colours only")
    };
    (n_rows > 0).then(|| Grid::from_fn(n_rows, n_cols, colour_at))
}

/// Question and answer as text, given as canvases of `side` by `side` cells. Both are
/// cropped to the rectangle that at least one of them uses; `|` marks the end of a grid.
pub(super) fn draw(side: usize, inputs: &[u32], labels: &[u32], style: Style) -> String {
    let vocabulary = vocabulary();
    let [question, answer] = [inputs, labels].map(|ids| vocabulary.symbols_of(ids));
    arc::draw_canvases(side, &question, &answer, style)
}

/// The colour of a token id, if it is one.
pub fn colour(id: u32) -> Option<u8> {
    let colour = u8::try_from(id.checked_sub(FIRST_COLOUR)?).ok()?;
    (colour < N_COLOURS).then_some(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::tests::{any_grid, grid};
    use proptest::prelude::*;

    fn placed(grid: &Grid, offset: (usize, usize), side: usize) -> Vec<u32> {
        let mut cells = vec![99; side * side];
        place(grid, offset, side, &mut cells);
        cells
    }

    #[test]
    fn a_grid_is_followed_by_marks_where_there_is_room() {
        let text = |cells: &[u32], side: usize| {
            let rows = cells.chunks(side).map(|row| vocabulary().decode(row));
            rows.collect::<Vec<_>>().join(" ")
        };
        let grid = grid("12 34");
        assert_eq!(vocabulary().len(), 12);
        assert_eq!(text(&placed(&grid, (0, 0), 4), 4), "12|_ 34|_ ||__ ____");
        assert_eq!(text(&placed(&grid, (1, 1), 4), 4), "____ _12| _34| _||_");
        assert_eq!(text(&placed(&grid, (2, 1), 4), 4), "____ ____ _12| _34|");
        assert_eq!(text(&placed(&grid, (0, 2), 4), 4), "__12 __34 __|| ____");
        assert_eq!(text(&placed(&grid, (0, 0), 2), 2), "12 34");
    }

    #[test]
    fn a_prediction_is_the_largest_rectangle_of_colours_at_the_corner() {
        let read_text = |rows: &str, side| {
            let cells = vocabulary().encode(&rows.replace(' ', ""), "test").unwrap();
            read(&cells, side)
        };
        assert_eq!(read_text("____ 1234 1234 1234", 4), None);
        assert_eq!(read_text("|123 1234 1234 1234", 4), None);
        assert_eq!(read_text("1__ ___ __2", 3), Some(grid("1")));
        // Four in the top row against two rows of one.
        assert_eq!(read_text("1234 5|67 |___ ____", 4), Some(grid("1234")));
        // Two rows of three win over one of four and four of one.
        assert_eq!(read_text("1234 567_ 8___ 9___", 4), Some(grid("123 567")));
        // A later, wider row cannot widen the rectangle.
        assert_eq!(read_text("12__ 34__ 567_ 8901", 4), Some(grid("12 34 56 89")));
        // One row of two and two rows of one are equally large: fewer rows win.
        assert_eq!(read_text("12 3_", 2), Some(grid("12")));
        // An id outside the vocabulary is not a colour.
        assert_eq!(read(&[2, 12, u32::MAX, 2], 2), Some(grid("0")));
    }

    proptest! {
        #[test]
        fn a_placed_grid_is_read_back(grid in any_grid(9), room in 0usize..3) {
            let side = grid.side() + room;
            prop_assert_eq!(read(&placed(&grid, (0, 0), side), side), Some(grid));
        }

        #[test]
        fn reading_agrees_with_trying_every_rectangle(
            ids in prop::collection::vec(prop::sample::select(vec![0u32, 1, 3, 3, 3, 4, 4]), 25),
        ) {
            let all_colours = |n_rows: usize, n_cols: usize| {
                let rows = ids.chunks(5).take(n_rows);
                rows.flat_map(|row| &row[..n_cols]).all(|id| colour(*id).is_some())
            };
            let sizes = (1..=5).flat_map(|n_rows| (1..=5).map(move |n_cols| (n_rows, n_cols)));
            let sizes = sizes.filter(|size| all_colours(size.0, size.1));
            let areas = sizes.map(|size| size.0 * size.1);
            let area = read(&ids, 5).map(|grid| grid.n_rows() * grid.n_cols());
            prop_assert_eq!(area, areas.max());
        }
    }
}
