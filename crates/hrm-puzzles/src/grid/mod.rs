//! Puzzles on grids of characters: any alphabet, any size.
//!
//! To define a puzzle with rules, implement [`Rules`]; see `docs/new-puzzle.md`.
//!
//! # Text form
//!
//! A field that contains a line break is split into rows at line breaks, any other
//! field at `/`. Rows may differ in length. Every printable character is a cell,
//! including spaces, `_` and combining marks.

mod draw;
#[allow(clippy::module_inception)] // The type of the same name.
mod grid;
mod rules;
mod text;

pub use draw::pair as draw;
pub use grid::{Grid, cell_name};
pub use rules::Rules;
pub use text::{Grids, ParsedGrid, parse_grids};
