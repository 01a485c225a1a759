//! One head of one puzzle.
//!
//! ```text
//! scores  = q k^T / sqrt(d)      weights = softmax(scores)      mixed = weights v
//! ```
//!
//! Scores are computed turned over: a row for each key, side by side as many
//! queries as a tile is wide. The softmax then runs down columns, where a
//! vector holds one number of each query and nothing is summed across it, and
//! what comes out of it is already in the order in which the product with the
//! values reads it. They exist for a few queries at a time; the backward pass
//! forms them again.

use super::arith::NR_MAX;
use super::matmul::{Left, Panels, add_row, copy_row, matmul, matmul_into, matmul_panel};
use super::rows::rotate;
use super::{Arith, Element, Scratch, Threads, scratch};

/// The backward pass keeps weights, and their gradients, of about this many
/// pairs of a query and a key: what fits into the second-level cache.
const N_SCORES_PER_BLOCK: usize = 1 << 16;

/// Keys that are summed over by themselves first, so that rounding does not grow
/// with the number of keys; a multiple of every group of operands.
const KEYS_PER_SUM: usize = 16;

/// A number for each query of a panel.
type PerQuery = [f32; NR_MAX];

/// Rows of queries, keys and values.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a, E> {
    pub(crate) q: &'a [E],
    pub(crate) k: &'a [E],
    pub(crate) v: &'a [E],
    /// From one row to the next, in each of them.
    pub(crate) stride: usize,
    /// Rows, `S`.
    pub(crate) n_positions: usize,
    /// Channels, `d`.
    pub(crate) head_dim: usize,
    /// Cosines and sines by which queries and keys are turned, `[S, d / 2]` each.
    pub(crate) angles: Option<(&'a [f32], &'a [f32])>,
}

/// Writes the mixed values, `[S, d]`, and the logarithms of the sums of
/// exponentials, `[S]`.
pub(crate) fn forward<A: Arith>(
    head: Head<'_, A::Elem>,
    mixed: &mut [A::Elem],
    log_sums: &mut [f32],
) {
    let Head { n_positions: s, head_dim: d, stride, .. } = head;
    let scale = (d as f32).sqrt().recip();
    A::vectorized(
        #[inline(always)]
        || {
            let (q, k) = (head.turned::<A>(head.q), head.turned::<A>(head.k));
            let queries = Panels::from_rows::<A>(&q, d, s, d);
            let values = Panels::from_columns::<A>(head.v, stride, d, s, Threads::One);
            let mut scores = scratch::<f32>(s * A::NR);
            let mut weights = scratch::<A::Elem>(s.next_multiple_of(A::GROUP) * A::NR);
            for (panel, log_sums) in log_sums.chunks_mut(A::NR).enumerate() {
                let keys = Left::rows::<A>(&k, d, d);
                matmul_panel::<A>(s, keys, &queries, panel, &mut scores);
                let (shift, sum) = softmax::<A>(&scores, scale, &mut weights);
                for (log_sum, (shift, sum)) in log_sums.iter_mut().zip(shift.iter().zip(&sum)) {
                    *log_sum = shift + sum.ln();
                }
                let per_sum = sum.map(f32::recip);
                let mixed = &mut mixed[panel * A::NR * d..];
                matmul::<A>(
                    log_sums.len(),
                    Left::panel::<A>(&weights, s),
                    &values,
                    #[inline(always)]
                    |at| {
                        let mut scaled = [0f32; NR_MAX];
                        for (row, values) in at.rows() {
                            let n = values.len();
                            for (scaled, value) in scaled.iter_mut().zip(values) {
                                *scaled = value * per_sum[row];
                            }
                            A::narrow(&scaled[..n], &mut mixed[row * d + at.column..][..n]);
                        }
                    },
                );
            }
        },
    );
}

