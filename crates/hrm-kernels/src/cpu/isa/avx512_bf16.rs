//! bf16 on AVX-512: dot products of pairs, summed in f32.

use std::arch::x86_64::*;
use std::f32::consts::LOG2_E;

use half::bf16;

use super::simd::{Simd, by_rows};

/// Runs `$body` once per 16 of `$len` elements, which start at `$at`. `$mask` is
/// constant and all ones, so that masking is free, except for a last, shorter
/// vector, whose mask covers the remaining elements.
macro_rules! by_vectors {
    ($len:expr, $at:ident, $mask:ident => $body:expr) => {{
        let len = $len;
        let n_whole = len / 16 * 16;
        for $at in (0..n_whole).step_by(16) {
            const $mask: u16 = u16::MAX;
            $body
        }
        if n_whole < len {
            let $at = n_whole;
            #[allow(non_snake_case)]
            let $mask = u16::MAX >> (16 - (len - n_whole));
            $body
        }
    }};
}

/// Coefficients of a polynomial that, multiplied by `r`, is `2^r - 1` for
/// `0 <= r < 1` with an error below 1.1e-4 of `2^r`. They minimise that error
/// under the constraint that it vanishes at `r = 1`, where the next power begins.
const EXP2: [f32; 3] = [0.695_424_3, 0.226_307_68, 0.078_267_97];

/// bf16 pairs, 16 lanes, two registers wide.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Bf16;

impl Simd for Avx512Bf16 {
    type Elem = bf16;
    const GROUP: usize = 2;
    const MR: usize = 12;
    const NR: usize = 32;

    #[inline]
    fn vectorized<R>(f: impl FnOnce() -> R) -> R {
        // SAFETY: `KernelImpl` names this type only where the CPU has the features.
        unsafe { in_avx512_bf16(f) }
    }

    #[inline]
    unsafe fn tile(
        n_rows: usize,
        a: *const bf16,
        row: usize,
        step: usize,
        depth: usize,
        panel: *const bf16,
        out: &mut [f32],
    ) {
        by_rows!(n_rows, dot_bf16, [1 2 3 4 5 6 7 8 9 10 11 12], (a, row, step, depth, panel, out))
    }

    #[inline(always)]
    fn exp_shifted(x: &mut [f32], scale: f32, shift: &[f32]) {
        // SAFETY: `KernelImpl` names this type only where the CPU has the features.
        unsafe { exp_shifted_bf16(x, scale, shift) }
    }

    #[inline(always)]
    fn gated(tile: &[f32], n: usize, out: &mut [bf16], stride: usize) {
        // SAFETY: `KernelImpl` names this type only where the CPU has the features.
        unsafe { gated_bf16(tile, n, out, stride) }
    }

    #[inline(always)]
    fn interleave(one: &[bf16], other: &[bf16], step: &mut [bf16]) {
        // SAFETY: `KernelImpl` names this type only where the CPU has the features.
        unsafe { interleave_bf16(one, other, step) }
    }

