//! Evaluation: the share of puzzles that a model answers correctly.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use candle_core::{DType, Device, Tensor};
use candle_transformers::generation::LogitsProcessor;
use hrm_base::rng::stream;
use hrm_core::{Budget, Hrm, HrmConfig, PuzzleInput, Solution, solve_all};
use rand::Rng;

use crate::TrainError;
use crate::task::{Document, Examples, PADDING, Prediction, Report, RowId, RowMut, Task};

/// Options of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalOptions {
    /// Number of segments per row.
    pub budget: Budget,
    /// Rows per batch. 0 counts as 1.
    pub batch_size: usize,
    /// How to sample a second answer to each row, besides the most likely one. `None`:
    /// no second answer.
    pub sampling: Option<Sampling>,
}

/// How to sample an answer, cell by cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits. Near 0, samples are the most likely tokens.
    pub temperature: f64,
    /// Seed. The samples of a row depend only on the seed, the row's address and its
    /// logits.
    pub seed: u64,
}

/// The result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Rows evaluated.
    pub n_rows: u64,
    /// Rows whose labelled cells are all correct.
    pub n_exact: u64,
    /// Labelled cells.
    pub n_cells: u64,
    /// Labelled cells that are correct.
    pub n_cells_right: u64,
    /// Rows where the halting head predicted correctly whether the answer is correct.
    pub n_halting_right: u64,
    /// Segments run, over all rows.
    pub n_segments: u64,
    /// The task's own metrics by name, as shares in `0..=1`.
    pub scores: Vec<(&'static str, f64)>,
    /// Names of scores that cannot differ from another one, whatever the answers. Reports
    /// for people leave them out.
    pub redundant: Vec<&'static str>,
    /// The task's files with details, for callers that save them.
    pub documents: Vec<Document>,
}

impl Evaluation {
    /// Share of rows whose labelled cells are all correct.
    pub fn exact(&self) -> f64 {
        share(self.n_exact, self.n_rows)
    }

    /// Share of labelled cells that are correct.
    pub fn cells(&self) -> f64 {
        share(self.n_cells_right, self.n_cells)
    }

    /// Share of rows where the sign of the halting logit predicts whether the answer is
    /// correct: positive or zero if it is.
    pub fn halting(&self) -> f64 {
        share(self.n_halting_right, self.n_rows)
    }

    /// Mean number of segments per row.
    pub fn mean_segments(&self) -> f64 {
        share(self.n_segments, self.n_rows)
    }

    /// The task's own metrics that can differ from each other, by name.
    pub fn informative_scores(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let scores = self.scores.iter().copied();
        scores.filter(|(name, _)| !self.redundant.contains(name))
    }

    fn add(&mut self, labels: &[u32], solution: &Solution) {
        let labelled = || labels.iter().zip(&solution.tokens).filter(|(l, _)| **l != PADDING);
        let n_cells = labelled().count() as u64;
        let n_right = labelled().filter(|(label, token)| label == token).count() as u64;
        let is_exact = n_right == n_cells;
        self.n_rows += 1;
        self.n_exact += u64::from(is_exact);
        self.n_cells += n_cells;
        self.n_cells_right += n_right;
        self.n_halting_right += u64::from((solution.q[0] >= 0.0) == is_exact);
        self.n_segments += solution.n_segments as u64;
    }
}

