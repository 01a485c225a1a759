//! f32 on AVX-512.

use std::arch::x86_64::*;

use super::f32_tile::f32_tile;
use super::simd::{Simd, by_rows};

f32_tile! {
    /// f32, 16 lanes, two registers wide.
    Avx512: "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", 16 lanes,
    [1 2 3 4 5 6 7 8 9 10 11 12] rows,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps
}
