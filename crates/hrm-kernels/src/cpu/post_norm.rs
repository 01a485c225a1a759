//! The end of both sublayers: a residual sum and a norm.

use super::profile::{Part, section};
use super::{Element, Scratch, Simd, vector_ops};

/// Hidden vectors that go through a product, or a whole sublayer, together.
pub(crate) const POSITIONS_PER_BLOCK: usize = 96;

/// Gradients of a sublayer's arguments.
pub(crate) struct Gradients<E: Element> {
    /// Of the hidden states.
    pub(crate) x: Scratch<E>,
    /// Of the first weight, if requested.
    pub(crate) w_in: Option<Vec<f32>>,
    /// Of the second weight, if requested.
    pub(crate) w_out: Option<Vec<f32>>,
}

/// Replaces each hidden vector `x` of `width` channels by `norm(x + sum)`. Writes
/// the scale of each norm to `scales`, and intermediate results to `sum`.
pub(crate) fn add_and_normalise<V: Simd>(
    x: &mut [V::Elem],
    sum: &mut [f32],
    width: usize,
    eps: f32,
    mut scales: Option<&mut [f32]>,
) {
    let _normalising = section(Part::Norm);
    V::vectorized(
        #[inline(always)]
        || {
            for (idx, (x, sum)) in
                x.chunks_exact_mut(width).zip(sum.chunks_exact_mut(width)).enumerate()
            {
                let scale = vector_ops::add_and_normalise::<V>(x, sum, eps);
                if let Some(scales) = &mut scales {
                    scales[idx] = scale;
                }
            }
        },
    );
}

/// Backward pass of the norm: the gradient of `x + sum`, in f32 (`sum`) and rounded
/// to operands (`ds`).
pub(crate) fn norm_backward<V: Simd>(
    dy: &[V::Elem],
    y: &[V::Elem],
    scales: &[f32],
    sum: &mut [f32],
    ds: &mut [V::Elem],
    width: usize,
) {
    let _normalising = section(Part::Norm);
    V::vectorized(
        #[inline(always)]
        || {
            let vectors = dy.chunks_exact(width).zip(y.chunks_exact(width));
            let out = sum.chunks_exact_mut(width).zip(ds.chunks_exact_mut(width));
            for (((dy, y), (sum, ds)), scale) in vectors.zip(out).zip(scales) {
                vector_ops::normalise_backward::<V>(dy, y, *scale, sum, ds);
            }
        },
    );
}
