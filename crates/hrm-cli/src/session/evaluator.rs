//! Evaluates a model on held-out puzzles, and renders some of its answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use hrm_base::durable;
use hrm_core::{Budget, Hrm};
use hrm_puzzles::picture::Picture;
use hrm_tasks::{PuzzleTask, TaskConfig};
use hrm_train::task::{Prediction, Task};
use hrm_train::{EvalOptions, Evaluation, evaluate};
use tracing::info_span;

use super::background::BackgroundWriter;
use super::display::Display;
use super::example::Example;
use crate::interrupt::Interrupt;
use crate::pictures::Answers;

/// Subfolder of the run folder for rendered answers.
const PICTURES: &str = "pictures";

/// What an interrupt waits for in an evaluation.
const BATCH: &str = "this batch of the evaluation";

/// Evaluates the model of a run.
pub(super) struct Evaluator {
    run: PathBuf,
    task: Arc<dyn PuzzleTask>,
    config: TaskConfig,
    batch_size: usize,
    /// Answers to render per evaluation.
    n_pictures: usize,
    /// An answer of the latest evaluation on the test set.
    example: Option<Example>,
}

/// The puzzles of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// Training puzzles that are held out to choose a checkpoint.
    Validation,
    /// The test set.
    Evaluation,
}

impl Split {
    fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Evaluation => "evaluation",
        }
    }
}

impl Evaluator {
    /// An evaluator that renders `n_pictures` answers per evaluation into a
    /// subfolder of `run`.
    pub(super) fn new(
        run: &Path,
        task: Arc<dyn PuzzleTask>,
        config: TaskConfig,
        batch_size: usize,
        n_pictures: usize,
    ) -> Self {
        Self { run: run.to_owned(), task, config, batch_size, n_pictures, example: None }
    }

    /// Evaluates `model`, which is that of `step`, on the evaluation examples of
    /// `examples`, with the full number of segments.
    ///
    /// # Errors
    ///
    /// If there are no examples, the backend fails, pictures cannot be rendered,
    /// or the process is interrupted.
    pub(super) fn evaluate(
        &mut self,
        model: &Hrm,
        step: u64,
        split: Split,
        examples: &dyn Task,
        display: &mut Display,
        interrupt: &Interrupt,
        background: &mut BackgroundWriter,
    ) -> anyhow::Result<Evaluation> {
        let _evaluating = info_span!("evaluate").entered();
        let rows = examples.eval();
        let n_rows = rows.n_rows_total();
        let budget = Budget::Fixed(model.n_segments_max());
        let options = EvalOptions { budget, batch_size: self.batch_size, sampling: None };
        interrupt.begin(BATCH);
        let mut n_done = 0;
        let mut example = None;
        let mut answers = Answers::at_most(self.n_pictures);
        let evaluation = evaluate(model, examples, options, |predicted: &Prediction<'_>| {
            n_done += 1;
            answers.add(rows, predicted);
            Example::offer(&mut example, predicted);
            display.show_evaluation(n_done, n_rows);
            interrupt.begin(BATCH);
            anyhow::Ok(interrupt.check(&self.run)?)
        })?;
        self.render(&answers, step, split, examples, background)?;
        if split == Split::Evaluation {
            self.example = example;
        }
        Ok(evaluation)
    }

    /// An answer of the latest evaluation on the test set, if there was one.
    pub(super) fn into_example(self) -> Option<Example> {
        self.example
    }

    /// Starts to render the answers, if there are any.
    fn render(
        &self,
        answers: &Answers,
        step: u64,
        split: Split,
        examples: &dyn Task,
        background: &mut BackgroundWriter,
    ) -> anyhow::Result<()> {
        let puzzles =
            answers.puzzles(self.task.as_ref(), examples.eval(), self.config.puzzle_kind());
        if puzzles.is_empty() {
            return Ok(());
        }
        let split = split.name();
        let title = format!("{}, step {step}", answers.title(examples.name(), split));
        let picture = Picture { title, puzzles, n_columns: None };
        let folder = self.run.join(PICTURES);
        let file = folder.join(format!("{split}-{step:08}.png"));
        background.start(info_span!("write pictures"), move || {
            let png = picture.to_png()?;
            let written = fs::create_dir_all(&folder).and_then(|()| durable::replace(&file, &png));
            written.with_context(|| format!("cannot write {}", file.display()))
        })
    }
}