/// Writes gradients of queries, keys and values, `[3, S, d]`, given those of
/// the mixed values in rows of `width`.
pub(crate) fn backward<A: Arith>(
    head: Head<'_, A::Elem>,
    d_mixed: &[A::Elem],
    width: usize,
    log_sums: &[f32],
    d_head: &mut [A::Elem],
) {
    let Head { n_positions: s, head_dim: d, .. } = head;
    let scale = (d as f32).sqrt().recip();
    A::vectorized(
        #[inline(always)]
        || {
            let (q, k) = (head.turned::<A>(head.q), head.turned::<A>(head.k));
            let v = gathered::<A>(head.v, head.stride, s, d);
            let queries = Panels::from_rows::<A>(&q, d, s, d);
            let d_mixed_by_query = Panels::from_rows::<A>(d_mixed, width, s, d);
            let keys = Panels::from_columns::<A>(&k, d, d, s, Threads::One);

            let mut dq = scratch::<f32>(s * d);
            let mut dk = scratch::<f32>(s * d).zeroed();
            let mut dv = scratch::<f32>(s * d).zeroed();
            let panels_per_block = (N_SCORES_PER_BLOCK / (s * A::NR)).clamp(1, 96 / A::NR);
            let block = (panels_per_block * A::NR).min(s.next_multiple_of(A::NR));
            let [mut powers, mut d_weights] = [(); 2].map(|()| scratch::<f32>(s * A::NR));
            // By key, the queries of a block side by side; and one panel of them as
            // a left operand.
            let [mut weights, mut d_scores] = [(); 2].map(|()| scratch::<A::Elem>(s * block));
            let mut steps = scratch::<A::Elem>(s.next_multiple_of(A::GROUP) * A::NR);

            for (idx, log_sums) in log_sums.chunks(block).enumerate() {
                let first = idx * block;
                for (panel, log_sums) in log_sums.chunks(A::NR).enumerate() {
                    let at = first / A::NR + panel;
                    let by_key = |rows| Left::rows::<A>(rows, d, d);
                    matmul_panel::<A>(s, by_key(&k), &queries, at, &mut powers);
                    matmul_panel::<A>(s, by_key(&v), &d_mixed_by_query, at, &mut d_weights);
                    let along = exp_and_dot::<A>(&mut powers, &d_weights, scale, log_sums);
                    let column = panel * A::NR;
                    for (key, (p, dp)) in
                        powers.chunks(A::NR).zip(d_weights.chunks_mut(A::NR)).enumerate()
                    {
                        // Each query's weights sum to one, so a shift of their
                        // gradients is none of the scores. From rounded results it
                        // would leave a remainder in every score.
                        for (dp, (p, along)) in dp.iter_mut().zip(p.iter().zip(&along)) {
                            *dp = scale * p * (*dp - along);
                        }
                        let to = key * block + column..key * block + column + A::NR;
                        A::narrow(p, &mut weights[to.clone()]);
                        A::narrow(dp, &mut d_scores[to]);
                    }
                    write_steps::<A>(&d_scores[column..], block, s, &mut steps);
                    let dq = &mut dq[(first + column) * d..];
                    let left = Left::panel::<A>(&steps, s);
                    matmul_into::<A>(log_sums.len(), left, &keys, dq, d);
                }
                let n = log_sums.len();
                add_product::<A>([&d_scores, &q[first * d..]], [block, d], [s, n, d], &mut dk);
                let d_mixed = &d_mixed[first * width..];
                add_product::<A>([&weights, d_mixed], [block, width], [s, n, d], &mut dv);
            }

            let (to_q, rest) = d_head.split_at_mut(s * d);
            let (to_k, to_v) = rest.split_at_mut(s * d);
            head.turn_back::<A>(&dq, to_q);
            head.turn_back::<A>(&dk, to_k);
            A::narrow(&dv, to_v);
        },
    );
}

impl<E: Element> Head<'_, E> {
    /// Queries or keys, turned by their positions, row after row.
    #[inline(always)]
    fn turned<A: Arith<Elem = E>>(&self, rows: &[E]) -> Scratch<E> {
        let Self { n_positions, head_dim: d, stride, .. } = *self;
        let Some((cos, sin)) = self.angles else {
            return gathered::<A>(rows, stride, n_positions, d);
        };
        let mut out = scratch::<E>(n_positions * d);
        let angles = cos.chunks_exact(d / 2).zip(sin.chunks_exact(d / 2));
        for ((row, out), (cos, sin)) in rows.chunks(stride).zip(out.chunks_exact_mut(d)).zip(angles)
        {
            rotate::<A, E>(&row[..d], [cos, sin], 1.0, out);
        }
        out
    }

    /// Gradients of turned rows, turned back.
    #[inline(always)]
    fn turn_back<A: Arith<Elem = E>>(&self, from: &[f32], to: &mut [E]) {
        let d = self.head_dim;
        let Some((cos, sin)) = self.angles else { return A::narrow(from, to) };
        let angles = cos.chunks_exact(d / 2).zip(sin.chunks_exact(d / 2));
        for ((from, to), (cos, sin)) in from.chunks_exact(d).zip(to.chunks_exact_mut(d)).zip(angles)
        {
            rotate::<A, f32>(from, [cos, sin], -1.0, to);
        }
    }
}

