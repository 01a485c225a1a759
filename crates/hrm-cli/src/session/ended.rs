//! Runs that have ended: there is nothing left to train or to evaluate.

use std::path::PathBuf;

use hrm_base::words::counted;
use hrm_train::TrainError;
use hrm_train::run::{Resumed, files};
use serde_json::{Value, json};

use super::RunState;
use crate::paths;
use crate::record::RunRecord;
use crate::term::result;

/// The result of a run that has ended, from its files.
pub(crate) struct Ended {
    run: PathBuf,
    /// The name of its task.
    task: &'static str,
    n_steps: u64,
    /// Training time in seconds.
    seconds: f64,
    /// The last line of metrics: the result on the test set.
    evaluation: Value,
}

impl Ended {
    /// The result of a run, unless there is something left to do. Removes old checkpoints
    /// that the run should not have kept.
    ///
    /// # Errors
    ///
    /// If its record, its checkpoint or its metrics cannot be read.
    pub(crate) fn read(resumed: &Resumed) -> anyhow::Result<Option<Self>> {
        let Some(checkpoint) = &resumed.checkpoint else { return Ok(None) };
        let run = resumed.folder.path().to_owned();
        let record = RunRecord::load(&run.join(files::RECORD))?;
        let state = RunState::read(checkpoint)?;
        let n_steps = files::checkpoint_step(checkpoint).unwrap_or(0);
        let path = run.join(files::METRICS);
        let read = |source| TrainError::Read { path: path.clone(), source };
        let metrics = std::fs::read(&path).map_err(read)?;
        // The last checkpoint is written before the evaluations that end a run.
        let after = metrics.get(state.n_metrics_bytes as usize..).unwrap_or_default();
        // An incomplete last line does not parse.
        let lines = after.split(|byte| *byte == b'\n');
        let lines: Vec<Value> =
            lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        // The newest checkpoint may have been damaged: then the run was at a later step.
        if lines.iter().any(|line| line["step"].as_u64() > Some(n_steps)) {
            return Ok(None);
        }
        let train = &record.config.train;
        let is_validated = train.evaluation.n_validation > 0;
        let is_over = n_steps == train.steps
            || record.minutes.is_some_and(|minutes| state.seconds >= minutes * 60.0);
        let is_result = |line: &Value| {
            // With validation, only the end of a run evaluates the test set.
            line["kind"] == "eval" && (is_validated || is_over && line["step"] == n_steps)
        };
        let Some(evaluation) = lines.into_iter().rfind(is_result) else { return Ok(None) };
        // A process killed at the very end has left old checkpoints.
        resumed.folder.checkpoints().keep_newest(train.checkpoints.n_kept)?;
        let (task, seconds) = (record.config.task.name(), state.seconds);
        Ok(Some(Self { run, task, n_steps, seconds, evaluation }))
    }

    /// Prints the result, and how to train longer.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub(crate) fn report(&self, as_json: bool) -> std::io::Result<()> {
        let Self { run, task, n_steps, seconds, evaluation } = self;
        if as_json {
            let line = json!({
                "run": paths::to_json(run),
                "steps": n_steps,
                "seconds": seconds,
                "evaluation": evaluation,
            });
            return result(format!("{line}\n"));
        }
        let score = |name: &str| evaluation[name].as_f64().unwrap_or(0.0) * 100.0;
        let (exact, cells, run) = (score("exact"), score("cells"), run.display());
        result(format!(
            "{run} is finished: {} in {seconds:.0} s, exact {exact:.2} %, cells \
             {cells:.2} %.\n\
             All scores: hrm eval {run}\n\
             To train longer: hrm train --resume {run} --steps N, with N above {n_steps} (or \
             --minutes). Try it: hrm solve {task} --run {run}\n",
            counted(*n_steps as usize, "step", "steps")
        ))
    }
}
