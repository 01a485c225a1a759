//! Sudoku for the trainer: settings, encoding, augmented versions, scores.
//!
//! Token ids: 0 padding, 1 blank, 2 and up the digits, row by row.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::hash::Hash;
use std::path::PathBuf;

use hrm_base::rng::{ChaCha8Rng, stream};
use hrm_puzzles::picture::{Panel, PuzzleView, characters};
use hrm_puzzles::records::{self, Located, Record};
use hrm_puzzles::sudoku::{
    self, Board, Boards, Digits, Generator, Given, Puzzle, SIDES_IN_WORDS, Shape, Symmetry,
};
use hrm_puzzles::text::Text;
use hrm_puzzles::{Leak, Style, Verdict};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::cells::{
    Bins, CellEncoding, CellFigures, CellFiles, CellGenerator, CellKind, CellQueries, CellVersions,
    DataSettings, Figure, Questions, Sides, named,
};
use crate::{Encoding, FitToData, TaskError, Vocabulary};

/// Settings of Sudoku.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SudokuConfig {
    /// Cells per side: 4, 6, 9, 12 or 16.
    pub board: usize,
    /// Number of symmetric versions of each training puzzle, in addition to the original.
    pub augmentations: usize,
    /// Seed of built-in puzzles, augmentations and the held-out split.
    pub seed: u64,
    /// Number of built-in training puzzles, at most 1,000,000.
    pub n_train: usize,
    /// Number of built-in evaluation puzzles, at most 1,000,000. None equals a training
    /// puzzle, but on small boards some are symmetric to one.
    pub n_eval: usize,
    /// Built-in puzzles give up to this many cells beyond a minimal puzzle.
    pub reveal: usize,
    /// Smallest number of guesses that the solver needs for a built-in puzzle. If positive,
    /// puzzles are found by search and minimal, and `reveal` has no effect.
    #[serde(default)]
    pub min_rating: u64,
    /// Share of the versions of a training puzzle, beyond itself, that give more cells than
    /// the puzzle does, in `0..=1` (arXiv 2601.10679: 0.5).
    #[serde(default)]
    pub easier_share: f64,
    /// Largest number of cells that an easier version gives beyond the puzzle, at least 1.
    /// 0: all blanks but one.
    #[serde(default)]
    pub easier_max: usize,
    /// Cells are revealed in built-in evaluation puzzles until they have this many givens.
    /// 0: they stay as generated.
    #[serde(default)]
    pub eval_givens: usize,
    /// Share of data files without a test set that is held out for evaluation,
    /// `0 <= held_out < 1`.
    pub held_out: f64,
    /// Which columns of data files hold what, e.g. `question=quizzes,answer=solutions`; empty for
    /// columns with known names.
    #[serde(default)]
    pub table_columns: String,
}

/// Cells per side of the largest board.
const SIDE_MAX: usize = 16;

/// The token id of a blank; digits follow.
const BLANK_ID: u32 = 1;

impl SudokuConfig {
    /// The shape of the board.
    fn shape(&self) -> Result<Shape, TaskError> {
        Ok(Shape::new(self.board)?)
    }

    /// The shape, after [`check`](CellKind::check) has accepted it.
    fn checked_shape(&self) -> Shape {
        self.shape().expect("settings are checked before puzzles are read or sampled")
    }

    /// Question and answer as text, with these digits.
    fn drawn(&self, inputs: &[u32], labels: &[u32], style: Style, digits: Digits) -> String {
        let (question, answer) = (self.decode(inputs), self.decode(labels));
        sudoku::draw(self.checked_shape(), &question, &answer, style, digits)
    }

    /// The board of token ids; an id that is not a digit becomes a blank.
    fn decode(&self, tokens: &[u32]) -> Board {
        let shape = self.checked_shape();
        let digit = |token: &u32| {
            let digit = token.saturating_sub(BLANK_ID);
            if digit as usize <= shape.side { digit as u8 } else { 0 }
        };
        Board::new(shape, tokens.iter().map(digit).collect())
    }
}

/// Writes the token ids of a board.
fn encode(board: &Board, tokens: &mut [u32]) {
    for (token, digit) in tokens.iter_mut().zip(board.cells()) {
        *token = u32::from(*digit) + BLANK_ID;
    }
}

impl Encoding for SudokuConfig {
    fn vocabulary(&self) -> Vocabulary {
        let digits = self.shape().map_or("", Shape::digits);
        Vocabulary::new(std::iter::once('.').chain(digits.chars()))
    }

    fn n_cells(&self) -> usize {
        self.board.saturating_mul(self.board)
    }

