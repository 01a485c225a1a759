//! A training run under way: steps, evaluations, checkpoints, and how it ends.

mod events;
mod judge;
mod log;
mod position;
mod saver;

use std::path::Path;
use std::sync::Arc;

use hrm_core::Hrm;
use hrm_tasks::PuzzleTask;
use hrm_train::run::{Resumed, RunFolder, files, read_json};
use hrm_train::{Trainer, ValidationSplit, train};
use serde_json::json;
use tracing::info_span;

use self::log::Log;
use self::position::POSITION;
pub(crate) use self::position::Position;
use crate::eval;
use crate::interrupt::Interrupt;
use crate::record::RunRecord;
use crate::term::{remark, result};

/// A training run under way.
pub(crate) struct Run {
    trainer: Trainer,
    task: Arc<dyn PuzzleTask>,
    record: RunRecord,
    log: Log,
}

impl Run {
    /// A run at `position`.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub(crate) fn new(
        trainer: Trainer,
        task: Box<dyn PuzzleTask>,
        folder: RunFolder,
        record: RunRecord,
        position: Position,
        interrupt: Interrupt,
    ) -> anyhow::Result<Self> {
        let log = Log::new(folder, &record, trainer.n_steps(), position, interrupt)?;
        Ok(Self { trainer, task: task.into(), record, log })
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
        let (trainer, mut position) = load(&record, checkpoint.as_deref())?;
        folder.truncate_metrics(position.n_metrics)?;
        let checkpoints = folder.checkpoints();
        checkpoints.set_best(position.best.map(|best| best.step))?;
        if checkpoints.best()?.is_none() {
            // What it was compared by is gone with it.
            position.best = None;
        }
        remark(format!("Going on with {} after step {}.", path.display(), trainer.n_steps()));
        Self::new(trainer, task, folder, record, position, interrupt)
    }

    /// Draws so many answers of each evaluation into the folder of the run.
    pub(crate) fn draw(&mut self, n_pictures: usize) {
        self.log.n_pictures = n_pictures;
    }

    /// Trains to the end, unless it is interrupted.
    pub(crate) fn train(mut self, as_json: bool) -> anyhow::Result<()> {
        let trained = self.go();
        // However it ends, what is being written is written first.
        self.log.saver.finish()?;
        trained?;
        self.log.progress.finish();
        self.report(as_json)
    }

    fn go(&mut self) -> anyhow::Result<()> {
        let _training = info_span!("train").entered();
        let Self { trainer, task, record, log } = self;
        let config = &record.config.train;
        let split =
            ValidationSplit::new(task.as_ref(), config.evaluation.n_validation, record.seed)?;
        if log.position.awaits_evaluation {
            log.judge(trainer, task.as_ref(), &split)?;
        }
        while !log.is_over(config) {
            let feed = log.position.feed;
            let trained = train(trainer, &split, feed, |trainer, report, feed| {
                log.position.feed = feed;
                log.after_step(trainer, task, &split, report)
            });
            match trained {
                Ok(()) => break,
                Err(err) => *trainer = log.after_failure(record, err)?,
            }
        }
        log.judge_chosen(task.as_ref(), record)
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

/// The trainer and the position of a checkpoint, or without one, of a run that
/// has yet to begin.
fn load(record: &RunRecord, checkpoint: Option<&Path>) -> anyhow::Result<(Trainer, Position)> {
    let config = record.config.train.clone();
    let Some(checkpoint) = checkpoint else {
        return Ok((Trainer::new(record.first_model()?, config)?, Position::start(record.seed)));
    };
    let compute = record.compute()?;
    let model = Hrm::load(checkpoint, &compute.device()?)?.with_dtype(compute.dtype()?);
    let position = read_json(&checkpoint.join(POSITION))?;
    Ok((Trainer::restore(model, config, checkpoint)?, position))
}
