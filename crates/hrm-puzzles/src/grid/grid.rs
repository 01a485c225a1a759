//! A grid of characters and its text form.

use std::ops::{Index, IndexMut};

use crate::PuzzleError;
use crate::text::shown;

/// Largest length of the text of a grid in bytes, which bounds the memory of a damaged file.
pub(super) const N_BYTES_MAX: usize = 1 << 20;

/// Rows of characters, possibly of different lengths. The last row is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grid {
    rows: Vec<Vec<char>>,
}

impl Grid {
    /// Creates a grid from rows of characters; empty rows at the end are dropped.
    pub fn new(mut rows: Vec<Vec<char>>) -> Self {
        let n_rows = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        rows.truncate(n_rows);
        Self { rows }
    }

    /// `n_rows` rows of `n_columns` cells that all hold `symbol`.
    pub fn filled(n_rows: usize, n_columns: usize, symbol: char) -> Self {
        Self::new(vec![vec![symbol; n_columns]; n_rows])
    }

    /// Parses rows that are separated by line breaks if `text` contains one, otherwise
    /// by `/`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] at `place` if the text has no cells, more than 2^20 bytes
    /// or a control character, which a terminal would interpret.
    pub fn parse(text: &str, place: &str) -> Result<Self, PuzzleError> {
        if text.len() > N_BYTES_MAX {
            let expected = format!("a grid of at most {N_BYTES_MAX} bytes");
            return Err(PuzzleError::malformed(place, expected, text.len().to_string()));
        }
        let rows: Vec<&str> =
            if text.contains('\n') { text.lines().collect() } else { text.split('/').collect() };
        let grid = Self::new(rows.into_iter().map(|row| row.chars().collect()).collect());
        if grid.rows.is_empty() {
            return Err(PuzzleError::malformed(place, "at least one cell", "none"));
        }
        let rejected = grid.cells().find(|(_, symbol)| symbol.is_control());
        if let Some((at, symbol)) = rejected {
            let found = format!("{} at {}", shown(symbol), cell_name(at));
            return Err(PuzzleError::malformed(place, "printable characters", found));
        }
        Ok(grid)
    }

    /// Writes the grid on one line, or on several if a cell contains `/`.
    /// [`parse`](Self::parse) reads it back.
    pub fn to_text(&self) -> String {
        let has_slash = self.cells().any(|(_, symbol)| symbol == '/');
        match (has_slash, self.rows.len()) {
            (false, _) => self.joined("/"),
            (true, 1) => self.joined("\n") + "\n",
            (true, _) => self.joined("\n"),
        }
    }

    /// One line per row, without a line break after the last.
    pub fn in_lines(&self) -> String {
        self.joined("\n")
    }

    fn joined(&self, separator: &str) -> String {
        let rows: Vec<String> = self.rows.iter().map(|row| row.iter().collect()).collect();
        rows.join(separator)
    }

    /// The rows, from the top.
    pub fn rows(&self) -> &[Vec<char>] {
        &self.rows
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of cells in the longest row.
    pub fn n_columns(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The character at (row, column), if there is such a cell.
    pub fn get(&self, (row, column): (usize, usize)) -> Option<char> {
        self.rows.get(row)?.get(column).copied()
    }

    /// All cells with their (row, column), row by row.
    pub fn cells(&self) -> impl Iterator<Item = ((usize, usize), char)> + '_ {
        self.rows.iter().enumerate().flat_map(|(row, symbols)| {
            symbols.iter().enumerate().map(move |(column, symbol)| ((row, column), *symbol))
        })
    }

    /// Checks that this answer has the same shape as a question.
    ///
    /// # Errors
    ///
    /// A sentence that names the first row with a different length.
    pub fn fits(&self, question: &Self) -> Result<(), String> {
        let n_cells = |grid: &Self, row: usize| grid.rows.get(row).map_or(0, Vec::len);
        let n_rows = self.n_rows().max(question.n_rows());
        let differs = (0..n_rows).find(|row| n_cells(self, *row) != n_cells(question, *row));
        differs.map_or(Ok(()), |row| {
            let (found, wanted) = (n_cells(self, row), n_cells(question, row));
            Err(format!("row {} has length {found}, not {wanted}", row + 1))
        })
    }

    /// Checks that this answer keeps the givens of a question: all its cells that are
    /// not `blank`.
    ///
    /// # Errors
    ///
    /// A sentence that names the first changed given.
    pub fn keeps(&self, question: &Self, blank: char) -> Result<(), String> {
        let mut givens = question.cells().filter(|(_, given)| *given != blank);
        let changed = givens.find(|(at, given)| self.get(*at) != Some(*given));
        changed.map_or(Ok(()), |(at, given)| {
            let found = self.get(at).map_or("nothing".to_owned(), String::from);
            Err(format!("{} was given {given} and became {found}", cell_name(at)))
        })
    }
}

/// The character at (row, column). Panics if there is no such cell.
impl Index<(usize, usize)> for Grid {
    type Output = char;

