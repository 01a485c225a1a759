//! Sudoku as the trainer and the command line see it.

use std::collections::HashSet;
use std::path::PathBuf;

use hrm_train::rng::stream;
use hrm_train::task::{BLANK_PUZZLE, Examples, Predicted, RowId, RowMut, Scorer, Task};
use serde::{Deserialize, Serialize};

use super::generate::Generator;
use super::{Board, Shape, Symmetry, draw, pose};
use crate::figures::spread;
use crate::records::{self, Located, Record};
use crate::{Family, Posed, PuzzleTask, Style, TaskError, Vocabulary};

/// Puzzles rated for statistics, at most.
const N_RATED_MAX: usize = 1000;

/// Settings of Sudoku.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SudokuConfig {
    /// Cells per side: 4, 6, 9 or 16.
    pub board: usize,
    /// Symmetric versions of each training puzzle beyond itself.
    pub augmentations: usize,
    /// Decides built-in puzzles, augmentations and what is held out.
    pub seed: u64,
    /// Built-in training puzzles.
    pub n_train: usize,
    /// Built-in evaluation puzzles. None equals a training puzzle, though
    /// small boards have few puzzles that are not symmetric to each other.
    pub n_eval: usize,
    /// Built-in puzzles give up to this many cells beyond a minimal puzzle.
    pub reveal: usize,
    /// Share of data files without a test set that is kept for evaluation, in
    /// `0..1`.
    pub held_out: f64,
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Puzzle {
    question: Board,
    answer: Board,
}

impl SudokuConfig {
    fn shape(&self) -> Result<Shape, TaskError> {
        Shape::new(self.board)
    }

    /// The settings if they are in range.
    fn check(&self) -> Result<Shape, TaskError> {
        let shape = self.shape()?;
        if !(0.0..1.0).contains(&self.held_out) {
            return Err(TaskError::setting("held_out", "in 0..1", self.held_out));
        }
        if self.augmentations > 1_000_000 {
            let found = self.augmentations;
            return Err(TaskError::setting("augmentations", "at most 1000000", found));
        }
        if self.reveal > shape.n_cells() {
            let expected = format!("at most {}, the cells of the board", shape.n_cells());
            return Err(TaskError::setting("reveal", expected, self.reveal));
        }
        Ok(shape)
    }

    /// `n` generated puzzles that are not in `taken`, added to it.
    fn built_in(
        &self,
        n: usize,
        purpose: &str,
        seed: u64,
        taken: &mut HashSet<Board>,
    ) -> Result<Vec<Puzzle>, TaskError> {
        let generator = Generator::new(self.shape()?);
        let mut puzzles = Vec::with_capacity(n.min(1 << 20));
        // A small board has finitely many puzzles: give up when hardly any new
        // one comes.
        for attempt in 0..(n as u64).saturating_mul(20).saturating_add(100) {
            if puzzles.len() == n {
                break;
            }
            let rng = &mut stream(seed, &format!("sudoku {purpose} {attempt}"));
            let (question, answer) = generator.puzzle(self.reveal, rng);
            if taken.insert(question.clone()) {
                puzzles.push(Puzzle { question, answer });
            }
        }
        if puzzles.len() < n {
            let found = format!("{n} (found {} different ones)", puzzles.len());
            return Err(TaskError::setting(
                if purpose == "train" { "n_train" } else { "n_eval" },
                "a number of different puzzles that the board has",
                found,
            ));
        }
        Ok(puzzles)
    }

    fn read(&self, located: &[Located]) -> Result<Vec<Puzzle>, TaskError> {
        let shape = self.shape()?;
        located.iter().map(|l| read_puzzle(shape, &l.record, &l.place)).collect()
    }

    fn task(
        &self,
        train: Vec<Puzzle>,
        eval: Vec<Puzzle>,
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let shape = self.check()?;
        let Self { augmentations, seed, .. } = *self;
        Ok(Box::new(SudokuTask {
            shape,
            vocabulary: self.vocabulary(),
            train: Puzzles { shape, puzzles: train, n_versions: 1 + augmentations, seed },
            eval: Puzzles { shape, puzzles: eval, n_versions: 1, seed },
            identifiers: vec!["<blank>".to_owned()],
        }))
    }
}

