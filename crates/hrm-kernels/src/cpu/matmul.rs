//! Matrix products on packed operands.
//!
//! [`matmul`] hands out its result tile by tile, while each tile is in the first-level
//! cache, so that the next operation (an activation, a sum, a conversion) needs no
//! separate pass over memory.

use rayon::prelude::*;

use super::isa::{NR_MAX, Tile};
use super::profile::{Part, section};
use super::{Element, Scratch, Simd, Threads, scratch};

/// The left operand `a[i, k]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, E> {
    data: &'a [E],
    /// Distance from the first row of one tile to that of the next.
    tile: usize,
    /// Distance from one row to the next.
    row: usize,
    /// Distance from one group of `k` to the next.
    step: usize,
    depth: usize,
}

impl<'a, E: Element> Left<'a, E> {
    /// A row-major matrix whose rows are `stride` apart; the first `depth` elements
    /// of each row are used.
    pub(crate) fn rows<V: Simd<Elem = E>>(data: &'a [E], stride: usize, depth: usize) -> Self {
        Self { data, tile: V::MR * stride, row: stride, step: V::GROUP, depth }
    }

    /// The columns of a matrix packed by [`Panels::tall`].
    pub(crate) fn columns<V: Simd<Elem = E>>(panels: &'a Panels<E>) -> Self {
        let (row, step) = (V::GROUP, V::MR * V::GROUP);
        let depth = panels.depth.next_multiple_of(V::GROUP);
        Self { data: &panels.data, tile: panels.panel_len, row, step, depth }
    }

    /// The columns of one panel, `NR` wide like those of a right operand, padded to
    /// whole steps of `depth`.
    pub(crate) fn panel<V: Simd<Elem = E>>(data: &'a [E], depth: usize) -> Self {
        let (row, step) = (V::GROUP, V::NR * V::GROUP);
        Self { data, tile: V::MR * row, row, step, depth: depth.next_multiple_of(V::GROUP) }
    }

    /// One past the last element that tile `idx` with `n_rows` rows reads.
    fn end<V: Simd>(&self, idx: usize, n_rows: usize) -> usize {
        let n_steps = self.depth / V::GROUP;
        let along = if self.depth.is_multiple_of(V::GROUP) {
            (n_steps - 1) * self.step + V::GROUP
        } else {
            n_steps * self.step + 1
        };
        idx * self.tile + (n_rows - 1) * self.row + along
    }
}

/// A matrix packed in the order in which tiles read it: panels of `width` columns,
/// each panel step by step along the depth. Padding is zero.
#[derive(Debug)]
pub(crate) struct Panels<E: Element> {
    data: Scratch<E>,
    width: usize,
    panel_len: usize,
    n_columns: usize,
    depth: usize,
}

impl<E: Element> Panels<E> {
    /// Packs the right operand `b[k, j] = w[j, k]`: the transpose of `w`, which has
    /// `n_columns` rows of `depth`, `stride` apart.
    pub(crate) fn from_rows<V: Simd<Elem = E>>(
        w: &[E],
        stride: usize,
        n_columns: usize,
        depth: usize,
    ) -> Self {
        let mut panels = Self::new::<V>(V::NR, n_columns, depth);
        for (p, panel) in panels.data.chunks_exact_mut(panels.panel_len).enumerate() {
            for j in 0..V::NR {
                let column = p * V::NR + j;
                let from = if column < n_columns { &w[column * stride..][..depth] } else { &[] };
                write_column::<V, E>(panel, j, from, |x| x);
            }
        }
        panels
    }

    /// Packs the right operand `b[k, j]` from rows that are `stride` apart.
    pub(crate) fn from_columns<V: Simd<Elem = E>>(
        b: &[E],
        stride: usize,
        n_columns: usize,
        depth: usize,
        threads: Threads,
    ) -> Self {
        let panels = Self::new::<V>(V::NR, n_columns, depth);
        panels.with_columns::<V, E>(b, stride, threads, as_is::<V>)
    }

