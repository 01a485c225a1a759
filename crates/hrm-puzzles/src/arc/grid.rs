//! A rectangle of colours, the building block of ARC tasks.

use serde::{Serialize, Serializer};

/// Longest side of a grid, in cells.
pub const SIDE_MAX: usize = 30;

/// Distinct colours, `0..=9`. Colour 0 is the usual background.
pub const N_COLOURS: u8 = 10;

/// 1 to 30 rows of 1 to 30 colours. Rows and columns count from the top left.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grid {
    n_rows: u8,
    n_cols: u8,
    /// Row by row.
    cells: Box<[u8]>,
}

impl Grid {
    /// Creates a grid whose cell at `(row, column)` is `colour(row, column)`.
    ///
    /// # Panics
    ///
    /// If a side is not in `1..=30` or a colour not in `0..=9`.
    pub fn from_fn(
        n_rows: usize,
        n_cols: usize,
        mut colour: impl FnMut(usize, usize) -> u8,
    ) -> Self {
        let sides = 1..=SIDE_MAX;
        let fits = sides.contains(&n_rows) && sides.contains(&n_cols);
        assert!(fits, "a grid has 1 to 30 rows and columns, not {n_rows} by {n_cols}");
        let mut cells = Vec::with_capacity(n_rows * n_cols);
        for row in 0..n_rows {
            cells.extend((0..n_cols).map(|col| colour(row, col)));
        }
        assert!(cells.iter().all(|colour| *colour < N_COLOURS), "a colour is 0 to 9");
        Self { n_rows: n_rows as u8, n_cols: n_cols as u8, cells: cells.into() }
    }

    /// Creates a grid of one colour.
    ///
    /// # Panics
    ///
    /// As [`from_fn`](Self::from_fn).
    pub fn filled(n_rows: usize, n_cols: usize, colour: u8) -> Self {
        Self::from_fn(n_rows, n_cols, |_, _| colour)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows.into()
    }

    /// Number of columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols.into()
    }

    /// The longer of the two sides.
    pub fn side(&self) -> usize {
        self.n_rows().max(self.n_cols())
    }

    /// The colour of the cell at `(row, col)`.
    ///
    /// # Panics
    ///
    /// If the cell is outside the grid.
    pub fn at(&self, row: usize, col: usize) -> u8 {
        self.cells[self.index(row, col)]
    }

    /// Sets the colour of one cell.
    ///
    /// # Panics
    ///
    /// If the cell is outside the grid or the colour is not in `0..=9`.
    pub fn set(&mut self, row: usize, col: usize, colour: u8) {
        assert!(colour < N_COLOURS, "a colour is 0 to 9");
        let idx = self.index(row, col);
        self.cells[idx] = colour;
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// The rows, from the top.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.cells.chunks_exact(self.n_cols())
    }

    /// The same grid with every colour replaced.
    ///
    /// # Panics
    ///
    /// If a new colour is not in `0..=9`.
    pub fn map(&self, colour: impl Fn(u8) -> u8) -> Self {
        Self::from_fn(self.n_rows(), self.n_cols(), |row, col| colour(self.at(row, col)))
    }

    fn index(&self, row: usize, col: usize) -> usize {
        let (n_rows, n_cols) = (self.n_rows(), self.n_cols());
        assert!(
            row < n_rows && col < n_cols,
            "({row}, {col}) is outside a grid of {n_rows} by {n_cols}"
        );
        row * n_cols + col
    }
}

/// One line of digits per row: `Grid[012 340]`.
impl std::fmt::Debug for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row_text = |row: &[u8]| row.iter().map(u8::to_string).collect::<String>();
        let rows: Vec<String> = self.rows().map(row_text).collect();
        write!(f, "Grid[{}]", rows.join(" "))
    }
}

/// An array of rows, each an array of numbers, as in ARC files.
impl Serialize for Grid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A grid from lines of digits separated by spaces.
    pub(crate) fn grid(text: &str) -> Grid {
        let rows: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        Grid::from_fn(rows.len(), rows[0].len(), |row, col| rows[row][col] - b'0')
    }

    /// Grids up to `side` cells a side.
    pub(crate) fn any_grid(side: usize) -> impl Strategy<Value = Grid> {
        (1..=side, 1..=side).prop_flat_map(|(n_rows, n_cols)| {
            let cells = prop::collection::vec(0..N_COLOURS, n_rows * n_cols);
            cells.prop_map(move |cells| {
                Grid::from_fn(n_rows, n_cols, |row, col| cells[row * n_cols + col])
            })
        })
    }

    #[test]
    fn a_grid_reads_and_writes_row_by_row() {
        let mut grid = grid("012 345");
        assert_eq!((grid.n_rows(), grid.n_cols(), grid.side()), (2, 3, 3));
        assert_eq!(grid.at(1, 0), 3);
        grid.set(0, 2, 9);
        assert_eq!(format!("{grid:?}"), "Grid[019 345]");
        assert_eq!(serde_json::to_string(&grid).unwrap(), "[[0,1,9],[3,4,5]]");
    }

    #[test]
    #[should_panic(expected = "(0, 3) is outside a grid of 2 by 3")]
    fn a_column_past_the_end_is_not_the_next_row() {
        grid("012 345").at(0, 3);
    }
}