    fn index(&self, (row, column): (usize, usize)) -> &char {
        &self.rows[row][column]
    }
}

impl IndexMut<(usize, usize)> for Grid {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut char {
        &mut self.rows[row][column]
    }
}

/// The name of a cell in messages.
pub fn cell_name((row, column): (usize, usize)) -> String {
    format!("row {}, column {}", row + 1, column + 1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn grid(text: &str) -> Grid {
        Grid::parse(text, "test").unwrap()
    }

    /// Ragged grids of up to 5 by 6 cells with characters of 1 to 4 bytes.
    pub(crate) fn any_grid() -> impl Strategy<Value = Grid> {
        let symbol = proptest::sample::select(SYMBOLS.chars().collect::<Vec<_>>());
        let row = proptest::collection::vec(symbol, 0..=6);
        let rows = proptest::collection::vec(row, 1..=5).prop_map(Grid::new);
        rows.prop_filter("no cell", |grid| grid.n_rows() > 0)
    }

    pub(crate) const SYMBOLS: &str = "ab0 _./é\u{301}象🙂,\"";

    #[test]
    fn rows_are_separated_by_line_breaks_or_slashes() {
        let rows = |text: &str| -> Vec<String> {
            grid(text).rows().iter().map(|row| row.iter().collect()).collect()
        };
        assert_eq!(rows("12/3"), ["12", "3"]);
        assert_eq!(rows("12\n3"), ["12", "3"]);
        assert_eq!(rows("12\r\n3\r\n"), ["12", "3"]);
        assert_eq!(rows("abc"), ["abc"]);
        // A line break, even at the end, turns every slash into a cell.
        assert_eq!(rows("1/2\n34"), ["1/2", "34"]);
        assert_eq!(rows("12/4=3\n"), ["12/4=3"]);
        // Spaces are cells; empty rows are rows unless they come last.
        assert_eq!(rows(" a //b //"), [" a ", "", "b "]);
        assert_eq!(rows("/a"), ["", "a"]);
        // One cell per character, regardless of its width.
        assert_eq!(rows("e\u{301}象"), ["e\u{301}象"]);
        assert_eq!(grid("e\u{301}象").n_columns(), 3);
    }

    #[test]
    fn text_that_is_not_a_grid_is_rejected() {
        let message = |text: &str| Grid::parse(text, "f").unwrap_err().to_string();
        for text in ["", "/", "//", "\n", "\n\r\n"] {
            assert_eq!(message(text), "f: expected at least one cell, found none", "{text:?}");
        }
        let want = "f: expected printable characters, found U+001B (control character) at row 2, \
                    column 1";
        assert_eq!(message("ab/\u{1b}[31m"), want);
        assert!(message("a\tb").contains("U+0009") && message("a\rb").contains("U+000D"));
        assert!(message("a\0").contains("U+0000"));
    }

    #[test]
    fn an_answer_must_fit_and_keep_its_question() {
        let question = grid("1./.2");
        assert_eq!(grid("13/42").fits(&question), Ok(()));
        let message = Err("row 2 has length 1, not 2".to_owned());
        assert_eq!(grid("13/4").fits(&question), message);
        let message = Err("row 3 has length 2, not 0".to_owned());
        assert_eq!(grid("13/42/11").fits(&question), message);

        assert_eq!(grid("13/42").keeps(&question, '.'), Ok(()));
        let message = Err("row 2, column 2 was given 2 and became 3".to_owned());
        assert_eq!(grid("13/43").keeps(&question, '.'), message);
        let message = Err("row 2, column 2 was given 2 and became nothing".to_owned());
        assert_eq!(grid("13/4").keeps(&question, '.'), message);
    }

    proptest! {
        #[test]
        fn a_grid_survives_a_round_trip(grid in any_grid()) {
            prop_assert_eq!(&Grid::parse(&grid.to_text(), "test").unwrap(), &grid);
            if grid.n_rows() > 1 {
                prop_assert_eq!(&Grid::parse(&grid.in_lines(), "test").unwrap(), &grid);
            }
        }
    }
}
