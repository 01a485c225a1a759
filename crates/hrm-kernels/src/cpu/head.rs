//! One attention head of one puzzle.
//!
//! ```text
//! scores  = q k^T / sqrt(d)      weights = softmax(scores)      mixed = weights v
//! ```
//!
//! Scores are computed transposed: one row per key, with as many queries next to
//! each other as a tile has columns. The softmax then runs down the columns, where
//! each lane of a vector belongs to a different query, so that nothing is summed across
//! a vector, and its result is already packed for the product with the values.
//! Scores exist for a few queries at a time; the backward pass recomputes them.

use super::isa::NR_MAX;
use super::matmul::{Left, Panels, add_row, copy_row, matmul, matmul_into, matmul_panel};
use super::vector_ops::rotate;
use super::{Element, Scratch, Simd, Threads, scratch};

/// Pairs of query and key whose attention weights and gradients the backward pass
/// keeps at a time: as many as fit into the second-level cache.
const N_SCORES_PER_BLOCK: usize = 1 << 16;

/// Keys per partial sum. Summing in parts keeps rounding errors from growing with
/// the number of keys. A multiple of every [`GROUP`](Simd::GROUP).
const KEYS_PER_SUM: usize = 16;

/// One number per query of a panel.
type PerQuery = [f32; NR_MAX];

/// Queries, keys and values, one row per position.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a, E> {
    pub(crate) q: &'a [E],
    pub(crate) k: &'a [E],
    pub(crate) v: &'a [E],
    /// Distance from one row to the next, in each of the three.
    pub(crate) stride: usize,
    /// Positions, `S`.
    pub(crate) n_positions: usize,
    /// Channels per head, `d`.
    pub(crate) head_dim: usize,
    /// Cosines and sines of the rotary embedding, `[S, d / 2]` each.
    pub(crate) angles: Option<(&'a [f32], &'a [f32])>,
}

/// Writes the mixed values, `[S, d]`, and the log-sum-exp of each query's scores,
/// `[S]`.
pub(crate) fn forward<V: Simd>(
    head: Head<'_, V::Elem>,
    mixed: &mut [V::Elem],
    log_sums: &mut [f32],
) {
    let Head { n_positions: s, head_dim: d, stride, .. } = head;
    let scale = (d as f32).sqrt().recip();
    V::vectorized(
        #[inline(always)]
        || {
            let (q, k) = (head.rotated::<V>(head.q), head.rotated::<V>(head.k));
            let queries = Panels::from_rows::<V>(&q, d, s, d);
            let values = Panels::from_columns::<V>(head.v, stride, d, s, Threads::One);
            let mut scores = scratch::<f32>(s * V::NR);
            let mut weights = scratch::<V::Elem>(s.next_multiple_of(V::GROUP) * V::NR);
            for (panel, log_sums) in log_sums.chunks_mut(V::NR).enumerate() {
                let keys = Left::rows::<V>(&k, d, d);
                matmul_panel::<V>(s, keys, &queries, panel, &mut scores);
                let (shift, sum) = softmax::<V>(&scores, scale, &mut weights);
                for (log_sum, (shift, sum)) in log_sums.iter_mut().zip(shift.iter().zip(&sum)) {
                    *log_sum = shift + sum.ln();
                }
                let per_sum = sum.map(f32::recip);
                let mixed = &mut mixed[panel * V::NR * d..];
                matmul::<V>(
                    log_sums.len(),
                    Left::panel::<V>(&weights, s),
                    &values,
                    #[inline(always)]
                    |tile| {
                        let mut scaled = [0f32; NR_MAX];
                        for (row, values) in tile.rows() {
                            let n = values.len();
                            for (scaled, value) in scaled.iter_mut().zip(values) {
                                *scaled = value * per_sum[row];
                            }
                            V::round_to(&scaled[..n], &mut mixed[row * d + tile.column..][..n]);
                        }
                    },
                );
            }
        },
    );
}

