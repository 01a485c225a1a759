//! The characters of a puzzle to draw, and the default appearance of puzzles.

use std::ops::Range;

use super::{Cell, Colour, Panel};

/// The character of a cell. `None` is a cell outside the puzzle or, in an answer, a cell
/// without a label.
pub type Symbol = Option<char>;

/// One puzzle, row by row, `[n_cells]` symbols each. Cells beyond the end of a slice
/// have no symbol.
#[derive(Clone, Copy, Debug)]
pub struct PuzzleView<'a> {
    /// The question.
    pub question: &'a [Symbol],
    /// The answer of a model, if there is one.
    pub prediction: Option<&'a [Symbol]>,
    /// The expected answer.
    pub answer: &'a [Symbol],
}

/// One of the grids of a puzzle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The question.
    Question,
    /// The answer of a model.
    Prediction,
    /// The expected answer.
    Answer,
}

impl PuzzleView<'_> {
    /// The parts to draw, in order.
    pub fn parts(&self) -> &'static [Part] {
        match self.prediction {
            None => &[Part::Question, Part::Answer],
            Some(_) => &[Part::Question, Part::Prediction, Part::Answer],
        }
    }

    /// Number of cells of the longest part.
    pub fn n_cells(&self) -> usize {
        self.parts().iter().map(|part| self.symbols(*part).len()).max().unwrap_or(0)
    }

    /// The symbol of a cell.
    pub fn symbol(&self, part: Part, cell: usize) -> Symbol {
        self.symbols(part).get(cell).copied().flatten()
    }

    /// Whether an answer is expected in a cell.
    pub fn has_label(&self, cell: usize) -> bool {
        self.symbol(Part::Answer, cell).is_some()
    }

    /// Whether the prediction of a cell differs from the expected answer.
    pub fn is_wrong(&self, cell: usize) -> bool {
        let differs = || self.symbol(Part::Prediction, cell) != self.symbol(Part::Answer, cell);
        self.prediction.is_some() && self.has_label(cell) && differs()
    }

    /// Number of cells with an expected answer.
    pub fn n_labels(&self) -> usize {
        (0..self.answer.len()).filter(|cell| self.has_label(*cell)).count()
    }

    /// Number of cells whose prediction is wrong.
    pub fn n_wrong(&self) -> usize {
        (0..self.answer.len()).filter(|cell| self.is_wrong(*cell)).count()
    }

    /// Draws the cells of a part inside `window`; `look` maps the index of a cell to its
    /// appearance. Wrong cells of the prediction are marked.
    pub fn panel(&self, part: Part, window: &Window, look: impl Fn(usize) -> Cell) -> Panel {
        let heading = match part {
            Part::Question => "input",
            Part::Prediction => "prediction",
            Part::Answer if self.prediction.is_none() => "answer",
            Part::Answer => "truth",
        };
        let size = (window.rows.len(), window.cols.len());
        Panel::from_fn(heading, size, |row, col| {
            let cell = (window.rows.start + row) * window.n_cols + window.cols.start + col;
            let is_wrong = part == Part::Prediction && self.is_wrong(cell);
            Cell { is_wrong, ..look(cell) }
        })
    }

    fn symbols(&self, part: Part) -> &[Symbol] {
        match part {
            Part::Question => self.question,
            Part::Prediction => self.prediction.unwrap_or_default(),
            Part::Answer => self.answer,
        }
    }
}

/// A rectangle of the cells of a puzzle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Number of columns of the whole puzzle.
    pub n_cols: usize,
    /// Range of rows.
    pub rows: Range<usize>,
    /// Range of columns.
    pub cols: Range<usize>,
}

impl Window {
    /// All cells of a square puzzle.
    pub fn square(side: usize) -> Self {
        Self::whole(side, side)
    }

    /// All cells of a puzzle of this many rows and columns.
    pub fn whole(n_rows: usize, n_cols: usize) -> Self {
        Self { n_cols, rows: 0..n_rows, cols: 0..n_cols }
    }

    /// The smallest rectangle of a square that contains every cell with `is_inside`;
    /// `None` without any.
    pub fn around(side: usize, is_inside: impl Fn(usize) -> bool) -> Option<Self> {
        let mut found: Option<Self> = None;
        for cell in (0..side * side).filter(|cell| is_inside(*cell)) {
            let (row, col) = (cell / side, cell % side);
            let window =
                found.get_or_insert(Self { n_cols: side, rows: row..row + 1, cols: col..col + 1 });
            window.rows.end = row + 1;
            window.cols.start = window.cols.start.min(col);
            window.cols.end = window.cols.end.max(col + 1);
        }
        found
    }
}