    /// Packs the columns of `b` for a left operand; see [`Left::columns`].
    #[inline(always)]
    pub(crate) fn tall<V: Simd<Elem = E>>(
        b: &[E],
        stride: usize,
        n_columns: usize,
        depth: usize,
    ) -> Self {
        let panels = Self::new::<V>(V::MR, n_columns, depth);
        panels.with_columns::<V, E>(b, stride, Threads::One, as_is::<V>)
    }

    /// Packs the right operand `b[k, j] = w[source(j), k]` from an f32 weight with
    /// rows of `depth`. Columns without a source are zero.
    pub(crate) fn of_weight<V: Simd<Elem = E>>(
        w: &[f32],
        n_columns: usize,
        depth: usize,
        source: impl Fn(usize) -> Option<usize> + Sync,
    ) -> Self {
        let mut panels = Self::new::<V>(V::NR, n_columns, depth);
        let panel_len = panels.panel_len;
        panels.data.par_chunks_exact_mut(panel_len).enumerate().for_each(|(p, panel)| {
            let _packing = section(Part::Pack);
            for j in 0..V::NR {
                let from = match source(p * V::NR + j) {
                    Some(row) => &w[row * depth..][..depth],
                    None => &[],
                };
                write_column::<V, f32>(panel, j, from, E::from_f32);
            }
        });
        panels
    }

    /// Packs the right operand `b[k, j] = w[k, j]` from an f32 weight
    /// `[depth, n_columns]`.
    pub(crate) fn of_weight_transposed<V: Simd<Elem = E>>(
        w: &[f32],
        n_columns: usize,
        depth: usize,
    ) -> Self {
        let panels = Self::new::<V>(V::NR, n_columns, depth);
        panels.with_columns::<V, f32>(w, n_columns, Threads::All, rounded::<V>)
    }

    fn new<V: Simd<Elem = E>>(width: usize, n_columns: usize, depth: usize) -> Self {
        // At least one step, so that the panel length is not zero.
        let panel_len = depth.next_multiple_of(V::GROUP).max(V::GROUP) * width;
        let data = scratch::<E>(panel_len * n_columns.div_ceil(width));
        Self { data, width, panel_len, n_columns, depth }
    }

    /// Fills every panel from rows of `b` that are `stride` apart.
    ///
    /// `write` makes one step of a panel from [`GROUP`](Simd::GROUP) rows.
    /// Neighbouring panels are written together, a few steps at a time, so that
    /// each cache line of `b` is fetched once.
    #[inline(always)]
    fn with_columns<V: Simd<Elem = E>, S: Copy + Default + Sync>(
        mut self,
        b: &[S],
        stride: usize,
        threads: Threads,
        write: impl Fn([&[S]; 2], &mut [E]) + Sync,
    ) -> Self {
        const PANELS: usize = 8;
        const STEPS: usize = 32;
        let Self { width, panel_len, n_columns, depth, .. } = self;
        let write_panels = |first: usize, panels: &mut [E]| {
            let n_steps = panel_len / (V::GROUP * width);
            V::vectorized(
                #[inline(always)]
                || {
                    for start in (0..n_steps).step_by(STEPS) {
                        let n = STEPS.min(n_steps - start);
                        for (p, panel) in panels.chunks_exact_mut(panel_len).enumerate() {
                            let to = &mut panel[start * V::GROUP * width..];
                            let column = first + p * width;
                            let n_columns = width.min(n_columns - column);
                            for (step, to) in
                                to.chunks_exact_mut(V::GROUP * width).take(n).enumerate()
                            {
                                let k = (start + step) * V::GROUP;
                                // Rows are too far apart for the hardware
                                // prefetcher.
                                for ahead in k..k + V::GROUP {
                                    prefetch(b, (ahead + V::GROUP * STEPS) * stride + column);
                                }
                                let row = |k: usize| &b[k * stride + column..][..n_columns];
                                if n_columns == width && k + V::GROUP <= depth {
                                    write([row(k), row(k + V::GROUP - 1)], to);
                                } else {
                                    let mut rows = [[S::default(); NR_MAX]; 2];
                                    for (k, to) in (k..depth.min(k + V::GROUP)).zip(&mut rows) {
                                        to[..n_columns].copy_from_slice(row(k));
                                    }
                                    write(rows.each_ref().map(|row| &row[..width]), to);
                                }
                            }
                        }
                    }
                },
            );
        };
        match threads {
            // On one thread, the time of packing counts as part of the product.
            Threads::One => write_panels(0, &mut self.data),
            Threads::All => {
                let n_together = threads.piece_len(self.data.len() / panel_len, PANELS);
                let groups = self.data.par_chunks_mut(n_together * panel_len);
                groups.enumerate().for_each(|(idx, panels)| {
                    let _packing = section(Part::Pack);
                    write_panels(idx * n_together * width, panels);
                });
            }
        }
        self
    }
}

