//! f32 on AVX2 with FMA.

use std::arch::x86_64::*;

use super::f32_tile::f32_tile;
use super::simd::{Simd, by_rows};

f32_tile! {
    /// f32, 8 lanes, two registers wide.
    Avx2: "avx2,fma", 8 lanes, [1 2 3 4 5 6] rows,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps
}
