//! The sizes of Sudoku boards.

use crate::PuzzleError;

/// Supported sides, with the rows and columns of a box.
const SIDES: [(usize, usize, usize); 5] = [(4, 2, 2), (6, 2, 3), (9, 3, 3), (12, 3, 4), (16, 4, 4)];

/// The supported sides, for messages.
pub const SIDES_IN_WORDS: &str = "4, 6, 9, 12 or 16";

/// Symbols of the digits, starting with 1.
const DIGITS: &str = "123456789ABCDEFG";

/// The size of a board and of its boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Cells per row, column and box; also the largest digit.
    pub side: usize,
    /// Rows of a box.
    pub box_rows: usize,
    /// Columns of a box.
    pub box_columns: usize,
}

impl Shape {
    /// The shape of a board with this side.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] unless the side is 4, 6, 9, 12 or 16.
    pub fn new(side: usize) -> Result<Self, PuzzleError> {
        let found = SIDES.into_iter().find(|(known, ..)| *known == side);
        let (side, box_rows, box_columns) =
            found.ok_or_else(|| PuzzleError::setting("board", SIDES_IN_WORDS, side))?;
        Ok(Self { side, box_rows, box_columns })
    }

    /// All shapes, the smallest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        SIDES.into_iter().map(|(side, box_rows, box_columns)| Self { side, box_rows, box_columns })
    }

    /// Number of cells of a board.
    pub fn n_cells(self) -> usize {
        self.side * self.side
    }

    /// Symbols of the digits, starting with 1.
    pub fn digits(self) -> &'static str {
        &DIGITS[..self.side]
    }

    /// Indices of the row, the column and the box of a cell.
    pub fn units_of(self, cell: usize) -> [usize; 3] {
        let (row, column) = (cell / self.side, cell % self.side);
        let boxes_per_row = self.side / self.box_columns;
        [row, column, row / self.box_rows * boxes_per_row + column / self.box_columns]
    }

    /// The row and column of a cell for messages, counted from 1.
    pub fn name_of(self, cell: usize) -> String {
        format!("row {}, column {}", cell / self.side + 1, cell % self.side + 1)
    }
}

/// The symbol of a digit, or of 0 for blank.
pub(crate) fn symbol(digit: u8) -> char {
    match usize::from(digit).checked_sub(1) {
        None => '.',
        Some(at) => DIGITS.as_bytes().get(at).map_or('?', |byte| char::from(*byte)),
    }
}
