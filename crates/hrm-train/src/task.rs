//! What the trainer knows of a puzzle: numbers in, numbers out.
//!
//! A [`Task`] offers training and evaluation [`Examples`] and a [`Scorer`].
//! Examples are grouped as the published data sets group them: a *group* is a
//! base puzzle, a *version* is one augmentation of it (version 0 is the puzzle
//! itself), a *row* is one question and answer of that version. Sudoku and
//! mazes have one row per version; an ARC task has one row per pair.
//!
//! Rows are written when they are asked for, so an augmented set needs no more
//! memory than its base puzzles.

/// Label and input id of padding. A cell labelled with it carries no loss.
pub const PADDING: u32 = 0;

/// The puzzle identifier of rows without one of their own.
pub const BLANK_PUZZLE: u32 = 0;

/// The place of one example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// Base puzzle, below [`Examples::n_groups`].
    pub group: usize,
    /// Augmentation of it, below [`Examples::n_versions`].
    pub version: usize,
    /// Question of that version, below [`Examples::n_rows`].
    pub row: usize,
}

/// Where one example is written.
#[derive(Debug)]
pub struct RowMut<'a> {
    /// Token ids of the question, `[n_cells]`. Every cell must be written.
    pub inputs: &'a mut [u32],
    /// Token ids of the answer, `[n_cells]`; [`PADDING`] is not asked for.
    pub labels: &'a mut [u32],
    /// Identifier of the version, below [`Task::n_puzzle_ids`].
    pub puzzle_id: &'a mut u32,
}

/// A set of examples, readable in any order and from any thread.
pub trait Examples: Send + Sync {
    /// Base puzzles.
    fn n_groups(&self) -> usize;

    /// Versions of a base puzzle, itself included. At least 1.
    fn n_versions(&self, group: usize) -> usize;

    /// Questions of one version. May be 0.
    fn n_rows(&self, group: usize, version: usize) -> usize;

    /// Writes one example. The same place always yields the same example.
    ///
    /// # Panics
    ///
    /// If `at` is out of range or a slice of `row` is not `n_cells` long.
    fn write(&self, at: RowId, row: RowMut<'_>);

    /// Every row, in order.
    fn row_ids(&self) -> Box<dyn Iterator<Item = RowId> + '_> {
        Box::new(every_row(self))
    }
}

/// What [`Examples::row_ids`] is unless there is a shorter way.
pub(crate) fn every_row<'a, E: Examples + ?Sized>(
    examples: &'a E,
) -> impl Iterator<Item = RowId> + use<'a, E> {
    (0..examples.n_groups()).flat_map(move |group| {
        (0..examples.n_versions(group)).flat_map(move |version| {
            (0..examples.n_rows(group, version)).map(move |row| RowId { group, version, row })
        })
    })
}

/// A puzzle as the trainer sees it.
pub trait Task: Send + Sync {
    /// Short lower-case name, e.g. `sudoku`.
    fn name(&self) -> &'static str;

    /// Distinct token ids, padding included.
    fn vocab_size(&self) -> usize;

    /// Cells per example.
    fn n_cells(&self) -> usize;

    /// Puzzle identifiers, the blank one included. At least 1.
    fn n_puzzle_ids(&self) -> usize;

    /// Examples to learn from.
    fn train(&self) -> &dyn Examples;

    /// Examples to be judged by. Never learnt from.
    fn eval(&self) -> &dyn Examples;

    /// An empty score sheet for [`eval`](Self::eval).
    fn scorer(&self) -> Box<dyn Scorer + '_>;
}

/// What the model answered to one evaluation row.
#[derive(Clone, Copy, Debug)]
pub struct Predicted<'a> {
    /// The row that was asked.
    pub at: RowId,
    /// Question, `[n_cells]`.
    pub inputs: &'a [u32],
    /// Expected answer, `[n_cells]`; [`PADDING`] is not asked for.
    pub labels: &'a [u32],
    /// Most likely token of each cell, `[n_cells]`.
    pub tokens: &'a [u32],
    /// A token drawn for each cell, `[n_cells]`, if the evaluation samples.
    pub sampled: Option<&'a [u32]>,
    /// Halting logit: how sure the model is of its answer.
    pub q_halt: f32,
}

/// Collects answers and turns them into the task's own figures, e.g. ARC's
/// pass@2. Exact and cell accuracy are the evaluator's and not repeated here.
pub trait Scorer {
    /// Takes one answer. Rows arrive in any order, each at most once.
    ///
    /// # Errors
    ///
    /// If answers no longer fit in memory and cannot be put aside.
    fn add(&mut self, predicted: Predicted<'_>) -> Result<(), ScoreError>;

    /// What the answers amount to.
    ///
    /// # Errors
    ///
    /// If answers that were put aside cannot be read back.
    fn finish(self: Box<Self>) -> Result<Report, ScoreError>;
}

/// Why a score sheet could not be kept, e.g. a full disk.
pub type ScoreError = Box<dyn std::error::Error + Send + Sync>;

/// What a [`Scorer`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The task's figures, by name, shares in `0..=1`.
    pub scores: Vec<(&'static str, f64)>,
    /// Files that say more, for those who keep them.
    pub documents: Vec<Document>,
}

/// A file that an evaluation can leave behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name, e.g. `submission.json`.
    pub name: &'static str,
    /// Its content.
    pub text: String,
}
