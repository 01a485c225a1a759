//! The attention sublayer: `x <- norm(x + attention(x))`.
//!
//! Products with weights process blocks of positions. Between them, every
//! [head](super::head) of every puzzle computes its attention separately.

use rayon::prelude::*;

use super::head::{self, Head};
use super::matmul::{Left, Panels, copy_row, matmul, matmul_into, transposed_product};
use super::post_norm::{Gradients, POSITIONS_PER_BLOCK, add_and_normalise, norm_backward};
use super::profile::{Part, section};
use super::{Element, Scratch, Simd, Threads, scratch};

/// Sizes of the sublayer, and its rotary angles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes<'a> {
    /// Positions per puzzle, `S`.
    pub(crate) n_positions: usize,
    /// Attention heads, `N`.
    pub(crate) n_heads: usize,
    /// Channels per head, `d`.
    pub(crate) head_dim: usize,
    /// Added to the mean square in the norm.
    pub(crate) eps: f32,
    /// Cosines and sines of the rotary embedding, `[S, d / 2]` each.
    pub(crate) angles: Option<(&'a [f32], &'a [f32])>,
}

impl<'a> Sizes<'a> {
    /// Channels per position, `D`.
    fn width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Elements of one head of one puzzle, `S d`.
    fn head_len(&self) -> usize {
        self.n_positions * self.head_dim
    }

    /// The values of head `idx`, counted over all puzzles, in an array with `stride`
    /// values per position, where the first head starts at `offset`.
    fn head_of<'v, E>(&self, values: &'v [E], idx: usize, stride: usize, offset: usize) -> &'v [E] {
        let (puzzle, head) = (idx / self.n_heads, idx % self.n_heads);
        &values[puzzle * self.n_positions * stride + offset + head * self.head_dim..]
    }

    /// Head `idx`, counted over all puzzles, in `qkv: [positions, 3 D]`.
    fn head<E>(&self, qkv: &'a [E], idx: usize) -> Head<'a, E> {
        let stride = 3 * self.width();
        let [q, k, v] = [0, 1, 2].map(|part| self.head_of(qkv, idx, stride, part * self.width()));
        let Self { n_positions, head_dim, angles, .. } = *self;
        Head { q, k, v, stride, n_positions, head_dim, angles }
    }
}

/// Results of the forward pass that the backward pass needs.
#[derive(Debug)]
pub(crate) struct Saved<E: Element> {
    /// `x W_qkv^T` before rotation, `[positions, 3 D]`.
    qkv: Scratch<E>,
    /// Results of the heads, `[B, N, S, d]`.
    mixed: Scratch<E>,
    /// Log-sum-exp of the scores of each query, `[B, N, S]`.
    log_sums: Scratch<f32>,
    /// Scales of the norm, `[positions]`.
    scales: Scratch<f32>,
}

/// Applies the sublayer to `x: [B, S, D]` in place and returns what the backward
/// pass needs.
pub(crate) fn forward<V: Simd>(
    x: &mut [V::Elem],
    qkv: &Panels<V::Elem>,
    o: &Panels<V::Elem>,
    sizes: Sizes<'_>,
    threads: Threads,
) -> Saved<V::Elem> {
    let (width, head_len) = (sizes.width(), sizes.head_len());
    let n_rows = x.len() / width;
    let block = threads.piece_len(n_rows, POSITIONS_PER_BLOCK);
    let mut saved = Saved {
        qkv: scratch(n_rows * 3 * width),
        mixed: scratch(x.len()),
        log_sums: scratch(n_rows * sizes.n_heads),
        scales: scratch(n_rows),
    };
    product_by_blocks::<V>(x, width, qkv, &mut saved.qkv, 3 * width, threads);

    let all_qkv = &saved.qkv;
    saved
        .mixed
        .par_chunks_mut(head_len)
        .zip(saved.log_sums.par_chunks_mut(sizes.n_positions))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(head, (mixed, log_sums))| {
            let _attending = section(Part::Attention);
            head::forward::<V>(sizes.head(all_qkv, head), mixed, log_sums);
        });

    let mixed = &saved.mixed;
    x.par_chunks_mut(block * width)
        .zip(saved.scales.par_chunks_mut(block))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, (x, scales))| {
            let mut mixed_here = scratch::<V::Elem>(x.len());
            let gathering = section(Part::Matmul);
            gather_heads(mixed, idx * block, sizes, 1, &mut mixed_here);
            drop(gathering);
            project_and_normalise::<V>(x, &mixed_here, o, sizes, Some(scales));
        });
    saved
}

