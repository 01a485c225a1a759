//! Sudoku as the trainer and the command line see it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use hrm_base::rng::stream;
use hrm_train::task::{
    BLANK_PUZZLE, Examples, Prediction, Report, RowId, RowMut, ScoreError, Scorer, Task,
};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::generate::{Generator, give};
use super::{Board, Shape, Symmetry, draw, picture, pose, same};
use crate::drawing::{self, Taken};
use crate::figures::{by_doubling, by_value, spread};
use crate::picture::{Panel, Shown, characters};
use crate::published::{self, Imported, Layout};
use crate::records::{self, Located, Record};
use crate::{
    Distribution, Family, Interpreter, Leak, NameOf, Posed, PuzzleTask, Style, TaskError,
    Vocabulary,
};

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
    /// Built-in puzzles take the solver at least this many guesses. If positive,
    /// they are searched for and minimal, whatever `reveal` says.
    #[serde(default)]
    pub min_rating: u64,
    /// Share of the versions of a training puzzle, beyond itself, that give more
    /// cells than the puzzle does, in `0..=1` (arXiv 2601.10679: 0.5).
    #[serde(default)]
    pub easier_share: f64,
    /// Cells that an easier version gives beyond the puzzle, at most; at least
    /// it gives 1. 0: all blanks but one.
    #[serde(default)]
    pub easier_max: usize,
    /// Built-in evaluation puzzles give cells until they are this many, if they
    /// do not already. 0: as drawn.
    #[serde(default)]
    pub eval_givens: usize,
    /// Share of data files without a test set that is kept for evaluation, in
    /// `0..1`.
    pub held_out: f64,
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Puzzle {
    question: Board,
    answer: Board,
    /// How hard it is, as its file has it.
    rating: Option<u64>,
    /// File and line; empty for built-in puzzles.
    place: String,
}

