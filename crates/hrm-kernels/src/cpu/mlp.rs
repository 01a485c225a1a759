//! The feed-forward sublayer: `x <- norm(x + swiglu(x W_gate_up^T) W_down^T)`.
//!
//! A block of hidden vectors goes through the whole sublayer before the next block
//! starts. Each panel of the first product holds gate channels next to the matching
//! up channels, so that a tile contains both and is activated before it leaves the
//! cache.

use rayon::prelude::*;

use super::matmul::{Left, Panels, add_row, matmul, matmul_into, transposed_product};
use super::post_norm::{Gradients, POSITIONS_PER_BLOCK, add_and_normalise, norm_backward};
use super::profile::{Part, section};
use super::vector_ops::gated_backward;
use super::{Element, Scratch, Simd, Threads, scratch};

/// Sizes of the sublayer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Channels per position, `D`.
    pub(crate) width: usize,
    /// Channels inside the sublayer, `I`.
    pub(crate) inner: usize,
    /// Added to the mean square in the norm.
    pub(crate) eps: f32,
}

/// Results of the forward pass that the backward pass needs.
#[derive(Debug)]
pub(crate) struct Saved<E: Element> {
    /// `x W_gate_up^T`, `[positions, 2 I]`.
    gate_up: Scratch<E>,
    /// Scales of the norm, `[positions]`.
    scale: Scratch<f32>,
}

/// Packs `W_gate_up: [2 I, D]` for the forward pass: half of each panel are gate
/// channels, the other half the matching up channels.
pub(crate) fn pack_gate_up<V: Simd>(w: &[f32], inner: usize, width: usize) -> Panels<V::Elem> {
    let half = V::NR / 2;
    let n_columns = inner.div_ceil(half) * V::NR;
    Panels::of_weight::<V>(w, n_columns, width, |column| {
        let (panel, j) = (column / V::NR, column % V::NR);
        let channel = panel * half + j % half;
        (channel < inner).then_some(channel + if j < half { 0 } else { inner })
    })
}

/// Applies the sublayer in place to hidden vectors of `D` channels.
pub(crate) fn forward<V: Simd>(
    x: &mut [V::Elem],
    gate_up: &Panels<V::Elem>,
    down: &Panels<V::Elem>,
    sizes: Sizes,
    threads: Threads,
) {
    let block = threads.piece_len(x.len() / sizes.width, POSITIONS_PER_BLOCK);
    x.par_chunks_mut(block * sizes.width)
        .with_min_len(threads.min_len())
        .for_each(|x| block_forward::<V>(x, gate_up, down, sizes, None));
}

/// [`forward`] that also returns what the backward pass needs.
pub(crate) fn forward_saving<V: Simd>(
    x: &mut [V::Elem],
    gate_up: &Panels<V::Elem>,
    down: &Panels<V::Elem>,
    sizes: Sizes,
    threads: Threads,
) -> Saved<V::Elem> {
    let n_rows = x.len() / sizes.width;
    let mut saved = Saved { gate_up: scratch(n_rows * 2 * sizes.inner), scale: scratch(n_rows) };
    let block = threads.piece_len(n_rows, POSITIONS_PER_BLOCK);
    x.par_chunks_mut(block * sizes.width)
        .zip(saved.gate_up.par_chunks_mut(block * 2 * sizes.inner))
        .zip(saved.scale.par_chunks_mut(block))
        .with_min_len(threads.min_len())
        .for_each(|((x, gate_ups), scale)| {
            block_forward::<V>(x, gate_up, down, sizes, Some((gate_ups, scale)));
        });
    saved
}

