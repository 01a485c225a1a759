//! The contract of an instruction set: what fused kernels are generic over.
//!
//! Its core is one tile of a matrix product:
//!
//! ```text
//! out[i, j] = sum over k of a[i, k] b[k, j]      i < MR, j < NR
//! ```
//!
//! `b` is packed into a *panel*: for each step along `k`, the values of all `NR`
//! columns side by side, with [`GROUP`](Simd::GROUP) consecutive `k` of a column
//! together. `a` is read in place, `GROUP` consecutive `k` at a time. The sums
//! stay in registers until the end.

use crate::cpu::element::Element;

/// Largest number of rows of any tile.
const MR_MAX: usize = 12;
/// Largest number of columns of any tile.
pub(crate) const NR_MAX: usize = 32;

/// Memory for one tile of any instruction set.
#[repr(align(64))]
pub(crate) struct Tile(pub(crate) [f32; MR_MAX * NR_MAX]);

impl Tile {
    pub(crate) fn new() -> Self {
        Self([0.0; MR_MAX * NR_MAX])
    }
}

/// An instruction set together with the operands it multiplies.
///
/// Implementations are called only where the CPU has the instruction set:
/// [`KernelImpl::select`] returns no other, and [`with_simd`] is the one place that
/// turns a [`KernelImpl`] into a type.
///
/// [`KernelImpl`]: super::KernelImpl
/// [`KernelImpl::select`]: super::KernelImpl::select
/// [`with_simd`]: super::with_simd
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Operands. Sums are f32.
    type Elem: Element;
    /// Operands that one lane multiplies and adds in one instruction: 1 or 2.
    const GROUP: usize;
    /// Rows of a tile.
    const MR: usize;
    /// Columns of a tile, an even number.
    const NR: usize;

    /// Runs `f`. The code inlined into it is compiled for this instruction set.
    fn vectorized<R>(f: impl FnOnce() -> R) -> R;

    /// Computes one tile of `n_rows <= MR` rows, sums of `depth` products each;
    /// row `i` starts at `i * NR` of `out`.
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

    /// `a b + c`, in one instruction if there is one.
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    /// Replaces each `x` by `e^(scale x - shift)`, to the precision of operands.
    #[inline(always)]
    fn exp_shifted(x: &mut [f32], scale: f32, shift: &[f32]) {
        for (x, shift) in x.iter_mut().zip(shift) {
            *x = exp::<Self>(Self::fma(scale, *x, -shift));
        }
    }

    /// `silu(gate) up` to the precision of operands. The first half of each row of
    /// the tile holds gates, the second half the matching `up`; the first `n`
    /// results of a row go to a row of `out`, and rows of `out` are `stride` apart.
    #[inline(always)]
    fn gated(tile: &[f32], n: usize, out: &mut [Self::Elem], stride: usize) {
        for (row, out) in tile.chunks_exact(Self::NR).zip(out.chunks_mut(stride)) {
            let (gate, up) = row.split_at(Self::NR / 2);
            let mut activated = [0f32; NR_MAX];
            for (h, (gate, up)) in activated.iter_mut().zip(gate.iter().zip(up)) {
                *h = gate * sigmoid::<Self>(*gate) * up;
            }
            Self::round_to(&activated[..n], &mut out[..n]);
        }
    }

    /// Writes one step of a panel from `GROUP` consecutive rows; `_other` is
    /// ignored if `GROUP` is 1.
    #[inline(always)]
    fn interleave(one: &[Self::Elem], _other: &[Self::Elem], step: &mut [Self::Elem]) {
        step.copy_from_slice(one);
    }

    /// Rounds `from` to operands, up to the length of the shorter slice.
    #[inline(always)]
    fn round_to(from: &[f32], to: &mut [Self::Elem]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = Self::Elem::from_f32(*from);
        }
    }
}

/// `e^x` to about one unit in the last place for `x` between -87 and 88.
/// Infinity above that range; below it `e^-87`, which is less than 2e-38.
#[inline(always)]
pub(crate) fn exp<V: Simd>(x: f32) -> f32 {
    // e^x = 2^n e^r with |r| <= ln 2 / 2. Adding and subtracting 1.5 * 2^23
    // rounds to an integer and leaves it in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts. The first has few bits, so that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = V::fma(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = V::fma(n, -LN_2_LOW, V::fma(n, -LN_2_HIGH, clamped));
    // The Taylor series; the first omitted term is below 5e-9.
    let mut series = 1.0 / 5040.0;
    for k in [720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        series = V::fma(series, r, 1.0 / k);
    }
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let y = series * f32::from_bits(n.wrapping_add(127) << 23);
    if x > 88.0 { f32::INFINITY } else { y }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<V: Simd>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<V>(-x))
}

/// Calls a kernel that is generic over its number of rows.
macro_rules! by_rows {
    ($n_rows:expr, $kernel:ident, [$($n:literal)+], $arguments:tt) => {
        match $n_rows {
            // SAFETY: the caller of `tile` promises what the kernel requires.
            $($n => unsafe { by_rows!(@call $kernel, $n, $arguments) },)+
            n => unreachable!("a tile of {n} rows"),
        }
    };
    (@call $kernel:ident, $n:literal, ($($argument:expr),*)) => {
        $kernel::<$n>($($argument),*)
    };
}
pub(crate) use by_rows;
