//! What there is to draw of a puzzle, and the look that every puzzle has.

use std::ops::Range;

use hrm_train::task::PADDING;

use super::{Cell, Panel};
use crate::Vocabulary;

/// Token ids of one puzzle, row by row, `[n_cells]` each. Whatever a slice is
/// too short for is padding.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The question.
    pub inputs: &'a [u32],
    /// What a model answered; `None` if none was asked.
    pub prediction: Option<&'a [u32]>,
    /// The right answer; [`PADDING`] is not asked for.
    pub labels: &'a [u32],
}

/// One of the grids of a puzzle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The question.
    Input,
    /// What a model answered.
    Prediction,
    /// The right answer.
    Truth,
}

impl Shown<'_> {
    /// The parts that there are, in the order in which they are drawn.
    pub fn parts(&self) -> &'static [Part] {
        match self.prediction {
            None => &[Part::Input, Part::Truth],
            Some(_) => &[Part::Input, Part::Prediction, Part::Truth],
        }
    }

    /// Cells of the longest part.
    pub fn n_cells(&self) -> usize {
        self.parts().iter().map(|part| self.ids(*part).len()).max().unwrap_or(0)
    }

    /// The token id of a cell.
    pub fn id(&self, part: Part, cell: usize) -> u32 {
        self.ids(part).get(cell).copied().unwrap_or(PADDING)
    }

    /// Whether a cell carries a label.
    pub fn is_asked(&self, cell: usize) -> bool {
        self.id(Part::Truth, cell) != PADDING
    }

    /// Whether a cell carries a label, and the prediction is another.
    pub fn is_wrong(&self, cell: usize) -> bool {
        let differs = || self.id(Part::Prediction, cell) != self.id(Part::Truth, cell);
        self.prediction.is_some() && self.is_asked(cell) && differs()
    }

    /// Cells that carry a label.
    pub fn n_asked(&self) -> usize {
        (0..self.labels.len()).filter(|cell| self.is_asked(*cell)).count()
    }

    /// Those of them whose prediction is wrong.
    pub fn n_wrong(&self) -> usize {
        (0..self.labels.len()).filter(|cell| self.is_wrong(*cell)).count()
    }

    /// The cells of a part that `window` frames, as `look` has them by index;
    /// wrong cells of the prediction are marked.
    pub fn panel(&self, part: Part, window: &Window, look: impl Fn(usize) -> Cell) -> Panel {
        let heading = match part {
            Part::Input => "input",
            Part::Prediction => "prediction",
            Part::Truth if self.prediction.is_none() => "answer",
            Part::Truth => "truth",
        };
        let size = (window.rows.len(), window.cols.len());
        Panel::from_fn(heading, size, |row, col| {
            let cell = (window.rows.start + row) * window.n_cols + window.cols.start + col;
            let is_wrong = part == Part::Prediction && self.is_wrong(cell);
            Cell { is_wrong, ..look(cell) }
        })
    }

    fn ids(&self, part: Part) -> &[u32] {
        match part {
            Part::Input => self.inputs,
            Part::Prediction => self.prediction.unwrap_or_default(),
            Part::Truth => self.labels,
        }
    }
}

/// A rectangle of the cells of a puzzle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Columns of the whole puzzle.
    pub n_cols: usize,
    /// Rows inside.
    pub rows: Range<usize>,
    /// Columns inside.
    pub cols: Range<usize>,
}

impl Window {
    /// A whole square.
    pub fn square(side: usize) -> Self {
        Self { n_cols: side, rows: 0..side, cols: 0..side }
    }