fn block_forward<V: Simd>(
    x: &mut [V::Elem],
    gate_up: &Panels<V::Elem>,
    down: &Panels<V::Elem>,
    Sizes { width, inner, eps }: Sizes,
    mut saved: Option<(&mut [V::Elem], &mut [f32])>,
) {
    let n_rows = x.len() / width;
    let half = V::NR / 2;
    let mut h = scratch::<V::Elem>(n_rows * inner);
    let mut sum = scratch::<f32>(n_rows * width);
    let multiplying = section(Part::Matmul);
    V::vectorized(
        #[inline(always)]
        || {
            matmul::<V>(
                n_rows,
                Left::rows::<V>(x, width, width),
                gate_up,
                #[inline(always)]
                |tile| {
                    let first = tile.column / 2;
                    let n = half.min(inner - first);
                    V::gated(tile.values(), n, &mut h[tile.row * inner + first..], inner);
                    let Some((saved, _)) = &mut saved else { return };
                    for (row, values) in tile.rows() {
                        let (gate, up) = values.split_at(half);
                        let row = &mut saved[row * 2 * inner..][..2 * inner];
                        V::round_to(&gate[..n], &mut row[first..][..n]);
                        V::round_to(&up[..n], &mut row[inner + first..][..n]);
                    }
                },
            );
            matmul_into::<V>(n_rows, Left::rows::<V>(&h, inner, inner), down, &mut sum, width);
        },
    );
    drop(multiplying);
    let scales = saved.map(|(_, scales)| scales);
    add_and_normalise::<V>(x, &mut sum, width, eps, scales);
}

/// Gradients of `x` and of the `wanted` weights, given `dy` at the result `y`.
///
/// `gate_up` and `down` are packed for the backward pass.
pub(crate) fn backward<V: Simd>(
    x: &[V::Elem],
    y: &[V::Elem],
    dy: &[V::Elem],
    mut saved: Saved<V::Elem>,
    gate_up: &Panels<V::Elem>,
    down: &Panels<V::Elem>,
    sizes: Sizes,
    wanted: [bool; 2],
    threads: Threads,
) -> Gradients<V::Elem> {
    let Sizes { width, inner, .. } = sizes;
    let n_rows = x.len() / width;
    let block = threads.piece_len(n_rows, POSITIONS_PER_BLOCK);
    let mut dx = scratch::<V::Elem>(x.len());
    let mut ds = scratch::<V::Elem>(x.len());
    let mut h = scratch::<V::Elem>(n_rows * inner);
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
            norm_backward::<V>(&dy[here.clone()], &y[here], scales, &mut sum, ds, width);
            let _multiplying = section(Part::Matmul);
            V::vectorized(
                #[inline(always)]
                || {
                    swiglu_backward::<V>(ds, down, gate_ups, h, sizes);
                    let left = Left::rows::<V>(gate_ups, 2 * inner, 2 * inner);
                    matmul::<V>(
                        scales.len(),
                        left,
                        gate_up,
                        #[inline(always)]
                        |tile| {
                            for (row, values) in tile.rows() {
                                let from = row * width + tile.column;
                                let sum = &mut sum[from..][..values.len()];
                                add_row(values, sum);
                                V::round_to(sum, &mut dx[from..][..values.len()]);
                            }
                        },
                    );
                },
            );
        });

    let w_in = wanted[0]
        .then(|| transposed_product::<V>(&saved.gate_up, x, [n_rows, 2 * inner, width], threads));
    let w_out =
        wanted[1].then(|| transposed_product::<V>(&ds, &h, [n_rows, width, inner], threads));
    Gradients { x: dx, w_in, w_out }
}

/// Computes `dh = ds W_down` and propagates it through the activation: replaces
/// gate and up in `gate_up` by their gradients and writes the activations to `h`.
#[inline(always)]
fn swiglu_backward<V: Simd>(
    ds: &[V::Elem],
    down: &Panels<V::Elem>,
    gate_up: &mut [V::Elem],
    h: &mut [V::Elem],
    Sizes { width, inner, .. }: Sizes,
) {
    matmul::<V>(
        ds.len() / width,
        Left::rows::<V>(ds, width, width),
        down,
        #[inline(always)]
        |tile| {
            for (row, dh) in tile.rows() {
                let n = dh.len();
                let (gate, up) = gate_up[row * 2 * inner..][..2 * inner].split_at_mut(inner);
                let (gate, up) = (&mut gate[tile.column..][..n], &mut up[tile.column..][..n]);
                let h = &mut h[row * inner + tile.column..][..n];
                gated_backward::<V>(dh, gate, up, h);
            }
        },
    );
}
