//! Operations on one hidden vector between two matrix products.
//!
//! Plain loops that the compiler can vectorise at any width: no branches, and
//! sums in [`LANES`] independent parts.

use super::{Element, Simd};

/// Elements processed together: a multiple of every vector's width.
const LANES: usize = 16;

/// Runs `$body` for `$at` stepping through `0..$len`. The step `$lanes` is a
/// constant: [`LANES`], then 1 for the remaining elements.
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

/// Replaces `x` by `x + sum`, scaled to a root mean square of 1, and returns the
/// scale. Overwrites `sum` with intermediate results.
#[inline(always)]
pub(crate) fn add_and_normalise<V: Simd>(x: &mut [V::Elem], sum: &mut [f32], eps: f32) -> f32 {
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
        V::round_to(&scaled, &mut x[at..][..N]);
    });
    scale
}

/// Backward pass of [`add_and_normalise`]: from the gradient `dy`, the result `y`
/// and the scale to the gradient of `x + sum`, in f32 (`sum`) and rounded to
/// operands (`ds`).
#[inline(always)]
pub(crate) fn normalise_backward<V: Simd>(
    dy: &[V::Elem],
    y: &[V::Elem],
    scale: f32,
    sum: &mut [f32],
    ds: &mut [V::Elem],
) {
    let n = ds.len();
    let mut products = [0f32; LANES];
    in_lanes!(n, at, N => {
        let (dy, y) = (&dy[at..][..N], &y[at..][..N]);
        for i in 0..N {
            products[i] += dy[i].to_f32() * y[i].to_f32();
        }
    });
    let mean_product = products.iter().sum::<f32>() / n as f32;
    in_lanes!(n, at, N => {
        let (dy, y, sum) = (&dy[at..][..N], &y[at..][..N], &mut sum[at..][..N]);
        for i in 0..N {
            sum[i] = scale * (dy[i].to_f32() - y[i].to_f32() * mean_product);
        }
        V::round_to(sum, &mut ds[at..][..N]);
    });
}

/// Rotates pairs of channels, half a head apart, by the angles with these cosines
/// and sines, one per pair. A `sign` of -1 inverts the rotation.
#[inline(always)]
pub(crate) fn rotate<V: Simd, S: Element>(
    x: &[S],
    [cos, sin]: [&[f32]; 2],
    sign: f32,
    y: &mut [V::Elem],
) {
    let half = cos.len();
    let ((x1, x2), (y1, y2)) = (x.split_at(half), y.split_at_mut(half));
    in_lanes!(half, at, N => {
        let ([x1, x2], [cos, sin]) = ([x1, x2].map(|x| &x[at..][..N]), [cos, sin].map(|x| &x[at..][..N]));
        let mut rotated = [[0f32; N]; 2];
        for i in 0..N {
            let (a, b, sin) = (x1[i].to_f32(), x2[i].to_f32(), sign * sin[i]);
            rotated[0][i] = a * cos[i] - b * sin;
            rotated[1][i] = b * cos[i] + a * sin;
        }
        V::round_to(&rotated[0], &mut y1[at..][..N]);
        V::round_to(&rotated[1], &mut y2[at..][..N]);
    });
}

/// Backward pass of `h = silu(gate) up`: given the gradient `dh`, replaces `gate`
/// and `up` by their gradients and recomputes `h`.
#[inline(always)]
pub(crate) fn gated_backward<V: Simd>(
    dh: &[f32],
    gate: &mut [V::Elem],
    up: &mut [V::Elem],
    h: &mut [V::Elem],
) {
    in_lanes!(dh.len(), at, N => {
        let (gate, up) = (&mut gate[at..][..N], &mut up[at..][..N]);
        let dh = &dh[at..][..N];
        let mut gates = [0f32; N];
        for (value, gate) in gates.iter_mut().zip(&*gate) {
            *value = gate.to_f32();
        }
        let mut powers = gates;
        V::exp_shifted(&mut powers, -1.0, &[0.0; N]);
        let [mut hs, mut ups] = [[0f32; N]; 2];
        for i in 0..N {
            let (g, u, sigmoid) = (gates[i], up[i].to_f32(), 1.0 / (1.0 + powers[i]));
            let silu = g * sigmoid;
            hs[i] = silu * u;
            gates[i] = dh[i] * u * (sigmoid + silu * (1.0 - sigmoid));
            ups[i] = dh[i] * silu;
        }
        V::round_to(&hs, &mut h[at..][..N]);
        V::round_to(&gates, gate);
        V::round_to(&ups, up);
    });
}

/// Adds `other` to `x` in f32.
#[inline(always)]
pub(crate) fn add_to<V: Simd>(x: &mut [f32], other: &[V::Elem]) {
    for (x, other) in x.iter_mut().zip(other) {
        *x += other.to_f32();
    }
}

/// Adds all `terms` to `x`, in f32 and with a single rounding.
#[inline(always)]
pub(crate) fn inject<V: Simd>(x: &mut [V::Elem], terms: &[&[V::Elem]]) {
    const BLOCK: usize = 256;
    for (idx, x) in x.chunks_mut(BLOCK).enumerate() {
        let mut sum = [0f32; BLOCK];
        let sum = &mut sum[..x.len()];
        for term in terms {
            add_to::<V>(sum, &term[idx * BLOCK..]);
        }
        add_to::<V>(sum, x);
        V::round_to(sum, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Portable;

    #[test]
    fn rotating_back_undoes_a_rotation() {
        let x = [0.5f32, -1.0, 2.0, 0.25];
        let (cos, sin) = ([0.6f32, 0.8], [0.8f32, 0.6]);
        let (mut rotated, mut restored) = ([0f32; 4], [0f32; 4]);
        rotate::<Portable, f32>(&x, [&cos, &sin], 1.0, &mut rotated);
        rotate::<Portable, f32>(&rotated, [&cos, &sin], -1.0, &mut restored);
        assert!(x.iter().zip(restored).all(|(x, y)| (x - y).abs() < 1e-6), "{restored:?}");
        assert_ne!(x, rotated);
    }
}
