//! How many puzzles are answered right.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use candle_core::{DType, Device, Tensor};
use candle_transformers::generation::LogitsProcessor;
use hrm_base::rng::stream;
use hrm_core::{Budget, Hrm, HrmConfig, PuzzleInput, Solution, solve_all};
use rand::Rng;

use crate::TrainError;
use crate::task::{Document, Examples, PADDING, Prediction, RowId, RowMut, Task};

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalOptions {
    /// Segments per row.
    pub budget: Budget,
    /// Rows at a time.
    pub batch_size: usize,
    /// How to sample a second answer to each row, beside the most likely one.
    pub sampling: Option<Sampling>,
}

/// How to sample an answer, cell by cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits. Near 0, samples are the most likely tokens.
    pub temperature: f64,
    /// Seed. The samples of a row depend on it, the row and its logits only.
    pub seed: u64,
}

/// The result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Rows asked.
    pub n_rows: u64,
    /// Rows whose labelled cells are all right.
    pub n_exact: u64,
    /// Labelled cells.
    pub n_cells: u64,
    /// Those of them that are right.
    pub n_cells_right: u64,
    /// Rows where the halting head said whether the answer is right.
    pub n_halting_right: u64,
    /// Segments run, over all rows.
    pub n_segments: u64,
    /// The task's own figures, by name, shares in `0..=1`.
    pub scores: Vec<(&'static str, f64)>,
    /// Files that the task offers about the answers.
    pub documents: Vec<Document>,
}

impl Evaluation {
    /// Share of rows whose labelled cells are all right.
    pub fn exact(&self) -> f64 {
        share(self.n_exact, self.n_rows)
    }

    /// Share of labelled cells that are right.
    pub fn cells(&self) -> f64 {
        share(self.n_cells_right, self.n_cells)
    }

    /// Share of rows where the sign of the halting logit says whether the
    /// answer is right.
    pub fn halting(&self) -> f64 {
        share(self.n_halting_right, self.n_rows)
    }

    /// Segments per row.
    pub fn mean_segments(&self) -> f64 {
        share(self.n_segments, self.n_rows)
    }

    fn add(&mut self, labels: &[u32], solution: &Solution) {
        let asked = || labels.iter().zip(&solution.tokens).filter(|(l, _)| **l != PADDING);
        let n_cells = asked().count() as u64;
        let n_right = asked().filter(|(label, token)| label == token).count() as u64;
        let is_exact = n_right == n_cells;
        self.n_rows += 1;
        self.n_exact += u64::from(is_exact);
        self.n_cells += n_cells;
        self.n_cells_right += n_right;
        self.n_halting_right += u64::from((solution.q[0] >= 0.0) == is_exact);
        self.n_segments += solution.n_segments as u64;
    }
}

/// Asks every evaluation row of `task`. `observe` is shown each answer, and may
/// end the evaluation with an error of its own.
///
/// # Errors
///
/// [`TrainError::NoExamples`] without evaluation rows, [`TrainError::Mismatch`]
/// if model and task differ in size, [`TrainError::Score`] if answers cannot be
/// kept, [`TrainError::Backend`] if the backend fails, and those of `observe`.
pub fn evaluate<E: From<TrainError>>(
    model: &Hrm,
    task: &dyn Task,
    options: EvalOptions,
    mut observe: impl FnMut(&Prediction<'_>) -> Result<(), E>,
) -> Result<Evaluation, E> {
    check_sizes(model.config(), task)?;
    let mut evaluation = Evaluation::default();
    let mut scorer = task.scorer();
    // Place and labels of the rows that are not answered yet.
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
    (evaluation.scores, evaluation.documents) = (report.scores, report.documents);
    Ok(evaluation)
}

/// An error of the caller of [`evaluate`]. Errors of the backend become one.
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

/// Makes sure that the model can hold the task's examples.
pub(crate) fn check_sizes(config: &HrmConfig, task: &dyn Task) -> Result<(), TrainError> {
    let exactly = |field, model: usize, task: usize| {
        if model == task { Ok(()) } else { Err(TrainError::Mismatch { field, model, task }) }
    };
    exactly("vocab_size", config.input.vocab_size, task.vocab_size())?;
    exactly("n_cells", config.input.n_cells, task.n_cells())?;
    // A model may know more puzzles than a task asks about.
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