/// Writes the gradients of queries, keys and values, `[3, S, d]`, given those of
/// the mixed values in rows of `width`.
pub(crate) fn backward<V: Simd>(
    head: Head<'_, V::Elem>,
    d_mixed: &[V::Elem],
    width: usize,
    log_sums: &[f32],
    d_head: &mut [V::Elem],
) {
    let Head { n_positions: s, head_dim: d, .. } = head;
    let scale = (d as f32).sqrt().recip();
    V::vectorized(
        #[inline(always)]
        || {
            let (q, k) = (head.rotated::<V>(head.q), head.rotated::<V>(head.k));
            let v = gathered::<V>(head.v, head.stride, s, d);
            let queries = Panels::from_rows::<V>(&q, d, s, d);
            let d_mixed_by_query = Panels::from_rows::<V>(d_mixed, width, s, d);
            let keys = Panels::from_columns::<V>(&k, d, d, s, Threads::One);

            let mut dq = scratch::<f32>(s * d);
            let mut dk = scratch::<f32>(s * d).zeroed();
            let mut dv = scratch::<f32>(s * d).zeroed();
            let panels_per_block = (N_SCORES_PER_BLOCK / (s * V::NR)).clamp(1, 96 / V::NR);
            let block = (panels_per_block * V::NR).min(s.next_multiple_of(V::NR));
            let [mut powers, mut d_weights] = [(); 2].map(|()| scratch::<f32>(s * V::NR));
            // One row per key, with the queries of a block next to each other; and
            // one panel of queries as a left operand.
            let [mut weights, mut d_scores] = [(); 2].map(|()| scratch::<V::Elem>(s * block));
            let mut steps = scratch::<V::Elem>(s.next_multiple_of(V::GROUP) * V::NR);

            for (idx, log_sums) in log_sums.chunks(block).enumerate() {
                let first = idx * block;
                for (panel, log_sums) in log_sums.chunks(V::NR).enumerate() {
                    let at = first / V::NR + panel;
                    let by_key = |rows| Left::rows::<V>(rows, d, d);
                    matmul_panel::<V>(s, by_key(&k), &queries, at, &mut powers);
                    matmul_panel::<V>(s, by_key(&v), &d_mixed_by_query, at, &mut d_weights);
                    let dots = exp_and_dot::<V>(&mut powers, &d_weights, scale, log_sums);
                    let column = panel * V::NR;
                    for (key, (p, dp)) in
                        powers.chunks(V::NR).zip(d_weights.chunks_mut(V::NR)).enumerate()
                    {
                        // The backward pass of the softmax. The dot products are
                        // sums over unrounded weights: from rounded results they
                        // would add an error to every score.
                        for (dp, (p, dot)) in dp.iter_mut().zip(p.iter().zip(&dots)) {
                            *dp = scale * p * (*dp - dot);
                        }
                        let to = key * block + column..key * block + column + V::NR;
                        V::round_to(p, &mut weights[to.clone()]);
                        V::round_to(dp, &mut d_scores[to]);
                    }
                    write_steps::<V>(&d_scores[column..], block, s, &mut steps);
                    let dq = &mut dq[(first + column) * d..];
                    let left = Left::panel::<V>(&steps, s);
                    matmul_into::<V>(log_sums.len(), left, &keys, dq, d);
                }
                let n = log_sums.len();
                add_product::<V>([&d_scores, &q[first * d..]], [block, d], [s, n, d], &mut dk);
                let d_mixed = &d_mixed[first * width..];
                add_product::<V>([&weights, d_mixed], [block, width], [s, n, d], &mut dv);
            }

            let (to_q, rest) = d_head.split_at_mut(s * d);
            let (to_k, to_v) = rest.split_at_mut(s * d);
            head.rotate_back::<V>(&dq, to_q);
            head.rotate_back::<V>(&dk, to_k);
            V::round_to(&dv, to_v);
        },
    );
}

impl<E: Element> Head<'_, E> {
    /// Queries or keys with rotary embedding applied, `[S, d]`.
    #[inline(always)]
    fn rotated<V: Simd<Elem = E>>(&self, rows: &[E]) -> Scratch<E> {
        let Self { n_positions, head_dim: d, stride, .. } = *self;
        let Some((cos, sin)) = self.angles else {
            return gathered::<V>(rows, stride, n_positions, d);
        };
        let mut out = scratch::<E>(n_positions * d);
        let angles = cos.chunks_exact(d / 2).zip(sin.chunks_exact(d / 2));
        for ((row, out), (cos, sin)) in rows.chunks(stride).zip(out.chunks_exact_mut(d)).zip(angles)
        {
            rotate::<V, E>(&row[..d], [cos, sin], 1.0, out);
        }
        out
    }

    /// Gradients before the rotary embedding, from those after it.
    #[inline(always)]
    fn rotate_back<V: Simd<Elem = E>>(&self, from: &[f32], to: &mut [E]) {
        let d = self.head_dim;
        let Some((cos, sin)) = self.angles else { return V::round_to(from, to) };
        let angles = cos.chunks_exact(d / 2).zip(sin.chunks_exact(d / 2));
        for ((from, to), (cos, sin)) in from.chunks_exact(d).zip(to.chunks_exact_mut(d)).zip(angles)
        {
            rotate::<V, f32>(from, [cos, sin], -1.0, to);
        }
    }
}

/// Gathers `n` rows of `d` from rows that are `stride` apart.
#[inline(always)]
fn gathered<V: Simd>(rows: &[V::Elem], stride: usize, n: usize, d: usize) -> Scratch<V::Elem> {
    let mut out = scratch::<V::Elem>(n * d);
    for (row, out) in rows.chunks(stride).zip(out.chunks_exact_mut(d)) {
        copy_row(&row[..d], out);
    }
    out
}

