//! Views of a grid for the reference rules: cells, objects, parts and panels.

use std::collections::{BTreeMap, BTreeSet};

use crate::arc::Grid;

/// `(row, column)`.
pub(super) type Cell = (usize, usize);

/// All cells of a grid, row by row.
pub(super) fn cells(grid: &Grid) -> impl Iterator<Item = Cell> + use<> {
    let (n_rows, n_cols) = (grid.n_rows(), grid.n_cols());
    (0..n_rows).flat_map(move |row| (0..n_cols).map(move |col| (row, col)))
}

/// The colour of a cell; `None` outside the grid.
pub(super) fn get(grid: &Grid, (row, col): Cell) -> Option<u8> {
    (row < grid.n_rows() && col < grid.n_cols()).then(|| grid.at(row, col))
}

/// The 4 neighbours of a cell, or all 8 if `diagonal`; some may be outside the grid.
pub(super) fn near((row, col): Cell, diagonal: bool) -> impl Iterator<Item = Cell> {
    let steps = (0..3).flat_map(|down| (0..3).map(move |right| (down, right)));
    let wanted = move |(down, right): &Cell| {
        let n_still = usize::from(*down == 1) + usize::from(*right == 1);
        n_still == 1 || diagonal && n_still == 0
    };
    let at =
        move |(down, right): Cell| ((row + down).wrapping_sub(1), (col + right).wrapping_sub(1));
    steps.filter(wanted).map(at)
}

/// Cells that are not blank, row by row.
pub(super) fn figure(grid: &Grid) -> Vec<Cell> {
    cells(grid).filter(|at| get(grid, *at) != Some(0)).collect()
}

/// Colours other than the background.
pub(super) fn colours(grid: &Grid) -> BTreeSet<u8> {
    grid.cells().iter().copied().filter(|colour| *colour > 0).collect()
}

/// The output colours of all cells that differ from the input.
pub(super) fn changed_colours(input: &Grid, output: &Grid) -> Vec<u8> {
    let changed = cells(input).filter(|at| get(input, *at) != get(output, *at));
    let new: BTreeSet<_> = changed.filter_map(|at| get(output, at)).collect();
    new.into_iter().collect()
}

/// Whether `output` has the size of `input` and the colour `want(cell)` in every cell.
pub(super) fn same(input: &Grid, output: &Grid, mut want: impl FnMut(Cell) -> u8) -> bool {
    (input.n_rows(), input.n_cols()) == (output.n_rows(), output.n_cols())
        && cells(output).all(|at| output.at(at.0, at.1) == want(at))
}

/// Whether the output keeps every cell that is not blank.
pub(super) fn agrees(input: &Grid, output: &Grid) -> bool {
    figure(input).iter().all(|at| get(output, *at) == get(input, *at))
}

/// The connected components of the cells with a wanted colour.
pub(super) fn components(
    grid: &Grid,
    diagonal: bool,
    wanted: impl Fn(u8) -> bool,
) -> Vec<Vec<Cell>> {
    let mut left: BTreeSet<_> = cells(grid).filter(|at| wanted(grid.at(at.0, at.1))).collect();
    let mut components = Vec::new();
    while let Some(first) = left.pop_first() {
        let mut component = vec![first];
        let mut n_done = 0;
        while let Some(at) = component.get(n_done).copied() {
            component.extend(near(at, diagonal).filter(|at| left.remove(at)));
            n_done += 1;
        }
        component.sort();
        components.push(component);
    }
    components
}

/// The connected components of the cells that are not blank, the largest first.
pub(super) fn objects(grid: &Grid) -> Vec<Vec<Cell>> {
    let mut objects = components(grid, true, |colour| colour > 0);
    objects.sort_by_key(|object| std::cmp::Reverse(object.len()));
    objects
}

/// First row, first column, end of rows and end of columns.
pub(super) fn bounds(cells: &[Cell]) -> (usize, usize, usize, usize) {
    let rows = cells.iter().map(|at| at.0);
    let cols = cells.iter().map(|at| at.1);
    let end = |last: Option<usize>| last.map_or(0, |last| last + 1);
    (
        rows.clone().min().unwrap_or(0),
        cols.clone().min().unwrap_or(0),
        end(rows.max()),
        end(cols.max()),
    )
}

/// The part of a grid within bounds as returned by [`bounds`].
pub(super) fn crop(grid: &Grid, (top, left, bottom, right): (usize, usize, usize, usize)) -> Grid {
    part(grid, top, left, bottom - top, right - left)
}

/// A rectangle of a grid.
pub(super) fn part(grid: &Grid, top: usize, left: usize, n_rows: usize, n_cols: usize) -> Grid {
    Grid::from_fn(n_rows, n_cols, |row, col| grid.at(top + row, left + col))
}

/// `N` panels of equal width, if they are separated by columns of one colour.
pub(super) fn panels<const N: usize>(grid: &Grid) -> Option<[Grid; N]> {
    let n_cols = (grid.n_cols() + 1) / N - 1;
    let divider = grid.at(0, n_cols.min(grid.n_cols() - 1));
    let is_line = |idx: usize| {
        (0..grid.n_rows()).all(|row| get(grid, (row, idx * (n_cols + 1) - 1)) == Some(divider))
    };
    let fits = n_cols > 0 && N * (n_cols + 1) == grid.n_cols() + 1 && (1..N).all(is_line);
    let panel = |idx| part(grid, 0, idx * (n_cols + 1), grid.n_rows(), n_cols);
    fits.then(|| std::array::from_fn(panel))
}

/// The most frequent colour.
pub(super) fn most(cells: &[u8]) -> u8 {
    let mut counts = BTreeMap::new();
    cells.iter().for_each(|colour| *counts.entry(*colour).or_insert(0) += 1);
    counts.into_iter().max_by_key(|(_, n)| *n).map_or(0, |(colour, _)| colour)
}
