//! Instruction sets: one file each, all under one contract.
//!
//! ```text
//! simd          the contract: tiles, and activations of the same precision
//! portable      plain loops
//! avx2, avx512  f32; both are instances of the tile in f32_tile
//! avx512_bf16   bf16 pairs
//! detect        which instruction sets this CPU has, and which one is used
//! kernel_impl   from a dtype and an instruction set to an implementation
//! contract      tests that every implementation passes (tests only)
//! ```
//!
//! To add an instruction set, write its file, then extend [`Isa`],
//! [`KernelImpl`], [`with_simd`] and the list at the end of `contract`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
#[cfg(test)]
mod contract;
mod detect;
#[cfg(target_arch = "x86_64")]
mod f32_tile;
mod kernel_impl;
mod portable;
mod simd;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512_bf16::Avx512Bf16;
pub use detect::Isa;
pub(crate) use kernel_impl::{KernelImpl, with_simd};
pub(crate) use portable::Portable;
pub(crate) use simd::{NR_MAX, Simd, Tile};
