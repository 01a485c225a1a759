//! A grid of coloured cells: the form in which every puzzle is drawn.

/// Red, green and blue, 0 to 255 each.
pub type Colour = [u8; 3];

/// One square of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Colour of the square.
    pub fill: Colour,
    /// Character in the middle, if any.
    pub symbol: Option<char>,
    /// Colour of that character.
    pub ink: Colour,
    /// Whether it is marked as wrong.
    pub is_wrong: bool,
}

impl Cell {
    /// Creates a cell without a character.
    pub fn plain(fill: Colour) -> Self {
        Self { fill, symbol: None, ink: [0, 0, 0], is_wrong: false }
    }

    /// Creates a cell with a character.
    pub fn with_symbol(symbol: char, ink: Colour, fill: Colour) -> Self {
        Self { fill, symbol: Some(symbol), ink, is_wrong: false }
    }

    /// Creates a cell whose predicted token is not valid in the puzzle.
    pub fn unknown() -> Self {
        Self::with_symbol('?', [255, 255, 255], [135, 0, 135])
    }
}

/// A grid of cells under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Written above the cells; may be empty.
    pub heading: String,
    /// Colour of the lines between cells.
    pub(super) lines: Colour,
    /// Number of rows and columns between thick lines; `None` for thin lines only.
    pub(super) boxes: Option<(usize, usize)>,
    n_rows: usize,
    n_cols: usize,
    /// Row by row.
    cells: Vec<Cell>,
}

impl Panel {
    /// Creates a panel whose cell at `(row, column)` is `cell(row, column)`.
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

    /// The same panel with lines of another colour.
    pub fn with_lines(self, lines: Colour) -> Self {
        Self { lines, ..self }
    }

    /// The same panel with thick lines around it and after every `n_rows` rows and `n_cols`
    /// columns.
    pub fn with_boxes(self, n_rows: usize, n_cols: usize) -> Self {
        Self { boxes: Some((n_rows, n_cols)), ..self }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// All cells, row by row, `[n_rows * n_cols]`.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }
}
