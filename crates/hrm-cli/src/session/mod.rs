//! A training session: one process that trains, evaluates and saves a run.
//!
//! [`TrainingSession::run`] is the loop. The trainer makes the steps; after each
//! one the session decides what to log, save and evaluate, and when to stop. Its
//! parts:
//!
//! ```text
//! state.rs               what a checkpoint holds besides model and trainer
//! restore.rs             trainer and state, read from a checkpoint
//! ended.rs               runs with nothing left to do
//! clock.rs               training time, and the limit that ends the run
//! metrics.rs             metrics.jsonl and TensorBoard events
//!   metrics_window.rs      sums over the steps of one line
//!   tensorboard.rs         the event file
//! checkpoint_writer.rs   checkpoints, and which of them are kept
//! evaluator.rs           validation, final evaluation, pictures of answers
//!   example.rs             one answer, to show at the end
//! background.rs          the thread that writes checkpoints and pictures
//! display.rs             the progress line
//! ```

mod background;
mod checkpoint_writer;
mod clock;
mod display;
mod ended;
mod evaluator;
mod example;
mod metrics;
mod metrics_window;
mod restore;
mod state;
mod tensorboard;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hrm_core::Hrm;
use hrm_tasks::PuzzleTask;
use hrm_train::run::{Resumed, RunFolder, files, verify_files};
use hrm_train::{Evaluation, StepReport, TrainError, Trainer, ValidationSplit, train};
use serde_json::json;
use tracing::info_span;

use self::background::BackgroundWriter;
use self::checkpoint_writer::CheckpointWriter;
use self::clock::{Clock, Limit};
use self::display::Display;
pub(crate) use self::ended::Ended;
use self::evaluator::{Evaluator, Split};
pub(crate) use self::example::Example;
use self::metrics::Metrics;
use self::metrics_window::MetricsWindow;
use self::restore::restore;
use self::state::BestCheckpoint;
pub(crate) use self::state::RunState;
use crate::interrupt::Interrupt;
use crate::record::{Length, RunRecord};
use crate::scores;
use crate::term::note;

/// Steps per line of `metrics.jsonl`.
const LOG_INTERVAL: u64 = 10;

/// What an interrupt waits for in training.
const STEP: &str = "this step";

/// One process that trains, evaluates and saves a run.
pub(crate) struct TrainingSession {
    record: RunRecord,
    task: Arc<dyn PuzzleTask>,
    state: RunState,
    clock: Clock,
    metrics: Metrics,
    checkpoints: CheckpointWriter,
    evaluator: Evaluator,
    background: BackgroundWriter,
    display: Display,
    interrupt: Interrupt,
    /// The latest result on the test set.
    evaluation: Option<Evaluation>,
}

/// A run that has ended.
pub(crate) struct Finished {
    /// The run folder.
    pub(crate) run: PathBuf,
    pub(crate) task: Arc<dyn PuzzleTask>,
    pub(crate) n_steps: u64,
    /// Training time in seconds, over all sessions.
    pub(crate) seconds: f64,
    /// The latest result on the test set, if there is one.
    pub(crate) evaluation: Option<Evaluation>,
    /// An answer on the test set, if it was evaluated in this session.
    pub(crate) example: Option<Example>,
}

impl TrainingSession {
    /// A session that starts or continues at `state`, with `trainer` at the same
    /// step. It renders `n_pictures` answers per evaluation.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to, the time limit is not a length of time,
    /// or the system refuses to deliver signals.
    pub(crate) fn new(
        folder: RunFolder,
        record: RunRecord,
        task: Box<dyn PuzzleTask>,
        trainer: &Trainer,
        state: RunState,
        n_pictures: usize,
    ) -> anyhow::Result<Self> {
        let (task, n_steps) = (Arc::<dyn PuzzleTask>::from(task), trainer.n_steps());
        let (config, batch_size) = (&record.config, record.config.train.batch_size);
        let limit = Limit::new(config.train.steps, record.minutes)?;
        let clock = Clock::start(limit, state.seconds);
        let metrics = Metrics::open(folder, n_steps)?;
        Ok(Self {
            checkpoints: CheckpointWriter::new(metrics.checkpoints(), record.task_record()),
            evaluator: Evaluator::new(
                metrics.run(),
                Arc::clone(&task),
                config.task.clone(),
                batch_size,
                n_pictures,
            ),
            display: Display::start(clock, n_steps, batch_size),
            background: BackgroundWriter::default(),
            evaluation: None,
            record,
            task,
            state,
            clock,
            metrics,
            // Last: before the session starts, a signal has nothing to wait for.
            interrupt: Interrupt::listen()?,
        })
    }

