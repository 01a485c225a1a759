//! How many puzzles are answered right.

use candle_core::Tensor;
use candle_transformers::generation::LogitsProcessor;
use hrm_core::{Budget, Hrm, HrmConfig, RollingBatch, Solution, Tracking};

use crate::task::{Document, PADDING, Prediction, RowId, RowMut, Task};
use crate::{Batch, TrainError};

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalOptions {
    /// Segments per row.
    pub budget: Budget,
    /// Rows at a time.
    pub batch_size: usize,
    /// Whether to draw a second answer to each row beside the most likely one.
    pub sampling: Option<Sampling>,
}

/// How to draw an answer, cell by cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it. Near 0, draws are the most likely tokens.
    pub temperature: f64,
    /// Decides the draws, together with the order of the rows.
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
    let network = model.network(Tracking::Frozen).map_err(TrainError::Backend)?;
    let mut draws = options
        .sampling
        .map(|Sampling { temperature, seed }| LogitsProcessor::new(seed, Some(temperature), None));
    let mut evaluation = Evaluation::default();
    let mut scorer = task.scorer();
    let mut places = task.eval().row_ids();
    let mut rolling = RollingBatch::new(&network, options.budget);
    let mut asked: Vec<RowId> = Vec::new();
    loop {
        let n_free = options.batch_size.max(1).saturating_sub(rolling.n_at_work());
        let fresh: Vec<RowId> = places.by_ref().take(n_free).collect();
        if !fresh.is_empty() {
            let batch = Batch::read(task.eval(), &fresh, task.n_cells());
            pose(model, &mut rolling, &batch).map_err(TrainError::Backend)?;
            asked.extend(fresh);
        }
        if rolling.n_at_work() == 0 {
            break;
        }
        for (puzzle, solution) in rolling.segment().map_err(TrainError::Backend)? {
            let at = asked[puzzle];
            let (inputs, labels) = question(task, at);
            evaluation.add(&labels, &solution);
            let sampled = draws.as_mut().map(|draws| sample(draws, &solution.logits));
            let sampled = sampled.transpose().map_err(TrainError::Backend)?;
            let prediction = Prediction {
                at,
                inputs: &inputs,
                labels: &labels,
                tokens: &solution.tokens,
                sampled: sampled.as_deref(),
                q_halt: solution.q[0],
            };
            observe(&prediction)?;
            scorer.add(prediction).map_err(TrainError::Score)?;
        }
    }
    if evaluation.n_rows == 0 {
        return Err(TrainError::NoExamples { what: "evaluation" }.into());
    }
    let report = scorer.finish().map_err(TrainError::Score)?;
    (evaluation.scores, evaluation.documents) = (report.scores, report.documents);
    Ok(evaluation)
}

/// Adds the puzzles of a batch.
fn pose(model: &Hrm, rolling: &mut RollingBatch<'_>, batch: &Batch) -> candle_core::Result<()> {
    let rows = model.puzzle_rows(batch.puzzle_ids())?;
    rolling.add(&batch.input_tensor(model.device())?, rows.as_ref())
}

/// One token per cell, drawn from `logits: [S, V]`.
fn sample(draws: &mut LogitsProcessor, logits: &Tensor) -> candle_core::Result<Vec<u32>> {
    (0..logits.dim(0)?).map(|cell| draws.sample(&logits.get(cell)?)).collect()
}

/// Makes sure that the model can hold the task's examples.
pub(crate) fn check_sizes(config: &HrmConfig, task: &dyn Task) -> Result<(), TrainError> {
    let exactly = |field, model: usize, task: usize| {
        if model == task { Ok(()) } else { Err(TrainError::Mismatch { field, model, task }) }
    };
    exactly("vocab_size", config.vocab_size, task.vocab_size())?;
    exactly("n_cells", config.n_cells, task.n_cells())?;
    // A model may know more puzzles than a task asks about.
    if config.n_puzzle_ids < task.n_puzzle_ids() {
        let (model, task) = (config.n_puzzle_ids, task.n_puzzle_ids());
        return Err(TrainError::Mismatch { field: "n_puzzle_ids", model, task });
    }
    Ok(())
}

/// Question and answer of one evaluation row.
fn question(task: &dyn Task, at: RowId) -> (Vec<u32>, Vec<u32>) {
    let (mut inputs, mut labels) = (vec![PADDING; task.n_cells()], vec![PADDING; task.n_cells()]);
    let mut puzzle_id = 0;
    let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
    task.eval().write(at, row);
    (inputs, labels)
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