/// Writes `e^(scale (score - max))` of each column of `scores: [S, NR]` to the steps
/// of a panel; returns `scale max` and the sum of each column.
#[inline(always)]
fn softmax<V: Simd>(scores: &[f32], scale: f32, weights: &mut [V::Elem]) -> (PerQuery, PerQuery) {
    let mut shift = [f32::NEG_INFINITY; NR_MAX];
    for row in scores.chunks_exact(V::NR) {
        for (max, score) in shift.iter_mut().zip(row) {
            *max = if *score > *max { *score } else { *max };
        }
    }
    shift[..V::NR].iter_mut().for_each(|max| *max *= scale);

    let mut sum = [0f32; NR_MAX];
    let blocks = weights.chunks_mut(KEYS_PER_SUM * V::NR);
    for (scores, steps) in scores.chunks(KEYS_PER_SUM * V::NR).zip(blocks) {
        let mut part = [0f32; NR_MAX];
        let steps = steps.chunks_exact_mut(V::GROUP * V::NR);
        for (rows, step) in scores.chunks(V::GROUP * V::NR).zip(steps) {
            let mut operands = [[V::Elem::default(); NR_MAX]; 2];
            for (row, operands) in rows.chunks_exact(V::NR).zip(&mut operands) {
                let mut powers = [0f32; NR_MAX];
                powers[..V::NR].copy_from_slice(row);
                V::exp_shifted(&mut powers[..V::NR], scale, &shift[..V::NR]);
                add_row(&powers, &mut part);
                V::round_to(&powers[..V::NR], &mut operands[..V::NR]);
            }
            V::interleave(&operands[0][..V::NR], &operands[1][..V::NR], step);
        }
        add_row(&part, &mut sum);
    }
    (shift, sum)
}

/// Replaces scores `[S, NR]` by attention weights, given the log-sum-exp of each
/// column; returns the mean of each column of `d_weights` under its weights.
///
/// The weights sum to 1 only up to the rounding error of the log-sum-exp, which is
/// that of the largest score. Dividing by their sum keeps this error out of the
/// gradients: where all keys are alike, it would be the same for all of them and add up.
#[inline(always)]
fn exp_and_dot<V: Simd>(
    scores: &mut [f32],
    d_weights: &[f32],
    scale: f32,
    log_sums: &[f32],
) -> PerQuery {
    // Columns beyond the last query have zero scores and no gradient.
    let mut shift = [0f32; NR_MAX];
    shift[..log_sums.len()].copy_from_slice(log_sums);
    let [mut dots, mut sums] = [[0f32; NR_MAX]; 2];
    let block = KEYS_PER_SUM * V::NR;
    for (scores, d_weights) in scores.chunks_mut(block).zip(d_weights.chunks(block)) {
        let [mut part, mut part_sum] = [[0f32; NR_MAX]; 2];
        for (p, dp) in scores.chunks_exact_mut(V::NR).zip(d_weights.chunks_exact(V::NR)) {
            V::exp_shifted(p, scale, &shift[..V::NR]);
            for (part, (p, dp)) in part.iter_mut().zip(p.iter().zip(dp)) {
                *part += p * dp;
            }
            add_row(p, &mut part_sum);
        }
        add_row(&part, &mut dots);
        add_row(&part_sum, &mut sums);
    }
    dots.iter_mut().zip(&sums[..V::NR]).for_each(|(dot, sum)| *dot /= sum);
    dots
}

/// Writes the steps of a panel from `n` rows of `NR` that are `stride` apart.
#[inline(always)]
fn write_steps<V: Simd>(rows: &[V::Elem], stride: usize, n: usize, steps: &mut [V::Elem]) {
    let none = [V::Elem::default(); NR_MAX];
    let row = |at: usize| if at < n { &rows[at * stride..][..V::NR] } else { &none[..V::NR] };
    for (idx, step) in steps.chunks_exact_mut(V::GROUP * V::NR).enumerate() {
        let at = idx * V::GROUP;
        V::interleave(row(at), row(at + V::GROUP - 1), step);
    }
}

/// Adds `left right` to `out: [m, n]`, for `left: [m, k]` and `right: [k, n]` with
/// rows that are `strides` apart.
#[inline(always)]
fn add_product<V: Simd>(
    [left, right]: [&[V::Elem]; 2],
    strides: [usize; 2],
    [m, k, n]: [usize; 3],
    out: &mut [f32],
) {
    let right = Panels::from_columns::<V>(right, strides[1], n, k, Threads::One);
    matmul::<V>(
        m,
        Left::rows::<V>(left, strides[0], k),
        &right,
        #[inline(always)]
        |tile| {
            for (row, values) in tile.rows() {
                add_row(values, &mut out[row * n + tile.column..][..values.len()]);
            }
        },
    );
}