    fn draw_panels(&self, view: &PuzzleView<'_>) -> Vec<Panel> {
        match self.shape() {
            Ok(shape) => sudoku::panels(shape, view),
            Err(_) => characters(view),
        }
    }
}

impl FitToData for SudokuConfig {
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let board = n_cells.isqrt();
        if board * board != n_cells {
            return Err(TaskError::setting("board", SIDES_IN_WORDS, format!("{n_cells} cells")));
        }
        Shape::new(board)?;
        let (reveal, eval_givens) = (self.reveal.min(n_cells), self.eval_givens.min(n_cells));
        Ok(Self { board, reveal, eval_givens, ..self })
    }

    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        // `open` reports a row that is not a board, with its line.
        let first = records::first(data, &self.checked_columns()?)?;
        match first.and_then(|located| sudoku::shape_of(&located.record.question)) {
            Some(shape) => self.with_cells(shape.n_cells()),
            None => Ok(self),
        }
    }
}

impl CellKind for SudokuConfig {
    type Puzzle = Puzzle;
    type Question = Given;

    fn name(&self) -> &'static str {
        "sudoku"
    }

    fn table_columns(&self) -> &str {
        &self.table_columns
    }

    fn data(&self) -> DataSettings {
        let &Self { seed, n_train, n_eval, held_out, .. } = self;
        DataSettings { seed, n_train, n_eval, held_out }
    }

    fn check(&self) -> Result<(), TaskError> {
        let n_cells = self.shape()?.n_cells();
        if self.augmentations > 1_000_000 {
            let found = self.augmentations;
            return Err(TaskError::setting("augmentations", "at most 1000000", found));
        }
        for (field, n) in [("reveal", self.reveal), ("eval_givens", self.eval_givens)] {
            if n > n_cells {
                let expected = format!("at most {n_cells}, the cells of the board");
                return Err(TaskError::setting(field, expected, n));
            }
        }
        if !(0.0..=1.0).contains(&self.easier_share) {
            return Err(TaskError::setting("easier_share", "in 0..=1", self.easier_share));
        }
        Ok(())
    }
}

impl CellEncoding for SudokuConfig {
    fn encode(&self, puzzle: &Puzzle, inputs: &mut [u32], labels: &mut [u32]) {
        encode(&puzzle.question, inputs);
        encode(&puzzle.answer, labels);
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        self.drawn(inputs, labels, style, Digits::FromOne)
    }
}

impl CellFiles for SudokuConfig {
    fn plain(&self) -> Self {
        Self { table_columns: String::new(), ..self.clone() }
    }

    const OF_ROWS: Option<&'static [&'static str]> = Some(&["board"]);

    fn read(&self, located: &Located) -> Result<Puzzle, TaskError> {
        Ok(Puzzle::from_record(located, self.checked_shape())?)
    }

    fn unread(&self, located: &Located, puzzle: &Puzzle) -> Option<&'static str> {
        let is_filled = !located.record.rating.trim().is_empty();
        (is_filled && puzzle.rating.is_none()).then_some("rating")
    }

    fn to_record(&self, puzzle: &Puzzle) -> Record {
        puzzle.to_record()
    }
}

impl CellGenerator for SudokuConfig {
    const OF_GENERATOR: &'static [&'static str] =
        &["n_train", "n_eval", "reveal", "min_rating", "eval_givens"];

    const EVAL_FIRST: bool = false;
    type Sampler<'a> = Generator;

    fn sampler(&self) -> Result<Generator, TaskError> {
        Ok(Generator::new(self.shape()?))
    }

    fn sample(&self, generator: &Generator, rng: &mut ChaCha8Rng) -> Result<Puzzle, TaskError> {
        let (question, answer) = match self.min_rating {
            0 => generator.puzzle(self.reveal, rng),
            min_rating => generator.hard_puzzle(min_rating, rng).map_err(|n_tried| {
                let side = self.board;
                let expected =
                    format!("a rating that one of {n_tried} puzzles of side {side} reaches");
                TaskError::setting("min_rating", expected, min_rating)
            })?,
        };
        Ok(Puzzle { question, answer, rating: None })
    }

    fn identity(&self, puzzle: &Puzzle) -> impl Hash + use<> {
        puzzle.question.clone()
    }

    fn rate(&self, generator: &Generator, puzzle: Puzzle) -> Puzzle {
        Puzzle { rating: Some(generator.rate(&puzzle.question)), ..puzzle }
    }

    fn adapt_eval(&self, idx: usize, Puzzle { question, answer, .. }: &mut Puzzle) {
        let n = self.eval_givens.saturating_sub(question.n_givens());
        let rng = &mut stream(self.seed, &format!("sudoku givens {idx}"));
        sudoku::reveal(question, answer, n, rng);
    }

    fn question_text(&self, puzzle: &Puzzle) -> String {
        puzzle.question.to_text()
    }
}