    /// Opens the run in the folder `path` at its newest intact checkpoint.
    ///
    /// # Errors
    ///
    /// If the folder is not a run, has no intact checkpoint left, or is in use by
    /// another process.
    pub(crate) fn reopen(path: &Path) -> anyhow::Result<Resumed> {
        let mut resumed = RunFolder::resume(path).inspect_err(|err| {
            if matches!(err, TrainError::NoCheckpoint { .. }) {
                let run = path.display();
                note(format!("To repeat the run from its start: hrm train --from {run} --out NEW"));
            }
        })?;
        for (path, err) in resumed.damaged.drain(..) {
            note(format!("Warning: {err}; kept as {}", path.display()));
        }
        Ok(resumed)
    }

    /// Resumes a run from its checkpoint, and gives it another length if there is one.
    /// Returns the session and its trainer.
    ///
    /// # Errors
    ///
    /// If the checkpoint cannot be read, the data files have changed, or the run is as long
    /// as `length` already.
    pub(crate) fn resume(
        resumed: Resumed,
        length: Option<Length>,
        n_pictures: usize,
    ) -> anyhow::Result<(Self, Trainer)> {
        let Resumed { mut folder, checkpoint, .. } = resumed;
        let path = &folder.path().to_owned();
        let mut record = RunRecord::load(&path.join(files::RECORD))?;
        let mut extension = None;
        if let Some(length) = length {
            let n_done = checkpoint.as_deref().and_then(files::checkpoint_step).unwrap_or(0);
            let seconds = match &checkpoint {
                Some(checkpoint) => RunState::read(checkpoint)?.seconds,
                None => 0.0,
            };
            extension = record.extend(length, n_done, seconds)?;
        }
        record.check_data(&path.join(files::RECORD))?;
        record.warn_if_host_differs();
        let data = record.data.clone();
        let task = record.open_task(&data)?;
        let (trainer, mut state) = restore(&record, path, checkpoint.as_deref())?;
        // Before the record changes: the metrics of the end of a shorter run would otherwise
        // be taken for those of this one.
        cut_metrics(&mut folder, state.n_metrics_bytes)?;
        if let Some(text) = extension {
            folder.sync_metrics()?;
            folder.set_record(&record.for_folder(path))?;
            note(text);
        }
        let checkpoints = folder.checkpoints();
        checkpoints.set_best(state.best.map(|best| best.step))?;
        // A process killed after it wrote its last checkpoint has left old ones.
        checkpoints.keep_newest(record.config.train.checkpoints.n_kept)?;
        if checkpoints.best()?.is_none() {
            // Its checkpoint is gone, so later results must not be compared with it.
            state.best = None;
        }
        note(format!("Resuming {} after step {}.", path.display(), trainer.n_steps()));
        let session = Self::new(folder, record, task, &trainer, state, n_pictures)?;
        Ok((session, trainer))
    }

    /// The run folder.
    pub(crate) fn run_folder(&self) -> &Path {
        self.metrics.run()
    }

    /// Trains to the end of the run, unless interrupted.
    ///
    /// # Errors
    ///
    /// [`Interrupted`](crate::interrupt::Interrupted), or anything that prevents
    /// training, evaluating or saving.
    pub(crate) fn run(mut self, mut trainer: Trainer) -> anyhow::Result<Finished> {
        let trained = self.train(&mut trainer);
        // However training ends, a write in progress is completed first.
        self.background.finish()?;
        trained?;
        self.display.finish();
        Ok(Finished {
            run: self.metrics.run().to_owned(),
            task: self.task,
            n_steps: trainer.n_steps(),
            seconds: self.clock.seconds(),
            evaluation: self.evaluation,
            example: self.evaluator.into_example(),
        })
    }

    /// States how long a step is expected to take.
    pub(crate) fn expect_step(&self, time: Duration) {
        self.interrupt.expect(STEP, time);
    }

