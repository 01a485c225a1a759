//! `hrm train`: from puzzles to a checkpoint, in one go or in several.

use std::path::{Path, PathBuf};

use clap::Args;
use hrm_tasks::PuzzleTask;
use hrm_train::run::RunFolder;
use hrm_train::task::Examples;
use hrm_train::{TrainConfig, TrainError, Trainer, ValidationSplit};

use crate::choice::{Choice, Settings, kinds};
use crate::compute::{Compute, device_name};
use crate::interrupt::Interrupt;
use crate::outcome::usage;
use crate::record::{self, Host, RunRecord};
use crate::run::{Position, Run};
use crate::term::remark;
use crate::trace::Trace;

#[derive(Args)]
pub(crate) struct Train {
    /// Kind of puzzle.
    #[arg(value_parser = kinds(), required_unless_present_any = ["resume", "from"])]
    task: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Optimiser steps.
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Stop after this long, at a learning rate that does not decay.
    #[arg(long)]
    minutes: Option<f64>,
    /// Decides weights, batches and halting draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on with a run that was stopped, from its newest checkpoint.
    #[arg(
        long, value_name = "RUN",
        conflicts_with_all = [
            "task", "data", "preset", "set", "steps", "minutes", "seed", "from", "out", "force",
            "device", "dtype",
        ],
    )]
    resume: Option<PathBuf>,
    /// Repeat the run that a run.json describes.
    #[arg(
        long, value_name = "FILE",
        conflicts_with_all = [
            "task", "data", "preset", "set", "steps", "minutes", "seed", "device", "dtype",
        ],
    )]
    from: Option<PathBuf>,
    /// Run folder. Default: the first free runs/TASK-PRESET-N.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace an existing run folder.
    #[arg(long)]
    force: bool,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Write where the time goes into this new file, in Chrome's trace format.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Draw so many answers of each evaluation, wrong ones first, in RUN/pictures.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pictures: usize,
    #[command(flatten)]
    compute: Compute,
}

impl Train {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let (as_json, n_pictures) = (self.json, self.pictures);
        let _trace = Trace::begin(self.trace.as_deref())?;
        let mut run = match &self.resume {
            Some(path) => Run::resume(path, interrupt)?,
            None => self.begin(interrupt)?,
        };
        run.draw(n_pictures);
        run.train(as_json)
    }

    /// A run from its first step on.
    fn begin(self, interrupt: Interrupt) -> anyhow::Result<Run> {
        let (mut record, data, name) = match &self.from {
            Some(path) => {
                let record = RunRecord::read(path)?;
                let data = record.data.clone();
                (record, data, None)
            }
            None => {
                let task = self.task.clone().unwrap_or_default();
                let choice = Choice { task, settings: self.settings.clone() };
                let name = format!("{}-{}", choice.task, choice.preset());
                (self.record(&choice)?, choice.settings.data, Some(name))
            }
        };
        let task = record.open_task(&data)?;
        if self.from.is_none() && !self.settings.sets("train.evaluation.n_validation") {
            // As a preset has it, it is meant for many puzzles.
            let evaluation = &mut record.config.train.evaluation;
            evaluation.n_validation = evaluation.n_validation.min(task.train().n_groups() / 10);
        }
        record.config.train.check()?;
        if record.minutes.is_none() {
            record.config.train.check_fixed_steps()?;
        }
        // Known before a run folder is made.
        if task.train().row_ids().next().is_none() {
            return Err(TrainError::NoExamples { what: "training" }.into());
        }
        ValidationSplit::new(
            task.as_ref(),
            record.config.train.evaluation.n_validation,
            record.seed,
        )?;
        let trainer = Trainer::new(record.first_model()?, record.config.train.clone())?;

        let name = name.unwrap_or_else(|| record.config.task.kind().to_owned());
        let out = self.out.unwrap_or_else(|| free_folder(&name));
        let folder = RunFolder::create(&out, &record, self.force)?;
        introduce(&name, &record, task.as_ref(), &out)?;
        let position = Position::start(record.seed);
        Run::new(trainer, task, folder, record, position, interrupt)
    }

    /// What the flags ask for.
    fn record(&self, choice: &Choice) -> anyhow::Result<RunRecord> {
        let mut config = choice.config()?;
        if let Some(steps) = self.steps {
            config.train.steps = steps;
        }
        if let Some(minutes) = self.minutes {
            if !(minutes > 0.0 && minutes <= 1e6) {
                return Err(usage(format!("--minutes must be in 0..=1e6, found {minutes}")));
            }
            if !config.train.schedule.curriculum.is_empty() {
                let reason =
                    "train.schedule.curriculum follows the steps, which --minutes does not fix";
                return Err(usage(reason.to_owned()));
            }
            // How many steps fit is not known, so there is nothing to decay over.
            config.train.steps = TrainConfig::OPEN_ENDED;
            config.train.schedule.lr_min_ratio = 1.0;
        }
        let data = absolute(&choice.settings.data)?;
        Ok(RunRecord {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: record::revision(),
            config,
            data_sha256: record::hashes(&data)?,
            data,
            seed: self.seed,
            minutes: self.minutes,
            device: device_name(&self.compute.device()?).to_owned(),
            dtype: self.compute.dtype()?.as_str().to_owned(),
            cargo_features: record::cargo_features(),
            host: Host::here(),
        })
    }
}

fn introduce(
    name: &str,
    record: &RunRecord,
    task: &dyn PuzzleTask,
    out: &Path,
) -> anyhow::Result<()> {
    let kind = record.config.task.kind();
    if record.data.is_empty() {
        remark(format!(
            "Training on built-in {kind} puzzles. For real ones add --data PATH; README.md says \
             which files, and datasets/ where they come from."
        ));
    }
    task.notes().into_iter().for_each(remark);
    let count = |examples: &dyn Examples| examples.n_groups();
    let held_back = match record.config.train.evaluation.n_validation {
        0 => String::new(),
        n => format!(" ({n} for validation)"),
    };
    remark(format!(
        "{name}: {} parameters, {}{held_back} training and {} evaluation puzzles, run folder {}",
        record.config.model.n_parameters()?,
        count(task.train()),
        count(task.eval()),
        out.display(),
    ));
    Ok(())
}

/// The first of `runs/NAME-1`, `-2`, ... that is not there.
fn free_folder(name: &str) -> PathBuf {
    let folder = |n: u32| Path::new("runs").join(format!("{name}-{n}"));
    (1..).map(folder).find(|path| !path.exists()).expect("folder names do not run out")
}

/// Paths that still mean the same from another folder.
fn absolute(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    Ok(paths.iter().map(std::path::absolute).collect::<std::io::Result<_>>()?)
}