/// [`forward`] for the first position of each puzzle only, which attends to all
/// positions; returns `[B, D]`.
pub(crate) fn forward_first<V: Simd>(
    x: &[V::Elem],
    qkv: &Panels<V::Elem>,
    o: &Panels<V::Elem>,
    sizes: Sizes<'_>,
    threads: Threads,
) -> Scratch<V::Elem> {
    let (width, puzzle_len) = (sizes.width(), sizes.n_positions * sizes.width());
    let n_puzzles = x.len() / puzzle_len;
    let mut all_qkv = scratch::<V::Elem>(3 * x.len());
    product_by_blocks::<V>(x, width, qkv, &mut all_qkv, 3 * width, threads);

    // With one position per puzzle, [B, N, S, d] is already [B, D].
    let mut mixed = scratch::<V::Elem>(n_puzzles * width);
    mixed.par_chunks_mut(sizes.head_dim).with_min_len(threads.min_len()).enumerate().for_each(
        |(head, mixed)| {
            let _attending = section(Part::Attention);
            head::forward::<V>(sizes.head(&all_qkv, head), mixed, &mut [0.0]);
        },
    );

    let mut first = scratch::<V::Elem>(n_puzzles * width);
    for (first, puzzle) in first.chunks_exact_mut(width).zip(x.chunks_exact(puzzle_len)) {
        first.copy_from_slice(&puzzle[..width]);
    }
    let block = threads.piece_len(n_puzzles, POSITIONS_PER_BLOCK);
    first
        .par_chunks_mut(block * width)
        .zip(mixed.par_chunks(block * width))
        .with_min_len(threads.min_len())
        .for_each(|(x, mixed)| project_and_normalise::<V>(x, mixed, o, sizes, None));
    first
}

/// `x <- norm(x + mixed W_o^T)` for a block of positions.
fn project_and_normalise<V: Simd>(
    x: &mut [V::Elem],
    mixed: &[V::Elem],
    o: &Panels<V::Elem>,
    sizes: Sizes<'_>,
    scales: Option<&mut [f32]>,
) {
    let width = sizes.width();
    let mut sum = scratch::<f32>(x.len());
    let multiplying = section(Part::Matmul);
    V::vectorized(
        #[inline(always)]
        || {
            let left = Left::rows::<V>(mixed, width, width);
            matmul_into::<V>(x.len() / width, left, o, &mut sum, width);
        },
    );
    drop(multiplying);
    add_and_normalise::<V>(x, &mut sum, width, sizes.eps, scales);
}

