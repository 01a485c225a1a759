//! The feed-forward sublayer: `x <- norm(x + swiglu(x W_gate_up^T) W_down^T)`.
//!
//! A block of rows goes through the whole sublayer before the next one starts.
//! Gate and up channels of the first product sit side by side in each panel,
//! so that a tile holds both and the activation happens before it leaves the
//! cache.

use rayon::prelude::*;

use super::matmul::{Left, Panels, add_row, matmul, matmul_into, transposed_product};
use super::post_norm::{Gradients, ROWS_PER_BLOCK, add_and_normalise, norm_backward};
use super::profile::{Part, section};
use super::rows::gated_backward;
use super::{Arith, Element, Scratch, Threads, scratch};

/// Sizes of the sublayer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Channels, `D`.
    pub(crate) width: usize,
    /// Channels inside, `I`.
    pub(crate) inner: usize,
    /// Added to the mean square.
    pub(crate) eps: f32,
}

/// What the backward pass wants to know about the forward pass.
#[derive(Debug)]
pub(crate) struct Saved<E: Element> {
    /// `x W_gate_up^T`, `[rows, 2 I]`.
    gate_up: Scratch<E>,
    /// Factors of the norm, `[rows]`.
    scale: Scratch<f32>,
}

/// `W_gate_up: [2 I, D]` for the forward pass: each panel holds as many gate
/// channels as up channels.
pub(crate) fn pack_gate_up<A: Arith>(w: &[f32], inner: usize, width: usize) -> Panels<A::Elem> {
    let half = A::NR / 2;
    let n_columns = inner.div_ceil(half) * A::NR;
    Panels::of_weight::<A>(w, n_columns, width, |column| {
        let (panel, j) = (column / A::NR, column % A::NR);
        let channel = panel * half + j % half;
        (channel < inner).then_some(channel + if j < half { 0 } else { inner })
    })
}

/// Applies the sublayer to rows of `D` in place.
pub(crate) fn forward<A: Arith>(
    x: &mut [A::Elem],
    gate_up: &Panels<A::Elem>,
    down: &Panels<A::Elem>,
    sizes: Sizes,
    threads: Threads,
) {
    let block = threads.piece_len(x.len() / sizes.width, ROWS_PER_BLOCK);
    x.par_chunks_mut(block * sizes.width)
        .with_min_len(threads.min_len())
        .for_each(|x| block_forward::<A>(x, gate_up, down, sizes, None));
}

/// [`forward`], and what the backward pass needs.
pub(crate) fn forward_saving<A: Arith>(
    x: &mut [A::Elem],
    gate_up: &Panels<A::Elem>,
    down: &Panels<A::Elem>,
    sizes: Sizes,
    threads: Threads,
) -> Saved<A::Elem> {
    let n_rows = x.len() / sizes.width;
    let mut saved = Saved { gate_up: scratch(n_rows * 2 * sizes.inner), scale: scratch(n_rows) };
    let block = threads.piece_len(n_rows, ROWS_PER_BLOCK);
    x.par_chunks_mut(block * sizes.width)
        .zip(saved.gate_up.par_chunks_mut(block * 2 * sizes.inner))
        .zip(saved.scale.par_chunks_mut(block))
        .with_min_len(threads.min_len())
        .for_each(|((x, gate_ups), scale)| {
            block_forward::<A>(x, gate_up, down, sizes, Some((gate_ups, scale)));
        });
    saved
}

fn block_forward<A: Arith>(
    x: &mut [A::Elem],
    gate_up: &Panels<A::Elem>,
    down: &Panels<A::Elem>,
    Sizes { width, inner, eps }: Sizes,
    mut saved: Option<(&mut [A::Elem], &mut [f32])>,
) {
    let n_rows = x.len() / width;
    let half = A::NR / 2;
    let mut h = scratch::<A::Elem>(n_rows * inner);
    let mut sum = scratch::<f32>(n_rows * width);
    let multiplying = section(Part::Matmul);
    A::vectorized(
        #[inline(always)]
        || {
            matmul::<A>(
                n_rows,
                Left::rows::<A>(x, width, width),
                gate_up,
                #[inline(always)]
                |at| {
                    let first = at.column / 2;
                    let n = half.min(inner - first);
                    A::gated(at.tile(), n, &mut h[at.row * inner + first..], inner);
                    let Some((saved, _)) = &mut saved else { return };
                    for (row, values) in at.rows() {
                        let (gate, up) = values.split_at(half);
                        let row = &mut saved[row * 2 * inner..][..2 * inner];
                        A::narrow(&gate[..n], &mut row[first..][..n]);
                        A::narrow(&up[..n], &mut row[inner + first..][..n]);
                    }
                },
            );
            matmul_into::<A>(n_rows, Left::rows::<A>(&h, inner, inner), down, &mut sum, width);
        },
    );
    drop(multiplying);
    let scales = saved.map(|(_, scales)| scales);
    add_and_normalise::<A>(x, &mut sum, width, eps, scales);
}