/// Prefetches element `at` into the cache, if it exists.
#[inline(always)]
fn prefetch<T>(from: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(element) = from.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and every x86-64 CPU has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast()) };
    }
}

/// Writes a step of a panel from rows of operands.
#[inline(always)]
fn as_is<V: Simd>([one, other]: [&[V::Elem]; 2], step: &mut [V::Elem]) {
    V::interleave(one, other, step);
}

/// Writes a step of a panel from f32 rows, rounded to operands.
#[inline(always)]
fn rounded<V: Simd>(rows: [&[f32]; 2], step: &mut [V::Elem]) {
    let mut operands = [[V::Elem::default(); NR_MAX]; 2];
    let n = rows[0].len();
    for (row, operands) in rows.iter().zip(&mut operands).take(V::GROUP) {
        V::round_to(row, &mut operands[..n]);
    }
    V::interleave(&operands[0][..n], &operands[1][..n], step);
}

/// Writes `values`, converted by `operand`, to column `j` of a panel. The rest of
/// the column is zero.
#[inline(always)]
fn write_column<V: Simd, S: Copy>(
    panel: &mut [V::Elem],
    j: usize,
    values: &[S],
    operand: impl Fn(S) -> V::Elem,
) {
    let mut steps = panel.chunks_exact_mut(V::GROUP * V::NR).map(|step| &mut step[j * V::GROUP..]);
    let groups = values.chunks_exact(V::GROUP);
    let rest = groups.remainder();
    for (from, to) in groups.zip(&mut steps) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = operand(*from));
    }
    for to in steps {
        to[..V::GROUP].fill(V::Elem::default());
        to.iter_mut().zip(rest).for_each(|(to, from)| *to = operand(*from));
    }
}

/// Copies `from` to the front of `to`: a row of a tile or of a panel.
///
/// Nearly all rows have one of a few lengths, which are copied inline.
#[inline(always)]
pub(crate) fn copy_row<T: Copy>(from: &[T], to: &mut [T]) {
    #[inline(always)]
    fn whole<T: Copy, const N: usize>(from: &[T], to: &mut [T]) {
        to[..N].copy_from_slice(&from[..N]);
    }
    match from.len() {
        32 => whole::<T, 32>(from, to),
        16 => whole::<T, 16>(from, to),
        12 => whole::<T, 12>(from, to),
        n => to[..n].copy_from_slice(from),
    }
}

/// Adds `from` to `to`: a row of a tile.
#[inline(always)]
pub(crate) fn add_row(from: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// One tile of a product, and its place in the result.
pub(crate) struct ResultTile<'a> {
    /// First row.
    pub(crate) row: usize,
    /// First column.
    pub(crate) column: usize,
    n_rows: usize,
    n_columns: usize,
    width: usize,
    tile: &'a Tile,
}

