//! The f32 tile of the AVX instruction sets, generic over their intrinsics.

/// Implements [`Simd`](super::simd::Simd) for f32 with tiles two registers wide.
///
/// Arguments: target features, lanes per register, every possible number of rows
/// of a tile, and the intrinsics for zero, load, broadcast, fused multiply-add
/// and store.
macro_rules! f32_tile {
    (
        $(#[$doc:meta])*
        $name:ident: $features:literal, $lanes:literal lanes, [$($n:literal)+] rows,
        $zero:ident, $load:ident, $spread:ident, $fma:ident, $store:ident
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Simd for $name {
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
                // SAFETY: `KernelImpl` names this type only where the CPU has the features.
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
pub(crate) use f32_tile;