/// Gradients of `x` and of the `wanted` weights, given `dy` at the result `y`.
///
/// `qkv` and `o` are packed for the backward pass.
pub(crate) fn backward<V: Simd>(
    x: &[V::Elem],
    y: &[V::Elem],
    dy: &[V::Elem],
    mut saved: Saved<V::Elem>,
    qkv: &Panels<V::Elem>,
    o: &Panels<V::Elem>,
    sizes: Sizes<'_>,
    wanted: [bool; 2],
    threads: Threads,
) -> Gradients<V::Elem> {
    let (width, head_len) = (sizes.width(), sizes.head_len());
    let n_rows = x.len() / width;
    let block = threads.piece_len(n_rows, POSITIONS_PER_BLOCK);
    let mut ds = scratch::<V::Elem>(x.len());
    let mut d_mixed = scratch::<V::Elem>(x.len());
    let here = |idx: usize, len: usize| idx * block * width..idx * block * width + len;

    ds.par_chunks_mut(block * width)
        .zip(saved.scales.par_chunks(block))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, (ds, scales))| {
            let here = here(idx, ds.len());
            let mut sum = scratch::<f32>(ds.len());
            norm_backward::<V>(&dy[here.clone()], &y[here], scales, &mut sum, ds, width);
        });
    product_by_blocks::<V>(&ds, width, o, &mut d_mixed, width, threads);

    let mut d_heads = scratch::<V::Elem>(3 * x.len());
    d_heads.par_chunks_mut(3 * head_len).with_min_len(threads.min_len()).enumerate().for_each(
        |(head, d_head)| {
            let _attending = section(Part::Attention);
            let log_sums = &saved.log_sums[head * sizes.n_positions..][..sizes.n_positions];
            let d_mixed = sizes.head_of(&d_mixed, head, width, 0);
            let head = sizes.head(&saved.qkv, head);
            head::backward::<V>(head, d_mixed, width, log_sums, d_head);
        },
    );

    // Back to one position after the other. To reuse memory, `saved.qkv` receives
    // the gradients of qkv, and `d_mixed` the results of the heads.
    let mut dx = scratch::<V::Elem>(x.len());
    let mixed = &saved.mixed;
    dx.par_chunks_mut(block * width)
        .zip(saved.qkv.par_chunks_mut(block * 3 * width))
        .zip(d_mixed.par_chunks_mut(block * width))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, ((dx, d_qkv), mixed_here))| {
            let _multiplying = section(Part::Matmul);
            gather_heads(&d_heads, idx * block, sizes, 3, d_qkv);
            gather_heads(mixed, idx * block, sizes, 1, mixed_here);
            let ds = &ds[here(idx, dx.len())];
            V::vectorized(
                #[inline(always)]
                || {
                    let left = Left::rows::<V>(d_qkv, 3 * width, 3 * width);
                    matmul::<V>(
                        dx.len() / width,
                        left,
                        qkv,
                        #[inline(always)]
                        |tile| {
                            let mut sum = [0f32; 64];
                            for (row, values) in tile.rows() {
                                let (from, n) = (row * width + tile.column, values.len());
                                for (sum, (ds, value)) in
                                    sum.iter_mut().zip(ds[from..].iter().zip(values))
                                {
                                    *sum = ds.to_f32() + value;
                                }
                                V::round_to(&sum[..n], &mut dx[from..][..n]);
                            }
                        },
                    );
                },
            );
        });

    let w_in = wanted[0]
        .then(|| transposed_product::<V>(&saved.qkv, x, [n_rows, 3 * width, width], threads));
    let w_out =
        wanted[1].then(|| transposed_product::<V>(&ds, &d_mixed, [n_rows, width, width], threads));
    Gradients { x: dx, w_in, w_out }
}

/// Computes `out = x b` by blocks of positions; rows of `x` have `depth` elements,
/// rows of `out` have `n_columns`.
fn product_by_blocks<V: Simd>(
    x: &[V::Elem],
    depth: usize,
    b: &Panels<V::Elem>,
    out: &mut [V::Elem],
    n_columns: usize,
    threads: Threads,
) {
    let block = threads.piece_len(x.len() / depth, POSITIONS_PER_BLOCK);
    out.par_chunks_mut(block * n_columns).with_min_len(threads.min_len()).enumerate().for_each(
        |(idx, out)| {
            let _multiplying = section(Part::Matmul);
            let n_rows = out.len() / n_columns;
            let left = Left::rows::<V>(&x[idx * block * depth..], depth, depth);
            V::vectorized(
                #[inline(always)]
                || {
                    matmul::<V>(
                        n_rows,
                        left,
                        b,
                        #[inline(always)]
                        |tile| {
                            for (row, values) in tile.rows() {
                                let to = &mut out[row * n_columns + tile.column..][..values.len()];
                                V::round_to(values, to);
                            }
                        },
                    );
                },
            );
        },
    );
}

/// Gathers positions from `[B, N, parts, S, d]` into `[positions, parts, N, d]`,
/// starting at `first_position`, counted over all puzzles.
fn gather_heads<E: Element>(
    heads: &[E],
    first_position: usize,
    sizes: Sizes<'_>,
    n_parts: usize,
    gathered: &mut [E],
) {
    let Sizes { n_positions, n_heads, head_dim, .. } = sizes;
    let vector_len = n_parts * sizes.width();
    for (idx, vector) in gathered.chunks_exact_mut(vector_len).enumerate() {
        let idx = first_position + idx;
        let (puzzle, position) = (idx / n_positions, idx % n_positions);
        for (at, segment) in vector.chunks_exact_mut(head_dim).enumerate() {
            let (part, head) = (at / n_heads, at % n_heads);
            let block = (puzzle * n_heads + head) * n_parts + part;
            let from = (block * n_positions + position) * head_dim;
            copy_row(&heads[from..][..head_dim], segment);
        }
    }
}
