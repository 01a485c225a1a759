//! The attention sublayer: `x <- norm(x + attention(x))`.
//!
//! Products with weights take blocks of rows. Between them every [head](super::head)
//! of every puzzle is attended on its own.

use rayon::prelude::*;

use super::head::{self, Head};
use super::matmul::{Left, Panels, copy_row, matmul, matmul_into, transposed_product};
use super::post_norm::{Gradients, ROWS_PER_BLOCK, add_and_normalise, norm_backward};
use super::profile::{Part, section};
use super::{Arith, Element, Scratch, Threads, scratch};

/// Sizes of the sublayer, and the angles of its positions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes<'a> {
    /// Positions of a puzzle, `S`.
    pub(crate) n_positions: usize,
    /// Heads, `N`.
    pub(crate) n_heads: usize,
    /// Channels of a head, `d`.
    pub(crate) head_dim: usize,
    /// Added to the mean square.
    pub(crate) eps: f32,
    /// Cosines and sines, `[S, d / 2]` each.
    pub(crate) angles: Option<(&'a [f32], &'a [f32])>,
}

impl<'a> Sizes<'a> {
    /// Channels, `D`.
    fn width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Elements of one head of one puzzle.
    fn head_len(&self) -> usize {
        self.n_positions * self.head_dim
    }

    /// In rows of `stride`, one for each position of each puzzle, what is `offset`
    /// from the first channel of head `idx`, counted over all puzzles.
    fn head_of<'r, E>(&self, rows: &'r [E], idx: usize, stride: usize, offset: usize) -> &'r [E] {
        let (puzzle, head) = (idx / self.n_heads, idx % self.n_heads);
        &rows[puzzle * self.n_positions * stride + offset + head * self.head_dim..]
    }

    /// Head `idx`, counted over all puzzles, in rows of `3 D`.
    fn head<E>(&self, qkv: &'a [E], idx: usize) -> Head<'a, E> {
        let stride = 3 * self.width();
        let [q, k, v] = [0, 1, 2].map(|part| self.head_of(qkv, idx, stride, part * self.width()));
        let Self { n_positions, head_dim, angles, .. } = *self;
        Head { q, k, v, stride, n_positions, head_dim, angles }
    }
}

/// What the backward pass wants to know about the forward pass.
#[derive(Debug)]
pub(crate) struct Saved<E: Element> {
    /// `x W_qkv^T`, before rotation, `[rows, 3 D]`.
    qkv: Scratch<E>,
    /// What the heads attended to, head by head: `[B, N, S, d]`.
    mixed: Scratch<E>,
    /// Logarithms of the sums of exponentials, `[B, N, S]`.
    log_sums: Scratch<f32>,
    /// Factors of the norm, `[rows]`.
    scales: Scratch<f32>,
}

/// Applies the sublayer to puzzles of `S` rows of `D` in place, and gives what
/// the backward pass needs.
pub(crate) fn forward<A: Arith>(
    x: &mut [A::Elem],
    qkv: &Panels<A::Elem>,
    o: &Panels<A::Elem>,
    sizes: Sizes<'_>,
    threads: Threads,
) -> Saved<A::Elem> {
    let (width, head_len) = (sizes.width(), sizes.head_len());
    let n_rows = x.len() / width;
    let block = threads.piece_len(n_rows, ROWS_PER_BLOCK);
    let mut saved = Saved {
        qkv: scratch(n_rows * 3 * width),
        mixed: scratch(x.len()),
        log_sums: scratch(n_rows * sizes.n_heads),
        scales: scratch(n_rows),
    };
    product_by_rows::<A>(x, width, qkv, &mut saved.qkv, 3 * width, threads);

    let all_qkv = &saved.qkv;
    saved
        .mixed
        .par_chunks_mut(head_len)
        .zip(saved.log_sums.par_chunks_mut(sizes.n_positions))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(head, (mixed, log_sums))| {
            let _attending = section(Part::Attention);
            head::forward::<A>(sizes.head(all_qkv, head), mixed, log_sums);
        });

    let mixed = &saved.mixed;
    x.par_chunks_mut(block * width)
        .zip(saved.scales.par_chunks_mut(block))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, (x, scales))| {
            let mut rows = scratch::<A::Elem>(x.len());
            let gathering = section(Part::Matmul);
            gather_heads(mixed, idx * block, sizes, 1, &mut rows);
            drop(gathering);
            project_and_normalise::<A>(x, &rows, o, sizes, Some(scales));
        });
    saved
}

