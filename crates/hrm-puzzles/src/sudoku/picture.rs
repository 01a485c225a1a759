//! Draws boards as panels of a picture.

use super::Shape;
use crate::picture::{Cell, Colour, Panel, Part, PuzzleView, Window};

const LINES: Colour = [60, 60, 60];
const PAPER: Colour = [255, 255, 255];
/// Givens are black on grey; filled-in digits are blue on white.
const GIVEN: Colour = [228, 228, 228];
const BLACK: Colour = [0, 0, 0];
const BLUE: Colour = [0, 70, 190];

/// Draws question, prediction and answer, with thick lines between boxes.
pub fn panels(shape: Shape, view: &PuzzleView<'_>) -> Vec<Panel> {
    let Shape { side, box_rows, box_columns } = shape;
    let panel = |part: &Part| {
        let look = |cell| look(shape, view, *part, cell);
        let panel = view.panel(*part, &Window::square(side), look);
        panel.with_lines(LINES).with_boxes(box_rows, box_columns)
    };
    view.parts().iter().map(panel).collect()
}

/// The picture cell of one cell of a part.
fn look(shape: Shape, view: &PuzzleView<'_>, part: Part, cell: usize) -> Cell {
    match view.symbol(part, cell) {
        None | Some('.') => Cell::plain(PAPER),
        Some(digit) if !shape.digits().contains(digit) => Cell::unknown(),
        given if given == view.symbol(Part::Question, cell) => {
            Cell { symbol: given, ink: BLACK, ..Cell::plain(GIVEN) }
        }
        filled => Cell { symbol: filled, ink: BLUE, ..Cell::plain(PAPER) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn givens_and_filled_cells_look_different() {
        let shape = Shape::new(4).unwrap();
        let mut question = [Some('.'); 16];
        question[0] = Some('1');
        let mut answer = [Some('4'); 16];
        answer[0] = Some('1');
        let mut prediction = answer;
        (prediction[1], prediction[2], prediction[3]) = (Some('2'), None, Some('5'));
        let view =
            PuzzleView { question: &question, prediction: Some(&prediction), answer: &answer };
        let panels = panels(shape, &view);
        let wrong = |cell: Cell| Cell { is_wrong: true, ..cell };
        let found = &panels[1].cells()[..5];
        let want = [
            Cell::with_symbol('1', BLACK, GIVEN),
            wrong(Cell::with_symbol('2', BLUE, PAPER)),
            wrong(Cell::plain(PAPER)),
            wrong(Cell::unknown()),
            Cell::with_symbol('4', BLUE, PAPER),
        ];
        assert_eq!(found, want);
        assert_eq!(panels[0].cells()[1], Cell::plain(PAPER));
    }
}
