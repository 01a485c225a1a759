//! What happens to one row between two products.
//!
//! Plain loops, written so that a compiler turns them into vectors of any
//! width: no branches, sums in [`LANES`] independent parts.

use super::{Arith, Element};

/// Elements that are worked on together: a multiple of every vector's width.
const LANES: usize = 16;

/// Runs `$body` for `$at` in steps over `0..$len`, with `$lanes` constant:
/// [`LANES`], and one by one what is left.
macro_rules! in_lanes {
    ($len:expr, $at:ident, $lanes:ident => $body:expr) => {{
        let len = $len;
        let n_whole = len / LANES * LANES;
        for $at in (0..n_whole).step_by(LANES) {
            const $lanes: usize = LANES;
            $body
        }
        for $at in n_whole..len {
            const $lanes: usize = 1;
            $body
        }
    }};
}

/// `e^x` to about one unit in the last place for `x` between -87 and 88;
/// infinity above, and e^-87 below, which is less than 2e-38.
#[inline(always)]
pub(crate) fn exp<A: Arith>(x: f32) -> f32 {
    // e^x = 2^n e^r with |r| <= ln 2 / 2. Adding and subtracting 1.5 * 2^23
    // rounds to an integer and leaves it in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few bits: n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = A::fma(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = A::fma(n, -LN_2_LOW, A::fma(n, -LN_2_HIGH, clamped));
    // The series; its next term is below 5e-9.
    let mut series = 1.0 / 5040.0;
    for k in [720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        series = A::fma(series, r, 1.0 / k);
    }
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let y = series * f32::from_bits(n.wrapping_add(127) << 23);
    if x > 88.0 { f32::INFINITY } else { y }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<A: Arith>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<A>(-x))
}

/// `x <- (x + sum)`, scaled to a root mean square of one; gives the factor.
/// What `sum` holds afterwards is of no use.
#[inline(always)]
pub(crate) fn add_and_normalise<A: Arith>(x: &mut [A::Elem], sum: &mut [f32], eps: f32) -> f32 {
    let n = x.len();
    let mut squares = [0f32; LANES];
    in_lanes!(n, at, N => {
        let (x, sum) = (&x[at..][..N], &mut sum[at..][..N]);
        for i in 0..N {
            sum[i] += x[i].to_f32();
            squares[i] += sum[i] * sum[i];
        }
    });
    let mean_square = squares.iter().sum::<f32>() / n as f32;
    let scale = 1.0 / (mean_square + eps).sqrt();
    in_lanes!(n, at, N => {
        let sum = &sum[at..][..N];
        let mut scaled = [0f32; N];
        for i in 0..N {
            scaled[i] = scale * sum[i];
        }
        A::narrow(&scaled, &mut x[at..][..N]);
    });
    scale
}

/// The gradient before [`add_and_normalise`], in f32 and as operands, from `dy`
/// after it, its result `y` and its factor.
#[inline(always)]
pub(crate) fn normalise_backward<A: Arith>(
    dy: &[A::Elem],
    y: &[A::Elem],
    scale: f32,
    sum: &mut [f32],
    ds: &mut [A::Elem],
) {
    let n = ds.len();
    let mut products = [0f32; LANES];
    in_lanes!(n, at, N => {
        let (dy, y) = (&dy[at..][..N], &y[at..][..N]);
        for i in 0..N {
            products[i] += dy[i].to_f32() * y[i].to_f32();
        }
    });
    let along = products.iter().sum::<f32>() / n as f32;
    in_lanes!(n, at, N => {
        let (dy, y, sum) = (&dy[at..][..N], &y[at..][..N], &mut sum[at..][..N]);
        for i in 0..N {
            sum[i] = scale * (dy[i].to_f32() - y[i].to_f32() * along);
        }
        A::narrow(sum, &mut ds[at..][..N]);
    });
}

/// Turns pairs of channels half a head apart by angles with these cosines and
/// sines, one per pair. `sign` is -1 to turn back.
#[inline(always)]
pub(crate) fn rotate<A: Arith, S: Element>(
    x: &[S],
    [cos, sin]: [&[f32]; 2],
    sign: f32,
    y: &mut [A::Elem],
) {
    let half = cos.len();
    let ((x1, x2), (y1, y2)) = (x.split_at(half), y.split_at_mut(half));
    in_lanes!(half, at, N => {
        let ([x1, x2], [cos, sin]) = ([x1, x2].map(|x| &x[at..][..N]), [cos, sin].map(|x| &x[at..][..N]));
        let mut turned = [[0f32; N]; 2];
        for i in 0..N {
            let (a, b, sin) = (x1[i].to_f32(), x2[i].to_f32(), sign * sin[i]);
            turned[0][i] = a * cos[i] - b * sin;
            turned[1][i] = b * cos[i] + a * sin;
        }
        A::narrow(&turned[0], &mut y1[at..][..N]);
        A::narrow(&turned[1], &mut y2[at..][..N]);
    });
}

