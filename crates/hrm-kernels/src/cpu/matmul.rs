//! Matrix products on packed operands.
//!
//! [`matmul`] hands out its result tile by tile while it is in the first-level
//! cache, so that what follows (an activation, a sum, a conversion) costs no
//! pass over memory of its own.

use rayon::prelude::*;

use super::arith::{NR_MAX, Tile};
use super::profile::{Part, section};
use super::{Arith, Element, Scratch, Threads, scratch};

/// The left operand `a[i, k]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, E> {
    data: &'a [E],
    /// From one tile's first row to the next tile's.
    tile: usize,
    row: usize,
    step: usize,
    depth: usize,
}

impl<'a, E: Element> Left<'a, E> {
    /// A matrix that lies row by row, `stride` apart; `depth` of each are used.
    pub(crate) fn rows<A: Arith<Elem = E>>(data: &'a [E], stride: usize, depth: usize) -> Self {
        Self { data, tile: A::MR * stride, row: stride, step: A::GROUP, depth }
    }

    /// The columns of a matrix, packed [`Panels::tall`].
    pub(crate) fn columns<A: Arith<Elem = E>>(panels: &'a Panels<E>) -> Self {
        let (row, step) = (A::GROUP, A::MR * A::GROUP);
        let depth = panels.depth.next_multiple_of(A::GROUP);
        Self { data: &panels.data, tile: panels.panel_len, row, step, depth }
    }

    /// The columns of one panel as wide as a right operand's, [`Panels`] of which
    /// it might be; it is packed to whole steps of `depth`.
    pub(crate) fn panel<A: Arith<Elem = E>>(data: &'a [E], depth: usize) -> Self {
        let (row, step) = (A::GROUP, A::NR * A::GROUP);
        Self { data, tile: A::MR * row, row, step, depth: depth.next_multiple_of(A::GROUP) }
    }

    /// One past the last element that a tile of `n_rows` at `idx` reads.
    fn end<A: Arith>(&self, idx: usize, n_rows: usize) -> usize {
        let n_steps = self.depth / A::GROUP;
        let along = if self.depth.is_multiple_of(A::GROUP) {
            (n_steps - 1) * self.step + A::GROUP
        } else {
            n_steps * self.step + 1
        };
        idx * self.tile + (n_rows - 1) * self.row + along
    }
}

/// A matrix in the order in which tiles read it: panels of a few columns, each
/// panel step by step along the depth. Missing columns and products are zero.
#[derive(Debug)]
pub(crate) struct Panels<E: Element> {
    data: Scratch<E>,
    width: usize,
    panel_len: usize,
    n_columns: usize,
    depth: usize,
}

impl<E: Element> Panels<E> {
    /// Right operand `b[k, j] = w[j, k]`, from rows of `w` that are `stride`
    /// apart: the transpose of a weight as it is stored.
    ///
    /// `w` has `n_columns` rows of `depth`.
    pub(crate) fn from_rows<A: Arith<Elem = E>>(
        w: &[E],
        stride: usize,
        n_columns: usize,
        depth: usize,
    ) -> Self {
        let mut panels = Self::new::<A>(A::NR, n_columns, depth);
        for (p, panel) in panels.data.chunks_exact_mut(panels.panel_len).enumerate() {
            for j in 0..A::NR {
                let column = p * A::NR + j;
                let from = if column < n_columns { &w[column * stride..][..depth] } else { &[] };
                write_column::<A, E>(panel, j, from, |x| x);
            }
        }
        panels
    }

    /// Right operand `b[k, j]` from rows that are `stride` apart.
    pub(crate) fn from_columns<A: Arith<Elem = E>>(
        b: &[E],
        stride: usize,
        n_columns: usize,
        depth: usize,
        threads: Threads,
    ) -> Self {
        let panels = Self::new::<A>(A::NR, n_columns, depth);
        panels.with_columns::<A, E>(b, stride, threads, as_is::<A>)
    }

    /// The columns of `b` for a left operand: see [`Left::columns`].
    #[inline(always)]
    pub(crate) fn tall<A: Arith<Elem = E>>(
        b: &[E],
        stride: usize,
        n_columns: usize,
        depth: usize,
    ) -> Self {
        let panels = Self::new::<A>(A::MR, n_columns, depth);
        panels.with_columns::<A, E>(b, stride, Threads::One, as_is::<A>)
    }