impl CellVersions for SudokuConfig {
    fn n_versions(&self) -> usize {
        1 + self.augmentations
    }

    /// A random symmetry of the puzzle; a share of the versions gives more cells.
    fn version<'a>(&self, puzzle: &'a Puzzle, group: usize, version: usize) -> Cow<'a, Puzzle> {
        let shape = self.checked_shape();
        let rng = &mut stream(self.seed, &format!("sudoku version {group} {version}"));
        let symmetry = Symmetry::random(shape, rng);
        let mut question = symmetry.apply(shape, &puzzle.question);
        let answer = symmetry.apply(shape, &puzzle.answer);
        let n_blank = shape.n_cells() - question.n_givens();
        let n_max = match self.easier_max {
            0 => n_blank.saturating_sub(1),
            n_max => n_blank.min(n_max),
        };
        if n_max > 0 && rng.random_bool(self.easier_share) {
            let n = rng.random_range(1..=n_max as u32) as usize;
            sudoku::reveal(&mut question, &answer, n, rng);
        }
        Cow::Owned(Puzzle { question, answer, rating: None })
    }
}

impl CellQueries for SudokuConfig {
    fn parse(&self, text: Text) -> Result<Questions<Given>, TaskError> {
        let boards = Boards::new(self.shape()?, text, &self.checked_columns()?)?;
        Ok(Box::new(boards.map(|given| Ok(given?))))
    }

    fn inputs(&self, question: &Given) -> Result<Vec<u32>, TaskError> {
        let mut inputs = vec![0; self.n_cells()];
        encode(&question.board, &mut inputs);
        Ok(inputs)
    }

    fn is_given(&self, input: u32) -> bool {
        input > BLANK_ID
    }

    fn to_text(&self, question: &Given, ids: &[u32]) -> String {
        self.decode(ids).written(self.checked_shape(), question.digits)
    }

    fn draw_answer(
        &self,
        question: &Given,
        inputs: &[u32],
        tokens: &[u32],
        style: Style,
    ) -> String {
        self.drawn(inputs, tokens, style, question.digits)
    }

    fn verdict(&self, question: &Given, tokens: &[u32]) -> Verdict {
        let checked = self.decode(tokens).check_answer(self.checked_shape(), &question.board);
        checked.map_or_else(Verdict::Invalid, |()| Verdict::Valid)
    }

    fn score_names(&self) -> &'static [&'static str] {
        &["valid"]
    }

    fn scores(&self, inputs: &[u32], tokens: &[u32]) -> Vec<bool> {
        let checked = self.decode(tokens).check_answer(self.checked_shape(), &self.decode(inputs));
        vec![checked.is_ok()]
    }

    fn is_answer(&self, inputs: &[u32], tokens: &[u32]) -> bool {
        let shape = self.checked_shape();
        let mut cells = inputs.iter().zip(tokens).enumerate();
        // The digits of each row, column and box.
        let mut seen = [[0u32; SIDE_MAX]; 3];
        tokens.len() == shape.n_cells()
            && cells.all(|(cell, (input, token))| {
                let is_kept = *input <= BLANK_ID || input == token;
                let digit = token.saturating_sub(BLANK_ID);
                let bit = 1u32.checked_shl(digit).unwrap_or(0);
                let mut is_new = (1..=shape.side as u32).contains(&digit);
                for (units, unit) in seen.iter_mut().zip(shape.units_of(cell)) {
                    is_new &= units[unit] & bit == 0;
                    units[unit] |= bit;
                }
                is_kept && is_new
            })
    }
}

impl CellFigures for SudokuConfig {
    fn figures(&self) -> Vec<Figure<Self>> {
        let guesses = |config: &Self, puzzle: &Puzzle| {
            Some(Generator::new(config.checked_shape()).rate(&puzzle.question))
        };
        vec![
            Figure {
                name: "givens",
                bins: Some(Bins::Equal),
                of: |_, puzzle| Some(puzzle.question.n_givens() as u64),
            },
            Figure { name: "guesses", bins: Some(Bins::Doubling), of: guesses },
            Figure {
                name: "rating in file",
                bins: Some(Bins::Doubling),
                of: |_, puzzle| puzzle.rating,
            },
        ]
    }

    fn leaks(&self, sides: &Sides<Puzzle>) -> Vec<Leak> {
        let questions = |side| named(side, |puzzle: &Puzzle| &puzzle.question);
        sudoku::leaks(self.checked_shape(), &questions(&sides.train), &questions(&sides.eval))
    }
}