impl Family for SudokuConfig {
    fn vocabulary(&self) -> Vocabulary {
        let digits = self.shape().map_or("", Shape::digits);
        Vocabulary::new(std::iter::once('.').chain(digits.chars()))
    }

    fn n_cells(&self) -> usize {
        self.board.saturating_mul(self.board)
    }

    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.check()?;
        if data.is_empty() {
            let mut taken = HashSet::new();
            let train = self.built_in(self.n_train, "train", self.seed, &mut taken)?;
            let eval = self.built_in(self.n_eval, "eval", self.seed, &mut taken)?;
            return self.task(train, eval);
        }
        let split = records::split(data, self.held_out, self.seed)?;
        self.task(self.read(&split.train)?, self.read(&split.eval)?)
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        _identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.check()?;
        let eval = if data.is_empty() {
            let mut taken = HashSet::new();
            self.built_in(self.n_train, "train", self.seed, &mut taken)?;
            self.built_in(self.n_eval, "eval", self.seed, &mut taken)?
        } else {
            self.read(&records::for_eval(data)?)?
        };
        self.task(Vec::new(), eval)
    }

    fn pose(
        &self,
        text: &str,
        place: &str,
        _identifiers: &[String],
    ) -> Result<Vec<Box<dyn Posed>>, TaskError> {
        pose::pose(self.shape()?, text, place)
    }

    fn example(&self, seed: u64) -> Result<String, TaskError> {
        let shape = self.check()?;
        let rng = &mut stream(seed, "sudoku example");
        let (question, _) = Generator::new(shape).puzzle(self.reveal, rng);
        Ok(question.to_text())
    }

    fn generate(&self, n: usize, seed: u64) -> Result<String, TaskError> {
        let generator = Generator::new(self.check()?);
        let puzzles = self.built_in(n, "train", seed, &mut HashSet::new())?;
        let records: Vec<Record> = puzzles
            .iter()
            .map(|puzzle| Record {
                source: "generated".to_owned(),
                question: puzzle.question.to_text(),
                answer: puzzle.answer.to_text(),
                rating: generator.rate(&puzzle.question).to_string(),
            })
            .collect();
        Ok(records::to_text(&records))
    }

    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let board = n_cells.isqrt();
        if board * board != n_cells {
            return Err(TaskError::setting("board", "4, 6, 9 or 16", format!("{n_cells} cells")));
        }
        Shape::new(board)?;
        Ok(Self { board, ..self })
    }

    fn cells_in(&self, data: &[PathBuf]) -> Result<Option<usize>, TaskError> {
        // A row of no board is reported by `open`, with its line.
        let is_board = |n: &usize| n.isqrt().pow(2) == *n && Shape::new(n.isqrt()).is_ok();
        Ok(records::n_cells(data)?.filter(is_board))
    }
}

/// A record whose question and answer belong together.
fn read_puzzle(shape: Shape, record: &Record, place: &str) -> Result<Puzzle, TaskError> {
    let field = |name: &str| format!("{place}: field `{name}`");
    let question = Board::parse(shape, &record.question, &field("question"))?;
    let answer = Board::parse(shape, &record.answer, &field("answer"))?;
    let refused =
        |expected: &str, found: String| Err(TaskError::malformed(field("answer"), expected, found));
    if let Some(cell) = answer.cells().iter().position(|digit| *digit == 0) {
        return refused("a digit in every cell", format!("a blank at {}", shape.name_of(cell)));
    }
    if let Some(clash) = answer.clash(shape) {
        return refused("a board that obeys the rules", clash.to_string());
    }
    if !answer.keeps(&question) {
        return refused("the givens of the question", "other digits".to_owned());
    }
    Ok(Puzzle { question, answer })
}