    /// Right operand `b[k, j] = w[source(j), k]` of an f32 weight with rows of
    /// `depth`; columns without a source are zero.
    pub(crate) fn of_weight<A: Arith<Elem = E>>(
        w: &[f32],
        n_columns: usize,
        depth: usize,
        source: impl Fn(usize) -> Option<usize> + Sync,
    ) -> Self {
        let mut panels = Self::new::<A>(A::NR, n_columns, depth);
        let panel_len = panels.panel_len;
        panels.data.par_chunks_exact_mut(panel_len).enumerate().for_each(|(p, panel)| {
            let _packing = section(Part::Pack);
            for j in 0..A::NR {
                let from = match source(p * A::NR + j) {
                    Some(row) => &w[row * depth..][..depth],
                    None => &[],
                };
                write_column::<A, f32>(panel, j, from, E::from_f32);
            }
        });
        panels
    }

    /// Right operand `b[k, j] = w[k, j]` of an f32 weight `[depth, n_columns]`.
    pub(crate) fn of_weight_transposed<A: Arith<Elem = E>>(
        w: &[f32],
        n_columns: usize,
        depth: usize,
    ) -> Self {
        let panels = Self::new::<A>(A::NR, n_columns, depth);
        panels.with_columns::<A, f32>(w, n_columns, Threads::All, narrowed::<A>)
    }

    fn new<A: Arith<Elem = E>>(width: usize, n_columns: usize, depth: usize) -> Self {
        // An empty operand still has a panel, so that there is something to cut by.
        let panel_len = depth.next_multiple_of(A::GROUP).max(A::GROUP) * width;
        let data = scratch::<E>(panel_len * n_columns.div_ceil(width));
        Self { data, width, panel_len, n_columns, depth }
    }

