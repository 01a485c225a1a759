//! The traits of a kind of puzzle whose question and answer are one grid of cells each.

use std::borrow::Cow;
use std::hash::Hash;

use hrm_base::rng::ChaCha8Rng;
use hrm_puzzles::records::{Columns, Located, Record};
use hrm_puzzles::stats::Distribution;
use hrm_puzzles::text::Text;
use hrm_puzzles::{Leak, Style, Verdict};

use super::settings::DataSettings;
use super::sides::Sides;
use crate::error::TaskError;

/// A kind of puzzle: its name, its settings, and the types of its puzzles.
pub trait CellKind: Clone + Send + Sync + 'static {
    /// A question with its answer.
    type Puzzle: Clone + Send + Sync;
    /// A question to solve.
    type Question: Send + Sync;

    /// Short lower-case name.
    fn name(&self) -> &'static str;

    /// The settings of its data.
    fn data(&self) -> DataSettings;

    /// Which columns of tables hold what, as text that [`Columns`] reads; empty for those with
    /// known names.
    fn table_columns(&self) -> &str {
        ""
    }

    /// Makes sure that its own settings are in range; those of [`data`](Self::data) are
    /// checked by the caller.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first setting out of range.
    fn check(&self) -> Result<(), TaskError>;

    /// Makes sure that all settings are in range.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first setting out of range.
    fn check_all(&self) -> Result<(), TaskError> {
        self.check()?;
        self.data().check()?;
        self.checked_columns().map(drop)
    }

    /// The columns of tables.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if they cannot be read.
    fn checked_columns(&self) -> Result<Columns, TaskError> {
        let columns = self.table_columns().parse();
        columns.map_err(|found| TaskError::setting("table_columns", Columns::EXPECTED, found))
    }
}

/// Puzzles as token ids.
pub trait CellEncoding: CellKind {
    /// Writes question and answer, `[n_cells]` ids each.
    fn encode(&self, puzzle: &Self::Puzzle, inputs: &mut [u32], labels: &mut [u32]);

    /// Question and answer as text, side by side where they fit, ending in a newline.
    /// `labels` may be a prediction.
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String;
}

/// Puzzles in files.
pub trait CellFiles: CellKind {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`TaskError`] naming the field and what is wrong with it.
    fn read(&self, located: &Located) -> Result<Self::Puzzle, TaskError>;

    /// The name of an optional column of a record that is filled and could not be read.
    fn unread(&self, located: &Located, puzzle: &Self::Puzzle) -> Option<&'static str> {
        let _ = (located, puzzle);
        None
    }

    /// The puzzle as a record with an empty source.
    fn to_record(&self, puzzle: &Self::Puzzle) -> Record;

    /// The same settings for puzzles that are written as this crate writes them: with its own
    /// characters, and in tables with known columns.
    fn plain(&self) -> Self {
        self.clone()
    }

    /// The settings that rows of token ids obey, if the published code prepares data sets of this
    /// kind.
    const OF_ROWS: Option<&'static [&'static str]> = None;
}

/// Sampling puzzles.
pub trait CellGenerator: CellKind {
    /// The settings that only generated puzzles obey.
    const OF_GENERATOR: &'static [&'static str] = &["n_train", "n_eval"];

    /// Whether evaluation puzzles are sampled before training puzzles, so that they do
    /// not depend on the number of training puzzles. A change gives other puzzles for the
    /// same seed.
    const EVAL_FIRST: bool = true;

    /// Makes sure that the kind has a generator.
    ///
    /// # Errors
    ///
    /// [`TaskError::NoGenerator`] otherwise.
    fn check_generator(&self) -> Result<(), TaskError> {
        Ok(())
    }

    /// State that is shared by all samples, e.g. a solver.
    type Sampler<'a>: Sync
    where
        Self: 'a;

    /// Creates the shared state of sampling.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the settings allow no puzzle.
    fn sampler(&self) -> Result<Self::Sampler<'_>, TaskError>;

    /// Samples a puzzle.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the settings allow no puzzle.
    fn sample(
        &self,
        sampler: &Self::Sampler<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self::Puzzle, TaskError>;

    /// A value that is equal for puzzles that count as the same.
    fn identity(&self, puzzle: &Self::Puzzle) -> impl Hash + use<Self>;

    /// Adds what only generated files contain, e.g. a difficulty that takes time to compute.
    fn rate(&self, sampler: &Self::Sampler<'_>, puzzle: Self::Puzzle) -> Self::Puzzle {
        let _ = sampler;
        puzzle
    }

    /// Changes the generated evaluation puzzle number `idx`, e.g. to make it easier.
    fn adapt_eval(&self, idx: usize, puzzle: &mut Self::Puzzle) {
        let _ = (idx, puzzle);
    }

    /// The question as text that [`CellQueries::parse`] reads.
    fn question_text(&self, puzzle: &Self::Puzzle) -> String;
}