/// Token ids of a board.
pub(super) fn encode(board: &Board) -> Vec<u32> {
    board.cells().iter().map(|digit| u32::from(*digit) + 1).collect()
}

/// The board of token ids; whatever is no digit is blank.
pub(super) fn decode(shape: Shape, tokens: &[u32]) -> Board {
    let digit = |token: &u32| match token.checked_sub(1) {
        Some(digit) if digit as usize <= shape.side => digit as u8,
        _ => 0,
    };
    Board::new(shape, tokens.iter().map(digit).collect())
}

/// Puzzles with symmetric versions.
struct Puzzles {
    shape: Shape,
    puzzles: Vec<Puzzle>,
    n_versions: usize,
    seed: u64,
}

impl Examples for Puzzles {
    fn n_groups(&self) -> usize {
        self.puzzles.len()
    }

    fn n_versions(&self, _group: usize) -> usize {
        self.n_versions
    }

    fn n_rows(&self, _group: usize, _version: usize) -> usize {
        1
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let Puzzle { question, answer } = &self.puzzles[at.group];
        let (mut inputs, mut labels) = (encode(question), encode(answer));
        if at.version > 0 {
            let purpose = format!("sudoku version {} {}", at.group, at.version);
            let symmetry = Symmetry::random(self.shape, &mut stream(self.seed, &purpose));
            inputs = encode(&symmetry.apply(self.shape, question));
            labels = encode(&symmetry.apply(self.shape, answer));
        }
        row.inputs.copy_from_slice(&inputs);
        row.labels.copy_from_slice(&labels);
        *row.puzzle_id = BLANK_PUZZLE;
    }
}

/// Sudoku with its data.
struct SudokuTask {
    shape: Shape,
    vocabulary: Vocabulary,
    train: Puzzles,
    eval: Puzzles,
    identifiers: Vec<String>,
}

impl Task for SudokuTask {
    fn name(&self) -> &'static str {
        "sudoku"
    }

    fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    fn n_cells(&self) -> usize {
        self.shape.n_cells()
    }

    fn n_puzzle_ids(&self) -> usize {
        self.identifiers.len()
    }

    fn train(&self) -> &dyn Examples {
        &self.train
    }

    fn eval(&self) -> &dyn Examples {
        &self.eval
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        Box::new(Validity { shape: self.shape, n_rows: 0, n_valid: 0 })
    }
}

impl PuzzleTask for SudokuTask {
    fn identifiers(&self) -> &[String] {
        &self.identifiers
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        let (question, answer) = (decode(self.shape, inputs), decode(self.shape, labels));
        draw::side_by_side(self.shape, &question, &answer, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let puzzles = || self.train.puzzles.iter().chain(&self.eval.puzzles);
        let mut stats = vec![
            ("training puzzles".to_owned(), self.train.puzzles.len() as f64),
            ("evaluation puzzles".to_owned(), self.eval.puzzles.len() as f64),
            ("versions per training puzzle".to_owned(), self.train.n_versions as f64),
        ];
        stats.extend(spread("givens", puzzles().map(|p| p.question.n_givens() as u64)));
        let generator = Generator::new(self.shape);
        let rated = puzzles().take(N_RATED_MAX).map(|p| generator.rate(&p.question));
        stats.extend(spread("guesses", rated));
        stats
    }
}

/// Share of answers that obey the rules, whatever the label.
struct Validity {
    shape: Shape,
    n_rows: u64,
    n_valid: u64,
}

impl Scorer for Validity {
    fn add(&mut self, predicted: Predicted<'_>) {
        let question = decode(self.shape, predicted.inputs);
        let answer = decode(self.shape, predicted.tokens);
        self.n_rows += 1;
        self.n_valid += u64::from(answer.is_solved(self.shape) && answer.keeps(&question));
    }

    fn finish(self: Box<Self>) -> Vec<(&'static str, f64)> {
        vec![("valid", self.n_valid as f64 / self.n_rows.max(1) as f64)]
    }
}