/// From `dy` at the result `y` back to the rows `x` and both weights.
///
/// `gate_up` and `down` are packed transposed.
pub(crate) fn backward<A: Arith>(
    x: &[A::Elem],
    y: &[A::Elem],
    dy: &[A::Elem],
    mut saved: Saved<A::Elem>,
    gate_up: &Panels<A::Elem>,
    down: &Panels<A::Elem>,
    sizes: Sizes,
    wanted: [bool; 2],
    threads: Threads,
) -> Gradients<A::Elem> {
    let Sizes { width, inner, .. } = sizes;
    let n_rows = x.len() / width;
    let block = threads.piece_len(n_rows, ROWS_PER_BLOCK);
    let mut dx = scratch::<A::Elem>(x.len());
    let mut ds = scratch::<A::Elem>(x.len());
    let mut h = scratch::<A::Elem>(n_rows * inner);
    let here = |idx: usize, len: usize| idx * block * width..idx * block * width + len;
    dx.par_chunks_mut(block * width)
        .zip(ds.par_chunks_mut(block * width))
        .zip(h.par_chunks_mut(block * inner))
        .zip(saved.gate_up.par_chunks_mut(block * 2 * inner))
        .zip(saved.scale.par_chunks(block))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, ((((dx, ds), h), gate_ups), scales))| {
            let here = here(idx, dx.len());
            let mut sum = scratch::<f32>(dx.len());
            norm_backward::<A>(&dy[here.clone()], &y[here], scales, &mut sum, ds, width);
            let _multiplying = section(Part::Matmul);
            A::vectorized(
                #[inline(always)]
                || {
                    swiglu_backward::<A>(ds, down, gate_ups, h, sizes);
                    let left = Left::rows::<A>(gate_ups, 2 * inner, 2 * inner);
                    matmul::<A>(
                        scales.len(),
                        left,
                        gate_up,
                        #[inline(always)]
                        |at| {
                            for (row, values) in at.rows() {
                                let from = row * width + at.column;
                                let sum = &mut sum[from..][..values.len()];
                                add_row(values, sum);
                                A::narrow(sum, &mut dx[from..][..values.len()]);
                            }
                        },
                    );
                },
            );
        });

    let w_in = wanted[0]
        .then(|| transposed_product::<A>(&saved.gate_up, x, [n_rows, 2 * inner, width], threads));
    let w_out =
        wanted[1].then(|| transposed_product::<A>(&ds, &h, [n_rows, width, inner], threads));
    Gradients { x: dx, w_in, w_out }
}

/// `dh = ds W_down`, then through the activation: gate and up in `gate_up` are
/// replaced by their gradients, and `h` is what the activation gave.
#[inline(always)]
fn swiglu_backward<A: Arith>(
    ds: &[A::Elem],
    down: &Panels<A::Elem>,
    gate_up: &mut [A::Elem],
    h: &mut [A::Elem],
    Sizes { width, inner, .. }: Sizes,
) {
    matmul::<A>(
        ds.len() / width,
        Left::rows::<A>(ds, width, width),
        down,
        #[inline(always)]
        |at| {
            for (row, dh) in at.rows() {
                let n = dh.len();
                let (gate, up) = gate_up[row * 2 * inner..][..2 * inner].split_at_mut(inner);
                let (gate, up) = (&mut gate[at.column..][..n], &mut up[at.column..][..n]);
                let h = &mut h[row * inner + at.column..][..n];
                gated_backward::<A>(dh, gate, up, h);
            }
        },
    );
}