/// Evaluates the model on every evaluation row of `task`. `observe` receives each
/// answer, and may stop the evaluation by returning an error.
///
/// # Errors
///
/// [`TrainError::NoExamples`] without evaluation rows, [`TrainError::Mismatch`]
/// if model and task differ in size, [`TrainError::Score`] if answers cannot be
/// stored, [`TrainError::Backend`] if the backend fails, and errors of `observe`.
pub fn evaluate<E: From<TrainError>>(
    model: &Hrm,
    task: &dyn Task,
    options: EvalOptions,
    mut observe: impl FnMut(&Prediction<'_>) -> Result<(), E>,
) -> Result<Evaluation, E> {
    check_sizes(model.config(), task)?;
    let mut evaluation = Evaluation::default();
    let mut scorer = task.scorer();
    // Address and labels of the rows that are not answered yet, by index.
    let unanswered: RefCell<HashMap<usize, (RowId, Vec<u32>)>> = RefCell::default();
    let inputs = task.eval().row_ids().enumerate().map(|(index, at)| {
        let (input, labels) = read_row(task.eval(), at, task.n_cells());
        unanswered.borrow_mut().insert(index, (at, labels));
        input
    });
    let mut answered = |index, input: PuzzleInput, solution: Solution| -> Result<(), E> {
        let row = unanswered.borrow_mut().remove(&index);
        let (at, labels) = row.expect("every row is kept until it is answered");
        evaluation.add(&labels, &solution);
        let sampled = options.sampling.map(|sampling| sampling.sample(at, &solution.logits));
        let sampled = sampled.transpose().map_err(TrainError::Backend)?;
        let prediction = Prediction {
            at,
            inputs: &input.tokens,
            labels: &labels,
            tokens: &solution.tokens,
            sampled: sampled.as_deref(),
            q_halt: solution.q[0],
        };
        observe(&prediction)?;
        Ok(scorer.add(prediction).map_err(TrainError::Score)?)
    };
    let batch_size = NonZeroUsize::new(options.batch_size).unwrap_or(NonZeroUsize::MIN);
    solve_all(model, inputs, options.budget, batch_size, |index, input, solution| {
        answered(index, input, solution).map_err(Failure)
    })
    .map_err(|Failure(err)| err)?;
    if evaluation.n_rows == 0 {
        return Err(TrainError::NoExamples { what: "evaluation" }.into());
    }
    let report = scorer.finish().map_err(TrainError::Score)?;
    let Report { scores, redundant, documents } = report;
    (evaluation.scores, evaluation.redundant, evaluation.documents) =
        (scores, redundant, documents);
    Ok(evaluation)
}

/// An error of the type of [`evaluate`]'s caller, to which errors of the backend
/// convert.
struct Failure<E>(E);

impl<E: From<TrainError>> From<candle_core::Error> for Failure<E> {
    fn from(err: candle_core::Error) -> Self {
        Self(TrainError::Backend(err).into())
    }
}

impl Sampling {
    /// Samples one token per cell from `logits: [S, V]` of a row.
    fn sample(self, at: RowId, logits: &Tensor) -> candle_core::Result<Vec<u32>> {
        let RowId { group, version, row } = at;
        let purpose = format!("sampled answer to {group} {version} {row}");
        let seed = stream(self.seed, &purpose).random();
        let mut processor = LogitsProcessor::new(seed, Some(self.temperature), None);
        // Copied once: the processor would copy the logits of each cell.
        let logits = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        (0..logits.dim(0)?).map(|cell| processor.sample(&logits.get(cell)?)).collect()
    }
}

/// Checks that the model's sizes fit the task's examples.
pub(crate) fn check_sizes(config: &HrmConfig, task: &dyn Task) -> Result<(), TrainError> {
    let exactly = |field, model: usize, task: usize| {
        if model == task { Ok(()) } else { Err(TrainError::Mismatch { field, model, task }) }
    };
    exactly("vocab_size", config.input.vocab_size, task.vocab_size())?;
    exactly("n_cells", config.input.n_cells, task.n_cells())?;
    // A model may have more puzzle identifiers than the task needs.
    if config.input.n_puzzle_ids < task.n_puzzle_ids() {
        let (model, task) = (config.input.n_puzzle_ids, task.n_puzzle_ids());
        return Err(TrainError::Mismatch { field: "n_puzzle_ids", model, task });
    }
    Ok(())
}

/// Reads one row: its puzzle, and the labels of its cells.
fn read_row(examples: &dyn Examples, at: RowId, n_cells: usize) -> (PuzzleInput, Vec<u32>) {
    let (mut tokens, mut labels, mut puzzle_id) =
        (vec![PADDING; n_cells], vec![PADDING; n_cells], 0);
    let row = RowMut { inputs: &mut tokens, labels: &mut labels, puzzle_id: &mut puzzle_id };
    examples.write(at, row);
    (PuzzleInput { tokens, puzzle_id }, labels)
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