/// `n` rows of `d` from rows that are `stride` apart.
#[inline(always)]
fn gathered<A: Arith>(rows: &[A::Elem], stride: usize, n: usize, d: usize) -> Scratch<A::Elem> {
    let mut out = scratch::<A::Elem>(n * d);
    for (row, out) in rows.chunks(stride).zip(out.chunks_exact_mut(d)) {
        copy_row(&row[..d], out);
    }
    out
}

/// `e^(scale (score - max))` down each column of `scores`, `[S, NR]`, as steps
/// of a panel; gives each column's `scale max` and sum.
#[inline(always)]
fn softmax<A: Arith>(scores: &[f32], scale: f32, weights: &mut [A::Elem]) -> (PerQuery, PerQuery) {
    let mut shift = [f32::NEG_INFINITY; NR_MAX];
    for row in scores.chunks_exact(A::NR) {
        for (most, score) in shift.iter_mut().zip(row) {
            *most = if *score > *most { *score } else { *most };
        }
    }
    shift[..A::NR].iter_mut().for_each(|most| *most *= scale);

    let mut sum = [0f32; NR_MAX];
    let blocks = weights.chunks_mut(KEYS_PER_SUM * A::NR);
    for (scores, steps) in scores.chunks(KEYS_PER_SUM * A::NR).zip(blocks) {
        let mut part = [0f32; NR_MAX];
        let steps = steps.chunks_exact_mut(A::GROUP * A::NR);
        for (rows, step) in scores.chunks(A::GROUP * A::NR).zip(steps) {
            let mut operands = [[A::Elem::default(); NR_MAX]; 2];
            for (row, operands) in rows.chunks_exact(A::NR).zip(&mut operands) {
                let mut powers = [0f32; NR_MAX];
                powers[..A::NR].copy_from_slice(row);
                A::exp_shifted(&mut powers[..A::NR], scale, &shift[..A::NR]);
                add_row(&powers, &mut part);
                A::narrow(&powers[..A::NR], &mut operands[..A::NR]);
            }
            A::interleave(&operands[0][..A::NR], &operands[1][..A::NR], step);
        }
        add_row(&part, &mut sum);
    }
    (shift, sum)
}

/// Scores `[S, NR]` to weights in place, given the logarithms of their sums;
/// gives the sum of products with `d_weights` down each column.
#[inline(always)]
fn exp_and_dot<A: Arith>(
    scores: &mut [f32],
    d_weights: &[f32],
    scale: f32,
    log_sums: &[f32],
) -> PerQuery {
    // A column without a query has scores of zero, and no gradient.
    let mut shift = [0f32; NR_MAX];
    shift[..log_sums.len()].copy_from_slice(log_sums);
    let mut along = [0f32; NR_MAX];
    let block = KEYS_PER_SUM * A::NR;
    for (scores, d_weights) in scores.chunks_mut(block).zip(d_weights.chunks(block)) {
        let mut part = [0f32; NR_MAX];
        for (p, dp) in scores.chunks_exact_mut(A::NR).zip(d_weights.chunks_exact(A::NR)) {
            A::exp_shifted(p, scale, &shift[..A::NR]);
            for (part, (p, dp)) in part.iter_mut().zip(p.iter().zip(dp)) {
                *part += p * dp;
            }
        }
        add_row(&part, &mut along);
    }
    along
}

/// Steps of a panel from `n` rows of `NR` that are `stride` apart.
#[inline(always)]
fn write_steps<A: Arith>(rows: &[A::Elem], stride: usize, n: usize, steps: &mut [A::Elem]) {
    let none = [A::Elem::default(); NR_MAX];
    let row = |at: usize| if at < n { &rows[at * stride..][..A::NR] } else { &none[..A::NR] };
    for (idx, step) in steps.chunks_exact_mut(A::GROUP * A::NR).enumerate() {
        let at = idx * A::GROUP;
        A::interleave(row(at), row(at + A::GROUP - 1), step);
    }
}

/// Adds `left right` to `out: [m, n]`, for `left: [m, k]` and `right: [k, n]` in
/// rows of `strides`.
#[inline(always)]
fn add_product<A: Arith>(
    [left, right]: [&[A::Elem]; 2],
    strides: [usize; 2],
    [m, k, n]: [usize; 3],
    out: &mut [f32],
) {
    let right = Panels::from_columns::<A>(right, strides[1], n, k, Threads::One);
    matmul::<A>(
        m,
        Left::rows::<A>(left, strides[0], k),
        &right,
        #[inline(always)]
        |at| {
            for (row, values) in at.rows() {
                add_row(values, &mut out[row * n + at.column..][..values.len()]);
            }
        },
    );
}
