//! `hrm train`: starts, repeats, resumes or extends a run.

use std::path::{Path, PathBuf};

use clap::Args;
use hrm_base::durable;
use hrm_base::words::counted;
use hrm_tasks::{Fit, PresetFile, PuzzleTask, RunConfig};
use hrm_train::run::{RunFolder, files, read_json};
use hrm_train::task::Examples;
use hrm_train::{TrainError, Trainer, ValidationSplit};
use serde_json::{Value, json};

use crate::checkpoint;
use crate::compute::{Compute, device_name};
use crate::cost;
use crate::data_checks;
use crate::error::usage;
use crate::exit::is_disk_full;
use crate::history::History;
use crate::output;
use crate::paths;
use crate::record::{self, Host, Length, RunRecord};
use crate::scores;
use crate::session::{Ended, Example, Finished, RunState, TrainingSession};
use crate::settings;
use crate::task_args::{Chosen, DataArgs, TaskArgs, read_settings, task_names};
use crate::term::{note, result};
use crate::trace::{self, Trace};
use crate::warm_start::{self, WarmStart};

#[derive(Args)]
pub(crate) struct Train {
    /// Kind of puzzle. Not needed with --config, --from, --init or --resume.
    #[arg(
        value_parser = task_names(),
        required_unless_present_any = ["resume", "from", "config", "init"],
    )]
    task: Option<String>,
    #[command(flatten)]
    data_args: DataArgs,
    /// Number of optimiser steps; overrides train.steps, and a time limit of --from. With
    /// --resume, the run goes on to this step, with the schedule of a run of this length.
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Train for this many minutes instead of a number of steps; the learning rate
    /// then stays constant after warm-up. With --resume, in total.
    #[arg(long)]
    minutes: Option<f64>,
    /// Seed for weight initialisation, data order and halting exploration. Default: 0.
    #[arg(long)]
    seed: Option<u64>,
    /// Resume a stopped run from its newest checkpoint. With --steps or --minutes, also a
    /// finished one. --data names its data if they have been moved.
    #[arg(
        long, value_name = "RUN",
        conflicts_with_all = [
            "columns", "symbols", "preset", "config", "set", "seed", "from", "init", "out", "force",
            "on_conflict", "forbid_leaks", "device", "dtype",
        ],
    )]
    resume: Option<PathBuf>,
    /// Start a new run with the settings, data, seed, device and data type of this run
    /// folder or run.json. --set, --steps, --minutes, --data, --seed, --device, --dtype and
    /// --init replace what they name; task settings are fitted to new data.
    #[arg(
        long, value_name = "RUN", conflicts_with_all = ["preset", "config"],
    )]
    from: Option<PathBuf>,
    /// Start with the weights of this run, checkpoint or imported folder and a new optimiser.
    /// The settings of model and puzzles are those of the checkpoint; --set may change those
    /// that change no weights. New puzzle identifiers get new embeddings.
    #[arg(long, value_name = "CHECKPOINT")]
    init: Option<PathBuf>,
    /// Run folder to create. Default: runs/TASK-PRESET-N, or runs/TASK-N with --from, with
    /// the first free N.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace an existing run folder.
    #[arg(long)]
    force: bool,
    /// Do not train if evaluation puzzles are among the training puzzles.
    #[arg(long)]
    forbid_leaks: bool,
    /// Print the settings as a TOML file and do not train. An unchanged preset has a
    /// comment for each setting.
    #[arg(long, conflicts_with_all = ["resume", "from", "init"])]
    print_config: bool,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Write a timing trace to this new file, in Chrome's trace format.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Render up to N answers per evaluation, wrong ones first, into RUN/pictures.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pictures: usize,
    #[command(flatten)]
    compute: Compute,
}