impl ResultTile<'_> {
    /// The values in rows of `NR`. Columns beyond the result are zero.
    #[inline(always)]
    pub(crate) fn values(&self) -> &[f32] {
        &self.tile.0[..self.n_rows * self.width]
    }

    /// The rows of the tile: row number in the result, and values without padding.
    #[inline(always)]
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.tile.0.chunks_exact(self.width).take(self.n_rows);
        rows.enumerate().map(|(i, row)| (self.row + i, &row[..self.n_columns]))
    }
}

/// Computes the first `n_rows` rows of `a b` and calls `each` with every tile.
///
/// # Panics
///
/// If an operand is smaller than its stated sizes.
#[inline(always)]
pub(crate) fn matmul<V: Simd>(
    n_rows: usize,
    a: Left<'_, V::Elem>,
    b: &Panels<V::Elem>,
    mut each: impl FnMut(ResultTile<'_>),
) {
    let Some(tiles) = Tiles::new::<V>(n_rows, a, b) else { return };
    let mut tile = Tile::new();
    for (p, panel) in b.data.chunks_exact(b.panel_len).enumerate() {
        for idx in 0..tiles.n_tiles {
            let n_rows = tiles.write::<V>(idx, panel, &mut tile.0);
            let column = p * V::NR;
            let n_columns = V::NR.min(b.n_columns - column);
            each(ResultTile {
                row: idx * V::MR,
                column,
                n_rows,
                n_columns,
                width: V::NR,
                tile: &tile,
            });
        }
    }
}

/// Computes panel `idx` of the first `n_rows` rows of `a b`: columns `idx * NR..`,
/// written in rows of `NR`. Columns beyond the result are zero.
///
/// # Panics
///
/// As for [`matmul`], or if `out` is too small.
#[inline(always)]
pub(crate) fn matmul_panel<V: Simd>(
    n_rows: usize,
    a: Left<'_, V::Elem>,
    b: &Panels<V::Elem>,
    idx: usize,
    out: &mut [f32],
) {
    let Some(tiles) = Tiles::new::<V>(n_rows, a, b) else { return };
    let panel = &b.data[idx * b.panel_len..][..b.panel_len];
    for idx in 0..tiles.n_tiles {
        tiles.write::<V>(idx, panel, &mut out[idx * V::MR * V::NR..]);
    }
}

/// The left operand of a product, cut into tiles.
struct Tiles<'a, E> {
    a: Left<'a, E>,
    n_tiles: usize,
    /// Rows of the last tile.
    n_last: usize,
    panel_len: usize,
}

impl<'a, E: Element> Tiles<'a, E> {
    /// Checks that the operands fit; `None` if the product is empty.
    ///
    /// # Panics
    ///
    /// If an operand is smaller than its stated sizes.
    #[inline(always)]
    fn new<V: Simd<Elem = E>>(n_rows: usize, a: Left<'a, E>, b: &Panels<E>) -> Option<Self> {
        assert_eq!(b.width, V::NR, "a right operand has panels of NR columns");
        assert_eq!(
            a.depth.div_ceil(V::GROUP),
            b.depth.div_ceil(V::GROUP),
            "both operands have the same depth"
        );
        if n_rows == 0 || a.depth == 0 {
            return None;
        }
        let (n_tiles, n_last) = (n_rows.div_ceil(V::MR), (n_rows - 1) % V::MR + 1);
        assert!(
            a.end::<V>(n_tiles - 1, n_last) <= a.data.len(),
            "the left operand has all its rows"
        );
        assert!(n_tiles == 1 || a.end::<V>(n_tiles - 2, V::MR) <= a.data.len());
        Some(Self { a, n_tiles, n_last, panel_len: b.panel_len })
    }

