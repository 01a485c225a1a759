//! Sudoku on boards with sides of 4, 6, 9, 12 and 16.
//!
//! A board is written row by row, one character per cell: `.` for a blank, then `1`..`9`,
//! `A`..`G`. Other symbols for blanks are read (`0 _ * ? - x`), but only one in a puzzle;
//! on boards of 12 and 16, digits may count from 0 instead, and blanks are then not 0. Or all
//! digits are letters, from A.

mod board;
mod draw;
mod equivalence;
mod generate;
mod hard;
mod line;
mod notation;
mod options;
mod picture;
mod puzzle;
#[cfg(test)]
mod reference;
mod shape;
mod solver;
mod symmetry;
mod text;

pub use board::{Board, Clash};
pub use draw::side_by_side as draw;
pub use equivalence::{are_equivalent, leaks};
pub use generate::{Generator, minimal_puzzle, reveal, solved_board};
pub use line::shape_of;
pub use notation::Digits;
pub use picture::panels;
pub use puzzle::Puzzle;
pub use shape::{SIDES_IN_WORDS, Shape};
pub use solver::{Search, Solver};
pub use symmetry::Symmetry;
pub use text::{Boards, Given, parse_boards};
