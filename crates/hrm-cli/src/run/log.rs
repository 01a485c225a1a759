//! What a run leaves behind as it goes, and when it ends.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hrm_tasks::PuzzleTask;
use hrm_train::run::{RunFolder, write_json};
use hrm_train::{Evaluation, StepReport, TrainConfig, TrainError, Trainer, ValidationSplit};
use serde_json::{Value, json};
use tracing::info_span;

use super::events::Events;
use super::load;
use super::position::{POSITION, Position};
use super::saver::Saver;
use crate::checkpoint::{Puzzles, describe};
use crate::interrupt::{Interrupt, Interrupted};
use crate::outcome::usage;
use crate::progress::{Limit, Progress, Window};
use crate::record::RunRecord;

/// Steps per line of `metrics.jsonl`.
const LOG_EVERY: u64 = 10;

/// What a run leaves behind, and when it ends.
pub(super) struct Log {
    pub(super) folder: RunFolder,
    pub(super) puzzles: Puzzles,
    /// Answers of each evaluation that are drawn.
    pub(super) n_pictures: usize,
    limit: Limit,
    pub(super) position: Position,
    pub(super) interrupt: Interrupt,
    /// When this process took the run up.
    started: Instant,
    /// Time that training had taken before.
    seconds_before: f64,
    pub(super) progress: Progress,
    /// Metrics for those who watch.
    events: Events,
    pub(super) saver: Saver,
    /// Times that the run has gone back since its last checkpoint.
    n_rollbacks_in_row: usize,
    /// What the last evaluation found.
    pub(super) judged: Option<Evaluation>,
}

