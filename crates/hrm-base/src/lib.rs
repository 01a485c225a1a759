//! Reproducible randomness, files that survive a crash, what a file is, the progress of long
//! computations, and words of messages.
//!
//! - [`rng`]: random streams named by a seed and a purpose, the same on every
//!   machine.
//! - [`durable`]: files and folders that appear complete or not at all, even if the
//!   program is killed.
//! - [`file_kind`]: what a file is, for readers that expected something else.
//! - [`paths`]: paths from the root on, by the names that people gave.
//! - [`progress`]: how far a long computation has come, for programs that show it.
//! - [`words`]: what several crates say in messages.
//! - [`zip_entries`]: how many entries a zip archive has.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     segments, losses, optimisers, checkpoints
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   differentiable tensor operations
//! hrm-puzzles   boards, mazes and grids, without tensors
//! hrm-base      <- this crate
//! ```
//!
//! # Not here
//!
//! - No tensors, no models, no puzzles, and no dependency on another crate of this
//!   workspace.

pub mod durable;
pub mod file_kind;
pub mod paths;
pub mod progress;
pub mod rng;
pub mod words;
pub mod zip_entries;
