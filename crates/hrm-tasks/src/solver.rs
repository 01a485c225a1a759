//! Solving puzzles with a trained model.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::Path;

use hrm_base::progress::Stage;
use hrm_core::candle_core::Device;
use hrm_core::{Budget, Hrm, candle_core, solve_all};
use hrm_puzzles::Style;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::{Answer, ModelOutput, Query, TaskError, answer_with_givens};

/// Number of puzzles that a [`Solver`] solves at a time.
const BATCH_SIZE: NonZeroUsize = NonZeroUsize::new(32).expect("positive");

/// A trained model that solves puzzles given as text.
///
/// ```no_run
/// let solver = hrm_tasks::Solver::open("runs/sudoku-tiny-1")?;
/// for answer in solver.solve("1..........3....")? {
///     println!("{}{:?}", answer.drawing, answer.verdict);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Solver {
    checkpoint: Checkpoint,
}

/// Puzzles could not be solved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The text is not a puzzle of the model's task.
    #[error(transparent)]
    Puzzle(#[from] TaskError),

    /// The tensor backend failed.
    #[error("the tensor backend failed")]
    Backend(#[from] candle_core::Error),
}

impl Solver {
    /// Opens a run or checkpoint folder, on the CPU in f32.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Ok(Self::new(Checkpoint::open(path, &Device::Cpu)?))
    }

    /// A solver with the model of a checkpoint.
    pub fn new(checkpoint: Checkpoint) -> Self {
        Self { checkpoint }
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Solves every puzzle in `text`: one puzzle, or several in the text formats of the
    /// task, e.g. one per line. Answers are in the order of the puzzles, and keep the cells
    /// that a puzzle gives, whatever the model predicts for them. A puzzle runs until
    /// the halting head stops it, at most for the number of segments used in training.
    ///
    /// # Errors
    ///
    /// [`SolveError::Puzzle`] naming what is wrong with the text,
    /// [`SolveError::Backend`] if the backend fails.
    pub fn solve(&self, text: &str) -> Result<Vec<Answer>, SolveError> {
        let queries = self.parse(text, "puzzle")?;
        let budget = Budget::UntilHalt(self.checkpoint.model.n_segments_max());
        let mut answers = Vec::with_capacity(queries.len());
        answer_all(&self.checkpoint.model, &queries, budget, BATCH_SIZE, |idx, outputs| {
            answers.push(answer_with_givens(queries[idx].as_ref(), outputs, Style::Plain).0);
            Ok::<_, SolveError>(())
        })?;
        Ok(answers)
    }

    /// Reads puzzles from `text`; messages call its origin `place`.
    ///
    /// # Errors
    ///
    /// [`TaskError`] naming what is wrong with the text, and where.
    pub fn parse(&self, text: &str, place: &str) -> Result<Vec<Box<dyn Query>>, TaskError> {
        let Checkpoint { record, identifiers, .. } = &self.checkpoint;
        record.task.puzzle_kind().parse_queries(text, place, identifiers)
    }
}

/// Runs the model on all inputs of `queries`, `batch_size` at a time; a batch may mix
/// queries. Passes the index of each query and its outputs to `done`, in order.
///
/// # Errors
///
/// If the backend or `done` fails.
pub fn answer_all<E: From<candle_core::Error>>(
    model: &Hrm,
    queries: &[Box<dyn Query>],
    budget: Budget,
    batch_size: NonZeroUsize,
    mut done: impl FnMut(usize, &[ModelOutput]) -> Result<(), E>,
) -> Result<(), E> {
    let n_total: usize = queries.iter().map(|query| query.n_inputs()).sum();
    let stage = Stage::start("solving puzzles", n_total as u64);
    let numbered = queries.iter().map(Box::as_ref).enumerate();
    answer_each(model, numbered, budget, batch_size, |(idx, _), outputs| {
        stage.advance(outputs.len() as u64);
        done(idx, outputs)
    })
}

/// As [`answer_all`], for any number of queries that need not fit in memory. Each comes with
/// something to recognise it by, and both are passed to `done`, in order.
///
/// # Errors
///
/// If the backend or `done` fails.
pub fn answer_each<T, Q: Deref<Target = dyn Query>, E: From<candle_core::Error>>(
    model: &Hrm,
    queries: impl Iterator<Item = (T, Q)>,
    budget: Budget,
    batch_size: NonZeroUsize,
    mut done: impl FnMut((T, Q), &[ModelOutput]) -> Result<(), E>,
) -> Result<(), E> {
    // Queries that are not done, with their numbers of inputs. Inputs are created lazily.
    let waiting = RefCell::new(VecDeque::new());
    let inputs = queries.fuse().flat_map(|query| {
        let inputs = query.1.inputs();
        waiting.borrow_mut().push_back((query, inputs.len()));
        inputs
    });
    // Outputs that were ready before those of earlier inputs.
    let mut early: BTreeMap<usize, ModelOutput> = BTreeMap::new();
    let mut n_inputs_done = 0;
    solve_all(model, inputs, budget, batch_size, |idx, _, solution| {
        let (q_halt, n_segments) = (solution.q[0], solution.n_segments);
        early.insert(idx, ModelOutput { tokens: solution.tokens, q_halt, n_segments });
        loop {
            let Some(n) = waiting.borrow().front().map(|(_, n)| *n) else { return Ok::<(), E>(()) };
            let own = n_inputs_done..n_inputs_done + n;
            if early.range(own.clone()).count() < n {
                return Ok(());
            }
            let outputs: Vec<ModelOutput> = own.filter_map(|idx| early.remove(&idx)).collect();
            let query = waiting.borrow_mut().pop_front();
            if let Some((query, _)) = query {
                done(query, &outputs)?;
            }
            n_inputs_done += n;
        }
    })?;
    // Those at the end that have no inputs.
    waiting.into_inner().into_iter().try_for_each(|(query, _)| done(query, &[]))
}
