//! Puzzles of characters in rows: any alphabet, any size.
//!
//! A puzzle with rules of its own implements [`Rules`]; `docs/new-puzzle.md` shows
//! how.
//!
//! # How a grid is written
//!
//! A field that contains a line break is split into rows at line breaks, any other at
//! `/`. Rows may differ in length, and every printable character is a cell: spaces and
//! `_` too, and a combining mark counts as a cell of its own.

mod draw;
#[allow(clippy::module_inception)] // The type of the same name.
mod grid;
mod rules;
mod text;

pub use draw::pair as draw;
pub use grid::{Grid, cell_name};
pub use rules::Rules;
pub use text::{ParsedGrid, parse_grids};
