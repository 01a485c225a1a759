//! A training run under way: steps, evaluations, checkpoints, and how it ends.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use hrm_core::Budget;
use hrm_tasks::PuzzleTask;
use hrm_train::run::{Resumed, RunFolder, files, load_model, read_json, write_json};
use hrm_train::task::Predicted;
use hrm_train::{Asking, Evaluation, Feed, StepReport, Trainer, evaluate, train};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checkpoint::{Puzzles, save_in_run};
use crate::eval;
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::{Limit, Progress, Window};
use crate::record::RunRecord;
use crate::term::{remark, result};

/// Steps per line of `metrics.jsonl`.
const LOG_EVERY: u64 = 10;

/// Where a run is, in a file of each checkpoint.
const POSITION: &str = "position.json";

/// Where a run is, beside its model and its trainer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    feed: Feed,
    /// Bytes of metrics.
    n_metrics: u64,
    /// Time that training took.
    seconds: f64,
    /// Steps that are not logged yet.
    window: Window,
    /// Whether the model as it is has yet to be evaluated.
    awaits_evaluation: bool,
}

impl Position {
    /// Before the first step.
    pub(crate) fn start(seed: u64) -> Self {
        let (feed, window) = (Feed::new(seed), Window::open());
        Self { feed, n_metrics: 0, seconds: 0.0, window, awaits_evaluation: false }
    }
}

/// A training run under way.
pub(crate) struct Run {
    trainer: Trainer,
    task: Box<dyn PuzzleTask>,
    log: Log,
}

/// What a run leaves behind, and when it ends.
struct Log {
    folder: RunFolder,
    puzzles: Puzzles,
    limit: Limit,
    position: Position,
    interrupt: Interrupt,
    /// When this process took the run up.
    started: Instant,
    /// Time that training had taken before.
    seconds_before: f64,
    progress: Progress,
    /// What the last evaluation found.
    judged: Option<Evaluation>,
}

impl Run {
    pub(crate) fn new(
        trainer: Trainer,
        task: Box<dyn PuzzleTask>,
        folder: RunFolder,
        record: &RunRecord,
        position: Position,
        interrupt: Interrupt,
    ) -> Self {
        let limit = match record.minutes {
            Some(minutes) => Limit::Time(Duration::from_secs_f64(minutes * 60.0)),
            None => Limit::Steps(record.config.train.steps),
        };
        let seconds_before = position.seconds;
        let progress = Progress::start(limit, trainer.n_steps(), seconds_before);
        let log = Log {
            folder,
            puzzles: record.puzzles(),
            limit,
            position,
            interrupt,
            started: Instant::now(),
            seconds_before,
            progress,
            judged: None,
        };
        Self { trainer, task, log }
    }

    /// Goes on with the run in a folder, from its newest sound checkpoint.
    ///
    /// # Errors
    ///
    /// If the folder is no run, has no sound checkpoint left, or belongs to a
    /// process at work; if data files are not those of the run.
    pub(crate) fn resume(path: &Path, interrupt: Interrupt) -> anyhow::Result<Self> {
        let Resumed { mut folder, checkpoint, damaged } = RunFolder::resume(path)?;
        for (path, err) in damaged {
            remark(format!("Warning: {err}; kept as {}", path.display()));
        }
        let mut record = RunRecord::read(&path.join(files::RECORD))?;
        record.check_host();
        let data = record.data.clone();
        let task = record.open_task(&data)?;
        let config = record.config.train.clone();
        let (trainer, position) = match &checkpoint {
            None => (Trainer::new(record.first_model()?, config)?, Position::start(record.seed)),
            Some(checkpoint) => {
                let compute = record.compute()?;
                let model = load_model(checkpoint, &compute.device()?)?;
                let model = model.with_dtype(compute.dtype()?);
                let position: Position = read_json(&checkpoint.join(POSITION))?;
                (Trainer::restore(model, config, checkpoint)?, position)
            }
        };
        folder.rewind_metrics(position.n_metrics)?;
        remark(format!("Going on with {} after step {}.", path.display(), trainer.n_steps()));
        Ok(Self::new(trainer, task, folder, &record, position, interrupt))
    }

