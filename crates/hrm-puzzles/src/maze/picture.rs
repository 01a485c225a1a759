//! Draws mazes as panels of a picture, and defines the colours of their cells.

use super::cell::Cell as MazeCell;
use super::{PATH, Size};
use crate::picture::{Cell, Colour, Panel, Part, PuzzleView, Symbol, Window};

const WALL: Colour = [68, 68, 68];
const FREE: Colour = [228, 228, 228];
const START: Colour = [0, 135, 0];
const GOAL: Colour = [215, 0, 0];
const PATH_COLOUR: Colour = [255, 175, 0];
const LINES: Colour = [200, 200, 200];
const WHITE: Colour = [255, 255, 255];

/// Draws question, prediction and answer of a maze of this size.
pub fn panels(size: Size, view: &PuzzleView<'_>) -> Vec<Panel> {
    let window = Window::whole(size.height(), size.width());
    let panel = |part: &Part| {
        let look = |cell| look(view.symbol(*part, cell));
        view.panel(*part, &window, look).with_lines(LINES)
    };
    view.parts().iter().map(panel).collect()
}

/// The picture cell of a symbol.
pub(super) fn look(symbol: Symbol) -> Cell {
    let Some(symbol) = symbol else { return Cell::plain(WHITE) };
    match MazeCell::from_symbol(symbol) {
        Some(MazeCell::Wall) => Cell::plain(WALL),
        Some(MazeCell::Free) => Cell::plain(FREE),
        Some(MazeCell::Start) => Cell::with_symbol(symbol, WHITE, START),
        Some(MazeCell::Goal) => Cell::with_symbol(symbol, WHITE, GOAL),
        None if symbol == PATH => Cell::plain(PATH_COLOUR),
        None => Cell::unknown(),
    }
}