/// [`forward`] for the first position of each puzzle alone, which attends to all
/// of them: gives rows of `D`, one for each puzzle.
pub(crate) fn forward_first<A: Arith>(
    x: &[A::Elem],
    qkv: &Panels<A::Elem>,
    o: &Panels<A::Elem>,
    sizes: Sizes<'_>,
    threads: Threads,
) -> Scratch<A::Elem> {
    let (width, puzzle_len) = (sizes.width(), sizes.n_positions * sizes.width());
    let n_puzzles = x.len() / puzzle_len;
    let mut all_qkv = scratch::<A::Elem>(3 * x.len());
    product_by_rows::<A>(x, width, qkv, &mut all_qkv, 3 * width, threads);

    // Head by head and row by row are the same for one position.
    let mut mixed = scratch::<A::Elem>(n_puzzles * width);
    mixed.par_chunks_mut(sizes.head_dim).with_min_len(threads.min_len()).enumerate().for_each(
        |(head, mixed)| {
            let _attending = section(Part::Attention);
            head::forward::<A>(sizes.head(&all_qkv, head), mixed, &mut [0.0]);
        },
    );

    let mut first = scratch::<A::Elem>(n_puzzles * width);
    for (first, puzzle) in first.chunks_exact_mut(width).zip(x.chunks_exact(puzzle_len)) {
        first.copy_from_slice(&puzzle[..width]);
    }
    let block = threads.piece_len(n_puzzles, ROWS_PER_BLOCK);
    first
        .par_chunks_mut(block * width)
        .zip(mixed.par_chunks(block * width))
        .with_min_len(threads.min_len())
        .for_each(|(x, mixed)| project_and_normalise::<A>(x, mixed, o, sizes, None));
    first
}

/// `x <- norm(x + mixed W_o^T)` for a block of rows.
fn project_and_normalise<A: Arith>(
    x: &mut [A::Elem],
    mixed: &[A::Elem],
    o: &Panels<A::Elem>,
    sizes: Sizes<'_>,
    scales: Option<&mut [f32]>,
) {
    let width = sizes.width();
    let mut sum = scratch::<f32>(x.len());
    let multiplying = section(Part::Matmul);
    A::vectorized(
        #[inline(always)]
        || {
            let left = Left::rows::<A>(mixed, width, width);
            matmul_into::<A>(x.len() / width, left, o, &mut sum, width);
        },
    );
    drop(multiplying);
    add_and_normalise::<A>(x, &mut sum, width, sizes.eps, scales);
}

