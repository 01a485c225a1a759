//! Draws pairs as panels of a picture, and defines the colours of their cells.
//!
//! A canvas of `side` by `side` symbols holds a grid of digits `0`..`9` anywhere on it;
//! `|` marks where the grid ends.

use super::N_COLOURS;
use crate::picture::{Cell, Colour, Panel, Part, PuzzleView, Symbol, Window};

/// Marks the end of a grid on a larger canvas.
pub(super) const END_OF_GRID: char = '|';

/// The colours 0 to 9, as in the public viewers.
pub(super) const PALETTE: [Colour; 10] = [
    [0, 0, 0],
    [0, 116, 217],
    [255, 65, 54],
    [46, 204, 64],
    [255, 220, 0],
    [170, 170, 170],
    [240, 18, 190],
    [255, 133, 27],
    [127, 219, 255],
    [135, 12, 37],
];

/// Lines between cells, as in the public viewers.
const LINES: Colour = [85, 85, 85];
/// A cell outside the grid.
const OUTSIDE: Colour = [240, 240, 240];

/// Draws input, prediction and output of a pair, cropped to the grids.
pub fn panels(side: usize, view: &PuzzleView<'_>) -> Vec<Panel> {
    let panel = |part: &Part| {
        let window = window(side, view, *part);
        let look = |cell| look(view, *part, cell);
        view.panel(*part, &window, look).with_lines(LINES)
    };
    view.parts().iter().map(panel).collect()
}

/// The window of the grid, or the whole canvas if there is no grid.
///
/// Prediction and output share a window: it covers the output and all wrong predictions
/// at its edges.
fn window(side: usize, view: &PuzzleView<'_>, part: Part) -> Window {
    let is_colour = |part, cell| colour(view.symbol(part, cell)).is_some();
    let around_output = || {
        let is_inside = |cell| is_colour(Part::Answer, cell) || view.is_wrong(cell);
        Window::around(side, is_inside)
    };
    let found = match part {
        Part::Question => Window::around(side, |cell| is_colour(Part::Question, cell)),
        Part::Answer => around_output(),
        // Without a label, only the prediction can be shown.
        Part::Prediction => around_output()
            .or_else(|| Window::around(side, |cell| is_colour(Part::Prediction, cell))),
    };
    found.unwrap_or_else(|| Window::square(side))
}

fn look(view: &PuzzleView<'_>, part: Part, cell: usize) -> Cell {
    // Predictions of cells without a label are meaningless.
    let is_void = part == Part::Prediction && view.n_labels() > 0 && !view.has_label(cell);
    let symbol = if is_void { None } else { view.symbol(part, cell) };
    match symbol {
        None => Cell::plain(OUTSIDE),
        Some(END_OF_GRID) => Cell::with_symbol(END_OF_GRID, LINES, OUTSIDE),
        symbol => match colour(symbol) {
            Some(colour) => Cell::plain(PALETTE[usize::from(colour)]),
            None => Cell::unknown(),
        },
    }
}

/// The colour of a symbol; `None` if the symbol is not a colour.
pub(super) fn colour(symbol: Symbol) -> Option<u8> {
    let colour = u8::try_from(symbol?.to_digit(10)?).ok()?;
    (colour < N_COLOURS).then_some(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::grid;

    /// A canvas with a grid at `(top, left)` and the marks of its end.
    fn canvas_of(text: &str, (top, left): (usize, usize), side: usize) -> Vec<Symbol> {
        let grid = grid(text);
        let (bottom, right) = (top + grid.n_rows(), left + grid.n_cols());
        let symbol = |cell: usize| {
            let (row, col) = (cell / side, cell % side);
            let (in_rows, in_cols) = ((top..bottom).contains(&row), (left..right).contains(&col));
            let is_end = (row == bottom && in_cols) || (col == right && in_rows);
            let digit = || char::from(b'0' + grid.at(row - top, col - left));
            if in_rows && in_cols { Some(digit()) } else { is_end.then_some(END_OF_GRID) }
        };
        (0..side * side).map(symbol).collect()
    }

    fn size(panel: &Panel) -> (usize, usize) {
        (panel.n_rows(), panel.n_cols())
    }

    #[test]
    fn grids_have_their_own_size_wherever_they_are() {
        let question = canvas_of("123 456", (2, 1), 6);
        let answer = canvas_of("7", (2, 1), 6);
        let panels =
            panels(6, &PuzzleView { question: &question, prediction: None, answer: &answer });
        assert_eq!(panels.iter().map(size).collect::<Vec<_>>(), [(2, 3), (1, 1)]);
        let fills: Vec<_> = panels[0].cells().iter().map(|cell| cell.fill).collect();
        assert_eq!(fills, PALETTE[1..7]);
    }

    #[test]
    fn a_grid_of_the_wrong_size_shows_where_it_should_have_ended() {
        let (question, answer) = (canvas_of("1", (0, 0), 4), canvas_of("12 34", (0, 0), 4));
        let show = |prediction: &[Symbol]| {
            panels(
                4,
                &PuzzleView { question: &question, prediction: Some(prediction), answer: &answer },
            )
        };
        // Cells beyond the marks of the end have no label.
        let mut right = answer.clone();
        right[15] = Some('3');
        let found = show(&right);
        assert_eq!((size(&found[1]), size(&found[2])), ((2, 2), (2, 2)));
        assert!(found[1].cells().iter().all(|cell| !cell.is_wrong));

        let found = show(&canvas_of("125 345", (0, 0), 4));
        assert_eq!((size(&found[1]), size(&found[2])), ((2, 3), (2, 3)));
        let marks: Vec<_> = found[1].cells().iter().map(|cell| cell.is_wrong).collect();
        assert_eq!(marks, [false, false, true, false, false, true]);
        assert_eq!(found[1].cells()[2].fill, PALETTE[5]);
        assert_eq!(found[2].cells()[2].symbol, Some('|'));
    }

    #[test]
    fn an_empty_question_and_answer_can_be_drawn() {
        let prediction = canvas_of("1 2", (0, 0), 3);
        let view = PuzzleView { question: &[], prediction: Some(&prediction), answer: &[] };
        let sizes: Vec<_> = panels(3, &view).iter().map(size).collect();
        assert_eq!(sizes, [(3, 3), (2, 1), (3, 3)]);
    }
}
