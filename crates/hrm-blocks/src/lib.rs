//! Modules with parameters: names, shapes and initial values of weights, and the
//! post-norm transformer block.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     losses, optimisers, data feeding, checkpoints
//! hrm-core      the recurrent core: schedule, gradient boundary, halting
//! hrm-blocks    <- this crate
//! hrm-kernels   differentiable functions of tensors
//! hrm-puzzles   boards, mazes, grids; no tensors
//! hrm-base      random streams, durable files
//! ```
//!
//! # Public boundary
//!
//! A model declares its parameters as [`ParamSpec`]s, holds them as [`Weights`], and
//! binds modules to a [`WeightsView`]. [`Block`] and [`embed`] are the modules.
//!
//! # Invariants
//!
//! - The same seed gives the same weights, bit for bit, on every machine and in any
//!   order of parameters.
//! - Weights are f32, and finite when they are sampled or loaded. Iteration is in the
//!   order of names.
//! - A live view is tracked for trained parameters only; a frozen one shares storage
//!   and is never tracked.
//! - In a tracked block, the gradient reaches every parameter.
//!
//! # Not here
//!
//! - No recurrence: a block maps its input to its output once.
//! - No files: weights come from a seed or from named tensors.
//!
//! # Where to start
//!
//! [`Weights`] holds parameters by name; [`Block`] is bound to some of them.

mod block;
mod embedding;
mod init;
mod weights;

pub use block::{Block, BlockDims, MixerDims, inner_dim};
pub use embedding::embed;
pub use init::Init;
pub use weights::{ParamSpec, Role, Tracking, Weights, WeightsError, WeightsView};
