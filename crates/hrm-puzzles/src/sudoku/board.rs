//! A Sudoku board and its rules.

use std::fmt;

use super::notation::Notation;
use super::shape::symbol;
use super::{Digits, Shape};
use crate::PuzzleError;

/// A board whose cells are blank (0) or hold a digit from 1 to the side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Board {
    cells: Vec<u8>,
}

impl Board {
    /// Creates a board of blanks.
    pub fn blank(shape: Shape) -> Self {
        Self { cells: vec![0; shape.n_cells()] }
    }

    /// Creates a board from its cells.
    ///
    /// # Panics
    ///
    /// If the number of cells or a digit does not fit the shape.
    pub fn new(shape: Shape, cells: Vec<u8>) -> Self {
        assert_eq!(cells.len(), shape.n_cells(), "a board has side x side cells");
        assert!(cells.iter().all(|d| usize::from(*d) <= shape.side), "digits run up to the side");
        Self { cells }
    }

    /// Parses a board written row by row; messages call its origin `place`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] with the number of characters or the unknown
    /// character, or if more than one symbol could be a blank.
    pub fn parse(shape: Shape, text: &str, place: &str) -> Result<Self, PuzzleError> {
        let notation = Notation::of(shape, text, "", place)?;
        let cells = notation.cells(shape, text, place)?;
        Ok(Self { cells })
    }

    /// The cells row by row: 0 for blank, otherwise the digit.
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// Sets a cell to a digit, or to 0 for blank.
    pub fn set(&mut self, cell: usize, digit: u8) {
        self.cells[cell] = digit;
    }

    /// Number of cells that hold a digit.
    pub fn n_givens(&self) -> usize {
        self.cells.iter().filter(|d| **d != 0).count()
    }

    /// Whether every cell holds a digit and no rule is broken.
    pub fn is_solved(&self, shape: Shape) -> bool {
        !self.cells.contains(&0) && self.clash(shape).is_none()
    }

    /// Two cells of one unit that hold the same digit, if any.
    pub fn clash(&self, shape: Shape) -> Option<Clash> {
        const KINDS: [&str; 3] = ["row", "column", "box"];
        for (kind, name) in KINDS.into_iter().enumerate() {
            let mut seen = vec![None; shape.side * (shape.side + 1)];
            for (cell, digit) in self.cells.iter().enumerate().filter(|(_, d)| **d != 0) {
                let unit = shape.units_of(cell)[kind];
                let first = &mut seen[unit * (shape.side + 1) + usize::from(*digit)];
                if let Some(first) = *first {
                    return Some(Clash {
                        unit: name,
                        index: unit,
                        digit: *digit,
                        cells: [first, cell],
                    });
                }
                *first = Some(cell);
            }
        }
        None
    }

    /// All cells that hold the same digit as another cell of one of their units, in
    /// order.
    pub fn clashing_cells(&self, shape: Shape) -> Vec<usize> {
        let clashes = |cell: usize| {
            let others = (0..self.cells.len()).filter(|other| *other != cell);
            let mut same = others.filter(|other| self.cells[*other] == self.cells[cell]);
            self.cells[cell] != 0 && same.any(|other| share_unit(shape, cell, other))
        };
        (0..self.cells.len()).filter(|cell| clashes(*cell)).collect()
    }

    /// Whether this board keeps all givens of `question`.
    pub fn keeps(&self, question: &Self) -> bool {
        question.cells.iter().zip(&self.cells).all(|(given, digit)| *given == 0 || given == digit)
    }

    /// Writes the board row by row, `.` for blank.
    pub fn to_text(&self) -> String {
        self.cells.iter().map(|digit| symbol(*digit)).collect()
    }

    /// [`to_text`](Self::to_text), with these digits.
    pub fn written(&self, shape: Shape, digits: Digits) -> String {
        self.cells.iter().map(|digit| digits.symbol(shape, *digit)).collect()
    }
}

/// Whether two cells share a row, column or box.
pub(crate) fn share_unit(shape: Shape, one: usize, other: usize) -> bool {
    shape.units_of(one).into_iter().zip(shape.units_of(other)).any(|(a, b)| a == b)
}

/// Two cells that break a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// `row`, `column` or `box`.
    pub unit: &'static str,
    /// Index of the unit, counted from 0.
    pub index: usize,
    /// The repeated digit.
    pub digit: u8,
    /// The two cells.
    pub cells: [usize; 2],
}

impl Clash {
    /// The size of boxes, to be appended to this, where it is a question of that: other programs
    /// turn boxes that are no squares.
    pub(super) fn boxes_in_words(&self, shape: Shape) -> String {
        let Shape { box_rows, box_columns, .. } = shape;
        match self.unit == "box" && box_rows != box_columns {
            true => format!(" (boxes have {box_rows} rows and {box_columns} columns)"),
            false => String::new(),
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} holds {} twice", self.unit, self.index + 1, symbol(self.digit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOLVED: &str = "1234341221434321";

    fn four(text: &str) -> Board {
        Board::parse(Shape::new(4).unwrap(), text, "test").unwrap()
    }

    #[test]
    fn boxes_are_numbered_row_by_row() {
        let six = Shape::new(6).unwrap();
        let boxes: Vec<_> = (0..36).map(|cell| six.units_of(cell)[2]).collect();
        assert_eq!(boxes[..6], [0, 0, 0, 1, 1, 1]);
        assert_eq!(boxes[12..18], [2, 2, 2, 3, 3, 3]);
        assert_eq!(boxes[35], 5);
    }

    #[test]
    fn rows_columns_and_boxes_are_checked() {
        let shape = Shape::new(4).unwrap();
        assert!(four(SOLVED).is_solved(shape));
        assert!(!four("123434122143432.").is_solved(shape));
        let clash = |text: &str| four(text).clash(shape).unwrap().to_string();
        assert_eq!(clash("11.............."), "row 1 holds 1 twice");
        assert_eq!(clash("2.......2......."), "column 1 holds 2 twice");
        assert_eq!(clash("3....3.........."), "box 1 holds 3 twice");
        assert_eq!(four("11..............").clashing_cells(shape), [0, 1]);
    }

    #[test]
    fn text_that_is_not_a_board_is_rejected() {
        let message =
            |text: &str| Board::parse(Shape::new(9).unwrap(), text, "x").unwrap_err().to_string();
        assert_eq!(message("12"), "x: expected 81 characters, found 2");
        let hint = "x: expected 81 characters, found 16, as for side 4";
        assert_eq!(message(SOLVED), hint);
        let text = format!("{}y", ".".repeat(80));
        let want = "x: expected `.` or one of 123456789, found 'y' at row 9, column 9";
        assert_eq!(message(&text), want);
        assert!(Shape::new(5).unwrap_err().to_string().starts_with("board must be"));
    }

    #[test]
    fn blanks_are_dots_or_zeros_and_letters_are_digits_above_nine() {
        assert_eq!(four("0000000000000000").to_text(), ".".repeat(16));
        assert!(Board::parse(Shape::new(4).unwrap(), "0...............", "x").is_err());
        let sixteen = Shape::new(16).unwrap();
        let text = format!("G1{}", ".".repeat(254));
        assert_eq!(Board::parse(sixteen, &text, "x").unwrap().cells()[0], 16);
        assert_eq!(Board::parse(sixteen, &text, "x").unwrap().to_text(), text);
    }
}
