//! The peak rate of matrix products, measured.

use std::time::Instant;

use candle_core::{DType, Result};

use super::matmul::{Left, Panels, matmul};
use super::{Isa, KernelImpl, Simd, with_simd};

/// Measures the rate of products of `dtype` on all threads at once while every
/// operand is in the first-level cache, in GFLOP/s.
///
/// # Errors
///
/// If `dtype` has no fused products, or `HRM_CPU` names no instruction set of this
/// machine.
pub fn peak_gflops(dtype: DType) -> Result<f64> {
    let Some(kernel) = KernelImpl::select(dtype, Isa::current()?) else {
        candle_core::bail!("{dtype:?} has no fused products");
    };
    Ok(with_simd!(kernel, V => measure::<V>()))
}

fn measure<V: Simd>() -> f64 {
    const DEPTH: usize = 256;
    const N_PRODUCTS: usize = 4000;
    let per_thread = || {
        let a = vec![V::Elem::default(); V::MR * DEPTH];
        let w = vec![V::Elem::default(); V::NR * DEPTH];
        let panels = Panels::from_rows::<V>(&w, DEPTH, V::NR, DEPTH);
        let product = || {
            matmul::<V>(V::MR, Left::rows::<V>(&a, DEPTH, DEPTH), &panels, |tile| {
                std::hint::black_box(&tile);
            });
        };
        let timed = |_| {
            let start = Instant::now();
            (0..N_PRODUCTS).for_each(|_| product());
            start.elapsed().as_secs_f64()
        };
        // The best of several rounds: interruptions only ever add time, and the
        // first round also warms up.
        let seconds = (0..5).map(timed).fold(f64::INFINITY, f64::min);
        (2 * V::MR * V::NR * DEPTH * N_PRODUCTS) as f64 / seconds / 1e9
    };
    rayon::broadcast(|_| per_thread()).into_iter().sum()
}