    /// Writes the product of tile `idx` and a panel of the right operand to `out`, in
    /// rows of `NR`, and returns the number of rows.
    #[inline(always)]
    fn write<V: Simd<Elem = E>>(&self, idx: usize, panel: &[E], out: &mut [f32]) -> usize {
        let Self { a, n_tiles, n_last, panel_len } = self;
        let n_rows = if idx + 1 == *n_tiles { *n_last } else { V::MR };
        assert!(idx < *n_tiles && panel.len() == *panel_len && out.len() >= n_rows * V::NR);
        // SAFETY: the assertions in `new` bound the reads of `a`, for the last tile
        // and for any before it. The panel has the length of a panel of the right
        // operand, which is padded to whole steps and as deep as `a`. `V` is used
        // only where the CPU has its instructions.
        unsafe {
            let from = a.data.as_ptr().add(idx * a.tile);
            V::tile(n_rows, from, a.row, a.step, a.depth, panel.as_ptr(), out);
        }
        n_rows
    }
}

/// Writes the first `n_rows` rows of `a b` to `out`, in rows of `stride`.
#[inline(always)]
pub(crate) fn matmul_into<V: Simd>(
    n_rows: usize,
    a: Left<'_, V::Elem>,
    b: &Panels<V::Elem>,
    out: &mut [f32],
    stride: usize,
) {
    matmul::<V>(
        n_rows,
        a,
        b,
        #[inline(always)]
        |tile| {
            for (row, values) in tile.rows() {
                copy_row(values, &mut out[row * stride + tile.column..]);
            }
        },
    );
}

/// Rows of both factors that are multiplied together: enough to make adding up the
/// tiles cheap, few enough for a piece of them to stay in the second-level cache.
const ROWS_PER_BLOCK: usize = 3072;

/// Adjacent tiles per piece.
const TILES_PER_PIECE: usize = 16;