    /// Trains to the end, unless it is interrupted.
    pub(crate) fn train(mut self, as_json: bool) -> anyhow::Result<()> {
        let Self { trainer, task, log } = &mut self;
        let task = task.as_ref();
        if log.position.awaits_evaluation {
            log.judge(trainer, task)?;
        }
        let feed = log.position.feed;
        train(trainer, task, feed, |trainer: &Trainer, report: &StepReport, feed| {
            log.position.feed = feed;
            log.after_step(trainer, task, report)
        })?;
        log.progress.finish();
        self.report(as_json)
    }

    fn report(&self, as_json: bool) -> anyhow::Result<()> {
        let (run, step) = (self.log.folder.path(), self.trainer.n_steps());
        let seconds = self.log.seconds();
        if as_json {
            let evaluation = self.log.judged.as_ref().map(|found| eval::to_json(found, None));
            let line =
                json!({"run": run, "steps": step, "seconds": seconds, "evaluation": evaluation});
            return Ok(result(format!("{line}\n"))?);
        }
        let table = match &self.log.judged {
            Some(evaluation) => eval::table(evaluation),
            None => "No evaluation puzzles: nothing to report.\n".to_owned(),
        };
        let (kind, run) = (self.task.name(), run.display());
        Ok(result(format!(
            "{step} steps in {seconds:.0} s.\n{table}Try it: cargo xtask solve {kind} --run {run}\n"
        ))?)
    }
}

impl Log {
    /// Time that training has taken, in all its parts.
    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Logs, saves and evaluates when it is time to.
    fn after_step(
        &mut self,
        trainer: &Trainer,
        task: &dyn PuzzleTask,
        report: &StepReport,
    ) -> anyhow::Result<ControlFlow<()>> {
        let (step, config) = (report.step, trainer.config());
        self.position.window.add(report);
        self.progress.show(step, &self.position.window, config.batch_size);

        let is_late = matches!(self.limit, Limit::Time(t) if self.seconds() >= t.as_secs_f64());
        let is_last = is_late || step == config.steps;
        let is_time = |interval: u64| interval > 0 && step.is_multiple_of(interval);
        if is_last || is_time(LOG_EVERY) {
            let line = self.position.window.to_json(step);
            self.folder.log(&line)?;
            self.position.window = Window::open();
        }
        let is_judged = is_last || is_time(config.eval_interval);
        let signal = self.interrupt.signal();
        if is_judged || is_time(config.checkpoint_interval) || signal.is_some() {
            // Saved first: an evaluation may take long, and can be repeated.
            self.position.awaits_evaluation = is_judged;
            self.save(trainer, task)?;
        }
        if let Some(signal) = signal {
            return Err(self.interrupted(signal).into());
        }
        if is_judged {
            self.judge(trainer, task)?;
        }
        Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Writes a checkpoint, and removes those that are too old to be kept.
    fn save(&mut self, trainer: &Trainer, task: &dyn PuzzleTask) -> anyhow::Result<()> {
        self.position.n_metrics = self.folder.n_metrics();
        self.position.seconds = self.seconds();
        save_in_run(&self.folder, trainer, &self.puzzles, task, |folder| {
            Ok(write_json(&folder.join(POSITION), &self.position)?)
        })?;
        Ok(self.folder.keep_newest(trainer.config().n_checkpoints)?)
    }

    /// Evaluates as the published code does, with every segment, if there are
    /// evaluation puzzles.
    fn judge(&mut self, trainer: &Trainer, task: &dyn PuzzleTask) -> anyhow::Result<()> {
        let n_rows = task.eval().row_ids().count() as u64;
        if n_rows == 0 {
            return Ok(());
        }
        let model = trainer.model();
        let budget = Budget::Fixed(model.config().n_segments_max);
        let asking = Asking { budget, batch_size: trainer.config().batch_size, sampling: None };
        let mut n_done = 0;
        let evaluation = evaluate(model, task, asking, |_: &Predicted<'_>| {
            n_done += 1;
            self.progress.show_evaluation(n_done, n_rows);
            match self.interrupt.signal() {
                None => anyhow::Ok(()),
                Some(signal) => Err(self.interrupted(signal).into()),
            }
        })?;
        let step = trainer.n_steps();
        self.folder.log(&eval::to_json(&evaluation, Some(step)))?;
        self.folder.sync_metrics()?;
        self.progress.remark(format!("step {step}: {}", eval::describe(&evaluation)));
        self.judged = Some(evaluation);
        Ok(())
    }

    fn interrupted(&self, signal: i32) -> Interrupted {
        Interrupted { signal, run: self.folder.path().to_owned() }
    }
}
