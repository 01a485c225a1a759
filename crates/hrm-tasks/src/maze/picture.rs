//! Mazes as panels of a picture, and the colours of their cells.

use hrm_train::task::PADDING;

use super::PATH_ID;
use super::grid::Cell as MazeCell;
use crate::picture::{Cell, Colour, Panel, Part, Shown, Window};

const WALL: Colour = [68, 68, 68];
const FREE: Colour = [228, 228, 228];
const START: Colour = [0, 135, 0];
const GOAL: Colour = [215, 0, 0];
const PATH: Colour = [255, 175, 0];
const LINES: Colour = [200, 200, 200];
const WHITE: Colour = [255, 255, 255];

/// Question, prediction and answer of a maze with this side.
pub(super) fn panels(side: usize, shown: &Shown<'_>) -> Vec<Panel> {
    let panel = |part: &Part| {
        let look = |cell| look(shown.id(*part, cell));
        shown.panel(*part, &Window::square(side), look).with_lines(LINES)
    };
    shown.parts().iter().map(panel).collect()
}

/// The cell of a token id.
pub(super) fn look(id: u32) -> Cell {
    const WALL_ID: u32 = MazeCell::Wall as u32;
    const FREE_ID: u32 = MazeCell::Free as u32;
    const START_ID: u32 = MazeCell::Start as u32;
    const GOAL_ID: u32 = MazeCell::Goal as u32;
    match id {
        PADDING => Cell::plain(WHITE),
        WALL_ID => Cell::plain(WALL),
        FREE_ID => Cell::plain(FREE),
        START_ID => Cell::with_symbol('S', WHITE, START),
        GOAL_ID => Cell::with_symbol('G', WHITE, GOAL),
        PATH_ID => Cell::plain(PATH),
        _ => Cell::unknown(),
    }
}
