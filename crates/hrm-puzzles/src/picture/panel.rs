//! A grid of cells: what every puzzle becomes before it is drawn.

/// Red, green and blue.
pub type Colour = [u8; 3];

/// One square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its colour.
    pub fill: Colour,
    /// The character in its middle.
    pub symbol: Option<char>,
    /// The colour of that character.
    pub ink: Colour,
    /// Whether it is marked as wrong.
    pub is_wrong: bool,
}

impl Cell {
    /// A cell without a character.
    pub fn plain(fill: Colour) -> Self {
        Self { fill, symbol: None, ink: [0, 0, 0], is_wrong: false }
    }

    /// A cell with a character.
    pub fn with_symbol(symbol: char, ink: Colour, fill: Colour) -> Self {
        Self { fill, symbol: Some(symbol), ink, is_wrong: false }
    }

    /// A cell whose token the puzzle does not have, or not there.
    pub fn unknown() -> Self {
        Self::with_symbol('?', [255, 255, 255], [135, 0, 135])
    }
}

/// A grid of cells under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Written above; may be empty.
    pub heading: String,
    pub(super) lines: Colour,
    /// Rows and columns between thick lines; none are thick without it.
    pub(super) boxes: Option<(usize, usize)>,
    n_rows: usize,
    n_cols: usize,
    /// Row by row.
    cells: Vec<Cell>,
}

impl Panel {
    /// The panel whose cell at `(row, column)` is `cell(row, column)`.
    pub fn from_fn(
        heading: impl Into<String>,
        (n_rows, n_cols): (usize, usize),
        cell: impl Fn(usize, usize) -> Cell,
    ) -> Self {
        let cell = &cell;
        let cells = (0..n_rows).flat_map(|row| (0..n_cols).map(move |col| cell(row, col)));
        let cells = cells.collect();
        Self { heading: heading.into(), lines: [170, 170, 170], boxes: None, n_rows, n_cols, cells }
    }

    /// The same with lines of another colour.
    pub fn with_lines(self, lines: Colour) -> Self {
        Self { lines, ..self }
    }

    /// The same with thick lines around it and after so many rows and columns.
    pub fn with_boxes(self, n_rows: usize, n_cols: usize) -> Self {
        Self { boxes: Some((n_rows, n_cols)), ..self }
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Cells row by row, `[n_rows * n_cols]`.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }
}
