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
//! - No puzzles themselves: boards, file formats, generators, rules and renderings are in
//!   [`hrm_puzzles`].
//! - No terminal access: renderings are returned as text, pictures as bytes.
//!
//! # Where to start
//!
//! [`Solver`] solves puzzles with a trained model:
//!
//! ```no_run
//! let solver = hrm_tasks::Solver::open("runs/sudoku-tiny-1")?;
//! for answer in solver.solve("1..........3....")? {
//!     print!("{}", answer.drawing);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`PuzzleKind`] is the interface of a kind of puzzle; [`TaskConfig`] lists the kinds;
//! [`RunConfig::preset`] returns all settings of a run. To add a puzzle, implement
//! [`Rules`](hrm_puzzles::grid::Rules), or the traits in [`cells`] if it needs its own file
//! format.

pub mod arc;
pub mod cells;
pub mod grid;
pub mod maze;
pub mod prepared;
pub mod published;
pub mod settings;
pub mod sudoku;
pub mod traits;

mod checkpoint;
mod error;
mod folder;
mod json;
#[cfg(test)]
mod kinds_tests;
mod presets;
mod query;
mod registry;
mod same_rows;
mod solver;
mod token_view;
mod vocabulary;

pub use checkpoint::{Checkpoint, CheckpointError, TaskRecord};
pub use error::TaskError;
pub use hrm_core;
pub use hrm_puzzles;
pub use presets::{Fit, PRESETS, PresetError, PresetFile, RunConfig, preset_source, preset_text};
pub use query::{Answer, AnswerTable, ModelOutput, Query, answer_with_givens};
pub use registry::TaskConfig;
pub use same_rows::same_rows;
pub use solver::{SolveError, Solver, answer_all, answer_each};
pub use token_view::TokenView;
pub use traits::{
    DataSource, Encoding, FitToData, Generate, PuzzleKind, PuzzleTask, Queries, QueryStream,
    RowDecoder, UnknownNames,
};
pub use vocabulary::{PADDING_CHAR, Vocabulary};
