//! `hrm train`: from puzzles to a checkpoint.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use hrm_core::{Budget, Hrm};
use hrm_tasks::{PuzzleTask, RunConfig};
use hrm_train::run::RunFolder;
use hrm_train::task::Predicted;
use hrm_train::{Asking, Evaluation, StepReport, TrainError, Trainer, evaluate, train};
use serde_json::json;

use crate::checkpoint::{Puzzles, save_in_run};
use crate::choice::Choice;
use crate::compute::{Compute, device_name};
use crate::eval;
use crate::outcome::usage;
use crate::progress::{Limit, Progress, Window};
use crate::record::{self, Host, RunRecord};
use crate::term::{remark, result};

/// Steps per line of `metrics.jsonl`.
const LOG_EVERY: u64 = 10;

#[derive(Args)]
pub(crate) struct Train {
    #[command(flatten)]
    choice: Choice,
    /// Optimiser steps.
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Stop after this long, at a learning rate that does not decay.
    #[arg(long)]
    minutes: Option<f64>,
    /// Decides weights, batches and halting draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run folder. Default: the first free runs/TASK-PRESET-N.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace an existing run folder.
    #[arg(long)]
    force: bool,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

impl Train {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut config = self.choice.config()?;
        let limit = self.limit(&mut config)?;

        let task = config.task.open(&self.choice.data)?;
        config.model.vocab_size = task.vocab_size();
        config.model.n_cells = task.n_cells();
        config.model.n_puzzle_ids = task.n_puzzle_ids();
        config.train.check()?;
        // Known before a run folder is made.
        if task.train().row_ids().next().is_none() {
            return Err(TrainError::NoExamples { what: "training" }.into());
        }
        let device = self.compute.device()?;
        let dtype = self.compute.dtype()?;
        let model = Hrm::seeded(config.model.clone(), self.seed, &device)?.with_dtype(dtype);
        let n_parameters = config.model.n_parameters()?;
        let trainer = Trainer::new(model, config.train.clone())?;

        let puzzles = Puzzles { task: config.task.clone(), data: absolute(&self.choice.data)? };
        let record = RunRecord {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: record::revision(),
            config,
            data_sha256: record::hashes(&puzzles.data)?,
            data: puzzles.data.clone(),
            seed: self.seed,
            device: device_name(&device).to_owned(),
            dtype: dtype.as_str().to_owned(),
            cargo_features: record::cargo_features(),
            host: Host::here(),
        };
        let out = self.out.clone().unwrap_or_else(|| free_folder(&self.choice));
        let folder = RunFolder::create(&out, &record, self.force)?;
        self.introduce(&out, task.as_ref(), n_parameters);

        Run { trainer, task, puzzles, folder, limit, started: Instant::now(), judged: None }
            .train(self.seed, self.json)
    }

    /// When the run ends, and the number of steps that goes with it.
    fn limit(&self, config: &mut RunConfig) -> anyhow::Result<Limit> {
        if let Some(steps) = self.steps {
            config.train.steps = steps;
        }
        let Some(minutes) = self.minutes else { return Ok(Limit::Steps(config.train.steps)) };
        if !(minutes > 0.0 && minutes <= 1e6) {
            return Err(usage(format!("--minutes must be in 0..=1e6, found {minutes}")));
        }
        // How many steps fit is not known, so there is nothing to decay over.
        config.train.steps = u64::MAX;
        config.train.lr_min_ratio = 1.0;
        Ok(Limit::Time(Duration::from_secs_f64(minutes * 60.0)))
    }

    fn introduce(&self, out: &Path, task: &dyn PuzzleTask, n_parameters: usize) {
        let (kind, preset) = (&self.choice.task, self.choice.preset());
        if self.choice.data.is_empty() {
            remark(format!(
                "Training on built-in {kind} puzzles. For real ones add --data PATH; README.md \
                 says which files, and datasets/ where they come from."
            ));
        }
        for note in task.notes() {
            remark(note);
        }
        let count = |examples: &dyn hrm_train::task::Examples| examples.n_groups();
        remark(format!(
            "{kind}, preset {preset}: {n_parameters} parameters, {} training and {} evaluation \
             puzzles, run folder {}",
            count(task.train()),
            count(task.eval()),
            out.display(),
        ));
    }
}

