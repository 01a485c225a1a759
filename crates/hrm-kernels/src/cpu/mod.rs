//! Fused versions for the CPU: slices in, slices out.
//!
//! ```text
//! path      which instruction sets there are, and which is in force
//! arith     the tile of a matrix product, once per instruction set
//! matmul    packed operands, loops over tiles
//! rows      norms, activations and rotations of one row
//! head      one head of attention
//! mlp, attn the two sublayers, forward and backward; post_norm is in both
//! threads   how work is split;  scratch   memory that is used again
//! profile   what time goes into
//! ```
//!
//! Everything above a tile is written once, for any instruction set and both
//! dtypes. Operands of products are f32 or bf16, sums are f32 throughout.

mod arith;
pub(crate) mod attn;
mod head;
pub(crate) mod matmul;
pub(crate) mod mlp;
mod path;
pub(crate) mod post_norm;
pub mod profile;
pub(crate) mod rows;
mod scratch;
mod threads;

pub(crate) use arith::{Arith, Element, Portable};
#[cfg(target_arch = "x86_64")]
pub(crate) use arith::{Avx2, Avx512, Avx512Bf16};
pub use path::Path;
pub(crate) use path::Scheme;
pub(crate) use scratch::{Scratch, scratch};
pub(crate) use threads::Threads;

/// Evaluates an expression with `$arith` bound to what computes under `$scheme`.
macro_rules! with_arith {
    ($scheme:expr, $arith:ident => $body:expr) => {
        match $scheme {
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::Scheme::Avx512Bf16 => {
                type $arith = $crate::cpu::Avx512Bf16;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::Scheme::Avx512 => {
                type $arith = $crate::cpu::Avx512;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::Scheme::Avx2 => {
                type $arith = $crate::cpu::Avx2;
                $body
            }
            $crate::cpu::Scheme::Portable => {
                type $arith = $crate::cpu::Portable;
                $body
            }
        }
    };
}
pub(crate) use with_arith;