/// Augmented versions of a puzzle. Version 0 is the puzzle itself.
pub trait CellVersions: CellKind {
    /// Number of versions of each training puzzle, itself included.
    fn n_versions(&self) -> usize {
        1
    }

    /// A version of training puzzle number `group`.
    fn version<'a>(
        &self,
        puzzle: &'a Self::Puzzle,
        group: usize,
        version: usize,
    ) -> Cow<'a, Self::Puzzle> {
        let _ = (group, version);
        Cow::Borrowed(puzzle)
    }
}

/// Questions, or why one of them could not be read.
pub type Questions<Q> = Box<dyn Iterator<Item = Result<Q, TaskError>>>;

/// Questions to answer, and the rules by which answers are checked.
pub trait CellQueries: CellKind {
    /// Reads questions from text, one after another. An error within concerns one question
    /// and names its place, except for [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read),
    /// which is the last.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the text cannot be read at all.
    fn parse(&self, text: Text) -> Result<Questions<Self::Question>, TaskError>;

    /// Token ids of a question, `[n_cells]`.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the model cannot represent the question.
    fn inputs(&self, question: &Self::Question) -> Result<Vec<u32>, TaskError>;

    /// Whether an answer must keep the cell `input`, a token id of a question.
    fn is_given(&self, input: u32) -> bool {
        let _ = input;
        false
    }

    /// The cells `ids` in the form in which the question was written.
    fn to_text(&self, question: &Self::Question, ids: &[u32]) -> String;

    /// Question and answer for people, as [`CellEncoding::draw`]: the symbols of the question
    /// are used.
    fn draw_answer(
        &self,
        question: &Self::Question,
        inputs: &[u32],
        tokens: &[u32],
        style: Style,
    ) -> String
    where
        Self: CellEncoding,
    {
        let _ = question;
        self.draw(inputs, tokens, style)
    }

    /// Whether the answer `tokens` is right.
    fn verdict(&self, question: &Self::Question, tokens: &[u32]) -> Verdict;

    /// Names of the scores of an evaluation, e.g. `valid`.
    fn score_names(&self) -> &'static [&'static str];

    /// Whether an answer counts for each score, in the order of
    /// [`score_names`](Self::score_names).
    fn scores(&self, inputs: &[u32], tokens: &[u32]) -> Vec<bool>;

    /// Whether an answer counts for every score. Called for every row of large data sets.
    fn is_answer(&self, inputs: &[u32], tokens: &[u32]) -> bool {
        self.scores(inputs, tokens).into_iter().all(|counts| counts)
    }
}

/// A whole number that describes a puzzle, e.g. its difficulty.
pub struct Figure<K: CellKind> {
    /// What is counted, e.g. `moves`.
    pub name: &'static str,
    /// How its distribution is shown; `None` if it is not shown.
    pub bins: Option<Bins>,
    /// The figure of a puzzle, if it has one.
    pub of: fn(&K, &K::Puzzle) -> Option<u64>,
}

/// The ranges of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bins {
    /// Ranges of equal width.
    Equal,
    /// Ranges that double, for figures that vary over orders of magnitude.
    Doubling,
}

/// Statistics of a data set.
pub trait CellFigures: CellKind + CellEncoding {
    /// Figures of single puzzles, each summarised over all of them.
    fn figures(&self) -> Vec<Figure<Self>>;

    /// Statistics of the kind itself, by name.
    fn sizes(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Distributions beyond those of [`figures`](Self::figures).
    fn distributions(&self, sides: &Sides<Self::Puzzle>) -> Vec<Distribution> {
        let _ = sides;
        Vec::new()
    }

    /// Evaluation puzzles that the training side contains too.
    fn leaks(&self, sides: &Sides<Self::Puzzle>) -> Vec<Leak>;

    /// Notes for the user.
    fn notes(&self, sides: &Sides<Self::Puzzle>) -> Vec<String> {
        let _ = sides;
        Vec::new()
    }
}