/// From `dh` at `h = silu(gate) up`: `gate` and `up` are replaced by their
/// gradients, and `h` is written.
#[inline(always)]
pub(crate) fn gated_backward<A: Arith>(
    dh: &[f32],
    gate: &mut [A::Elem],
    up: &mut [A::Elem],
    h: &mut [A::Elem],
) {
    in_lanes!(dh.len(), at, N => {
        let (gate, up) = (&mut gate[at..][..N], &mut up[at..][..N]);
        let dh = &dh[at..][..N];
        let mut gates = [0f32; N];
        for (value, gate) in gates.iter_mut().zip(&*gate) {
            *value = gate.to_f32();
        }
        let mut powers = gates;
        A::exp_shifted(&mut powers, -1.0, &[0.0; N]);
        let [mut hs, mut ups] = [[0f32; N]; 2];
        for i in 0..N {
            let (g, u, sigmoid) = (gates[i], up[i].to_f32(), 1.0 / (1.0 + powers[i]));
            let silu = g * sigmoid;
            hs[i] = silu * u;
            gates[i] = dh[i] * u * (sigmoid + silu * (1.0 - sigmoid));
            ups[i] = dh[i] * silu;
        }
        A::narrow(&hs, &mut h[at..][..N]);
        A::narrow(&gates, gate);
        A::narrow(&ups, up);
    });
}

/// `x + other`, elementwise, in f32.
#[inline(always)]
pub(crate) fn add_to<A: Arith>(x: &mut [f32], other: &[A::Elem]) {
    for (x, other) in x.iter_mut().zip(other) {
        *x += other.to_f32();
    }
}

/// Adds the sum of `terms` to `x`, in f32 and rounded once.
#[inline(always)]
pub(crate) fn inject<A: Arith>(x: &mut [A::Elem], terms: &[&[A::Elem]]) {
    const BLOCK: usize = 256;
    for (idx, x) in x.chunks_mut(BLOCK).enumerate() {
        let mut sum = [0f32; BLOCK];
        let sum = &mut sum[..x.len()];
        for term in terms {
            add_to::<A>(sum, &term[idx * BLOCK..]);
        }
        add_to::<A>(sum, x);
        A::narrow(sum, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Path, Portable, Scheme, with_arith};
    use candle_core::DType;

    fn check_exponentials<A: Arith>() {
        A::vectorized(|| {
            let mut worst = 0f64;
            for i in -86_999..88_000 {
                let x = i as f32 * 1e-3;
                let want = f64::from(x).exp();
                worst = worst.max((f64::from(exp::<A>(x)) - want).abs() / want);
            }
            assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        });
        for low in [-1e9, f32::NEG_INFINITY] {
            assert!((0.0..2e-38).contains(&exp::<A>(low)));
        }
        assert_eq!(
            [exp::<A>(0.0), exp::<A>(88.5), exp::<A>(1e9)],
            [1.0, f32::INFINITY, f32::INFINITY]
        );
        assert!(exp::<A>(f32::NAN).is_nan());
        assert_eq!([sigmoid::<A>(0.0), sigmoid::<A>(-1e3), sigmoid::<A>(1e3)], [0.5, 0.0, 1.0]);
    }

    #[test]
    fn exponentials_are_right_to_the_last_places_on_every_path() {
        for path in Path::available() {
            let scheme = Scheme::of(DType::F32, path).unwrap();
            with_arith!(scheme, A => check_exponentials::<A>());
        }
    }

    #[test]
    fn turning_back_undoes_turning() {
        let x = [0.5f32, -1.0, 2.0, 0.25];
        let (cos, sin) = ([0.6f32, 0.8], [0.8f32, 0.6]);
        let (mut there, mut back) = ([0f32; 4], [0f32; 4]);
        rotate::<Portable, f32>(&x, [&cos, &sin], 1.0, &mut there);
        rotate::<Portable, f32>(&there, [&cos, &sin], -1.0, &mut back);
        assert!(x.iter().zip(back).all(|(x, y)| (x - y).abs() < 1e-6), "{back:?}");
        assert_ne!(x, there);
    }
}
