//! Sudoku on boards with sides of 4, 6, 9 and 16.
//!
//! A board is written row by row, one character per cell: `.` or `0` for a blank,
//! then `1`..`9`, `A`..`G`.

mod board;
mod draw;
mod equivalence;
mod generate;
mod hard;
mod options;
mod picture;
mod puzzle;
#[cfg(test)]
mod reference;
mod solver;
mod symmetry;
mod text;

pub use board::{Board, Clash, Shape};
pub use draw::side_by_side as draw;
pub use equivalence::{are_equivalent, leaks};
pub use generate::{Generator, minimal_puzzle, reveal, solved_board};
pub use picture::panels;
pub use puzzle::Puzzle;
pub use solver::{Search, Solver};
pub use symmetry::Symmetry;
pub use text::parse_boards;