    /// The same with every panel written, from rows of `b` that are `stride` apart.
    ///
    /// `write` makes a step of a panel out of as many rows as are grouped.
    /// Neighbouring panels are written together, a few steps at a time, so that
    /// each line of `b` is fetched once.
    #[inline(always)]
    fn with_columns<A: Arith<Elem = E>, S: Copy + Default + Sync>(
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
            let n_steps = panel_len / (A::GROUP * width);
            A::vectorized(
                #[inline(always)]
                || {
                    for start in (0..n_steps).step_by(STEPS) {
                        let n = STEPS.min(n_steps - start);
                        for (p, panel) in panels.chunks_exact_mut(panel_len).enumerate() {
                            let to = &mut panel[start * A::GROUP * width..];
                            let column = first + p * width;
                            let n_columns = width.min(n_columns - column);
                            for (step, to) in
                                to.chunks_exact_mut(A::GROUP * width).take(n).enumerate()
                            {
                                let k = (start + step) * A::GROUP;
                                // Rows are too far apart for a processor to guess
                                // which one is next.
                                for ahead in k..k + A::GROUP {
                                    prefetch(b, (ahead + A::GROUP * STEPS) * stride + column);
                                }
                                let row = |k: usize| &b[k * stride + column..][..n_columns];
                                if n_columns == width && k + A::GROUP <= depth {
                                    write([row(k), row(k + A::GROUP - 1)], to);
                                } else {
                                    let mut rows = [[S::default(); NR_MAX]; 2];
                                    for (k, to) in (k..depth.min(k + A::GROUP)).zip(&mut rows) {
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
            // What one thread packs is part of what it is about to compute.
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

/// Has an element brought into the cache, if there is one.
#[inline(always)]
fn prefetch<T>(from: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(element) = from.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing, and every such processor takes it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast()) };
    }
}

/// A step of a panel from rows of operands.
#[inline(always)]
fn as_is<A: Arith>([one, other]: [&[A::Elem]; 2], step: &mut [A::Elem]) {
    A::interleave(one, other, step);
}

/// A step of a panel from rows that have to be rounded.
#[inline(always)]
fn narrowed<A: Arith>(rows: [&[f32]; 2], step: &mut [A::Elem]) {
    let mut operands = [[A::Elem::default(); NR_MAX]; 2];
    let n = rows[0].len();
    for (row, operands) in rows.iter().zip(&mut operands).take(A::GROUP) {
        A::narrow(row, &mut operands[..n]);
    }
    A::interleave(&operands[0][..n], &operands[1][..n], step);
}

/// Writes column `j` of a panel: `values` from `f32` or from operands; what they do
/// not reach is zero.
#[inline(always)]
fn write_column<A: Arith, S: Copy>(
    panel: &mut [A::Elem],
    j: usize,
    values: &[S],
    operand: impl Fn(S) -> A::Elem,
) {
    let mut steps = panel.chunks_exact_mut(A::GROUP * A::NR).map(|step| &mut step[j * A::GROUP..]);
    let groups = values.chunks_exact(A::GROUP);
    let rest = groups.remainder();
    for (from, to) in groups.zip(&mut steps) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = operand(*from));
    }
    for to in steps {
        to[..A::GROUP].fill(A::Elem::default());
        to.iter_mut().zip(rest).for_each(|(to, from)| *to = operand(*from));
    }
}

/// Copies a row of a tile or of a panel.
///
/// Nearly all have one of these lengths, for which there is no need to call a
/// function that can copy any.
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

/// Adds a row of a tile.
#[inline(always)]
pub(crate) fn add_row(from: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// Where a tile lies in the result, and its values.
pub(crate) struct At<'a> {
    /// Its first row.
    pub(crate) row: usize,
    /// Its first column.
    pub(crate) column: usize,
    n_rows: usize,
    n_columns: usize,
    width: usize,
    tile: &'a Tile,
}

impl At<'_> {
    /// The tile, as many rows as there are, of `NR` each; columns that are not
    /// there are zero.
    #[inline(always)]
    pub(crate) fn tile(&self) -> &[f32] {
        &self.tile.0[..self.n_rows * self.width]
    }

    /// Rows of the result with the columns of this tile.
    #[inline(always)]
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.tile.0.chunks_exact(self.width).take(self.n_rows);
        rows.enumerate().map(|(i, row)| (self.row + i, &row[..self.n_columns]))
    }
}

/// `a b`, `n_rows` of it, tile by tile.
///
/// # Panics
///
/// If an operand is smaller than it says.
#[inline(always)]
pub(crate) fn matmul<A: Arith>(
    n_rows: usize,
    a: Left<'_, A::Elem>,
    b: &Panels<A::Elem>,
    mut each: impl FnMut(At<'_>),
) {
    let Some(tiles) = Tiles::new::<A>(n_rows, a, b) else { return };
    let mut tile = Tile::new();
    for (p, panel) in b.data.chunks_exact(b.panel_len).enumerate() {
        for idx in 0..tiles.n_tiles {
            let n_rows = tiles.write::<A>(idx, panel, &mut tile.0);
            let column = p * A::NR;
            let n_columns = A::NR.min(b.n_columns - column);
            each(At { row: idx * A::MR, column, n_rows, n_columns, width: A::NR, tile: &tile });
        }
    }
}

/// Columns `idx * NR..` of `a b`, `n_rows` of them side by side: rows of `NR`,
/// where columns that are not there are zero.
///
/// # Panics
///
/// As for [`matmul`], or if `out` is too small.
#[inline(always)]
pub(crate) fn matmul_panel<A: Arith>(
    n_rows: usize,
    a: Left<'_, A::Elem>,
    b: &Panels<A::Elem>,
    idx: usize,
    out: &mut [f32],
) {
    let Some(tiles) = Tiles::new::<A>(n_rows, a, b) else { return };
    let panel = &b.data[idx * b.panel_len..][..b.panel_len];
    for idx in 0..tiles.n_tiles {
        tiles.write::<A>(idx, panel, &mut out[idx * A::MR * A::NR..]);
    }
}

/// The left operand of a product, cut into tiles.
struct Tiles<'a, E> {
    a: Left<'a, E>,
    n_tiles: usize,
    /// Rows of the last one.
    n_last: usize,
    panel_len: usize,
}

impl<'a, E: Element> Tiles<'a, E> {
    /// Nothing if there is nothing to multiply.
    ///
    /// # Panics
    ///
    /// If an operand is smaller than it says.
    #[inline(always)]
    fn new<A: Arith<Elem = E>>(n_rows: usize, a: Left<'a, E>, b: &Panels<E>) -> Option<Self> {
        assert_eq!(b.width, A::NR, "a right operand is packed wide");
        assert_eq!(a.depth.div_ceil(A::GROUP), b.depth.div_ceil(A::GROUP), "operands fit");
        if n_rows == 0 || a.depth == 0 {
            return None;
        }
        let (n_tiles, n_last) = (n_rows.div_ceil(A::MR), (n_rows - 1) % A::MR + 1);
        assert!(a.end::<A>(n_tiles - 1, n_last) <= a.data.len(), "a left operand has all its rows");
        assert!(n_tiles == 1 || a.end::<A>(n_tiles - 2, A::MR) <= a.data.len());
        Some(Self { a, n_tiles, n_last, panel_len: b.panel_len })
    }

    /// Tile `idx` beside a panel of the right operand, in rows of `NR`; gives their
    /// number.
    #[inline(always)]
    fn write<A: Arith<Elem = E>>(&self, idx: usize, panel: &[E], out: &mut [f32]) -> usize {
        let Self { a, n_tiles, n_last, panel_len } = self;
        let n_rows = if idx + 1 == *n_tiles { *n_last } else { A::MR };
        assert!(idx < *n_tiles && panel.len() == *panel_len && out.len() >= n_rows * A::NR);
        // SAFETY: the assertions in `new` bound what is read of `a`, for the last
        // tile and for any before it; the panel is one of the right operand, which
        // are padded to whole steps of a depth that is that of `a`. `A` exists only
        // where the CPU has its instructions.
        unsafe {
            let from = a.data.as_ptr().add(idx * a.tile);
            A::tile(n_rows, from, a.row, a.step, a.depth, panel.as_ptr(), out);
        }
        n_rows
    }
}

/// Writes `a b`, `n_rows` of it, to `out` in rows of `stride`.
#[inline(always)]
pub(crate) fn matmul_into<A: Arith>(
    n_rows: usize,
    a: Left<'_, A::Elem>,
    b: &Panels<A::Elem>,
    out: &mut [f32],
    stride: usize,
) {
    matmul::<A>(
        n_rows,
        a,
        b,
        #[inline(always)]
        |at| {
            for (row, values) in at.rows() {
                copy_row(values, &mut out[row * stride + at.column..]);
            }
        },
    );
}

/// Rows that go into a gradient together: many for each tile that is added up,
/// and few enough for a piece of them to stay in the second-level cache.
const ROWS_PER_BLOCK: usize = 3072;

/// Tiles of such a piece, side by side.
const TILES_PER_PIECE: usize = 16;

/// `left^T right` for `left: [M, N]` and `right: [M, K]`, `[N, K]` f32: the
/// gradient of a weight.
pub(crate) fn transposed_product<A: Arith>(
    left: &[A::Elem],
    right: &[A::Elem],
    [m, n, k]: [usize; 3],
    threads: Threads,
) -> Vec<f32> {
    let mut out = vec![0.0; n * k];
    if m == 0 || n == 0 || k == 0 {
        return out;
    }
    let block = Threads::One.piece_len(m, ROWS_PER_BLOCK);
    let pack = |rows: &[A::Elem]| Panels::from_columns::<A>(rows, k, k, rows.len() / k, threads);
    let rights: Vec<_> = right.chunks(block * k).map(pack).collect();
    let columns_per_piece = threads.piece_len(n.div_ceil(A::MR), TILES_PER_PIECE) * A::MR;
    out.par_chunks_mut(columns_per_piece * k).with_min_len(threads.min_len()).enumerate().for_each(
        |(piece, out)| {
            let n_columns = out.len() / k;
            for (left, right) in left.chunks(block * n).zip(&rights) {
                let packing = section(Part::Pack);
                let left_piece = &left[piece * columns_per_piece..];
                let a = Panels::tall::<A>(left_piece, n, n_columns, left.len() / n);
                drop(packing);
                let _multiplying = section(Part::WeightGradient);
                A::vectorized(
                    #[inline(always)]
                    || {
                        matmul::<A>(
                            n_columns,
                            Left::columns::<A>(&a),
                            right,
                            #[inline(always)]
                            |at| {
                                for (row, values) in at.rows() {
                                    let out = &mut out[row * k + at.column..][..values.len()];
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
    use crate::cpu::{Path, Scheme, with_arith};
    use candle_core::DType;

    /// Both operands and their product, in numbers that every dtype holds.
    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7 + seed * 5 + i / 3) % 9) as f32 - 4.0).collect()
    }

    fn narrow<E: Element>(x: &[f32]) -> Vec<E> {
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

    fn check<A: Arith>() {
        for (m, k, n) in SIZES {
            let (a, w) = (numbers(m * k, 1), numbers(n * k, 2));
            let (ae, we) = (narrow::<A::Elem>(&a), narrow::<A::Elem>(&w));
            let want =
                |i: usize, j: usize| -> f32 { (0..k).map(|t| a[i * k + t] * w[j * k + t]).sum() };
            let transposed: Vec<f32> = (0..k * n).map(|at| w[at % n * k + at / n]).collect();
            let rights = [
                Panels::from_rows::<A>(&we, k, n, k),
                Panels::from_columns::<A>(&narrow::<A::Elem>(&transposed), n, n, k, Threads::One),
                Panels::of_weight::<A>(&w, n, k, |j| (j < n).then_some(j)),
                Panels::of_weight_transposed::<A>(&transposed, n, k),
            ];
            for (which, b) in rights.iter().enumerate() {
                let mut found = vec![0.0; m * n];
                matmul_into::<A>(m, Left::rows::<A>(&ae, k, k), b, &mut found, n);
                for (at, found) in found.iter().enumerate() {
                    assert_eq!(
                        *found,
                        want(at / n, at % n),
                        "{m} {k} {n} at {at}, packing {which}"
                    );
                }
            }
            // [k, m]^T [k, n]: the same numbers, read the other way.
            let left: Vec<f32> = (0..k * m).map(|at| a[at % m * k + at / m]).collect();
            check_panels::<A>([m, k, n], &ae, &narrow::<A::Elem>(&left), &rights[0], want);
            let found = transposed_product::<A>(
                &narrow::<A::Elem>(&left),
                &narrow::<A::Elem>(&transposed),
                [k, m, n],
                Threads::All,
            );
            for (at, found) in found.iter().enumerate() {
                assert_eq!(*found, want(at / n, at % n), "transposed {m} {k} {n} at {at}");
            }
        }
    }

    /// Products panel by panel, of the right operand and of the left one.
    fn check_panels<A: Arith>(
        [m, k, n]: [usize; 3],
        rows: &[A::Elem],
        columns: &[A::Elem],
        right: &Panels<A::Elem>,
        want: impl Fn(usize, usize) -> f32,
    ) {
        if k == 0 {
            return;
        }
        let mut panel = vec![0.0; m * A::NR];
        for (idx, column) in (0..n).step_by(A::NR).enumerate() {
            matmul_panel::<A>(m, Left::rows::<A>(rows, k, k), right, idx, &mut panel);
            for (at, found) in panel.iter().enumerate() {
                let (i, j) = (at / A::NR, column + at % A::NR);
                let want = if j < n { want(i, j) } else { 0.0 };
                assert_eq!(*found, want, "{m} {k} {n}: panel {idx} at {at}");
            }
        }
        let tall = Panels::from_columns::<A>(columns, m, m, k, Threads::One);
        let mut found = vec![0.0; A::NR * n];
        for (idx, row) in (0..m).step_by(A::NR).enumerate() {
            let panel = &tall.data[idx * tall.panel_len..][..tall.panel_len];
            let n_rows = A::NR.min(m - row);
            matmul_into::<A>(n_rows, Left::panel::<A>(panel, k), right, &mut found, n);
            for (at, found) in found[..n_rows * n].iter().enumerate() {
                let want = want(row + at / n, at % n);
                assert_eq!(*found, want, "{m} {k} {n}: left panel {idx} at {at}");
            }
        }
    }

    #[test]
    fn products_are_exact_on_small_integers_on_every_path() {
        for path in Path::available() {
            for dtype in [DType::F32, DType::BF16] {
                let scheme = Scheme::of(dtype, path).unwrap();
                with_arith!(scheme, A => check::<A>());
            }
        }
    }
}
