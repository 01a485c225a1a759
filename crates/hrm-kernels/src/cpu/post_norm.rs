//! What both sublayers share: they end in a sum and a norm.

use super::profile::{Part, section};
use super::{Arith, Element, Scratch, rows};

/// Rows that go through a product, or a whole sublayer, together.
pub(crate) const ROWS_PER_BLOCK: usize = 96;

/// Gradients of a sublayer's arguments.
pub(crate) struct Gradients<E: Element> {
    /// Of the rows.
    pub(crate) x: Scratch<E>,
    /// Of the first weight, if wanted.
    pub(crate) w_in: Option<Vec<f32>>,
    /// Of the second weight, if wanted.
    pub(crate) w_out: Option<Vec<f32>>,
}

/// `x <- norm(x + sum)` by rows.
pub(crate) fn add_and_normalise<A: Arith>(
    x: &mut [A::Elem],
    sum: &mut [f32],
    width: usize,
    eps: f32,
    mut scales: Option<&mut [f32]>,
) {
    let _normalising = section(Part::Norm);
    A::vectorized(
        #[inline(always)]
        || {
            for (row, (x, sum)) in
                x.chunks_exact_mut(width).zip(sum.chunks_exact_mut(width)).enumerate()
            {
                let scale = rows::add_and_normalise::<A>(x, sum, eps);
                if let Some(scales) = &mut scales {
                    scales[row] = scale;
                }
            }
        },
    );
}

/// The gradient before the norm, in f32 and as operands.
pub(crate) fn norm_backward<A: Arith>(
    dy: &[A::Elem],
    y: &[A::Elem],
    scales: &[f32],
    sum: &mut [f32],
    ds: &mut [A::Elem],
    width: usize,
) {
    let _normalising = section(Part::Norm);
    A::vectorized(
        #[inline(always)]
        || {
            let rows = dy.chunks_exact(width).zip(y.chunks_exact(width));
            let out = sum.chunks_exact_mut(width).zip(ds.chunks_exact_mut(width));
            for (((dy, y), (sum, ds)), scale) in rows.zip(out).zip(scales) {
                rows::normalise_backward::<A>(dy, y, *scale, sum, ds);
            }
        },
    );
}
