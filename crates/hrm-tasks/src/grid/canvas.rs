//! Grids as token ids on a canvas.

use std::collections::{HashMap, HashSet};

use hrm_puzzles::clipped;
use hrm_puzzles::grid::{Grid, cell_name};
use hrm_puzzles::text::shown;
use hrm_train::task::PADDING;

use crate::{TaskError, Vocabulary};

/// The label where an answer has no cell.
pub(super) const END: u32 = 1;

/// The characters of padding and end in `tokenizer.json`: control characters, which no
/// grid may contain.
const PADDING_SYMBOL: char = '\0';
const END_SYMBOL: char = '\u{3}';

/// A rectangle large enough for every grid of a kind, and the ids of the characters.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub(super) n_rows: usize,
    pub(super) n_columns: usize,
    alphabet: String,
    ids: HashMap<char, u32>,
}

/// Padding, end, then the characters of `alphabet` in order with ids from 2. A repeated
/// character counts once.
pub(super) fn vocabulary(alphabet: &str) -> Vocabulary {
    let mut seen = HashSet::from([PADDING_SYMBOL, END_SYMBOL]);
    let symbols = alphabet.chars().filter(|symbol| seen.insert(*symbol));
    let symbols: Vec<char> = std::iter::once(END_SYMBOL).chain(symbols).collect();
    Vocabulary::with_padding(PADDING_SYMBOL, symbols)
}

/// Makes sure that every character can have a distinct id.
///
/// # Errors
///
/// [`TaskError::Setting`] on `field` if the alphabet is empty, or holds a character twice or
/// a control character.
pub(super) fn check_alphabet(field: &'static str, alphabet: &str) -> Result<(), TaskError> {
    let mut seen = HashSet::new();
    let refused = alphabet.chars().find(|symbol| symbol.is_control() || !seen.insert(*symbol));
    match refused {
        _ if alphabet.is_empty() => {
            Err(TaskError::setting(field, "at least one character", "none"))
        }
        Some(symbol) => {
            let expected = "printable characters, each once";
            Err(TaskError::setting(field, expected, format!("{symbol:?}")))
        }
        None => Ok(()),
    }
}

impl Canvas {
    /// A canvas for grids of up to `n_rows` by `n_columns` characters. Each character of
    /// `alphabet` occurs in it once.
    pub(super) fn new(n_rows: usize, n_columns: usize, alphabet: &str) -> Self {
        let ids = alphabet.chars().zip(END + 1..).collect();
        Self { n_rows, n_columns, alphabet: alphabet.to_owned(), ids }
    }

    /// Number of cells of the canvas.
    pub(super) fn n_cells(&self) -> usize {
        self.n_rows * self.n_columns
    }

    /// Ids of a question, `[n_cells]`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) at `place` for a grid that is larger than the
    /// canvas, or a character that is not in the alphabet.
    pub(super) fn inputs(&self, question: &Grid, place: &str) -> Result<Vec<u32>, TaskError> {
        self.encode(question, PADDING, place)
    }

    /// Ids of an answer, `[n_cells]`.
    ///
    /// # Errors
    ///
    /// As [`inputs`](Self::inputs).
    pub(super) fn labels(&self, answer: &Grid, place: &str) -> Result<Vec<u32>, TaskError> {
        self.encode(answer, END, place)
    }

    /// Ids of a grid, with `outside` where it has no cell.
    fn encode(&self, grid: &Grid, outside: u32, place: &str) -> Result<Vec<u32>, TaskError> {
        if grid.n_rows() > self.n_rows || grid.n_columns() > self.n_columns {
            let (n_rows, n_columns) = (self.n_rows, self.n_columns);
            let expected = format!("a grid of at most {n_rows} by {n_columns}");
            let found = format!("{} by {}", grid.n_rows(), grid.n_columns());
            return Err(TaskError::malformed(place, expected, found));
        }
        let mut ids = vec![outside; self.n_cells()];
        for (at, symbol) in grid.cells() {
            let Some(id) = self.ids.get(&symbol) else {
                let expected = format!("one of the characters {:?}", clipped(&self.alphabet));
                let found = format!("{} at {}", shown(symbol), cell_name(at));
                return Err(TaskError::malformed(place, expected, found));
            };
            ids[at.0 * self.n_columns + at.1] = *id;
        }
        Ok(ids)
    }

