//! Sudoku on boards of 4, 6, 9 and 16.
//!
//! Tokens: 0 padding, 1 blank, 2 and up the digits. A board is written row by
//! row, one character per cell: `.` or `0` blank, then `1`..`9`, `A`..`G`.

mod board;
mod draw;
mod generate;
mod hard;
mod options;
mod picture;
mod pose;
mod presets;
#[cfg(test)]
mod reference;
mod same;
mod solver;
mod symmetry;
mod task;

pub use board::{Board, Shape};
pub use generate::{minimal_puzzle, solved_board};
pub use same::is_same;
pub use solver::{Search, Solver};
pub use symmetry::Symmetry;
pub use task::SudokuConfig;