    #[inline(always)]
    fn round_to(from: &[f32], to: &mut [bf16]) {
        // SAFETY: `KernelImpl` names this type only where the CPU has the features.
        unsafe { round_to_bf16(from, to) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn dot_bf16<const M: usize>(
    a: *const bf16,
    row: usize,
    step: usize,
    depth: usize,
    panel: *const bf16,
    out: &mut [f32],
) {
    const NR: usize = Avx512Bf16::NR;
    let mut sums = [[_mm512_setzero_ps(); 2]; M];
    let (mut a, mut panel) = (a, panel);
    for _ in 0..depth / 2 {
        // SAFETY: `tile` promises this many steps of `panel` and pairs of `a`.
        unsafe {
            let b = [load_bf16(panel), load_bf16(panel.add(NR))];
            for (i, sums) in sums.iter_mut().enumerate() {
                let pair = a.add(i * row).cast::<i32>().read_unaligned();
                let pair = as_bf16(_mm512_set1_epi32(pair));
                sums[0] = _mm512_dpbf16_ps(sums[0], pair, b[0]);
                sums[1] = _mm512_dpbf16_ps(sums[1], pair, b[1]);
            }
            panel = panel.add(2 * NR);
            a = a.add(step);
        }
    }
    if depth % 2 == 1 {
        // SAFETY: as above, but `a` ends with the first of the pair; the panel
        // holds a zero for the second.
        unsafe {
            let b = [load_bf16(panel), load_bf16(panel.add(NR))];
            for (i, sums) in sums.iter_mut().enumerate() {
                let single = i32::from((*a.add(i * row)).to_bits());
                let single = as_bf16(_mm512_set1_epi32(single));
                sums[0] = _mm512_dpbf16_ps(sums[0], single, b[0]);
                sums[1] = _mm512_dpbf16_ps(sums[1], single, b[1]);
            }
        }
    }
    for (sums, out) in sums.into_iter().zip(out.chunks_exact_mut(NR)) {
        // SAFETY: a row of the tile holds two vectors.
        unsafe {
            _mm512_storeu_ps(out.as_mut_ptr(), sums[0]);
            _mm512_storeu_ps(out.as_mut_ptr().add(16), sums[1]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn load_bf16(at: *const bf16) -> __m512bh {
    // SAFETY: the caller promises 32 elements at `at`.
    as_bf16(unsafe { _mm512_loadu_si512(at.cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn as_bf16(bits: __m512i) -> __m512bh {
    // SAFETY: both types are 64 bytes, and every bit pattern is valid for both.
    unsafe { std::mem::transmute(bits) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn round_to_bf16(from: &[f32], to: &mut [bf16]) {
    by_vectors!(from.len().min(to.len()), at, MASK => {
        // SAFETY: the mask covers only elements below the length of both slices.
        unsafe {
            let rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(MASK, from.as_ptr().add(at)));
            _mm256_mask_storeu_epi16(
                to.as_mut_ptr().add(at).cast(),
                MASK,
                std::mem::transmute::<__m256bh, __m256i>(rounded),
            );
        }
    });
}

/// `2^t` with a relative error below 2^-13, well under half a unit of bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn exp2_bf16(t: __m512) -> __m512 {
    // 2^t = 2^n 2^r with integer n <= t and 0 <= r < 1. The second factor is a
    // polynomial that is 1 at r = 0 and 2 at r = 1.
    let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(t);
    let [c1, c2, c3] = EXP2.map(|c| _mm512_set1_ps(c));
    let series = _mm512_fmadd_ps(_mm512_fmadd_ps(c3, r, c2), r, c1);
    _mm512_scalef_ps(_mm512_fmadd_ps(series, r, _mm512_set1_ps(1.0)), t)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn exp_shifted_bf16(x: &mut [f32], scale: f32, shift: &[f32]) {
    assert!(shift.len() >= x.len(), "`shift` has an element for each of `x`");
    let (scale, per_bit) = (_mm512_set1_ps(scale * LOG2_E), _mm512_set1_ps(LOG2_E));
    by_vectors!(x.len(), at, MASK => {
        // SAFETY: the mask covers only elements below the length of `x`, and
        // `shift` is at least as long.
        unsafe {
            let to = x.as_mut_ptr().add(at);
            let shift = _mm512_maskz_loadu_ps(MASK, shift.as_ptr().add(at));
            let shift = _mm512_mul_ps(shift, per_bit);
            let t = _mm512_fmsub_ps(_mm512_maskz_loadu_ps(MASK, to), scale, shift);
            _mm512_mask_storeu_ps(to, MASK, exp2_bf16(t));
        }
    });
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn gated_bf16(tile: &[f32], n: usize, out: &mut [bf16], stride: usize) {
    const HALF: usize = Avx512Bf16::NR / 2;
    let n_rows = tile.len() / (2 * HALF);
    let n_written = if n_rows == 0 { 0 } else { (n_rows - 1) * stride + n };
    assert!(n <= HALF && n_written <= out.len(), "`out` has a row for each row of the tile");
    let (per_bit, one) = (_mm512_set1_ps(-LOG2_E), _mm512_set1_ps(1.0));
    let (mut from, mut to) = (tile.as_ptr(), out.as_mut_ptr());
    by_vectors!(n, _at, MASK => for _ in 0..n_rows {
        // SAFETY: `from` points to a row of the tile, two vectors long. `to` points
        // to a row of `out`, and the mask covers its first `n` elements; the
        // assertion says that even the last row has them. The pointers past the
        // last row are never dereferenced.
        unsafe {
            let (gate, up) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(HALF)));
            let exp = exp2_bf16(_mm512_mul_ps(gate, per_bit));
            let sigmoid = _mm512_rcp14_ps(_mm512_add_ps(one, exp));
            let h = _mm512_mul_ps(_mm512_mul_ps(gate, sigmoid), up);
            let h = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(h));
            _mm256_mask_storeu_epi16(to.cast(), MASK, h);
        }
        (from, to) = (from.wrapping_add(2 * HALF), to.wrapping_add(stride));
    });
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn interleave_bf16(one: &[bf16], other: &[bf16], step: &mut [bf16]) {
    assert!(
        one.len() == other.len() && step.len() == 2 * one.len(),
        "a step holds two rows of equal length"
    );
    by_vectors!(one.len(), at, MASK => {
        // SAFETY: the mask covers only elements below the length of both rows,
        // and the step is twice as long.
        unsafe {
            let one = _mm256_maskz_loadu_epi16(MASK, one.as_ptr().add(at).cast());
            let other = _mm256_maskz_loadu_epi16(MASK, other.as_ptr().add(at).cast());
            let high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(other), 16);
            let pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(one), high);
            _mm512_mask_storeu_epi32(step.as_mut_ptr().add(2 * at).cast(), MASK, pairs);
        }
    });
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn in_avx512_bf16<R>(f: impl FnOnce() -> R) -> R {
    f()
}
