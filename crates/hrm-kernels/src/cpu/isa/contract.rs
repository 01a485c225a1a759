//! Tests that every instruction set must pass, run on each one that the CPU has.

use super::simd::{Simd, exp, sigmoid};
use super::{Isa, Portable};
use crate::cpu::Element;

/// Relative error of rounding to operands: half a unit in the last place of
/// bf16, two units of f32.
fn half_unit<V: Simd>() -> f64 {
    if V::GROUP == 2 { 2f64.powi(-8) } else { 2f64.powi(-22) }
}

/// Small integers, which every operand type holds and whose sums are exact.
fn integers<V: Simd>(n: usize, seed: usize) -> Vec<V::Elem> {
    (0..n).map(|i| V::Elem::from_f32(((i * 7 + seed * 5 + i / 3) % 9) as f32 - 4.0)).collect()
}

fn check_tiles<V: Simd>() {
    for depth in [1usize, 2, 3, 16, 33] {
        // As many steps as a panel has; elements of the padding are zero.
        let n_steps = depth.div_ceil(V::GROUP);
        let b = integers::<V>(depth * V::NR, 2);
        let mut panel = vec![V::Elem::default(); n_steps * V::GROUP * V::NR];
        for (at, value) in b.iter().enumerate() {
            let (k, j) = (at / V::NR, at % V::NR);
            panel[(k / V::GROUP * V::NR + j) * V::GROUP + k % V::GROUP] = *value;
        }
        for n_rows in 1..=V::MR {
            let a = integers::<V>(n_rows * depth, 1);
            let mut out = vec![f32::NAN; V::MR * V::NR];
            // SAFETY: `a` has `n_rows` rows of `depth`, the panel has all its
            // steps, and these tests run only where the CPU has `V`.
            unsafe {
                V::tile(n_rows, a.as_ptr(), depth, V::GROUP, depth, panel.as_ptr(), &mut out);
            }
            for (at, found) in out[..n_rows * V::NR].iter().enumerate() {
                let (i, j) = (at / V::NR, at % V::NR);
                let product = |k: usize| a[i * depth + k].to_f32() * b[k * V::NR + j].to_f32();
                let expected: f32 = (0..depth).map(product).sum();
                assert_eq!(*found, expected, "{n_rows} rows, depth {depth}, at {i}, {j}");
            }
            assert!(out[n_rows * V::NR..].iter().all(|v| v.is_nan()), "no row beyond {n_rows}");
        }
    }
}

fn check_rounding<V: Simd>() {
    for n in [1, 15, 16, 17, 31, 32, 33] {
        let from: Vec<f32> = (0..n).map(|i| (i as f32 - 7.3) * 1.618_034).collect();
        let mut to = vec![V::Elem::default(); n];
        V::vectorized(|| V::round_to(&from, &mut to));
        for (from, to) in from.iter().zip(&to) {
            assert_eq!(*to, V::Elem::from_f32(*from), "{from} of {n}");
        }
    }
}

fn check_interleaving<V: Simd>() {
    for n in [1, 15, 16, 17, V::NR] {
        let rows = [integers::<V>(n, 1), integers::<V>(n, 2)];
        let mut step = vec![V::Elem::default(); V::GROUP * n];
        V::vectorized(|| V::interleave(&rows[0], &rows[1], &mut step));
        for (at, found) in step.iter().enumerate() {
            assert_eq!(*found, rows[at % V::GROUP][at / V::GROUP], "{at} of {n}");
        }
    }
}

