//! The tile of a matrix product, once per instruction set.
//!
//! ```text
//! out[i, j] = sum over k of a[i, k] b[k, j]      i < MR, j < NR
//! ```
//!
//! `b` comes as a *panel*: for each step along `k` the values of all `NR`
//! columns side by side, [`GROUP`](Arith::GROUP) consecutive `k` of a column
//! together. `a` is read where it lies, `GROUP` consecutive `k` at a time. The
//! sums stay in registers until the end.

use half::bf16;

use super::rows;

/// A number as products read it.
pub(crate) trait Element:
    Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    fn from_f32(x: f32) -> Self;
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        // To the nearest, ties to even; written without branches so that loops
        // over it become vector code.
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
        let kept = if x.is_nan() { bits | 0x0040_0000 } else { rounded };
        Self::from_bits((kept >> 16) as u16)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

/// Rows of the tallest tile.
const MR_MAX: usize = 12;
/// Columns of the widest tile.
pub(crate) const NR_MAX: usize = 32;

/// Room for one tile.
#[repr(align(64))]
pub(crate) struct Tile(pub(crate) [f32; MR_MAX * NR_MAX]);

impl Tile {
    pub(crate) fn new() -> Self {
        Self([0.0; MR_MAX * NR_MAX])
    }
}

/// An instruction set, and the operands it multiplies.
///
/// A value of such a type exists only where [`Path::is_available`] said so;
/// [`with_arith`](super::with_arith) is the one place that picks them.
///
/// [`Path::is_available`]: super::Path
pub(crate) trait Arith: Copy + Send + Sync + 'static {
    /// Operands. Sums are f32.
    type Elem: Element;
    /// Operands that are multiplied and added in one lane at once.
    const GROUP: usize;
    /// Rows of a tile.
    const MR: usize;
    /// Columns of a tile, an even number.
    const NR: usize;

    /// Runs `f` compiled for this instruction set, as far as it is inlined.
    fn vectorized<R>(f: impl FnOnce() -> R) -> R;

    /// One tile of `n_rows <= MR` rows over `depth` products each; row `i` starts
    /// at `i * NR` of `out`.
    ///
    /// # Safety
    ///
    /// Reads `a[i * row + s * step + g]` for `i < n_rows` and all `s`, `g` with
    /// `s * GROUP + g < depth`, and `ceil(depth / GROUP) * GROUP * NR` elements
    /// of `panel`. The CPU has this instruction set.
    unsafe fn tile(
        n_rows: usize,
        a: *const Self::Elem,
        row: usize,
        step: usize,
        depth: usize,
        panel: *const Self::Elem,
        out: &mut [f32],
    );

    /// `a b + c`, in one instruction where there is one.
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    /// `e^(scale x - shift)` in place, element by element, as precise as operands
    /// are.
    #[inline(always)]
    fn exp_shifted(x: &mut [f32], scale: f32, shift: &[f32]) {
        for (x, shift) in x.iter_mut().zip(shift) {
            *x = rows::exp::<Self>(Self::fma(scale, *x, -shift));
        }
    }

    /// `silu(gate) up`, as precise as operands are: `n` of each row of a tile, whose
    /// first half are gates, to rows of `out` that are `stride` apart.
    #[inline(always)]
    fn gated(tile: &[f32], n: usize, out: &mut [Self::Elem], stride: usize) {
        for (row, out) in tile.chunks_exact(Self::NR).zip(out.chunks_mut(stride)) {
            let (gate, up) = row.split_at(Self::NR / 2);
            let mut activated = [0f32; NR_MAX];
            for (h, (gate, up)) in activated.iter_mut().zip(gate.iter().zip(up)) {
                *h = gate * rows::sigmoid::<Self>(*gate) * up;
            }
            Self::narrow(&activated[..n], &mut out[..n]);
        }
    }

    /// One step of a panel, from as many rows as are grouped.
    #[inline(always)]
    fn interleave(one: &[Self::Elem], _other: &[Self::Elem], step: &mut [Self::Elem]) {
        step.copy_from_slice(one);
    }

    /// Rounds `from` to operands, as many as `to` holds.
    #[inline(always)]
    fn narrow(from: &[f32], to: &mut [Self::Elem]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = Self::Elem::from_f32(*from);
        }
    }
}

