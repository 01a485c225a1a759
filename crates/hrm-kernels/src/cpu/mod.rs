//! Fused kernels for the CPU: slices in, slices out.
//!
//! ```text
//! element     f32 and bf16 as operands
//! isa         the tile of a matrix product, one file per instruction set
//! matmul      packed operands, loops over tiles
//! vector_ops  norm, activation and rotation of one hidden vector
//! head        one head of attention
//! mlp, attn   the two sublayers, forward and backward
//! post_norm   residual sum and norm at the end of both sublayers
//! threads     how work is split across threads
//! scratch     reusable buffers
//! profile     time of each part of a training step
//! peak        measured peak rate of the hardware
//! ```
//!
//! Everything above the level of a tile is written once, for every instruction set
//! and both dtypes. Operands of products are f32 or bf16; sums are always f32.

pub(crate) mod attn;
mod element;
mod head;
pub(crate) mod isa;
pub(crate) mod matmul;
pub(crate) mod mlp;
pub(crate) mod peak;
pub(crate) mod post_norm;
pub mod profile;
mod scratch;
mod threads;
pub(crate) mod vector_ops;

pub(crate) use element::Element;
pub use isa::Isa;
pub(crate) use isa::{KernelImpl, Simd, with_simd};
pub(crate) use scratch::{Scratch, scratch};
pub(crate) use threads::Threads;