impl Train {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.print_config {
            return Ok(result(self.task_args(None)?.to_toml()?)?);
        }
        let as_json = self.json;
        let trace = self.trace.clone();
        trace::check(trace.as_deref())?;
        let (session, trainer) = match &self.resume {
            Some(run) => match self.resumed(run)? {
                Some(resumed) => resumed,
                None => return Ok(()),
            },
            None => self.start()?,
        };
        // Begun after everything that can be refused, so that a refusal leaves no file.
        let _trace = Trace::start(trace.as_deref())?;
        let run = session.run_folder().to_owned();
        let finished = session.run(trainer).inspect_err(|err| {
            if is_disk_full(err) {
                let run = run.display();
                note(format!(
                    "{run} is intact up to its last checkpoint. With more room on its disk, go on \
                     with: hrm train --resume {run}"
                ));
            }
        })?;
        report(&finished, as_json)
    }

    /// Resumes the run in the folder `run`. If it has ended and is not extended, prints its
    /// result and returns nothing.
    fn resumed(&self, run: &Path) -> anyhow::Result<Option<(TrainingSession, Trainer)>> {
        if is_checkpoint(run) {
            return Err(not_a_run(run));
        }
        let resumed =
            TrainingSession::reopen(run).map_err(|err| checkpoint::explained(run, err))?;
        self.check_kind(&RunRecord::load(&run.join(files::RECORD))?, run)?;
        if !self.data_args.data.is_empty() {
            let path = run.join(files::RECORD);
            let record = RunRecord::load(&path)?.with_data_at(&path, &self.data_args.data)?;
            record.check_paths()?;
            resumed.folder.set_record(&record.for_folder(run))?;
            note(format!("{} names the data where they are now.", path.display()));
        }
        let length = self.length()?;
        if length.is_none()
            && let Some(ended) = Ended::read(&resumed)?
        {
            ended.report(self.json)?;
            return Ok(None);
        }
        TrainingSession::resume(resumed, length, self.pictures).map(Some)
    }

    /// Checks that the run of `record`, which is at `path`, is of the task that is named, if
    /// one is.
    fn check_kind(&self, record: &RunRecord, path: &Path) -> anyhow::Result<()> {
        let found = record.config.task.name();
        match &self.task {
            Some(task) if task != found => {
                Err(usage(format!("{} is a run of {found}, not of {task}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Starts a new run.
    fn start(self) -> anyhow::Result<(TrainingSession, Trainer)> {
        let mut fit = None;
        let mut notes = Vec::new();
        let device = self.compute.device()?;
        let mut warm = match &self.init {
            Some(path) => Some(WarmStart::open(path, &device)?),
            None => None,
        };
        let (mut record, data, name) = match &self.from {
            Some(path) => {
                let mut record = self.repeated(path)?;
                if let (None, Some(init)) = (&warm, &record.init) {
                    let run = if path.is_dir() { path } else { durable::parent(path) };
                    let device = record.compute()?.device()?;
                    warm = Some(WarmStart::reopen(init, run, &device)?);
                }
                if let Some(warm) = &warm {
                    warm.check_kind(record.config.task.name())?;
                    record.config.task = warm.widened(record.config.task);
                    let origin = |key: &str| match self.data_args.sets(key) {
                        true => "--set".to_owned(),
                        false => path.display().to_string(),
                    };
                    for (key, value, found) in warm.differences(&record.config.model, origin)? {
                        notes.push(format!("{key} is {value}; it is {found} in the checkpoint"));
                    }
                }
                let data = record.data.clone();
                (record, data, None)
            }
            None => {
                let task_args = self.task_args(warm.as_ref())?;
                let name = format!("{}-{}", task_args.task, task_args.preset());
                let chosen = match &warm {
                    Some(warm) => {
                        warm.check_kind(&task_args.task)?;
                        task_args.chosen_from(warm)?
                    }
                    None => task_args.chosen()?,
                };
                let Chosen { config, fit: chosen_fit, notes: chosen_notes } = chosen;
                notes = chosen_notes;
                fit = Some(chosen_fit);
                (self.record(config, &task_args)?, task_args.data_args.data, Some(name))
            }
        };
        notes.extend(self.data_args.ignored(&record.config.task, &record.data)?);
        record.init = warm.as_ref().map(|warm| warm.record().clone());
        let task = record.open_task(&data)?;
        data_checks::leaks(task.as_ref(), &data, self.forbid_leaks)?;
        if let Some(fit) = fit.filter(|_| !self.data_args.sets("train.evaluation.n_validation")) {
            let n_validation = &mut record.config.train.evaluation.n_validation;
            let (n, adapted) = fit.n_validation(*n_validation, task.train().n_groups());
            *n_validation = n;
            notes.extend(adapted);
        }
        // Everything that can be refused is refused before the run folder is made.
        record.check_paths()?;
        record.config.train.check()?;
        if record.minutes.is_none() {
            record.config.train.check_fixed_steps()?;
        }
        if task.train().row_ids().next().is_none() {
            return Err(TrainError::NoExamples { what: "training" }.into());
        }
        ValidationSplit::new(
            task.as_ref(),
            record.config.train.evaluation.n_validation,
            record.seed,
        )?;
        let dtype = record.compute()?.dtype()?;
        let model = match &warm {
            Some(warm) => {
                warm.check_task(&record.config.task, &record.config.model)?;
                warm.model(&record.config.model, task.as_ref())?.with_dtype(dtype)
            }
            None => record.fresh_model()?,
        };
        // Its weights are those of the model now, or copies.
        drop(warm);
        let memory = self.fit_memory(&mut record)?;
        let step_time = cost::step_time(&record)?;

        let name = name.unwrap_or_else(|| record.config.task.name().to_owned());
        let create = |out: &Path| {
            let written = record.for_folder(out);
            let folder =
                RunFolder::create_with(out, &written, self.force, |folder| match record.init {
                    Some(_) => {
                        warm_start::save(folder, &model, &record.task_record(), task.identifiers())
                            .map_err(|err| output::with_final_name(err, folder, out))
                    }
                    None => Ok(()),
                });
            folder.map_err(mention_force)
        };
        let (out, folder) = match &self.out {
            Some(out) => (out.clone(), create(out)?),
            None => in_free_folder(|n| Path::new("runs").join(format!("{name}-{n}")), create)?,
        };
        let trainer = Trainer::new(model, record.config.train.clone())?;
        notes.into_iter().for_each(note);
        introduce(&name, &record, task.as_ref(), &out)?;
        note(cost::describe(&record, memory, step_time));
        let (state, n_pictures) = (RunState::initial(record.seed), self.pictures);
        let session = TrainingSession::new(folder, record, task, &trainer, state, n_pictures)?;
        session.expect_step(step_time);
        Ok((session, trainer))
    }

    /// Makes the run fit into memory. Returns what it will take, as far as it is known.
    fn fit_memory(&self, record: &mut RunRecord) -> anyhow::Result<Option<f64>> {
        let mut train = record.config.train.clone();
        let needed = if record.compute()?.device()?.is_cpu() {
            let is_fixed = self.data_args.sets("train.accumulate");
            let available = cost::available_memory();
            let (needed, change) = cost::fit_memory(
                &mut train,
                |train| cost::memory(record, train),
                available,
                is_fixed,
            )?;
            change.into_iter().for_each(note);
            Some(needed)
        } else {
            None
        };
        record.config.train = train;
        Ok(needed)
    }

    /// The task, by name, by the file of settings or by the checkpoint, with its data and
    /// settings.
    fn task_args(&self, warm: Option<&WarmStart>) -> anyhow::Result<TaskArgs> {
        let of_checkpoint = warm.map(|warm| warm.task().name());
        let task = match (&self.task, &self.data_args.config) {
            (Some(task), _) => task.clone(),
            (None, Some(path)) => match read_settings(path)?.task().or(of_checkpoint) {
                Some(task) => task.to_owned(),
                None => {
                    return Err(usage(format!(
                        "{0} names no task: add `kind` to its section `task`, or name the task, \
                         as in `hrm train sudoku --config {0}`",
                        path.display()
                    )));
                }
            },
            (None, None) => match of_checkpoint {
                Some(task) => task.to_owned(),
                None => {
                    return Err(usage("name a task, or give a settings file with --config"));
                }
            },
        };
        Ok(TaskArgs { task, data_args: self.data_args.clone() })
    }

    /// The record of a run with these arguments.
    fn record(&self, config: RunConfig, task_args: &TaskArgs) -> anyhow::Result<RunRecord> {
        let data = absolute(&task_args.data_args.data)?;
        let mut record = RunRecord {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: record::revision(),
            config,
            data_sha256: record::hashes(&data)?,
            data,
            seed: self.seed.unwrap_or(0),
            minutes: None,
            init: None,
            extensions: Vec::new(),
            device: device_name(&self.compute.device()?).to_owned(),
            dtype: self.compute.dtype()?.as_str().to_owned(),
            cargo_features: record::cargo_features(),
            host: Host::here(),
        };
        self.limit(&mut record)?;
        Ok(record)
    }

    /// The record at `path`, a file or a run folder, with what these arguments replace.
    fn repeated(&self, path: &Path) -> anyhow::Result<RunRecord> {
        // The program and the machine are those of the new run.
        let mut record = RunRecord {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: record::revision(),
            cargo_features: record::cargo_features(),
            host: Host::here(),
            extensions: Vec::new(),
            ..read_record(path)?
        };
        self.check_kind(&record, path)?;
        let args = &self.data_args;
        if args.data.is_empty() {
            record.check_data(&record_file(path))?;
            record.config.task = args.written.given(record.config.task)?;
        } else {
            let data = absolute(&args.data)?;
            let RunConfig { task, model, train } = record.config;
            let task = args.for_reading(args.written.of_others(task)?)?;
            let file = PresetFile { fit: Fit::default(), task, model, train };
            record.config = file.fitted_to(&data)?.0.into_config();
            record.data_sha256 = record::hashes(&data)?;
            record.data = data;
        }
        record.config = settings::apply_to_run(record.config, &args.settings())?;
        if args.sets("train.steps") {
            record.minutes = None;
        }
        self.limit(&mut record)?;
        record.seed = self.seed.unwrap_or(record.seed);
        let compute = self.compute.or(&record.compute()?);
        record.device = device_name(&compute.device()?).to_owned();
        record.dtype = compute.dtype()?.as_str().to_owned();
        Ok(record)
    }

    /// When the run ends, if --steps or --minutes says so.
    fn length(&self) -> anyhow::Result<Option<Length>> {
        let minutes = match self.minutes {
            Some(minutes) if !(minutes > 0.0 && minutes <= 1e6) => {
                return Err(usage(format!(
                    "--minutes must be above 0 and at most 1000000, found {minutes}"
                )));
            }
            minutes => minutes.map(Length::Minutes),
        };
        Ok(minutes.or(self.steps.map(Length::Steps)))
    }

    /// Sets when the run ends: after --steps or --minutes, if one is given.
    fn limit(&self, record: &mut RunRecord) -> anyhow::Result<()> {
        let of_record = record.minutes.map(Length::Minutes);
        match self.length()?.or(of_record) {
            Some(length) => record.set_length(length),
            None => Ok(()),
        }
    }
}

/// The file of the record of a run, given that or the run folder.
fn record_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(files::RECORD) } else { path.to_owned() }
}

/// Whether a folder holds a checkpoint and no run.
fn is_checkpoint(path: &Path) -> bool {
    path.join(files::WEIGHTS).is_file() && !path.join(files::RECORD).is_file()
}

/// The error that a checkpoint was given where a run is needed.
fn not_a_run(path: &Path) -> anyhow::Error {
    let path = path.display();
    usage(format!(
        "{path} is a checkpoint, not a run: it has no {}. To train on from its weights: hrm train \
         --init {path}",
        files::RECORD
    ))
}

/// Reads the record of a run from a file or a run folder.
fn read_record(path: &Path) -> anyhow::Result<RunRecord> {
    let file = record_file(path);
    if is_checkpoint(path) {
        return Err(not_a_run(path));
    }
    if path.is_dir() && !file.exists() {
        return Err(usage(format!(
            "{0} is not a run: it has no {1}",
            path.display(),
            files::RECORD
        )));
    }
    RunRecord::load(&file).map_err(|err| match read_json::<Value>(&file) {
        Ok(found) if found["task"].is_object() && found["model"].is_object() => {
            let file = file.display();
            usage(format!("{file} holds settings, not the record of a run: use --config {file}"))
        }
        _ => err.into(),
    })
}

fn introduce(
    name: &str,
    record: &RunRecord,
    task: &dyn PuzzleTask,
    out: &Path,
) -> anyhow::Result<()> {
    let kind = record.config.task.name();
    if record.data.is_empty() {
        note(format!(
            "Training on built-in {kind} puzzles. To use your own, add --data PATH; README.md lists \
             the file formats. `hrm data fetch` downloads published puzzles."
        ));
    }
    if let Some(init) = &record.init {
        note(format!(
            "Starting from the weights of {} with a new optimiser.",
            init.checkpoint.display()
        ));
    }
    task.notes().into_iter().for_each(note);
    let count = |examples: &dyn Examples| examples.n_groups();
    let held_out = match record.config.train.evaluation.n_validation {
        0 => String::new(),
        n => format!(" ({n} of them for validation)"),
    };
    note(format!(
        "{name}: {} parameters, {}{held_out} training and {}, run folder {}",
        record.config.model.n_parameters()?,
        count(task.train()),
        counted(count(task.eval()), "evaluation puzzle", "evaluation puzzles"),
        out.display(),
    ));
    Ok(())
}

/// Prints the result of a run.
fn report(finished: &Finished, as_json: bool) -> anyhow::Result<()> {
    let Finished { run, task, n_steps, seconds, evaluation, example } = finished;
    if as_json {
        let evaluation = evaluation.as_ref().map(|found| scores::to_json(found, None));
        let line = json!({
            "run": paths::to_json(run),
            "steps": n_steps,
            "seconds": seconds,
            "evaluation": evaluation,
        });
        return Ok(result(format!("{line}\n"))?);
    }
    let table = match evaluation {
        Some(evaluation) => scores::table(evaluation),
        None => "There are no evaluation puzzles, so there are no scores.\n".to_owned(),
    };
    let steps = if *n_steps == 1 { "step" } else { "steps" };
    let curves = History::read(run).curves();
    let example = example.as_ref().map(|example| show(example, task.as_ref()));
    let (run, example) = (run.display(), example.unwrap_or_default());
    let task = task.name();
    Ok(result(format!(
        "{n_steps} {steps} in {seconds:.0} s.\n{curves}{table}{example}\
         Try it: hrm solve {task} --run {run}\n"
    ))?)
}

/// An answer to a puzzle of the test set.
fn show(example: &Example, task: &dyn PuzzleTask) -> String {
    let title = match example.is_exact {
        true => "A puzzle of the test set that the model solves:",
        false => "The model solves no puzzle of the test set. Its answer to one of them:",
    };
    format!("{title}\n{}", example.draw(task))
}

/// The error of creating a run folder, with the flag that would replace it.
fn mention_force(err: anyhow::Error) -> anyhow::Error {
    match err.downcast_ref() {
        Some(TrainError::RunExists { path }) if path.join(files::RECORD).is_file() => {
            usage(format!("{} already exists; --force replaces it", path.display()))
        }
        Some(TrainError::RunExists { path }) => {
            usage(format!("{} already exists and is not a run folder", path.display()))
        }
        _ => err,
    }
}

/// The first of `folder(1)`, `folder(2)`, ... that does not exist, and what `create` makes
/// there. Another process that takes it first gets it, and the next one is tried.
fn in_free_folder<T>(
    folder: impl Fn(u32) -> PathBuf,
    mut create: impl FnMut(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<(PathBuf, T)> {
    let mut free = (1..).map(folder).filter(|path| !path.exists());
    loop {
        let path = free.next().expect("folder names do not run out");
        match create(&path) {
            Err(_) if path.exists() => {}
            created => return Ok((path, created?)),
        }
    }
}

/// Makes paths independent of the current folder.
fn absolute(data: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    Ok(data.iter().map(|path| paths::absolute(path)).collect::<std::io::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_that_start_at_once_get_a_folder_each() {
        let here = tempfile::tempdir().unwrap();
        std::fs::create_dir(here.path().join("a-1")).unwrap();
        let folder = |n: u32| here.path().join(format!("a-{n}"));
        let mut n_tried = 0;
        let (path, made) = in_free_folder(folder, |path| {
            n_tried += 1;
            // The other process is faster, once.
            if n_tried == 1 {
                std::fs::create_dir(path)?;
            }
            Ok(std::fs::create_dir(path)?)
        })
        .unwrap();
        assert_eq!((path, made, n_tried), (here.path().join("a-3"), (), 2));
        let failed = in_free_folder(folder, |_| -> anyhow::Result<()> { anyhow::bail!("no") });
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