    /// The grid of the ids of a question, a label or a prediction. A row ends before the
    /// first id that has no character.
    pub(super) fn grid(&self, ids: &[u32]) -> Grid {
        let symbols: Vec<char> = self.alphabet.chars().collect();
        let symbol = |id: &u32| symbols.get(id.checked_sub(END + 1)? as usize).copied();
        let rows = ids.chunks(self.n_columns);
        Grid::new(rows.map(|row| row.iter().map_while(symbol).collect()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Characters of every width in UTF-8, some of which have a meaning in files.
    const SYMBOLS: &str = "ab0 _./é\u{301}象🙂,\"";

    fn grid(text: &str) -> Grid {
        Grid::parse(text, "test").unwrap()
    }

    /// Grids with rows of different lengths.
    fn any_grid() -> impl Strategy<Value = Grid> {
        let symbol = prop::sample::select(SYMBOLS.chars().collect::<Vec<_>>());
        let rows = prop::collection::vec(prop::collection::vec(symbol, 0..6), 1..6);
        rows.prop_map(Grid::new).prop_filter("has a cell", |grid| grid.n_rows() > 0)
    }

    #[test]
    fn questions_are_padded_and_answers_end() {
        let canvas = Canvas::new(3, 3, "ab");
        assert_eq!(canvas.n_cells(), 9);
        let ragged = grid("ab/b");
        assert_eq!(canvas.inputs(&ragged, "test").unwrap(), [2, 3, 0, 3, 0, 0, 0, 0, 0]);
        assert_eq!(canvas.labels(&ragged, "test").unwrap(), [2, 3, 1, 3, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn any_prediction_is_a_grid() {
        let canvas = Canvas::new(2, 3, "ab");
        assert_eq!(canvas.grid(&[2, 1, 3, 0, 2, 2]), grid("a"));
        assert_eq!(canvas.grid(&[1, 2, 2, 3, 99, 2]), grid("/b"));
        assert_eq!(canvas.grid(&[u32::MAX; 6]), Grid::default());
    }

    #[test]
    fn grids_that_do_not_fit_are_reported_with_their_place() {
        let message =
            |text| Canvas::new(2, 3, "ab").inputs(&grid(text), "x.csv:7").unwrap_err().to_string();
        assert_eq!(message("a/a/a"), "x.csv:7: expected a grid of at most 2 by 3, found 3 by 1");
        assert_eq!(message("abba"), "x.csv:7: expected a grid of at most 2 by 3, found 1 by 4");
        let want = "x.csv:7: expected one of the characters \"ab\", found 'é' at row 2, column 1";
        assert_eq!(message("ab/é"), want);
    }

    #[test]
    fn the_vocabulary_has_the_ids_of_the_canvas() {
        let (vocabulary, canvas) = (vocabulary(SYMBOLS), Canvas::new(1, 1, SYMBOLS));
        assert_eq!(vocabulary.len(), canvas.ids.len() + 2);
        for symbol in SYMBOLS.chars() {
            let ids = canvas.inputs(&Grid::filled(1, 1, symbol), "test").unwrap();
            assert_eq!(vocabulary.id(symbol), Some(ids[0]));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        vocabulary.save(&path).unwrap();
        assert_eq!(Vocabulary::load(&path).unwrap(), vocabulary);
        // A damaged file must not cause a panic.
        assert_eq!(super::vocabulary("a\0ba").symbols(), "\u{3}ab");
    }

    proptest! {
        #[test]
        fn encoded_grids_decode_to_themselves(grid in any_grid(), more in (0..3usize, 0..3usize)) {
            let (n_rows, n_columns) = (grid.n_rows() + more.0, grid.n_columns() + more.1);
            let canvas = Canvas::new(n_rows, n_columns, SYMBOLS);
            prop_assert_eq!(&canvas.grid(&canvas.inputs(&grid, "test").unwrap()), &grid);
            prop_assert_eq!(&canvas.grid(&canvas.labels(&grid, "test").unwrap()), &grid);
        }
    }
}