/// Draws a puzzle of unknown shape: its characters, arranged in a square.
pub fn characters(view: &PuzzleView<'_>) -> Vec<Panel> {
    let n_cells = view.n_cells();
    let root = n_cells.isqrt();
    characters_in_rows(if root * root == n_cells { root } else { root + 1 }, view)
}

/// Draws a puzzle with rows of `n_cols` cells: its characters. Cells outside the puzzle
/// and control characters are grey.
pub fn characters_in_rows(n_cols: usize, view: &PuzzleView<'_>) -> Vec<Panel> {
    let n_rows = view.n_cells().div_ceil(n_cols.max(1));
    let window = Window { n_cols, rows: 0..n_rows, cols: 0..n_cols };
    let panel = |part: &Part| {
        view.panel(*part, &window, |cell| match view.symbol(*part, cell) {
            None => Cell::plain(OUTSIDE),
            Some(symbol) if symbol.is_control() => Cell::plain(OUTSIDE),
            Some(' ') => Cell::plain(WHITE),
            Some(char::REPLACEMENT_CHARACTER) => Cell::unknown(),
            Some(symbol) => Cell::with_symbol(symbol, BLACK, WHITE),
        })
    };
    view.parts().iter().map(panel).collect()
}

const OUTSIDE: Colour = [225, 225, 225];
const WHITE: Colour = [255, 255, 255];
const BLACK: Colour = [0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_puzzle_can_be_drawn_by_its_characters() {
        let prediction = [Some('b'), Some(' '), Some(char::REPLACEMENT_CHARACTER)];
        let answer = [Some('b'), None, Some('a')];
        let view = PuzzleView {
            question: &[Some(' '), Some('a')],
            prediction: Some(&prediction),
            answer: &answer,
        };
        let panels = characters(&view);
        let text = |panel: &Panel| -> (String, String) {
            let symbol = |cell: &Cell| cell.symbol.unwrap_or('-');
            (panel.heading.clone(), panel.cells().iter().map(symbol).collect())
        };
        let want = [("input", "-a--"), ("prediction", "b-?-"), ("truth", "b-a-")];
        let want = want.map(|(heading, cells)| (heading.to_owned(), cells.to_owned()));
        assert_eq!(panels.iter().map(text).collect::<Vec<_>>(), want);
        assert_eq!((panels[0].n_rows(), panels[0].n_cols()), (2, 2));
        assert_eq!((view.n_labels(), view.n_wrong()), (2, 1));

        let without = PuzzleView { prediction: None, ..view };
        let panels = characters(&without);
        assert_eq!(
            panels.iter().map(|p| p.heading.as_str()).collect::<Vec<_>>(),
            ["input", "answer"]
        );
        assert_eq!(without.n_wrong(), 0);
    }

    #[test]
    fn a_window_is_as_small_as_possible() {
        let found = Window::around(4, |cell| [6, 9].contains(&cell)).unwrap();
        assert_eq!(found, Window { n_cols: 4, rows: 1..3, cols: 1..3 });
        assert_eq!(Window::around(4, |_| true), Some(Window::square(4)));
        assert_eq!(Window::around(4, |_| false), None);
        assert_eq!(Window::around(0, |_| true), None);
    }

    fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
        let symbol = prop::option::of(prop::sample::select(vec![' ', 'a', 'b', '\u{3}']));
        prop::collection::vec(symbol, 0..20)
    }

    proptest! {
        /// The slices have any contents and lengths.
        #[test]
        fn exactly_the_wrong_cells_of_the_prediction_are_marked(
            question in symbols(), prediction in symbols(), answer in symbols(),
        ) {
            let view =
                PuzzleView { question: &question, prediction: Some(&prediction), answer: &answer };
            let panels = characters(&view);
            let marks = |panel: &Panel| -> Vec<usize> {
                let cells = panel.cells().iter().enumerate();
                cells.filter(|(_, cell)| cell.is_wrong).map(|(idx, _)| idx).collect()
            };
            let symbol = |symbols: &[Symbol], idx: usize| symbols.get(idx).copied().flatten();
            let is_wrong = |idx: &usize| {
                let label = symbol(&answer, *idx);
                label.is_some() && label != symbol(&prediction, *idx)
            };
            let wrong: Vec<usize> = (0..20).filter(is_wrong).collect();
            prop_assert_eq!(marks(&panels[1]), wrong);
            prop_assert!(marks(&panels[0]).is_empty() && marks(&panels[2]).is_empty());
        }
    }
}
