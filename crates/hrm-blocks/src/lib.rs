//! Modules with parameters: what a weight is called, how it starts, and the
//! post-norm transformer block.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     segments, losses, optimisers
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    <- this crate
//! hrm-kernels   differentiable tensor operations
//! ```
//!
//! # Not here
//!
//! - No recurrence: a block maps its input to its output once.
//! - No files: weights come from a seed or from tensors by name.
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