    /// The smallest rectangle of a square that holds every cell that
    /// `is_inside`; `None` without any.
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

/// The look of a puzzle of which only the vocabulary is known: its characters,
/// in a square.
pub fn characters(vocabulary: &Vocabulary, shown: &Shown<'_>) -> Vec<Panel> {
    let n_cells = shown.n_cells();
    let root = n_cells.isqrt();
    characters_in_rows(vocabulary, if root * root == n_cells { root } else { root + 1 }, shown)
}

/// The look of a puzzle whose rows are `n_cols` long: its characters. Cells
/// outside of a grid, and signs that mark them, are grey.
pub fn characters_in_rows(vocabulary: &Vocabulary, n_cols: usize, shown: &Shown<'_>) -> Vec<Panel> {
    let n_rows = shown.n_cells().div_ceil(n_cols.max(1));
    let window = Window { n_cols, rows: 0..n_rows, cols: 0..n_cols };
    let outside = Cell::plain([225, 225, 225]);
    let panel = |part: &Part| {
        shown.panel(*part, &window, |cell| match shown.id(*part, cell) {
            PADDING => outside,
            id => match vocabulary.symbol(id) {
                Some(sign) if sign.is_control() => outside,
                Some(' ') => Cell::plain([255, 255, 255]),
                Some(symbol) => Cell::with_symbol(symbol, [0, 0, 0], [255, 255, 255]),
                None => Cell::unknown(),
            },
        })
    };
    shown.parts().iter().map(panel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_puzzle_is_drawn_by_its_characters() {
        let vocabulary = Vocabulary::new(" ab".chars());
        let prediction = [3, 1, 9];
        let shown = Shown { inputs: &[1, 2], prediction: Some(&prediction), labels: &[3, 0, 2] };
        let panels = characters(&vocabulary, &shown);
        let drawn = |panel: &Panel| -> (String, String) {
            let symbol = |cell: &Cell| cell.symbol.unwrap_or('-');
            (panel.heading.clone(), panel.cells().iter().map(symbol).collect())
        };
        let want = [("input", "-a--"), ("prediction", "b-?-"), ("truth", "b-a-")];
        let want = want.map(|(heading, cells)| (heading.to_owned(), cells.to_owned()));
        assert_eq!(panels.iter().map(drawn).collect::<Vec<_>>(), want);
        assert_eq!((panels[0].n_rows(), panels[0].n_cols()), (2, 2));
        assert_eq!((shown.n_asked(), shown.n_wrong()), (2, 1));

        let without = Shown { prediction: None, ..shown };
        let panels = characters(&vocabulary, &without);
        assert_eq!(
            panels.iter().map(|p| p.heading.as_str()).collect::<Vec<_>>(),
            ["input", "answer"]
        );
        assert_eq!(without.n_wrong(), 0);
    }

    #[test]
    fn a_window_is_as_small_as_can_be() {
        let found = Window::around(4, |cell| [6, 9].contains(&cell)).unwrap();
        assert_eq!(found, Window { n_cols: 4, rows: 1..3, cols: 1..3 });
        assert_eq!(Window::around(4, |_| true), Some(Window::square(4)));
        assert_eq!(Window::around(4, |_| false), None);
        assert_eq!(Window::around(0, |_| true), None);
    }

    proptest! {
        /// Whatever the slices hold and however long they are.
        #[test]
        fn exactly_the_wrong_cells_of_the_prediction_are_marked(
            inputs in prop::collection::vec(0u32..6, 0..20),
            prediction in prop::collection::vec(0u32..6, 0..20),
            labels in prop::collection::vec(0u32..6, 0..20),
        ) {
            let shown =
                Shown { inputs: &inputs, prediction: Some(&prediction), labels: &labels };
            let panels = characters(&Vocabulary::new("abc".chars()), &shown);
            let marks = |panel: &Panel| -> Vec<usize> {
                let cells = panel.cells().iter().enumerate();
                cells.filter(|(_, cell)| cell.is_wrong).map(|(idx, _)| idx).collect()
            };
            let id = |ids: &[u32], idx: usize| ids.get(idx).copied().unwrap_or(0);
            let is_wrong = |idx: &usize| {
                let label = id(&labels, *idx);
                label != 0 && label != id(&prediction, *idx)
            };
            let wrong: Vec<usize> = (0..20).filter(is_wrong).collect();
            prop_assert_eq!(marks(&panels[1]), wrong);
            prop_assert!(marks(&panels[0]).is_empty() && marks(&panels[2]).is_empty());
        }
    }
}
