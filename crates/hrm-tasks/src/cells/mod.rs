//! Puzzles whose question and answer are one grid of cells each: what Sudoku, mazes
//! and grids of characters share.
//!
//! A kind of puzzle is a value with its settings. It implements a few small traits, each
//! with one job:
//!
//! ```text
//! CellKind        its name, its settings, the types of its puzzles
//! CellEncoding    puzzles to token ids, token ids to a drawing
//! CellFiles       records of files to puzzles, and back
//! CellGenerator   sampling puzzles
//! CellVersions    augmented versions of a puzzle
//! CellQueries     puzzles to solve, and checking answers by the rules
//! CellFigures     statistics, duplicates, notes
//! ```
//!
//! In return it gets everything a [`PuzzleKind`](crate::PuzzleKind) offers: data from
//! files or the generator with a held-out split, examples and scores for the trainer,
//! solving, generating, prepared data sets. [`sudoku`](crate::sudoku) is an example.

mod data;
mod generate;
mod kind;
mod query;
mod rows;
mod settings;
mod sides;

pub use kind::{
    Bins, CellEncoding, CellFigures, CellFiles, CellGenerator, CellKind, CellQueries, CellVersions,
    Figure, Questions,
};
pub use settings::DataSettings;
pub(crate) use settings::check_held_out;
pub use sides::{Placed, Sides, Stated};
pub(crate) use sides::{name_of, named};