/// From `dy` at the result `y` back to the rows `x` and both weights.
///
/// `qkv` and `o` are packed transposed.
pub(crate) fn backward<A: Arith>(
    x: &[A::Elem],
    y: &[A::Elem],
    dy: &[A::Elem],
    mut saved: Saved<A::Elem>,
    qkv: &Panels<A::Elem>,
    o: &Panels<A::Elem>,
    sizes: Sizes<'_>,
    wanted: [bool; 2],
    threads: Threads,
) -> Gradients<A::Elem> {
    let (width, head_len) = (sizes.width(), sizes.head_len());
    let n_rows = x.len() / width;
    let block = threads.piece_len(n_rows, ROWS_PER_BLOCK);
    let mut ds = scratch::<A::Elem>(x.len());
    let mut d_mixed = scratch::<A::Elem>(x.len());
    let here = |idx: usize, len: usize| idx * block * width..idx * block * width + len;

    ds.par_chunks_mut(block * width)
        .zip(saved.scales.par_chunks(block))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, (ds, scales))| {
            let here = here(idx, ds.len());
            let mut sum = scratch::<f32>(ds.len());
            norm_backward::<A>(&dy[here.clone()], &y[here], scales, &mut sum, ds, width);
        });
    product_by_rows::<A>(&ds, width, o, &mut d_mixed, width, threads);

    let mut d_heads = scratch::<A::Elem>(3 * x.len());
    d_heads.par_chunks_mut(3 * head_len).with_min_len(threads.min_len()).enumerate().for_each(
        |(head, d_head)| {
            let _attending = section(Part::Attention);
            let log_sums = &saved.log_sums[head * sizes.n_positions..][..sizes.n_positions];
            let d_mixed = sizes.head_of(&d_mixed, head, width, 0);
            let head = sizes.head(&saved.qkv, head);
            head::backward::<A>(head, d_mixed, width, log_sums, d_head);
        },
    );

    // Row by row again: gradients of qkv take the place of qkv, and the mixed
    // heads that of the gradients that came from them.
    let mut dx = scratch::<A::Elem>(x.len());
    let mixed = &saved.mixed;
    dx.par_chunks_mut(block * width)
        .zip(saved.qkv.par_chunks_mut(block * 3 * width))
        .zip(d_mixed.par_chunks_mut(block * width))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, ((dx, d_qkv), mixed_rows))| {
            let _multiplying = section(Part::Matmul);
            gather_heads(&d_heads, idx * block, sizes, 3, d_qkv);
            gather_heads(mixed, idx * block, sizes, 1, mixed_rows);
            let ds = &ds[here(idx, dx.len())];
            A::vectorized(
                #[inline(always)]
                || {
                    let left = Left::rows::<A>(d_qkv, 3 * width, 3 * width);
                    matmul::<A>(
                        dx.len() / width,
                        left,
                        qkv,
                        #[inline(always)]
                        |at| {
                            let mut sum = [0f32; 64];
                            for (row, values) in at.rows() {
                                let (from, n) = (row * width + at.column, values.len());
                                for (sum, (ds, value)) in
                                    sum.iter_mut().zip(ds[from..].iter().zip(values))
                                {
                                    *sum = ds.to_f32() + value;
                                }
                                A::narrow(&sum[..n], &mut dx[from..][..n]);
                            }
                        },
                    );
                },
            );
        });

    let w_in = wanted[0]
        .then(|| transposed_product::<A>(&saved.qkv, x, [n_rows, 3 * width, width], threads));
    let w_out =
        wanted[1].then(|| transposed_product::<A>(&ds, &d_mixed, [n_rows, width, width], threads));
    Gradients { x: dx, w_in, w_out }
}

/// `out = x b` by blocks of rows: `x` has rows of `depth`, `out` of `n_columns`.
fn product_by_rows<A: Arith>(
    x: &[A::Elem],
    depth: usize,
    b: &Panels<A::Elem>,
    out: &mut [A::Elem],
    n_columns: usize,
    threads: Threads,
) {
    let block = threads.piece_len(x.len() / depth, ROWS_PER_BLOCK);
    out.par_chunks_mut(block * n_columns).with_min_len(threads.min_len()).enumerate().for_each(
        |(idx, out)| {
            let _multiplying = section(Part::Matmul);
            let n_rows = out.len() / n_columns;
            let left = Left::rows::<A>(&x[idx * block * depth..], depth, depth);
            A::vectorized(
                #[inline(always)]
                || {
                    matmul::<A>(
                        n_rows,
                        left,
                        b,
                        #[inline(always)]
                        |at| {
                            for (row, values) in at.rows() {
                                let to = &mut out[row * n_columns + at.column..][..values.len()];
                                A::narrow(values, to);
                            }
                        },
                    );
                },
            );
        },
    );
}

/// Rows from `first_row` on of what lies head by head, `[B, N, parts, S, d]`,
/// as `[rows, parts, N, d]`.
fn gather_heads<E: Element>(
    heads: &[E],
    first_row: usize,
    sizes: Sizes<'_>,
    n_parts: usize,
    rows: &mut [E],
) {
    let Sizes { n_positions, n_heads, head_dim, .. } = sizes;
    let row_len = n_parts * sizes.width();
    for (idx, row) in rows.chunks_exact_mut(row_len).enumerate() {
        let (puzzle, position) = ((first_row + idx) / n_positions, (first_row + idx) % n_positions);
        for (at, segment) in row.chunks_exact_mut(head_dim).enumerate() {
            let (part, head) = (at / n_heads, at % n_heads);
            let block = (puzzle * n_heads + head) * n_parts + part;
            let from = (block * n_positions + position) * head_dim;
            copy_row(&heads[from..][..head_dim], segment);
        }
    }
}