/// Computes `left^T right`, `[N, K]` f32, for `left: [M, N]` and `right: [M, K]`:
/// the gradient of a weight.
pub(crate) fn transposed_product<V: Simd>(
    left: &[V::Elem],
    right: &[V::Elem],
    [m, n, k]: [usize; 3],
    threads: Threads,
) -> Vec<f32> {
    let mut out = vec![0.0; n * k];
    if m == 0 || n == 0 || k == 0 {
        return out;
    }
    let block = Threads::One.piece_len(m, ROWS_PER_BLOCK);
    let pack = |rows: &[V::Elem]| Panels::from_columns::<V>(rows, k, k, rows.len() / k, threads);
    let rights: Vec<_> = right.chunks(block * k).map(pack).collect();
    let columns_per_piece = threads.piece_len(n.div_ceil(V::MR), TILES_PER_PIECE) * V::MR;
    out.par_chunks_mut(columns_per_piece * k).with_min_len(threads.min_len()).enumerate().for_each(
        |(piece, out)| {
            let n_columns = out.len() / k;
            for (left, right) in left.chunks(block * n).zip(&rights) {
                let packing = section(Part::Pack);
                let left_piece = &left[piece * columns_per_piece..];
                let a = Panels::tall::<V>(left_piece, n, n_columns, left.len() / n);
                drop(packing);
                let _multiplying = section(Part::WeightGradient);
                V::vectorized(
                    #[inline(always)]
                    || {
                        matmul::<V>(
                            n_columns,
                            Left::columns::<V>(&a),
                            right,
                            #[inline(always)]
                            |tile| {
                                for (row, values) in tile.rows() {
                                    let out = &mut out[row * k + tile.column..][..values.len()];
                                    add_row(values, out);
                                }
                            },
                        );
                    },
                );
            }
        },
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Isa, KernelImpl, with_simd};
    use candle_core::DType;

    /// Small integers: exact in every dtype, as are sums of their products.
    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7 + seed * 5 + i / 3) % 9) as f32 - 4.0).collect()
    }

    fn operands<E: Element>(x: &[f32]) -> Vec<E> {
        x.iter().map(|x| E::from_f32(*x)).collect()
    }

    const SIZES: [(usize, usize, usize); 13] = [
        (1, 1, 1),
        (1, 7, 33),
        (2, 2, 2),
        (5, 3, 31),
        (11, 17, 32),
        (12, 16, 33),
        (13, 15, 64),
        (24, 33, 65),
        (25, 64, 15),
        (82, 32, 17),
        // More than one block of rows of a gradient.
        (3, 2 * ROWS_PER_BLOCK + 1, 5),
        (7, 0, 5),
        (0, 4, 5),
    ];

    fn check<V: Simd>() {
        for (m, k, n) in SIZES {
            let (a, w) = (numbers(m * k, 1), numbers(n * k, 2));
            let (ae, we) = (operands::<V::Elem>(&a), operands::<V::Elem>(&w));
            let expected =
                |i: usize, j: usize| -> f32 { (0..k).map(|t| a[i * k + t] * w[j * k + t]).sum() };
            let transposed: Vec<f32> = (0..k * n).map(|at| w[at % n * k + at / n]).collect();
            let rights = [
                Panels::from_rows::<V>(&we, k, n, k),
                Panels::from_columns::<V>(&operands::<V::Elem>(&transposed), n, n, k, Threads::One),
                Panels::of_weight::<V>(&w, n, k, |j| (j < n).then_some(j)),
                Panels::of_weight_transposed::<V>(&transposed, n, k),
            ];
            for (which, b) in rights.iter().enumerate() {
                let mut found = vec![0.0; m * n];
                matmul_into::<V>(m, Left::rows::<V>(&ae, k, k), b, &mut found, n);
                for (at, found) in found.iter().enumerate() {
                    assert_eq!(
                        *found,
                        expected(at / n, at % n),
                        "{m} {k} {n} at {at}, packing {which}"
                    );
                }
            }
            // The same product as [k, m]^T [k, n].
            let left: Vec<f32> = (0..k * m).map(|at| a[at % m * k + at / m]).collect();
            check_panels::<V>([m, k, n], &ae, &operands::<V::Elem>(&left), &rights[0], expected);
            let found = transposed_product::<V>(
                &operands::<V::Elem>(&left),
                &operands::<V::Elem>(&transposed),
                [k, m, n],
                Threads::All,
            );
            for (at, found) in found.iter().enumerate() {
                assert_eq!(*found, expected(at / n, at % n), "transposed {m} {k} {n} at {at}");
            }
        }
    }

    /// Products of single panels, of the right operand and as the left operand.
    fn check_panels<V: Simd>(
        [m, k, n]: [usize; 3],
        rows: &[V::Elem],
        columns: &[V::Elem],
        right: &Panels<V::Elem>,
        expected: impl Fn(usize, usize) -> f32,
    ) {
        if k == 0 {
            return;
        }
        let mut panel = vec![0.0; m * V::NR];
        for (idx, column) in (0..n).step_by(V::NR).enumerate() {
            matmul_panel::<V>(m, Left::rows::<V>(rows, k, k), right, idx, &mut panel);
            for (at, found) in panel.iter().enumerate() {
                let (i, j) = (at / V::NR, column + at % V::NR);
                let expected = if j < n { expected(i, j) } else { 0.0 };
                assert_eq!(*found, expected, "{m} {k} {n}: panel {idx} at {at}");
            }
        }
        let tall = Panels::from_columns::<V>(columns, m, m, k, Threads::One);
        let mut found = vec![0.0; V::NR * n];
        for (idx, row) in (0..m).step_by(V::NR).enumerate() {
            let panel = &tall.data[idx * tall.panel_len..][..tall.panel_len];
            let n_rows = V::NR.min(m - row);
            matmul_into::<V>(n_rows, Left::panel::<V>(panel, k), right, &mut found, n);
            for (at, found) in found[..n_rows * n].iter().enumerate() {
                let expected = expected(row + at / n, at % n);
                assert_eq!(*found, expected, "{m} {k} {n}: left panel {idx} at {at}");
            }
        }
    }

    #[test]
    fn products_are_exact_on_small_integers_on_every_isa() {
        for isa in Isa::available() {
            for dtype in [DType::F32, DType::BF16] {
                let kernel = KernelImpl::select(dtype, isa).unwrap();
                with_simd!(kernel, V => check::<V>());
            }
        }
    }
}
