//! Differentiable functions of tensors, from a matrix product up to a whole
//! post-norm sublayer.
//!
//! Every public function of tensors that are trained through records a backward
//! node and is tested for its gradient; those of the optimiser change parameters
//! in place. Its meaning is a composition of plain tensor operations that runs
//! on any device and in any float dtype.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     segments, losses, optimisers
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   <- this crate
//! ```
//!
//! # Not here
//!
//! - No parameters, modules or configuration: weights are arguments.
//! - None of the tensor library's own fused softmax, norm or rotary functions:
//!   they return tensors without a backward node and would freeze whatever is
//!   beneath them.
//!
//! # Where to start
//!
//! [`attn_block`] and [`mlp_block`] are the two halves of a transformer block
//! and call everything else but the losses.

// Named for its `x86-v4` feature: the plain matrix products run through it.
use gemm as _;

mod adam;
mod atan2;
mod attention;
mod attn_block;
mod blend;
mod cpu;
mod cross_entropy;
mod element;
mod inject;
mod linear;
mod memory;
mod mlp_block;
mod rms_norm;
mod rotary;
mod rows;
mod softmax;
mod sublayer;
mod sum_of_squares;
mod swiglu;
mod weight;

pub use adam::{AdamStep, Ratio, adam};
pub use atan2::atan2;
pub use attention::attention;
pub use attn_block::attn_block;
pub use blend::blend;
pub use cpu::Path;
pub use cpu::profile;
pub use cross_entropy::{IGNORED, Law, binary_cross_entropy_with_logits, cross_entropy};
pub use element::carrier;
pub use inject::inject;
pub use linear::linear;
pub use memory::keep_freed_memory;
pub use mlp_block::mlp_block;
pub use rms_norm::rms_norm;
pub use rotary::Rotary;
pub use rows::{Rows, by_chunks};
pub use softmax::softmax;
pub use sum_of_squares::sum_of_squares;
pub use swiglu::swiglu;
pub use weight::Weight;

/// What fused versions mean: compositions of tensor operations, for any device.
pub mod reference {
    pub use crate::adam::reference as adam;
    pub use crate::attn_block::reference as attn_block;
    pub use crate::blend::reference as blend;
    pub use crate::cross_entropy::reference as cross_entropy;
    pub use crate::mlp_block::reference as mlp_block;
    pub use crate::sum_of_squares::reference as sum_of_squares;
}

use candle_core::DType;

/// The dtype in which means and sums of `dtype` are taken: at least f32.
fn accumulator(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}