    fn train(&mut self, trainer: &mut Trainer) -> anyhow::Result<()> {
        let _training = info_span!("train").entered();
        let task = Arc::clone(&self.task);
        let n_validation = self.record.config.train.evaluation.n_validation;
        let split = ValidationSplit::new(task.as_ref(), n_validation, self.record.seed)?;
        if self.state.awaits_evaluation {
            self.evaluate(trainer, &split)?;
        }
        while !self.is_over() {
            self.interrupt.begin(STEP);
            let trained = train(trainer, &split, self.state.cursor, |trainer, report, cursor| {
                self.state.cursor = cursor;
                self.after_step(trainer, &split, report)
            });
            match trained {
                Ok(()) => break,
                Err(err) => *trainer = self.recover(err)?,
            }
        }
        self.evaluate_best()
    }

    /// Whether there are no more steps to make. After the last step, a run always
    /// has a checkpoint.
    fn is_over(&self) -> bool {
        let has_checkpoint = self.state.n_metrics_bytes > 0;
        self.clock.is_time_up() && has_checkpoint || self.is_patience_exhausted()
    }

    fn is_patience_exhausted(&self) -> bool {
        self.state.is_patience_exhausted(self.record.config.train.evaluation.patience)
    }

    /// Logs, saves and evaluates if it is time to, and decides whether to stop.
    fn after_step(
        &mut self,
        trainer: &Trainer,
        split: &ValidationSplit<'_>,
        report: &StepReport,
    ) -> anyhow::Result<ControlFlow<()>> {
        let (step, config) = (report.step, trainer.config());
        self.state.window.add(report);
        self.display.show_step(step, &self.state.window);

        let is_last = self.clock.is_time_up() || step == config.steps;
        let is_time = |interval: u64| interval > 0 && step.is_multiple_of(interval);
        if is_last || is_time(LOG_INTERVAL) {
            self.metrics.write_window(step, &self.state.window)?;
            self.state.window = MetricsWindow::open();
        }
        let mut interrupted = self.interrupt.check(self.metrics.run());
        let evaluates = is_last || is_time(config.evaluation.interval);
        let saves = evaluates || is_time(config.checkpoints.interval) || interrupted.is_err();
        // Weights that are not finite are neither saved nor evaluated.
        let is_finite = saves && trainer.is_finite()?;
        if is_last && !is_finite {
            let (loss, gradient_norm) = (report.loss, report.gradient_norm);
            return Err(TrainError::NotFinite { step, loss, gradient_norm }.into());
        }
        if is_finite {
            // Saved first: an evaluation may take long, and can be repeated.
            self.state.awaits_evaluation = evaluates;
            self.save(trainer)?;
        } else if let Err(interrupted) = &mut interrupted {
            interrupted.is_saved = false;
        }
        interrupted?;
        if evaluates && is_finite {
            self.evaluate(trainer, split)?;
        }
        self.interrupt.begin(STEP);
        let stops = is_last || self.is_patience_exhausted();
        Ok(if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Starts to write a checkpoint.
    fn save(&mut self, trainer: &Trainer) -> anyhow::Result<()> {
        let _saving = info_span!("snapshot").entered();
        // The checkpoint names the length of the metrics, so they must be on disk.
        self.metrics.sync()?;
        self.state.n_metrics_bytes = self.metrics.n_bytes();
        self.state.seconds = self.clock.seconds();
        self.checkpoints.start(trainer, &self.task, &self.state, &mut self.background)
    }

    /// Evaluates the current model: on the validation puzzles if there are any,
    /// else on the test set.
    fn evaluate(&mut self, trainer: &Trainer, split: &ValidationSplit<'_>) -> anyhow::Result<()> {
        let (model, step) = (trainer.averaged(), trainer.n_steps());
        if trainer.config().evaluation.n_validation > 0 {
            self.validate(model, step, split)
        } else {
            self.test(model, step)
        }
    }

    /// Evaluates a model on the validation puzzles, and marks its checkpoint if it
    /// is the best so far.
    fn validate(
        &mut self,
        model: &Hrm,
        step: u64,
        split: &ValidationSplit<'_>,
    ) -> anyhow::Result<()> {
        let validation = split.validation();
        let Self { evaluator, display, interrupt, background, .. } = self;
        let found = evaluator.evaluate(
            model,
            step,
            Split::Validation,
            &validation,
            display,
            interrupt,
            background,
        )?;
        let (exact, cells) = (found.exact(), found.cells());
        let line = json!({
            "kind": "validation",
            "step": step,
            "rows": found.n_rows,
            "exact": exact,
            "cells": cells,
        });
        self.metrics.write(step, &line)?;
        self.metrics.sync()?;
        self.display.note(format!("step {step}: validation {}", scores::describe(&found)));
        if self.state.record_validation(BestCheckpoint { step, exact, cells }) {
            self.checkpoints.mark_best(step, &mut self.background)?;
        }
        if self.is_patience_exhausted() && self.record.is_extended_at(step) {
            // This validation had ended the run, which was extended nevertheless.
            self.state.n_worse = 0;
            self.display.note("The run had ended early; train.evaluation.patience counts anew.");
        }
        Ok(())
    }

    /// Evaluates a model on the test set, if there is one.
    fn test(&mut self, model: &Hrm, step: u64) -> anyhow::Result<()> {
        if self.task.eval().row_ids().next().is_none() {
            return Ok(());
        }
        let task = Arc::clone(&self.task);
        let Self { evaluator, display, interrupt, background, .. } = self;
        let found = evaluator.evaluate(
            model,
            step,
            Split::Evaluation,
            task.as_ref(),
            display,
            interrupt,
            background,
        )?;
        self.metrics.write(step, &scores::to_json(&found, Some(step)))?;
        self.metrics.sync()?;
        self.display.note(format!("step {step}: {}", scores::describe(&found)));
        self.evaluation = Some(found);
        Ok(())
    }

    /// Evaluates the best checkpoint on the test set, if validation has chosen
    /// one.
    fn evaluate_best(&mut self) -> anyhow::Result<()> {
        let (Some(best), Some(checkpoint)) = (self.state.best, self.checkpoints.best()?) else {
            return Ok(());
        };
        verify_files(&checkpoint, &[files::CONFIG, files::WEIGHTS])?;
        let compute = self.record.compute()?;
        let model = Hrm::load(&checkpoint, &compute.device()?)?.with_dtype(compute.dtype()?);
        self.display.note(format!("Step {} was best in validation.", best.step));
        self.test(&model, best.step)
    }

    /// Returns the trainer to continue with after training has diverged: that of
    /// an earlier checkpoint, with smaller learning rates.
    ///
    /// # Errors
    ///
    /// `err`, if it has another cause or there have been too many rollbacks, or
    /// what prevents this one.
    fn recover(&mut self, err: anyhow::Error) -> anyhow::Result<Trainer> {
        let Some(&TrainError::NotFinite { step, .. }) = err.downcast_ref() else {
            return Err(err);
        };
        self.state.window.add_skipped();
        self.metrics.write_window(step, &self.state.window)?;
        self.metrics.sync()?;
        let config = &self.record.config.train.recovery;
        if self.state.n_rollbacks >= config.n_rollbacks_max {
            return Err(err);
        }
        let checkpoint = self.checkpoints.roll_back(&mut self.background)?;
        let (mut trainer, earlier) =
            restore(&self.record, self.metrics.run(), checkpoint.as_deref())?;
        // The checkpoint's learning rates include the rollbacks before it.
        let n_since = self.state.n_rollbacks + 1 - earlier.n_rollbacks;
        trainer.scale_learning_rates(config.rollback_rate.powi(n_since as i32));

        let (step, lr_factor) = (trainer.n_steps(), trainer.lr_factor());
        self.display.note(format!(
            "Warning: {err}. Returning to step {step}, with learning rates multiplied by \
             {lr_factor}.",
        ));
        self.metrics.discard_events_after(step)?;
        let line = json!({"kind": "rollback", "step": step, "slowdown": lr_factor});
        self.metrics.write(step, &line)?;
        self.state.roll_back_to(earlier, step);
        Ok(trainer)
    }
}

/// Removes the metrics after the first `n_bytes`, which are those of steps that will be
/// repeated. Metrics that are shorter have lost lines: the run goes on without these.
fn cut_metrics(folder: &mut RunFolder, n_bytes: u64) -> anyhow::Result<()> {
    let n_found = folder.metrics_len();
    if n_found >= n_bytes {
        return Ok(folder.truncate_metrics(n_bytes)?);
    }
    let path = folder.path().join(files::METRICS);
    note(format!(
        "Warning: {} has been cut: its checkpoint was written after {n_bytes} bytes, found \
         {n_found}. The run goes on, and the missing lines stay missing.",
        path.display()
    ));
    let read = |source| TrainError::Read { path: path.clone(), source };
    let metrics = std::fs::read(&path).map_err(read)?;
    // The last line may be incomplete.
    let n_complete = metrics.iter().rposition(|byte| *byte == b'\n').map_or(0, |idx| idx + 1);
    Ok(folder.truncate_metrics(n_complete as u64)?)
}