/// Calls a kernel that is generic over its number of rows.
macro_rules! by_rows {
    ($n_rows:expr, $kernel:ident, [$($n:literal)+], $arguments:tt) => {
        match $n_rows {
            // SAFETY: what the caller of `tile` promises, passed on.
            $($n => unsafe { by_rows!(@call $kernel, $n, $arguments) },)+
            n => unreachable!("a tile of {n} rows"),
        }
    };
    (@call $kernel:ident, $n:literal, ($($argument:expr),*)) => {
        $kernel::<$n>($($argument),*)
    };
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Bf16};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::f32::consts::LOG2_E;

    use half::bf16;

    use super::Arith;

    /// Runs `$body` for each 16 elements of `$len` from `$at` on: with a `$mask` of
    /// all ones, which no instruction is spent on, and with one for what is left.
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

    /// `2^r - 1` for `0 <= r < 1` is the product of `r` and a polynomial with
    /// these coefficients, to 1.1e-4 of `2^r`. They minimise that error, given that
    /// there is none at one, where the next power begins.
    const EXP2: [f32; 3] = [0.695_424_3, 0.226_307_68, 0.078_267_97];

    /// bf16 pairs, 16 lanes, two registers wide.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512Bf16;

    impl Arith for Avx512Bf16 {
        type Elem = bf16;
        const GROUP: usize = 2;
        const MR: usize = 12;
        const NR: usize = 32;

        #[inline]
        fn vectorized<R>(f: impl FnOnce() -> R) -> R {
            // SAFETY: this type is picked only where the CPU has it.
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
            // SAFETY: this type is picked only where the CPU has it.
            unsafe { exp_shifted_bf16(x, scale, shift) }
        }

        #[inline(always)]
        fn gated(tile: &[f32], n: usize, out: &mut [bf16], stride: usize) {
            // SAFETY: this type is picked only where the CPU has it.
            unsafe { gated_bf16(tile, n, out, stride) }
        }

        #[inline(always)]
        fn interleave(one: &[bf16], other: &[bf16], step: &mut [bf16]) {
            // SAFETY: this type is picked only where the CPU has it.
            unsafe { interleave_bf16(one, other, step) }
        }

        #[inline(always)]
        fn narrow(from: &[f32], to: &mut [bf16]) {
            // SAFETY: this type is picked only where the CPU has it.
            unsafe { narrow_bf16(from, to) }
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
            // SAFETY: as above, but the second of the pair is not there; the
            // panel holds a zero for it.
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
        // SAFETY: the caller has 32 elements there.
        as_bf16(unsafe { _mm512_loadu_si512(at.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn as_bf16(bits: __m512i) -> __m512bh {
        // SAFETY: both are 64 bytes of which every pattern is a value.
        unsafe { std::mem::transmute(bits) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn narrow_bf16(from: &[f32], to: &mut [bf16]) {
        by_vectors!(from.len().min(to.len()), at, MASK => {
            // SAFETY: the mask keeps to elements below the length of both.
            unsafe {
                let narrow = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(MASK, from.as_ptr().add(at)));
                _mm256_mask_storeu_epi16(
                    to.as_mut_ptr().add(at).cast(),
                    MASK,
                    std::mem::transmute::<__m256bh, __m256i>(narrow),
                );
            }
        });
    }

    /// `2^t` to 2^-13, which a bf16 number does not see.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn exp2_bf16(t: __m512) -> __m512 {
        // 2^t = 2^n 2^r with n below and 0 <= r < 1; the second factor is a
        // polynomial that is one at zero and two at one.
        let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(t);
        let [c1, c2, c3] = EXP2.map(|c| _mm512_set1_ps(c));
        let series = _mm512_fmadd_ps(_mm512_fmadd_ps(c3, r, c2), r, c1);
        _mm512_scalef_ps(_mm512_fmadd_ps(series, r, _mm512_set1_ps(1.0)), t)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn exp_shifted_bf16(x: &mut [f32], scale: f32, shift: &[f32]) {
        assert!(shift.len() >= x.len(), "a shift for every element");
        let (scale, per_bit) = (_mm512_set1_ps(scale * LOG2_E), _mm512_set1_ps(LOG2_E));
        by_vectors!(x.len(), at, MASK => {
            // SAFETY: the mask keeps to elements below the length of `x`, which
            // `shift` reaches.
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
        let n_reached = if n_rows == 0 { 0 } else { (n_rows - 1) * stride + n };
        assert!(n <= HALF && n_reached <= out.len(), "a row of `out` for each of the tile");
        let (per_bit, one) = (_mm512_set1_ps(-LOG2_E), _mm512_set1_ps(1.0));
        let (mut from, mut to) = (tile.as_ptr(), out.as_mut_ptr());
        by_vectors!(n, _at, MASK => for _ in 0..n_rows {
            // SAFETY: `from` is at one of the rows of the tile, two vectors long; `to`
            // is at a row of `out`, of which the mask keeps to the first `n` elements,
            // and the assertion says that the last such row has them. What the
            // pointers are after the last row is never used.
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
        assert!(one.len() == other.len() && step.len() == 2 * one.len(), "a step holds two rows");
        by_vectors!(one.len(), at, MASK => {
            // SAFETY: the mask keeps to elements below the length of both rows,
            // and to twice as many of the step.
            unsafe {
                let one = _mm256_maskz_loadu_epi16(MASK, one.as_ptr().add(at).cast());
                let other = _mm256_maskz_loadu_epi16(MASK, other.as_ptr().add(at).cast());
                let high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(other), 16);
                let pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(one), high);
                _mm512_mask_storeu_epi32(step.as_mut_ptr().add(2 * at).cast(), MASK, pairs);
            }
        });
    }

    /// An instruction set that multiplies f32, with tiles of two registers a row.
    /// The numbers of rows are counted up to those of the tallest tile.
    macro_rules! f32_tiles {
        (
            $(#[$doc:meta])*
            $name:ident: $features:literal, $lanes:literal lanes, [$($n:literal)+] rows,
            $zero:ident, $load:ident, $spread:ident, $fma:ident, $store:ident
        ) => {
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(crate) struct $name;

            impl Arith for $name {
                type Elem = f32;
                const GROUP: usize = 1;
                const MR: usize = [$($n),+].len();
                const NR: usize = 2 * $lanes;

                #[inline]
                fn vectorized<R>(f: impl FnOnce() -> R) -> R {
                    #[inline]
                    #[target_feature(enable = $features)]
                    unsafe fn inside<R>(f: impl FnOnce() -> R) -> R {
                        f()
                    }
                    // SAFETY: this type is picked only where the CPU has it.
                    unsafe { inside(f) }
                }

                #[inline]
                unsafe fn tile(
                    n_rows: usize,
                    a: *const f32,
                    row: usize,
                    step: usize,
                    depth: usize,
                    panel: *const f32,
                    out: &mut [f32],
                ) {
                    #[target_feature(enable = $features)]
                    unsafe fn multiply_add<const M: usize>(
                        a: *const f32,
                        row: usize,
                        step: usize,
                        depth: usize,
                        panel: *const f32,
                        out: &mut [f32],
                    ) {
                        let mut sums = [[$zero(); 2]; M];
                        let (mut a, mut panel) = (a, panel);
                        for _ in 0..depth {
                            // SAFETY: `tile` promises this many steps of `panel` and of `a`.
                            unsafe {
                                let b = [$load(panel), $load(panel.add($lanes))];
                                for (i, sums) in sums.iter_mut().enumerate() {
                                    let single = $spread(*a.add(i * row));
                                    sums[0] = $fma(single, b[0], sums[0]);
                                    sums[1] = $fma(single, b[1], sums[1]);
                                }
                                panel = panel.add(2 * $lanes);
                                a = a.add(step);
                            }
                        }
                        for (sums, out) in sums.into_iter().zip(out.chunks_exact_mut(2 * $lanes)) {
                            // SAFETY: a row of the tile holds two vectors.
                            unsafe {
                                $store(out.as_mut_ptr(), sums[0]);
                                $store(out.as_mut_ptr().add($lanes), sums[1]);
                            }
                        }
                    }
                    by_rows!(n_rows, multiply_add, [$($n)+], (a, row, step, depth, panel, out))
                }
            }
        };
    }

    f32_tiles! {
        /// f32, 16 lanes, two registers wide.
        Avx512: "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", 16 lanes,
        [1 2 3 4 5 6 7 8 9 10 11 12] rows,
        _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps
    }

    f32_tiles! {
        /// f32, 8 lanes, two registers wide.
        Avx2: "avx2,fma", 8 lanes, [1 2 3 4 5 6] rows,
        _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    unsafe fn in_avx512_bf16<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// f32 in plain loops.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Arith for Portable {
    type Elem = f32;
    const GROUP: usize = 1;
    const MR: usize = 4;
    const NR: usize = 8;

    #[inline]
    fn vectorized<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        // Without the instruction, a call to a library function would take its place.
        a * b + c
    }

    #[inline]
    unsafe fn tile(
        n_rows: usize,
        a: *const f32,
        row: usize,
        step: usize,
        depth: usize,
        panel: *const f32,
        out: &mut [f32],
    ) {
        by_rows!(n_rows, multiply_add, [1 2 3 4], (a, row, step, depth, panel, out))
    }
}

unsafe fn multiply_add<const M: usize>(
    a: *const f32,
    row: usize,
    step: usize,
    depth: usize,
    panel: *const f32,
    out: &mut [f32],
) {
    const NR: usize = Portable::NR;
    let mut sums = [[0f32; NR]; M];
    for s in 0..depth {
        // SAFETY: `tile` promises this many steps of `panel` and of `a`.
        let b = unsafe { panel.add(s * NR).cast::<[f32; NR]>().read() };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let single = unsafe { *a.add(i * row + s * step) };
            for (sum, b) in sums.iter_mut().zip(&b) {
                *sum += single * b;
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(NR)) {
        out.copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Path, Scheme, with_arith};
    use candle_core::DType;

    /// What becomes of a rounding to operands: half a unit in the last place.
    fn half_unit<A: Arith>() -> f64 {
        if A::GROUP == 2 { 2f64.powi(-8) } else { 2f64.powi(-22) }
    }

    /// `silu(gate) up`, three elements of a row at first, then as many as a row has.
    fn gated<A: Arith>(gate: &[f32], up: &[f32]) -> Vec<A::Elem> {
        let (half, n) = (A::NR / 2, gate.len());
        let n_first = n.min(3);
        let in_rows = |first: usize, per_row: usize| {
            let mut tile = Vec::new();
            for at in (first..n).step_by(per_row) {
                for values in [gate, up] {
                    let row = &values[at..n.min(at + per_row)];
                    tile.extend_from_slice(row);
                    tile.extend(std::iter::repeat_n(0.0, half - row.len()));
                }
            }
            let n_rows = tile.len() / A::NR;
            let mut out = vec![A::Elem::default(); n_rows * per_row];
            A::vectorized(|| A::gated(&tile, per_row, &mut out, per_row));
            out.truncate(n - first);
            out
        };
        let mut out = in_rows(0, 3);
        out.truncate(n_first);
        out.extend(in_rows(n_first, half));
        out
    }

    fn check_activations<A: Arith>() {
        for n in [1, 15, 16, 17, 31, 32] {
            let gate: Vec<f32> = (0..n).map(|i| (i as f32 - 11.0) * 7.3).collect();
            let up: Vec<f32> = (0..n).map(|i| (i % 7) as f32 - 2.5).collect();
            let out = gated::<A>(&gate, &up);
            let mut powers = gate.clone();
            let shift: Vec<f32> = (0..n).map(|i| 80.0 - i as f32).collect();
            A::vectorized(|| A::exp_shifted(&mut powers, 0.5, &shift));
            for i in 0..n {
                let (g, u) = (f64::from(gate[i]), f64::from(up[i]));
                let want = g / (1.0 + (-g).exp()) * u;
                let apart = (f64::from(out[i].to_f32()) - want).abs();
                let bound = 1.1 * half_unit::<A>() + g.abs() * 2f64.powi(-22);
                let bound = bound * want.abs() + 1e-30;
                assert!(apart <= bound, "gated({g}, {u}) is {:?}, not {want}", out[i]);
                let exponent = 0.5 * g - f64::from(shift[i]);
                let (found, want) = (f64::from(powers[i]), exponent.exp());
                // The exponent is rounded before it is used, and its parts before it.
                let bound = half_unit::<A>() + (g.abs() + f64::from(shift[i])) * 2f64.powi(-23);
                let apart = (found - want).abs();
                assert!(apart <= bound * want + 2e-38, "e^{exponent} is {found:e}, not {want:e}");
            }
        }
    }

    #[test]
    fn activations_are_as_precise_as_operands_on_every_path() {
        for path in Path::available() {
            for dtype in [DType::F32, DType::BF16] {
                let scheme = Scheme::of(dtype, path).unwrap();
                with_arith!(scheme, A => check_activations::<A>());
            }
        }
    }

    #[test]
    fn rounding_to_bf16_is_to_nearest_even_and_keeps_what_is_not_finite() {
        for x in
            [0.0, -0.0, 1.0, 257.0 / 256.0, 259.0 / 256.0, -3.4e38, 1e-40, f32::INFINITY, 65535.9]
        {
            assert_eq!(<bf16 as Element>::from_f32(x), bf16::from_f32(x), "{x}");
        }
        assert!(<bf16 as Element>::from_f32(f32::NAN).is_nan());
        assert!(<bf16 as Element>::from_f32(f32::from_bits(0x7fff_ffff)).is_nan());
        assert_eq!(<bf16 as Element>::to_f32(bf16::from_f32(-2.5)), -2.5);
    }
}
