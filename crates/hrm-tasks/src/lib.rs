//! Sudoku, mazes, ARC, and any other puzzle of characters in rows: parse,
//! generate, augment, encode, score, draw.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     <- this crate
//! hrm-train     segments, losses, optimisers, checkpoints
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   differentiable tensor operations
//! ```
//!
//! # Not here
//!
//! - No tensors, devices or kernels: examples are slices of token ids.
//! - No terminal and no files of pictures: drawings are returned as text, pictures
//!   as bytes.
//!
//! # Where to start
//!
//! [`Family`] is what a kind of puzzle must offer; [`TaskConfig`] lists them.
//! [`grid::Rules`] is the shortest way to one more.

pub mod arc;
pub mod binairo;
pub mod grid;
pub mod maze;
pub mod picture;
pub mod published;
pub mod recipe;
pub mod records;
pub mod sudoku;

mod dihedral;
mod drawing;
mod error;
mod family;
mod figures;
mod folder;
mod registry;
mod vocabulary;

pub use dihedral::Dihedral;
pub use error::TaskError;
pub use family::{
    Answer, Distribution, Family, Interpreter, Leak, NameOf, Posed, PuzzleTask, Question, Reply,
    Style, Verdict,
};
pub use registry::{Preset, RunConfig, TaskConfig};
pub use vocabulary::{PADDING_CHAR, Vocabulary};