fn check_exponentials<V: Simd>() {
    V::vectorized(|| {
        let mut worst = 0f64;
        for i in -86_999..88_000 {
            let x = i as f32 * 1e-3;
            let expected = f64::from(x).exp();
            worst = worst.max((f64::from(exp::<V>(x)) - expected).abs() / expected);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
    });
    for low in [-1e9, f32::NEG_INFINITY] {
        assert!((0.0..2e-38).contains(&exp::<V>(low)));
    }
    assert_eq!([exp::<V>(0.0), exp::<V>(88.5), exp::<V>(1e9)], [1.0, f32::INFINITY, f32::INFINITY]);
    assert!(exp::<V>(f32::NAN).is_nan());
    assert_eq!([sigmoid::<V>(0.0), sigmoid::<V>(-1e3), sigmoid::<V>(1e3)], [0.5, 0.0, 1.0]);
}

/// `silu(gate) up`: first with three elements per row, then with full rows.
fn gated<V: Simd>(gate: &[f32], up: &[f32]) -> Vec<V::Elem> {
    let (half, n) = (V::NR / 2, gate.len());
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
        let n_rows = tile.len() / V::NR;
        let mut out = vec![V::Elem::default(); n_rows * per_row];
        V::vectorized(|| V::gated(&tile, per_row, &mut out, per_row));
        out.truncate(n - first);
        out
    };
    let mut out = in_rows(0, 3);
    out.truncate(n_first);
    out.extend(in_rows(n_first, half));
    out
}

fn check_activations<V: Simd>() {
    for n in [1, 15, 16, 17, 31, 32] {
        let gate: Vec<f32> = (0..n).map(|i| (i as f32 - 11.0) * 7.3).collect();
        let up: Vec<f32> = (0..n).map(|i| (i % 7) as f32 - 2.5).collect();
        let out = gated::<V>(&gate, &up);
        let mut powers = gate.clone();
        let shift: Vec<f32> = (0..n).map(|i| 80.0 - i as f32).collect();
        V::vectorized(|| V::exp_shifted(&mut powers, 0.5, &shift));
        for i in 0..n {
            let (g, u) = (f64::from(gate[i]), f64::from(up[i]));
            let expected = g / (1.0 + (-g).exp()) * u;
            let error = (f64::from(out[i].to_f32()) - expected).abs();
            let bound = 1.1 * half_unit::<V>() + g.abs() * 2f64.powi(-22);
            let bound = bound * expected.abs() + 1e-30;
            assert!(error <= bound, "gated({g}, {u}) is {:?}, expected {expected}", out[i]);
            let exponent = 0.5 * g - f64::from(shift[i]);
            let (found, expected) = (f64::from(powers[i]), exponent.exp());
            // The two parts of the exponent are rounded, and so is their sum.
            let bound = half_unit::<V>() + (g.abs() + f64::from(shift[i])) * 2f64.powi(-23);
            let error = (found - expected).abs();
            assert!(
                error <= bound * expected + 2e-38,
                "e^{exponent} is {found:e}, expected {expected:e}"
            );
        }
    }
}

/// The contract as one module of tests per instruction set. A test passes without
/// checking anything where the CPU lacks the instruction set.
macro_rules! contract {
    ($($(#[$attribute:meta])* $name:ident: $simd:ty, $isa:expr;)+) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn is_available() -> bool {
                Isa::available().contains(&$isa)
            }

            contract! { @tests $simd:
                tiles_are_exact_on_small_integers => check_tiles,
                rounding_agrees_with_the_operand_type => check_rounding,
                interleaving_groups_consecutive_rows => check_interleaving,
                exponentials_are_accurate_to_the_last_places => check_exponentials,
                activations_are_as_precise_as_operands => check_activations,
            }
        }
    )+};
    (@tests $simd:ty: $($test:ident => $check:ident,)+) => {$(
        #[test]
        fn $test() {
            if is_available() {
                $check::<$simd>();
            }
        }
    )+};
}

contract! {
    portable: Portable, Isa::Portable;
    #[cfg(target_arch = "x86_64")]
    avx2: crate::cpu::isa::Avx2, Isa::Avx2;
    #[cfg(target_arch = "x86_64")]
    avx512: crate::cpu::isa::Avx512, Isa::Avx512;
    #[cfg(target_arch = "x86_64")]
    avx512_bf16: crate::cpu::isa::Avx512Bf16, Isa::Avx512Bf16;
}