impl Puzzle {
    fn to_record(&self) -> Record {
        Record {
            source: if self.place.is_empty() { "generated" } else { "" }.to_owned(),
            question: self.question.to_text(),
            answer: self.answer.to_text(),
            rating: self.rating.map_or(String::new(), |rating| rating.to_string()),
        }
    }
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
        if !(0.0..=1.0).contains(&self.easier_share) {
            return Err(TaskError::setting("easier_share", "in 0..=1", self.easier_share));
        }
        if self.eval_givens > shape.n_cells() {
            let expected = format!("at most {}, the cells of the board", shape.n_cells());
            return Err(TaskError::setting("eval_givens", expected, self.eval_givens));
        }
        Ok(shape)
    }

    /// Shows `each` of `n` generated puzzles that are not in `taken`, which they
    /// then are; with ratings if they are asked for.
    fn draw(
        &self,
        wanted: (&'static str, usize),
        seed: u64,
        taken: &mut Taken,
        is_rated: bool,
        each: impl FnMut(Puzzle) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let generator = Generator::new(self.shape()?);
        let draw = |attempt: u64| {
            let rng = &mut stream(seed, &format!("sudoku {} {attempt}", wanted.0));
            let (question, answer) = self.puzzle(&generator, rng)?;
            let rating = is_rated.then(|| generator.rate(&question));
            Ok(Puzzle { question, answer, rating, place: String::new() })
        };
        drawing::distinct(wanted, draw, |puzzle| puzzle.question.clone(), taken, each)
    }

    /// The built-in training and evaluation puzzles.
    fn built_in(&self) -> Result<[Vec<Puzzle>; 2], TaskError> {
        let (mut taken, mut sides) = (Taken::default(), [Vec::new(), Vec::new()]);
        for (side, wanted) in
            sides.iter_mut().zip([("n_train", self.n_train), ("n_eval", self.n_eval)])
        {
            let each = |puzzle| {
                side.push(puzzle);
                Ok(())
            };
            self.draw(wanted, self.seed, &mut taken, false, each)?;
        }
        let [_, eval] = &mut sides;
        for (idx, Puzzle { question, answer, .. }) in eval.iter_mut().enumerate() {
            let n = self.eval_givens.saturating_sub(question.n_givens());
            give(question, answer, n, &mut stream(self.seed, &format!("sudoku givens {idx}")));
        }
        Ok(sides)
    }

    /// One generated puzzle, and its solution.
    fn puzzle(
        &self,
        generator: &Generator,
        rng: &mut impl Rng,
    ) -> Result<(Board, Board), TaskError> {
        if self.min_rating == 0 {
            return Ok(generator.puzzle(self.reveal, rng));
        }
        generator.hard_puzzle(self.min_rating, rng).map_err(|n_tried| {
            let side = self.board;
            let expected = format!("a rating found among {n_tried} puzzles of side {side}");
            TaskError::setting("min_rating", expected, self.min_rating)
        })
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
        let Self { augmentations, easier_share, easier_max, seed, .. } = *self;
        Ok(Box::new(SudokuTask {
            shape,
            vocabulary: self.vocabulary(),
            train: Puzzles {
                shape,
                puzzles: train,
                n_versions: 1 + augmentations,
                easier_share,
                easier_max,
                seed,
            },
            eval: Puzzles {
                shape,
                puzzles: eval,
                n_versions: 1,
                easier_share: 0.0,
                easier_max: 0,
                seed,
            },
            identifiers: vec!["<blank>".to_owned()],
            ratings: OnceLock::new(),
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

    fn interpreter(&self) -> Result<Box<dyn Interpreter>, TaskError> {
        Ok(Box::new(Boards { shape: self.check()?, vocabulary: self.vocabulary() }))
    }

    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.check()?;
        if data.is_empty() {
            let [train, eval] = self.built_in()?;
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
            let [_, eval] = self.built_in()?;
            eval
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
        let (question, _) = self.puzzle(&Generator::new(shape), rng)?;
        Ok(question.to_text())
    }

    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError> {
        self.check()?;
        let mut file = records::Writer::new(out);
        let each = |puzzle: Puzzle| file.write(&puzzle.to_record());
        self.draw(("n", n), seed, &mut Taken::default(), true, each)?;
        file.finish()
    }

    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let board = n_cells.isqrt();
        if board * board != n_cells {
            return Err(TaskError::setting("board", "4, 6, 9 or 16", format!("{n_cells} cells")));
        }
        Shape::new(board)?;
        let (reveal, eval_givens) = (self.reveal.min(n_cells), self.eval_givens.min(n_cells));
        Ok(Self { board, reveal, eval_givens, ..self })
    }

    fn cells_in(&self, data: &[PathBuf]) -> Result<Option<usize>, TaskError> {
        // A row of no board is reported by `open`, with its line.
        let is_board = |n: &usize| n.isqrt().pow(2) == *n && Shape::new(n.isqrt()).is_ok();
        Ok(records::n_cells(data)?.filter(is_board))
    }

    fn panels(&self, shown: &Shown<'_>) -> Vec<Panel> {
        match self.shape() {
            Ok(shape) => picture::panels(shape, shown),
            Err(_) => characters(&self.vocabulary(), shown),
        }
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
    let rating = record.rating.trim().parse().ok();
    Ok(Puzzle { question, answer, rating, place: place.to_owned() })
}

/// Token ids of a board.
pub(super) fn encode(board: &Board) -> Vec<u32> {
    board.cells().iter().map(|digit| u32::from(*digit) + 1).collect()
}

/// The board of token ids; whatever is no digit is blank.
pub(super) fn decode(shape: Shape, tokens: &[u32]) -> Board {
    let digit = |token: &u32| digit(shape, *token).unwrap_or(0) as u8;
    Board::new(shape, tokens.iter().map(digit).collect())
}

/// Boards as rows of ids.
struct Boards {
    shape: Shape,
    vocabulary: Vocabulary,
}

impl Interpreter for Boards {
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        let (question, answer) = (decode(self.shape, inputs), decode(self.shape, labels));
        draw::side_by_side(self.shape, &question, &answer, style)
    }

    fn scorer<'a>(&'a self, _name_of: NameOf<'a>) -> Box<dyn Scorer + 'a> {
        Box::new(Validity { shape: self.shape, n_rows: 0, n_valid: 0 })
    }

    fn import(&self, layout: &Layout) -> Imported {
        published::records(layout, |inputs, labels, place| {
            let record = Record {
                source: "prepared".to_owned(),
                question: self.vocabulary.decode(inputs),
                answer: self.vocabulary.decode(labels),
                // Ids do not say how hard a puzzle is.
                rating: String::new(),
            };
            read_puzzle(self.shape, &record, place).map(|_| record)
        })
    }
}

/// The token id of a blank; digits follow.
pub(super) const BLANK_ID: u32 = 1;

/// The digit of a token id, if it is one.
pub(super) fn digit(shape: Shape, token: u32) -> Option<usize> {
    let digit = token.checked_sub(BLANK_ID)? as usize;
    (1..=shape.side).contains(&digit).then_some(digit)
}

/// Puzzles in several versions: each itself, then random symmetric ones, some of
/// them easier; see [`SudokuConfig`].
struct Puzzles {
    shape: Shape,
    puzzles: Vec<Puzzle>,
    n_versions: usize,
    easier_share: f64,
    easier_max: usize,
    seed: u64,
}

impl Puzzles {
    /// Question and answer of one version.
    fn version(&self, at: RowId) -> (Board, Board) {
        let Puzzle { question, answer, .. } = &self.puzzles[at.group];
        if at.version == 0 {
            return (question.clone(), answer.clone());
        }
        let purpose = format!("sudoku version {} {}", at.group, at.version);
        let rng = &mut stream(self.seed, &purpose);
        let symmetry = Symmetry::random(self.shape, rng);
        let mut question = symmetry.apply(self.shape, question);
        let answer = symmetry.apply(self.shape, answer);
        let n_blank = self.shape.n_cells() - question.n_givens();
        let n_max = match self.easier_max {
            0 => n_blank.saturating_sub(1),
            n_max => n_blank.min(n_max),
        };
        if n_max > 0 && rng.random_bool(self.easier_share) {
            let n = rng.random_range(1..=n_max as u32) as usize;
            give(&mut question, &answer, n, rng);
        }
        (question, answer)
    }
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

    fn n_rows_total(&self) -> u64 {
        self.puzzles.len() as u64 * self.n_versions as u64
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let (question, answer) = self.version(at);
        row.inputs.copy_from_slice(&encode(&question));
        row.labels.copy_from_slice(&encode(&answer));
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
    /// Guesses for every puzzle, training puzzles first; counted when asked for.
    ratings: OnceLock<Vec<u64>>,
}

impl SudokuTask {
    fn puzzles(&self) -> impl Iterator<Item = &Puzzle> {
        self.train.puzzles.iter().chain(&self.eval.puzzles)
    }

    fn ratings(&self) -> &[u64] {
        self.ratings.get_or_init(|| {
            let generator = Generator::new(self.shape);
            let rate = |puzzle: &Puzzle| generator.rate(&puzzle.question);
            self.train.puzzles.par_iter().chain(&self.eval.puzzles).map(rate).collect()
        })
    }
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

    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        let records =
            |side: &Puzzles| side.puzzles.iter().map(Puzzle::to_record).collect::<Vec<_>>();
        Some(records::to_files(&records(&self.train), &records(&self.eval)))
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        let (question, answer) = (decode(self.shape, inputs), decode(self.shape, labels));
        draw::side_by_side(self.shape, &question, &answer, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let mut stats = vec![
            ("training puzzles".to_owned(), self.train.puzzles.len() as f64),
            ("evaluation puzzles".to_owned(), self.eval.puzzles.len() as f64),
            ("versions per training puzzle".to_owned(), self.train.n_versions as f64),
        ];
        stats.extend(spread("givens", self.puzzles().map(|p| p.question.n_givens() as u64)));
        stats.extend(spread("guesses", self.ratings().iter().copied()));
        stats.extend(spread("rating in file", self.puzzles().filter_map(|p| p.rating)));
        stats
    }

    fn distributions(&self) -> Vec<Distribution> {
        let (train, eval) = self.ratings().split_at(self.train.puzzles.len());
        let sides =
            [("training", &self.train.puzzles, train), ("evaluation", &self.eval.puzzles, eval)];
        let of_side = |(side, puzzles, ratings): (&str, &Vec<Puzzle>, &[u64])| {
            let givens = puzzles.iter().map(|p| p.question.n_givens() as u64);
            let in_file = puzzles.iter().filter_map(|p| p.rating);
            [
                by_value(format!("{side} givens"), givens),
                by_doubling(format!("{side} guesses"), ratings.iter().copied()),
                by_doubling(format!("{side} rating in file"), in_file),
            ]
        };
        sides.into_iter().flat_map(of_side).flatten().collect()
    }

    fn leaks(&self) -> Vec<Leak> {
        same::leaks(self.shape, &named(&self.train.puzzles), &named(&self.eval.puzzles))
    }
}

/// Questions, with names for messages.
fn named(puzzles: &[Puzzle]) -> Vec<(String, &Board)> {
    let name = |(at, puzzle): (usize, &Puzzle)| match puzzle.place.as_str() {
        "" => format!("built-in puzzle {}", at + 1),
        place => place.to_owned(),
    };
    puzzles.iter().enumerate().map(|at| (name(at), &at.1.question)).collect()
}

/// Share of answers that obey the rules, whatever the label.
struct Validity {
    shape: Shape,
    n_rows: u64,
    n_valid: u64,
}

impl Scorer for Validity {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        let question = decode(self.shape, predicted.inputs);
        let answer = decode(self.shape, predicted.tokens);
        self.n_rows += 1;
        self.n_valid += u64::from(answer.is_solved(self.shape) && answer.keeps(&question));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        let scores = vec![("valid", self.n_valid as f64 / self.n_rows.max(1) as f64)];
        Ok(Report { scores, ..Report::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::generated;

    fn config() -> SudokuConfig {
        SudokuConfig {
            board: 6,
            augmentations: 0,
            seed: 1,
            n_train: 20,
            n_eval: 5,
            reveal: 2,
            min_rating: 0,
            easier_share: 0.0,
            easier_max: 0,
            eval_givens: 0,
            held_out: 0.0,
        }
    }

    fn on_threads<T: Send>(n: usize, run: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(run)
    }

    #[test]
    fn puzzles_depend_on_the_seed_and_not_on_the_threads() {
        for config in [config(), SudokuConfig { min_rating: 2, ..config() }] {
            let generate = |seed| generated(&config, 9, seed).unwrap();
            let one = on_threads(1, || generate(4));
            assert_eq!(on_threads(5, || generate(4)), one);
            assert_ne!(generate(5), one);
            assert_eq!(one.lines().count(), 10);
        }
    }

    #[test]
    fn a_least_rating_is_met_or_refused() {
        let hard = SudokuConfig { min_rating: 3, reveal: 20, ..config() };
        for located in records::parse(generated(&hard, 5, 1).unwrap().as_bytes(), "test").unwrap() {
            assert!(located.record.rating.parse::<u64>().unwrap() >= 3);
        }
        let message = generated(&SudokuConfig { board: 4, min_rating: 900, ..config() }, 2, 1);
        assert_eq!(
            message.unwrap_err().to_string(),
            "task.min_rating must be a rating found among 20000 puzzles of side 4, found 900"
        );
        // Checkpoints written before the setting existed are still read.
        let mut json = serde_json::to_value(config()).unwrap();
        json.as_object_mut().unwrap().remove("min_rating");
        assert_eq!(serde_json::from_value::<SudokuConfig>(json).unwrap(), config());
    }

    /// How many cells each row gives.
    fn givens(examples: &dyn Examples) -> Vec<(RowId, usize)> {
        let n_givens = |at: RowId| {
            let (mut inputs, mut labels, mut puzzle_id) = ([0; 36], [0; 36], 1);
            let row =
                RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
            examples.write(at, row);
            let is_given = |(input, label): (&u32, &u32)| {
                assert!(*input == BLANK_ID || input == label, "no given is wrong");
                *input != BLANK_ID
            };
            (at, inputs.iter().zip(&labels).filter(|cell| is_given(*cell)).count())
        };
        examples.row_ids().map(n_givens).collect()
    }

    #[test]
    fn some_versions_are_easier() {
        let config = SudokuConfig { augmentations: 20, easier_share: 0.5, reveal: 0, ..config() };
        for (easier_max, n_max) in [(3, 3), (0, 35)] {
            let task = SudokuConfig { easier_max, ..config.clone() }.open(&[]).unwrap();
            let givens = givens(task.train());
            let of_puzzle = |group: usize| givens[group * 21].1;
            let more: Vec<usize> = givens.iter().map(|(at, n)| n - of_puzzle(at.group)).collect();
            assert!(givens.iter().all(|(at, n)| at.version > 0 || *n == of_puzzle(at.group)));
            let n_easier = more.iter().filter(|more| **more > 0).count();
            assert!((140..260).contains(&n_easier), "{n_easier} of 400");
            assert!(more.iter().all(|more| *more <= n_max), "{more:?}");
            assert!((1..=3).all(|n| more.contains(&n)), "{more:?}");
            assert_eq!(more.iter().any(|more| *more > 15), easier_max == 0);
        }
    }

    #[test]
    fn evaluation_puzzles_give_as_many_cells_as_asked_for() {
        let config = SudokuConfig { reveal: 0, ..config() };
        let as_drawn = givens(config.open(&[]).unwrap().eval());
        let given = SudokuConfig { eval_givens: 14, ..config.clone() }.open(&[]).unwrap();
        for ((at, n), (_, n_drawn)) in givens(given.eval()).into_iter().zip(as_drawn) {
            assert_eq!(n, n_drawn.max(14), "{at:?}");
        }
        let all_but_one = SudokuConfig { eval_givens: 35, ..config.clone() };
        assert!(givens(all_but_one.open(&[]).unwrap().eval()).iter().all(|(_, n)| *n == 35));
        // The same training puzzles, and no more than a board has.
        assert_eq!(givens(given.train()), givens(config.open(&[]).unwrap().train()),);
        assert!(SudokuConfig { eval_givens: 37, ..config }.open(&[]).is_err());
    }

    /// A task of two files.
    fn opened(train: &str, test: &str) -> Box<dyn PuzzleTask> {
        let folder = tempfile::tempdir().unwrap();
        let header = "source,question,answer,rating\n";
        for (name, rows) in [("train.csv", train), ("test.csv", test)] {
            std::fs::write(folder.path().join(name), format!("{header}{rows}")).unwrap();
        }
        SudokuConfig { board: 4, ..config() }.open(&[folder.path().to_owned()]).unwrap()
    }

    const TRAIN: &str =
        "x,1..........3....,1234341221434321,7\nx,1...............,1234341221434321,\n";

    #[test]
    fn figures_are_ours_and_those_of_the_file() {
        let task = opened(TRAIN, "x,1234341221434321,1234341221434321,3\n");
        let stats: std::collections::HashMap<String, f64> = task.stats().into_iter().collect();
        assert_eq!((stats["givens min"], stats["givens max"]), (1.0, 16.0));
        assert_eq!((stats["rating in file min"], stats["rating in file max"]), (3.0, 7.0));
        assert!(stats["guesses max"] > 0.0);
        let distributions = task.distributions();
        let names: Vec<&str> = distributions.iter().map(|d| d.name.as_str()).collect();
        let want = ["givens", "guesses", "rating in file"];
        let want = ["training", "evaluation"].map(|side| want.map(|name| format!("{side} {name}")));
        assert_eq!(names, want.concat());
        for Distribution { name, bins } in distributions {
            let n: u64 = bins.iter().map(|(_, n)| n).sum();
            let want = if name == "training givens" || name == "training guesses" { 2 } else { 1 };
            assert_eq!(n, want, "{name}");
        }
    }

    #[test]
    fn symmetric_puzzles_on_both_sides_are_leaks() {
        // The first is the second training puzzle with another digit elsewhere.
        let other = "x,12..............,1234341221434321,1\n";
        let test = format!("x,.............3..,1234341221434321,1\n{other}");
        let leaks = opened(TRAIN, &test).leaks();
        assert_eq!(leaks.len(), 1);
        assert!(leaks[0].eval.ends_with("test.csv:2"), "{leaks:?}");
        assert!(leaks[0].train.ends_with("train.csv:3"), "{leaks:?}");
        assert!(opened(TRAIN, other).leaks().is_empty());
    }
}
