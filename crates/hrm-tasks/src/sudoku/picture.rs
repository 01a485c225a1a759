//! Boards as panels of a picture.

use super::Shape;
use super::task::{BLANK_ID, digit};
use crate::picture::{Cell, Colour, Panel, Part, Shown, Window};

const LINES: Colour = [60, 60, 60];
const PAPER: Colour = [255, 255, 255];
/// What the question gives is black on grey; what is filled in is blue on white.
const GIVEN: Colour = [228, 228, 228];
const BLACK: Colour = [0, 0, 0];
const BLUE: Colour = [0, 70, 190];

/// Question, prediction and answer, with lines between boxes.
pub(super) fn panels(shape: Shape, shown: &Shown<'_>) -> Vec<Panel> {
    let Shape { side, box_rows, box_columns } = shape;
    let panel = |part: &Part| {
        let look = |cell| look(shape, shown, *part, cell);
        let panel = shown.panel(*part, &Window::square(side), look);
        panel.with_lines(LINES).with_boxes(box_rows, box_columns)
    };
    shown.parts().iter().map(panel).collect()
}

fn look(shape: Shape, shown: &Shown<'_>, part: Part, cell: usize) -> Cell {
    let id = shown.id(part, cell);
    if id <= BLANK_ID {
        return Cell::plain(PAPER);
    }
    let symbol = digit(shape, id).and_then(|digit| shape.digits().chars().nth(digit - 1));
    let Some(symbol) = symbol else { return Cell::unknown() };
    if shown.id(Part::Input, cell) == id {
        Cell::with_symbol(symbol, BLACK, GIVEN)
    } else {
        Cell::with_symbol(symbol, BLUE, PAPER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn givens_and_filled_cells_look_different() {
        let shape = Shape::new(4).unwrap();
        let mut inputs = [1; 16];
        inputs[0] = 2;
        let mut labels = [5; 16];
        labels[0] = 2;
        let mut prediction = labels;
        (prediction[1], prediction[2], prediction[3]) = (3, 0, 6);
        let shown = Shown { inputs: &inputs, prediction: Some(&prediction), labels: &labels };
        let panels = panels(shape, &shown);
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
