//! Puzzles without tensors: Sudoku, mazes, ARC and any other puzzle on a grid of
//! characters. Parses, generates, solves, rates, compares and renders them.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     segments, losses, optimisers, checkpoints
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   differentiable tensor operations
//! hrm-puzzles   <- this crate
//! hrm-base      random streams, durable files
//! ```
//!
//! # Not here
//!
//! - No tensors, token ids, vocabularies or models: cells are digits, walls, colours
//!   and characters.
//! - No terminal access: renderings are returned as text, pictures as bytes.
//!
//! # Invariants
//!
//! - The same seed generates the same puzzles on every machine, with any number of
//!   threads.
//! - Malformed input files are rejected with a [`PuzzleError`] that names the file and
//!   the place; readers never panic.
//! - Every generated Sudoku and every generated puzzle with rules has exactly one
//!   answer; the goal of every generated maze can be reached.
//!
//! # Where to start
//!
//! [`sudoku`], [`maze`] and [`arc`] are independent of each other. Implementing
//! [`grid::Rules`] is the shortest way to add another puzzle; [`binairo`] is an
//! example.
//!
//! ```
//! use hrm_puzzles::sudoku::{Board, Shape, Solver};
//!
//! # fn main() -> Result<(), hrm_puzzles::PuzzleError> {
//! let shape = Shape::new(4)?;
//! let puzzle = Board::parse(shape, "1..........3....", "example")?;
//! let search = Solver::new(shape).search(&puzzle, 1, u64::MAX);
//! assert!(search.solutions[0].is_solved(shape));
//! # Ok(())
//! # }
//! ```

pub mod arc;
pub mod binairo;
pub mod distinct;
pub mod grid;
pub mod maze;
pub mod picture;
pub mod records;
pub mod stats;
pub mod sudoku;
pub mod text;

mod dihedral;
mod error;
mod leak;
mod questions;
mod style;
mod verdict;

pub use dihedral::Dihedral;
pub use error::PuzzleError;
pub use leak::Leak;
pub use style::Style;
pub use text::clipped;
pub use verdict::Verdict;
