//! Differentiable functions of tensors, from a matrix product up to a whole
//! post-norm sublayer, and the Adam update of a parameter.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     losses, optimisers, data feeding, checkpoints
//! hrm-core      the recurrent core: schedule, gradient boundary, halting
//! hrm-blocks    modules with parameters
//! hrm-kernels   <- this crate
//! hrm-puzzles   boards, mazes, grids; no tensors
//! hrm-base      random streams, durable files
//! ```
//!
//! # Public boundary
//!
//! Callers pass tensors and [`Weight`]s and get tensors back; [`Hidden`] offers the
//! same sublayers in place. [`reference`](mod@reference) holds the
//! definitions, for benchmarks.
//! [`Isa`], [`profile`] and [`peak_gflops`] are for reports. Instruction sets,
//! packing and threads stay inside.
//!
//! # Invariants
//!
//! - Every fused kernel has a plain reference: a composition of tensor operations
//!   for any device and float dtype. Both agree in value and in every gradient, on
//!   every instruction set, at sizes around those of tiles.
//! - References agree with finite differences in f64.
//! - No function severs a gradient silently. Two exceptions are documented: targets
//!   of [`binary_cross_entropy_with_logits`], and [`in_chunks`], which is untracked.
//! - Results do not depend on timing: the same machine, threads and instruction set
//!   give the same bits.
//! - Sums of products, norms and softmax are computed in f32 or wider, losses in f64.
//!   Weights and their gradients are f32.
//! - Arguments that do not fit, including sizes of 0, give an error, not a panic.
//!
//! # Not here
//!
//! - No parameters, modules or configuration: weights are arguments.
//! - None of the tensor library's own fused softmax, norm or rotary functions: they
//!   return tensors without a backward node, so no gradient would reach their inputs.
//!
//! # Where to start
//!
//! [`attn_block`] and [`mlp_block`] are the two halves of a transformer block; most
//! other modules serve them.

// A dependency only for its `x86-v4` feature: candle's matrix products use this crate.
use gemm as _;

mod accumulator;
mod adam;
mod atan2;
mod attention;
mod attn_block;
mod blend;
mod cpu;
mod cross_entropy;
mod hidden;
mod inject;
mod linear;
mod memory;
mod mlp_block;
mod operand;
mod packed;
mod rms_norm;
mod rotary;
mod softmax;
mod storage;
mod sublayer;
mod sum_of_squares;
mod swiglu;
mod weight;

pub use adam::{AdamRatio, AdamStep, adam};
pub use attn_block::attn_block;
pub use blend::blend;
pub use cpu::Isa;
pub use cpu::peak::peak_gflops;
pub use cpu::profile;
pub use cross_entropy::{
    CellDistribution, IGNORE_LABEL, binary_cross_entropy_with_logits, cross_entropy,
};
pub use hidden::{Hidden, in_chunks};
pub use linear::linear;
pub use memory::keep_freed_memory;
pub use mlp_block::mlp_block;
pub use rotary::Rotary;
pub use storage::activation_dtype;
pub use sum_of_squares::sum_of_squares;
pub use weight::Weight;

/// The definitions of fused functions: compositions of tensor operations, for any
/// device and float dtype.
pub mod reference {
    pub use crate::adam::reference as adam;
    pub use crate::attn_block::reference as attn_block;
    pub use crate::cross_entropy::reference as cross_entropy;
    pub use crate::mlp_block::reference as mlp_block;
}
