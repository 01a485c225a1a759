//! f32 in plain loops, for any CPU.

use super::simd::{Simd, by_rows};

/// f32 in plain loops.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
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
        // `mul_add` would call a library function on CPUs without the instruction.
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
