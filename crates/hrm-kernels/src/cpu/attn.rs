//! The attention sublayer: `x <- norm(x + attention(x))`.
//!
//! Products with weights take blocks of rows. Between them every head of every
//! puzzle is attended on its own: a block of its queries against all its keys,
//! so that scores exist only for the block at hand. The backward pass forms
//! them again from the saved queries and keys.

use rayon::prelude::*;

use super::matmul::{Left, Panels, copy_row, matmul, matmul_into, transposed_product};
use super::post_norm::{Gradients, ROWS_PER_BLOCK, add_and_normalise, norm_backward};
use super::profile::{Part, section};
use super::rows::{dot, exp, exp_row, rotate};
use super::{Arith, Element, Scratch, Threads, scratch};

/// Scores of a block of queries are at most this many, so that they stay in
/// the second-level cache with what is made of them.
const N_SCORES_PER_BLOCK: usize = 1 << 15;

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

impl Sizes<'_> {
    /// Channels, `D`.
    fn width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Elements of one head of one puzzle.
    fn head_len(&self) -> usize {
        self.n_positions * self.head_dim
    }

    fn queries_per_block(&self) -> usize {
        (N_SCORES_PER_BLOCK / self.n_positions).clamp(12, 96)
    }

    /// From one row of scores to the next: whole vectors, so that no loop over a
    /// row has a rest to do one by one.
    fn score_stride(&self) -> usize {
        self.n_positions.next_multiple_of(16)
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
            head_forward::<A>(Head::of(all_qkv, head, sizes), sizes, mixed, log_sums);
        });

    let mixed = &saved.mixed;
    x.par_chunks_mut(block * width)
        .zip(saved.scales.par_chunks_mut(block))
        .with_min_len(threads.min_len())
        .enumerate()
        .for_each(|(idx, (x, scales))| {
            let mut rows = scratch::<A::Elem>(x.len());
            let mut sum = scratch::<f32>(x.len());
            let multiplying = section(Part::Matmul);
            gather_heads(mixed, idx * block, sizes, 1, &mut rows);
            A::vectorized(
                #[inline(always)]
                || {
                    let left = Left::rows::<A>(&rows, width, width);
                    matmul_into::<A>(scales.len(), left, o, &mut sum, width);
                },
            );
            drop(multiplying);
            add_and_normalise::<A>(x, &mut sum, width, sizes.eps, Some(scales));
        });
    saved
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
            let d_mixed = Head::start(&d_mixed, head, sizes, width, 0);
            let head = Head::of(&saved.qkv, head, sizes);
            head_backward::<A>(head, sizes, d_mixed, log_sums, d_head);
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

/// One head of one puzzle: rows of queries, keys and values.
#[derive(Clone, Copy)]
struct Head<'a, E> {
    q: &'a [E],
    k: &'a [E],
    v: &'a [E],
    /// From one row to the next.
    stride: usize,
}

impl<'a, E: Element> Head<'a, E> {
    /// The head `idx`, counted over all puzzles, in rows of `3 D`.
    fn of(qkv: &'a [E], idx: usize, sizes: Sizes<'_>) -> Self {
        let stride = 3 * sizes.width();
        let part = |part: usize| Self::start(qkv, idx, sizes, stride, part * sizes.width());
        Self { q: part(0), k: part(1), v: part(2), stride }
    }

    /// From the first channel of a head on, in rows of `stride`.
    fn start(rows: &'a [E], idx: usize, sizes: Sizes<'_>, stride: usize, offset: usize) -> &'a [E] {
        let (puzzle, head) = (idx / sizes.n_heads, idx % sizes.n_heads);
        &rows[puzzle * sizes.n_positions * stride + offset + head * sizes.head_dim..]
    }

    /// Queries or keys, turned by their positions, row after row.
    #[inline(always)]
    fn turned(&self, rows: &[E], sizes: Sizes<'_>) -> Scratch<E> {
        let d = sizes.head_dim;
        let mut out = scratch::<E>(sizes.head_len());
        for (position, out) in out.chunks_exact_mut(d).enumerate() {
            let row = &rows[position * self.stride..][..d];
            match sizes.angles {
                Some((cos, sin)) => {
                    let at = position * d / 2;
                    rotate(row, &cos[at..][..d / 2], &sin[at..][..d / 2], 1.0, out);
                }
                None => out.copy_from_slice(row),
            }
        }
        out
    }
}

fn head_forward<A: Arith>(
    head: Head<'_, A::Elem>,
    sizes: Sizes<'_>,
    mixed: &mut [A::Elem],
    log_sums: &mut [f32],
) {
    let (s, d) = (sizes.n_positions, sizes.head_dim);
    let stride = sizes.score_stride();
    let scale = (d as f32).sqrt().recip();
    A::vectorized(
        #[inline(always)]
        || {
            let (q, k) = (head.turned(head.q, sizes), head.turned(head.k, sizes));
            let keys = Panels::from_rows::<A>(&k, d, s, d);
            let values = Panels::from_columns::<A>(head.v, head.stride, d, s, Threads::One);
            let block = sizes.queries_per_block();
            let mut scores = scratch::<f32>(block * stride);
            let mut weights = scratch::<A::Elem>(block * stride);
            let mut per_sum = scratch::<f32>(block);
            for first in (0..s).step_by(block) {
                let n = block.min(s - first);
                matmul_into::<A>(
                    n,
                    Left::rows::<A>(&q[first * d..], d, d),
                    &keys,
                    &mut scores,
                    stride,
                );
                for row in 0..n {
                    let scores = &mut scores[row * stride..][..stride];
                    scores[s..].fill(f32::NEG_INFINITY);
                    let (max, sum) = exp_row::<A>(scores, scale);
                    A::narrow(scores, &mut weights[row * stride..][..stride]);
                    per_sum[row] = sum.recip();
                    log_sums[first + row] = max + sum.ln();
                }
                matmul::<A>(
                    n,
                    Left::rows::<A>(&weights, stride, s),
                    &values,
                    #[inline(always)]
                    |at| {
                        let mut scaled = [0f32; 64];
                        for (row, values) in at.rows() {
                            let n = values.len();
                            for (scaled, value) in scaled.iter_mut().zip(values) {
                                *scaled = value * per_sum[row];
                            }
                            A::narrow(
                                &scaled[..n],
                                &mut mixed[(first + row) * d + at.column..][..n],
                            );
                        }
                    },
                );
            }
        },
    );
}

