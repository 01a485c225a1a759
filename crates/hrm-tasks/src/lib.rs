//! Puzzles in, answers out: Sudoku, mazes, ARC, and any other puzzle of characters in rows,
//! as the trainer and a model see them.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     <- this crate
//! hrm-train     segments, losses, optimisers, checkpoints
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   differentiable tensor operations
//! hrm-puzzles   boards, mazes and grids, without tensors
//! hrm-base      random streams, durable files
//! ```
//!
//! # Not here
//!
//! - No puzzle by itself: boards, file formats, generators, rules and drawings are those of
//!   [`hrm_puzzles`].
//! - No terminal: drawings are returned as text, pictures as bytes.
//!
//! # Where to start
//!
//! [`PuzzleKind`] is what a kind of puzzle offers; [`TaskConfig`] lists the kinds;
//! [`RunConfig::preset`] is everything a run needs. [`Rules`](hrm_puzzles::grid::Rules) is
//! the shortest way to one more puzzle, [`cells`] the way to one with files of its own.

pub mod arc;
pub mod cells;
pub mod grid;
pub mod maze;
pub mod prepared;
pub mod published;
pub mod sudoku;
pub mod traits;

mod error;
mod folder;
#[cfg(test)]
mod kinds_tests;
mod presets;
mod query;
mod registry;
mod token_view;
mod vocabulary;

pub use error::TaskError;
pub use hrm_puzzles;
pub use presets::{Fit, PRESETS, PresetError, PresetFile, RunConfig, preset_text};
pub use query::{Answer, ModelInput, ModelOutput, Query};
pub use registry::TaskConfig;
pub use token_view::TokenView;
pub use traits::{
    DataSource, Encoding, FitToData, Generate, PuzzleKind, PuzzleTask, Queries, RowDecoder,
};
pub use vocabulary::{PADDING_CHAR, Vocabulary};