/// A training run under way.
struct Run {
    trainer: Trainer,
    task: Box<dyn PuzzleTask>,
    puzzles: Puzzles,
    folder: RunFolder,
    limit: Limit,
    started: Instant,
    /// What the last evaluation found.
    judged: Option<Evaluation>,
}

impl Run {
    fn train(mut self, seed: u64, as_json: bool) -> anyhow::Result<()> {
        let batch_size = self.trainer.config().batch_size;
        let eval_interval = self.trainer.config().eval_interval;
        let mut progress = Progress::start(self.limit);
        let mut window = Window::open();

        let Self { trainer, task, puzzles, folder, limit, started, judged } = &mut self;
        train(trainer, task.as_ref(), seed, |trainer: &Trainer, report: &StepReport| {
            let step = report.step;
            window.add(report);
            progress.show(step, &window, batch_size);
            let is_late = matches!(*limit, Limit::Time(time) if started.elapsed() >= time);
            let is_last = is_late || step == trainer.config().steps;
            if is_last || step.is_multiple_of(LOG_EVERY) {
                folder.log(&window.to_json(step, batch_size))?;
                window = Window::open();
            }
            if is_last || (eval_interval > 0 && step.is_multiple_of(eval_interval)) {
                save_in_run(folder, trainer.model(), step, puzzles, task.as_ref())?;
                *judged = judge(trainer.model(), task.as_ref(), batch_size, &mut progress)?;
                if let Some(evaluation) = judged {
                    folder.log(&eval::to_json(evaluation, Some(step)))?;
                    progress.remark(format!("step {step}: {}", eval::describe(evaluation)));
                }
            }
            anyhow::Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        progress.finish();
        self.report(as_json)
    }

    fn report(&self, as_json: bool) -> anyhow::Result<()> {
        let (run, step) = (self.folder.path(), self.trainer.n_steps());
        let seconds = self.started.elapsed().as_secs_f64();
        if as_json {
            let evaluation = self.judged.as_ref().map(|found| eval::to_json(found, None));
            let line =
                json!({"run": run, "steps": step, "seconds": seconds, "evaluation": evaluation});
            return Ok(result(format!("{line}\n"))?);
        }
        let table = match &self.judged {
            Some(evaluation) => eval::table(evaluation),
            None => "No evaluation puzzles: nothing to report.\n".to_owned(),
        };
        let (kind, run) = (self.task.name(), run.display());
        Ok(result(format!(
            "{step} steps in {seconds:.0} s.\n{table}Try it: cargo xtask solve {kind} --run {run}\n"
        ))?)
    }
}

/// Evaluates as the published code does, with every segment; `None` without
/// evaluation puzzles.
fn judge(
    model: &Hrm,
    task: &dyn PuzzleTask,
    batch_size: usize,
    progress: &mut Progress,
) -> anyhow::Result<Option<Evaluation>> {
    let n_rows = task.eval().row_ids().count() as u64;
    if n_rows == 0 {
        return Ok(None);
    }
    let budget = Budget::Fixed(model.config().n_segments_max);
    let asking = Asking { budget, batch_size, sampling: None };
    let mut n_done = 0;
    let show = |_: &Predicted<'_>| {
        n_done += 1;
        progress.show_evaluation(n_done, n_rows);
    };
    Ok(Some(evaluate(model, task, asking, show)?))
}

/// The first of `runs/TASK-PRESET-1`, `-2`, ... that is not there.
fn free_folder(choice: &Choice) -> PathBuf {
    let (task, preset) = (&choice.task, choice.preset());
    let folder = |n: u32| Path::new("runs").join(format!("{task}-{preset}-{n}"));
    (1..).map(folder).find(|path| !path.exists()).expect("folder names do not run out")
}

/// Paths that still mean the same from another folder.
fn absolute(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    Ok(paths.iter().map(std::path::absolute).collect::<std::io::Result<_>>()?)
}