/// Writes gradients of queries, keys and values, `[3, S, d]`, given those of
/// the mixed values in rows of `D`.
fn head_backward<A: Arith>(
    head: Head<'_, A::Elem>,
    sizes: Sizes<'_>,
    d_mixed: &[A::Elem],
    log_sums: &[f32],
    d_head: &mut [A::Elem],
) {
    let (s, d, width) = (sizes.n_positions, sizes.head_dim, sizes.width());
    let stride = sizes.score_stride();
    let scale = (d as f32).sqrt().recip();
    A::vectorized(
        #[inline(always)]
        || {
            let (q, k) = (head.turned(head.q, sizes), head.turned(head.k, sizes));
            let keys = Panels::from_rows::<A>(&k, d, s, d);
            let keys_by_channel = Panels::from_columns::<A>(&k, d, d, s, Threads::One);
            let values = Panels::from_rows::<A>(head.v, head.stride, s, d);
            let mut dq = scratch::<f32>(s * d);
            let mut dk = scratch::<f32>(s * d).zeroed();
            let mut dv = scratch::<f32>(s * d).zeroed();

            let block = sizes.queries_per_block();
            let [mut scores, mut d_weights] = [(); 2].map(|()| scratch::<f32>(block * stride));
            let [mut weights, mut d_scores] = [(); 2].map(|()| scratch::<A::Elem>(block * stride));
            for first in (0..s).step_by(block) {
                let n = block.min(s - first);
                let d_mixed = &d_mixed[first * width..];
                let q = &q[first * d..];
                matmul_into::<A>(n, Left::rows::<A>(q, d, d), &keys, &mut scores, stride);
                matmul_into::<A>(
                    n,
                    Left::rows::<A>(d_mixed, width, d),
                    &values,
                    &mut d_weights,
                    stride,
                );
                for row in 0..n {
                    let p = &mut scores[row * stride..][..stride];
                    let dp = &mut d_weights[row * stride..][..stride];
                    p[s..].fill(f32::NEG_INFINITY);
                    dp[s..].fill(0.0);
                    let log_sum = log_sums[first + row];
                    p.iter_mut().for_each(|p| *p = exp::<A>(scale * *p - log_sum));
                    // Each row of weights sums to one, so a shift of their gradients
                    // is none of the scores. From rounded results it would leave a
                    // remainder in every score.
                    let shift = dot(p, dp);
                    for (p, dp) in p.iter().zip(dp.iter_mut()) {
                        *dp = scale * p * (*dp - shift);
                    }
                    A::narrow(p, &mut weights[row * stride..][..stride]);
                    A::narrow(dp, &mut d_scores[row * stride..][..stride]);
                }
                matmul_into::<A>(
                    n,
                    Left::rows::<A>(&d_scores, stride, s),
                    &keys_by_channel,
                    &mut dq[first * d..],
                    d,
                );
                add_transposed::<A>([&d_scores, q], [stride, d], [n, s, d], &mut dk);
                add_transposed::<A>([&weights, d_mixed], [stride, width], [n, s, d], &mut dv);
            }

            let (to_q, rest) = d_head.split_at_mut(s * d);
            let (to_k, to_v) = rest.split_at_mut(s * d);
            turn_back::<A>(&dq, sizes, to_q);
            turn_back::<A>(&dk, sizes, to_k);
            A::narrow(&dv, to_v);
        },
    );
}

/// Adds `left^T right` to `out: [S, d]`, for `left: [n, S]` and `right: [n, d]`
/// in rows of `strides`.
#[inline(always)]
fn add_transposed<A: Arith>(
    [left, right]: [&[A::Elem]; 2],
    strides: [usize; 2],
    [n, s, d]: [usize; 3],
    out: &mut [f32],
) {
    let a = Panels::tall::<A>(left, strides[0], s, n, Threads::One);
    let b = Panels::from_columns::<A>(right, strides[1], d, n, Threads::One);
    matmul::<A>(
        s,
        Left::columns::<A>(&a),
        &b,
        #[inline(always)]
        |at| {
            for (row, values) in at.rows() {
                let out = &mut out[row * d + at.column..][..values.len()];
                out.iter_mut().zip(values).for_each(|(out, value)| *out += value);
            }
        },
    );
}

/// Gradients of turned rows, turned back.
#[inline(always)]
fn turn_back<A: Arith>(from: &[f32], sizes: Sizes<'_>, to: &mut [A::Elem]) {
    let d = sizes.head_dim;
    let Some((cos, sin)) = sizes.angles else { return A::narrow(from, to) };
    for (position, (from, to)) in from.chunks_exact(d).zip(to.chunks_exact_mut(d)).enumerate() {
        let at = position * d / 2;
        rotate(from, &cos[at..][..d / 2], &sin[at..][..d / 2], -1.0, to);
    }
}
