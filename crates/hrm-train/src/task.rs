//! The interface between puzzles and training: token ids in, token ids out.
//!
//! A [`Task`] offers training and evaluation [`Examples`] and a [`Scorer`].
//! Examples are grouped as in the published data sets: a *group* is a base puzzle, a
//! *version* is one augmentation of it (version 0 is the puzzle itself), a *row* is
//! one question and answer of that version. Sudoku and mazes have one row per
//! version; an ARC task has one row per pair.
//!
//! Rows are written on demand, so an augmented data set needs no more memory than
//! its base puzzles.

/// Token id of padding, in inputs and labels. A cell with this label has no loss.
pub const PADDING: u32 = 0;

/// The puzzle identifier of rows that have no identifier of their own.
pub const BLANK_PUZZLE: u32 = 0;

/// The address of one example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// Index of the base puzzle, below [`Examples::n_groups`].
    pub group: usize,
    /// Index of its augmentation, below [`Examples::n_versions`].
    pub version: usize,
    /// Index of the question in that version, below [`Examples::n_rows`].
    pub row: usize,
}

/// The buffers that one example is written to.
#[derive(Debug)]
pub struct RowMut<'a> {
    /// Token ids of the question, `[n_cells]`. Every cell must be written.
    pub inputs: &'a mut [u32],
    /// Token ids of the answer, `[n_cells]`, with [`PADDING`] for cells without a
    /// label.
    pub labels: &'a mut [u32],
    /// Identifier of the version, below [`Task::n_puzzle_ids`].
    pub puzzle_id: &'a mut u32,
}

/// A set of examples, readable in any order from any thread.
pub trait Examples: Send + Sync {
    /// Number of base puzzles.
    fn n_groups(&self) -> usize;

    /// Number of versions of a base puzzle, including itself. At least 1.
    fn n_versions(&self, group: usize) -> usize;

    /// Number of questions of one version. May be 0.
    fn n_rows(&self, group: usize, version: usize) -> usize;

    /// Writes one example. The same address always gives the same example.
    ///
    /// # Panics
    ///
    /// If `at` is out of range, or a slice of `row` does not have `n_cells` elements.
    fn write(&self, at: RowId, row: RowMut<'_>);

    /// Number of rows of all groups and versions.
    ///
    /// The default visits every version. Override it where the numbers are uniform:
    /// augmented data sets have billions of versions.
    fn n_rows_total(&self) -> u64 {
        let n_rows = |group, version| self.n_rows(group, version) as u64;
        let of_group = |group| (0..self.n_versions(group)).map(|v| n_rows(group, v)).sum::<u64>();
        (0..self.n_groups()).map(of_group).sum()
    }

    /// The addresses of all rows, in order.
    fn row_ids(&self) -> Box<dyn Iterator<Item = RowId> + '_> {
        Box::new(every_row(self))
    }
}

/// The default of [`Examples::row_ids`].
pub(crate) fn every_row<'a, E: Examples + ?Sized>(
    examples: &'a E,
) -> impl Iterator<Item = RowId> + use<'a, E> {
    (0..examples.n_groups()).flat_map(move |group| {
        (0..examples.n_versions(group)).flat_map(move |version| {
            (0..examples.n_rows(group, version)).map(move |row| RowId { group, version, row })
        })
    })
}

/// A puzzle with its data, as the trainer sees it.
pub trait Task: Send + Sync {
    /// Short lower-case name, e.g. `sudoku`.
    fn name(&self) -> &'static str;

    /// Number of distinct token ids, including padding.
    fn vocab_size(&self) -> usize;

    /// Cells per example.
    fn n_cells(&self) -> usize;

    /// Number of puzzle identifiers, including the blank one. At least 1.
    fn n_puzzle_ids(&self) -> usize;

    /// Training examples.
    fn train(&self) -> &dyn Examples;

    /// Evaluation examples, which are never trained on.
    fn eval(&self) -> &dyn Examples;

    /// A new scorer of answers to [`eval`](Self::eval).
    fn scorer(&self) -> Box<dyn Scorer + '_>;
}

/// The model's answer to one evaluation row.
#[derive(Clone, Copy, Debug)]
pub struct Prediction<'a> {
    /// The address of the row.
    pub at: RowId,
    /// Token ids of the question, `[n_cells]`.
    pub inputs: &'a [u32],
    /// Expected answer, `[n_cells]`, with [`PADDING`] for cells without a label.
    pub labels: &'a [u32],
    /// Most likely token of each cell, `[n_cells]`.
    pub tokens: &'a [u32],
    /// A sampled token for each cell, `[n_cells]`, if the evaluation samples.
    pub sampled: Option<&'a [u32]>,
    /// Halting logit: the model's confidence in its answer.
    pub q_halt: f32,
}

/// Collects answers and computes the task's own metrics, e.g. ARC's pass@2. Exact
/// accuracy and cell accuracy are computed by [`evaluate`](crate::evaluate).
pub trait Scorer {
    /// Adds one answer. Rows arrive in any order, each at most once.
    ///
    /// # Errors
    ///
    /// If the answers no longer fit in memory and cannot be written to disk.
    fn add(&mut self, prediction: Prediction<'_>) -> Result<(), ScoreError>;

    /// Computes the metrics.
    ///
    /// # Errors
    ///
    /// If answers that were written to disk cannot be read back.
    fn finish(self: Box<Self>) -> Result<Report, ScoreError>;
}

/// The cause of a failed [`Scorer`], e.g. a full disk.
pub type ScoreError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a [`Scorer`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The task's metrics by name, as shares in `0..=1`.
    pub scores: Vec<(&'static str, f64)>,
    /// Names of scores that cannot differ from another one, whatever the answers, e.g.
    /// pass@10 where no task has more than two candidates. Reports for people leave them
    /// out.
    pub redundant: Vec<&'static str>,
    /// Files with details, for callers that save them.
    pub documents: Vec<Document>,
}

/// A file that results from an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// File name, e.g. `submission.json`.
    pub name: &'static str,
    /// Content.
    pub text: String,
}