impl Log {
    /// The log of a run that is at `position` after `n_steps` steps.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub(super) fn new(
        folder: RunFolder,
        record: &RunRecord,
        n_steps: u64,
        position: Position,
        interrupt: Interrupt,
    ) -> anyhow::Result<Self> {
        let limit = match record.minutes {
            Some(minutes) => {
                let time = Duration::try_from_secs_f64(minutes * 60.0);
                Limit::Time(time.map_err(|err| usage(format!("minutes {minutes}: {err}")))?)
            }
            None => Limit::Steps(record.config.train.steps),
        };
        let seconds_before = position.seconds;
        Ok(Self {
            events: Events::begin(folder.path(), n_steps)?,
            folder,
            puzzles: record.puzzles(),
            n_pictures: 0,
            limit,
            position,
            interrupt,
            started: Instant::now(),
            seconds_before,
            progress: Progress::start(limit, n_steps, seconds_before),
            saver: Saver::default(),
            n_rollbacks_in_row: 0,
            judged: None,
        })
    }

    /// Time that training has taken, in all its parts.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    fn is_late(&self) -> bool {
        matches!(self.limit, Limit::Time(time) if self.seconds() >= time.as_secs_f64())
    }

    /// Whether there is nothing left to do but to judge what was chosen.
    pub(super) fn is_over(&self, config: &TrainConfig) -> bool {
        // The last step of a run has its checkpoint.
        let is_late = self.is_late() && self.position.n_metrics > 0;
        is_late || self.has_lost_patience(config)
    }

    /// Logs, saves and evaluates when it is time to.
    pub(super) fn after_step(
        &mut self,
        trainer: &Trainer,
        task: &Arc<dyn PuzzleTask>,
        split: &ValidationSplit<'_>,
        report: &StepReport,
    ) -> anyhow::Result<ControlFlow<()>> {
        let (step, config) = (report.step, trainer.config());
        self.position.window.add(report);
        self.progress.show(step, &self.position.window, config.batch_size);

        let is_last = self.is_late() || step == config.steps;
        let is_time = |interval: u64| interval > 0 && step.is_multiple_of(interval);
        if is_last || is_time(LOG_EVERY) {
            let line = self.position.window.to_json(step);
            self.line(step, &line)?;
            self.position.window = Window::open();
        }
        let is_judged = is_last || is_time(config.evaluation.interval);
        let signal = self.interrupt.signal();
        let is_due = is_judged || is_time(config.checkpoints.interval) || signal.is_some();
        // Nothing good comes from going on with, or judging, what is not sound.
        let is_sound = is_due && trainer.is_finite()?;
        if is_last && !is_sound {
            let (loss, gradient_norm) = (report.loss, report.gradient_norm);
            return Err(TrainError::NotFinite { step, loss, gradient_norm }.into());
        }
        if is_sound {
            // Saved first: an evaluation may take long, and can be repeated.
            self.position.awaits_evaluation = is_judged;
            self.save(trainer, task)?;
        }
        if let Some(signal) = signal {
            return Err(self.interrupted(signal).into());
        }
        if is_judged && is_sound {
            self.judge(trainer, task.as_ref(), split)?;
        }
        let is_over = is_last || self.has_lost_patience(config);
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Writes a line of metrics, also for those who watch.
    pub(super) fn line(&mut self, step: u64, line: &Value) -> anyhow::Result<()> {
        self.folder.log(line)?;
        self.events.add(step, line)
    }

    /// Makes the metrics so far durable.
    pub(super) fn sync(&mut self) -> anyhow::Result<()> {
        self.events.sync()?;
        Ok(self.folder.sync_metrics()?)
    }

    /// Begins to write a checkpoint, and to remove those that are too old to be
    /// kept.
    fn save(&mut self, trainer: &Trainer, task: &Arc<dyn PuzzleTask>) -> anyhow::Result<()> {
        let _saving = info_span!("snapshot").entered();
        // Metrics must not be behind the checkpoint that names their length.
        self.sync()?;
        self.position.n_metrics = self.folder.metrics_len();
        self.position.seconds = self.seconds();
        let (snapshot, position) = (trainer.snapshot()?, self.position.clone());
        let (checkpoints, puzzles) = (self.folder.checkpoints(), self.puzzles.clone());
        let (task, n_kept) = (Arc::clone(task), trainer.config().checkpoints.n_kept);
        self.n_rollbacks_in_row = 0;
        self.saver.start(info_span!("write checkpoint"), move || {
            checkpoints.write(snapshot.n_steps(), |folder| {
                snapshot.write(folder)?;
                describe(folder, &puzzles, task.identifiers())?;
                anyhow::Ok(write_json(&folder.join(POSITION), &position)?)
            })?;
            Ok(checkpoints.keep_newest(n_kept)?)
        })
    }

    /// What to go on with after an error: the trainer of an earlier checkpoint if
    /// numbers have become too large, else nothing.
    ///
    /// # Errors
    ///
    /// The error, if there is nothing to go on with.
    pub(super) fn after_failure(
        &mut self,
        record: &RunRecord,
        err: anyhow::Error,
    ) -> anyhow::Result<Trainer> {
        let Some(&TrainError::NotFinite { step, .. }) = err.downcast_ref() else {
            return Err(err);
        };
        self.position.window.add_skipped();
        self.line(step, &self.position.window.to_json(step))?;
        self.sync()?;
        if self.position.n_rollbacks >= record.config.train.recovery.n_rollbacks_max {
            return Err(err);
        }
        self.roll_back(record, &err)
    }

    /// The trainer of the last checkpoint, or of the first step, slowed down. If
    /// no checkpoint was written since the last time, of the one before.
    fn roll_back(&mut self, record: &RunRecord, err: &anyhow::Error) -> anyhow::Result<Trainer> {
        self.saver.finish()?;
        let checkpoint = self.folder.checkpoints().roll_back(self.n_rollbacks_in_row)?;
        let (mut trainer, there) = load(record, checkpoint.as_deref())?;
        let n_rollbacks = self.position.n_rollbacks + 1;
        let n_since = n_rollbacks - there.n_rollbacks;
        trainer
            .scale_learning_rates(record.config.train.recovery.rollback_rate.powi(n_since as i32));
        self.n_rollbacks_in_row += 1;

        let (step, slowdown) = (trainer.n_steps(), trainer.lr_factor());
        self.progress.remark(format!(
            "Warning: {err}. Going back to step {step}, with {slowdown} times the learning rates.",
        ));
        self.events.restart(step)?;
        self.line(step, &json!({"kind": "rollback", "step": step, "slowdown": slowdown}))?;
        // What has been judged since stays judged, unless it is gone.
        let best = self.position.best.filter(|best| best.step <= step);
        let (n_worse, awaits_evaluation) = (self.position.n_worse, false);
        self.position = Position { best, n_worse, n_rollbacks, awaits_evaluation, ..there };
        Ok(trainer)
    }

    pub(super) fn interrupted(&self, signal: i32) -> Interrupted {
        Interrupted { signal, run: self.folder.path().to_owned() }
    }
}
