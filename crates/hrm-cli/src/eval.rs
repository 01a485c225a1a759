//! `hrm eval`: evaluates a trained model.

use std::path::PathBuf;

use clap::Args;
use hrm_core::Budget;
use hrm_tasks::{Checkpoint, PuzzleTask, TaskConfig};
use hrm_train::run::files;
use hrm_train::task::Document;
use hrm_train::{EvalOptions, Sampling, evaluate};
use serde_json::Value;

use crate::challenge;
use crate::checkpoint;
use crate::compute::Compute;
use crate::data_checks;
use crate::error::usage;
use crate::output;
use crate::paths;
use crate::pictures::Pictures;
use crate::positive::positive;
use crate::progress;
use crate::record::{Compared, RunRecord, data_not_found};
use crate::scores;
use crate::settings;
use crate::task_args::{ON_CONFLICT, WrittenArgs, data_path, ignored, on_conflict_setting};
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Eval {
    /// Run or checkpoint folder.
    run: PathBuf,
    /// Evaluate on all puzzles in this file, or on those in the test.csv of this folder if it
    /// has one, and of ARC tasks on those for evaluation if there are any; may be repeated. Says how many of them the run was trained on. Default:
    /// the test set of the run. If the data of the run are no longer where they were and
    /// these are the same, by their hashes, that test set.
    #[arg(long, value_name = "PATH", value_parser = data_path())]
    data: Vec<PathBuf>,
    /// Change one setting of the task, e.g. task.eval_givens=26; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "challenge")]
    set: Vec<String>,
    /// Which of different ARC tasks with the same id is used. Default: as in training.
    #[arg(long, value_name = "RULE", value_parser = ON_CONFLICT, conflicts_with = "challenge")]
    on_conflict: Option<String>,
    /// Evaluate although the model knows only a minority of the puzzle identifiers of the data.
    #[arg(long, conflicts_with = "challenge")]
    allow_unknown: bool,
    /// Do not evaluate if evaluation puzzles are among the training puzzles, those of the run
    /// included, or these are unknown.
    #[arg(long, conflicts_with = "challenge")]
    forbid_leaks: bool,
    /// Answer a file of puzzles without labels (`-` is standard input), for ARC also a folder,
    /// and report how many answers obey the rules.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["data", "pictures"])]
    challenge: Option<PathBuf>,
    #[command(flatten)]
    written: WrittenArgs,
    /// New folder for detailed results: submission.json and a table of tasks for
    /// ARC, the answers for a challenge.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Number of segments per puzzle. Default: the maximum of training.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    segments: Option<u32>,
    /// Let the halting head stop each puzzle early.
    #[arg(long)]
    halt: bool,
    /// Sample a second answer to each question at this temperature. For ARC, the
    /// most frequent of these becomes the second attempt.
    #[arg(long, value_name = "TEMPERATURE", value_parser = temperature, conflicts_with = "challenge")]
    sample: Option<f64>,
    /// Seed for --sample.
    #[arg(long, default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Batch size.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pictures: Pictures,
    #[command(flatten)]
    compute: Compute,
}

fn temperature(text: &str) -> Result<f64, String> {
    let temperature: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let is_usable = (1e-3..=1e3).contains(&temperature);
    is_usable.then_some(temperature).ok_or_else(|| "expected 0.001 to 1000".to_owned())
}

/// The data of the run of a checkpoint.
struct RunData {
    /// The record of the run, if the checkpoint is in one. It knows where its data are even if
    /// the whole project was moved.
    record: Option<RunRecord>,
    /// The record of the run, or the checkpoint.
    file: PathBuf,
    /// Empty for built-in puzzles, and if they are unknown.
    paths: Vec<PathBuf>,
}

impl RunData {
    fn of(checkpoint: &Checkpoint) -> Self {
        let path = &checkpoint.path;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let run = match path.parent() {
            Some(parent) if parent.ends_with(files::CHECKPOINTS) => parent.parent(),
            parent => parent.filter(|_| path.ends_with(files::INIT)),
        };
        let file = run.unwrap_or(&path).join(files::RECORD);
        match RunRecord::load(&file) {
            Ok(record) => Self { paths: record.data.clone(), record: Some(record), file },
            Err(_) => {
                let paths = checkpoint.record.data.clone();
                Self { record: None, file: checkpoint.path.clone(), paths }
            }
        }
    }

    /// The first path that does not exist.
    fn missing(&self) -> Option<&PathBuf> {
        self.paths.iter().find(|path| !path.exists())
    }

    /// Where the data are, if the test set of the run is to be evaluated: with no other data
    /// `given`, or with the same ones in another place.
    ///
    /// # Errors
    ///
    /// If they are to be evaluated and are nowhere, or only under other names.
    fn to_evaluate(&self, given: &[PathBuf]) -> anyhow::Result<Option<Vec<PathBuf>>> {
        match (given.is_empty(), self.missing()) {
            (true, _) if self.paths.is_empty() => Ok(None),
            (true, Some(missing)) => Err(data_not_found(missing, &self.file)),
            (true, None) => {
                let checked = self.record.as_ref().map(|record| record.check_data(&self.file));
                if let Some(Err(err)) = checked {
                    note(format!("Warning: {err}"));
                }
                Ok(Some(self.paths.clone()))
            }
            (false, Some(missing)) => {
                let Some(record) = &self.record else { return Ok(None) };
                match record.compare(given)? {
                    Compared::Same(places) => {
                        note(format!(
                            "--data holds the data of the run, which are no longer at {}: \
                             evaluating its test set.",
                            missing.display()
                        ));
                        Ok(Some(places))
                    }
                    Compared::Renamed(why) => Err(usage(why)),
                    Compared::Other(_) => Ok(None),
                }
            }
            (false, None) => Ok(None),
        }
    }

    /// Says which puzzles of `task`, which are not the data of the run, it was trained on, or
    /// refuses them. `puzzles` are the settings of the run.
    ///
    /// # Errors
    ///
    /// If `forbid` is set, and there are such puzzles or the training data are unknown.
    fn compare(
        &self,
        puzzles: &TaskConfig,
        task: &dyn PuzzleTask,
        forbid: bool,
    ) -> anyhow::Result<()> {
        let file = self.file.display();
        let unknown = match self.missing() {
            Some(missing) => {
                Some(format!("the training data of {file} are no longer at {}", missing.display()))
            }
            None if self.paths.is_empty() && self.record.is_none() => {
                // Imported models have none, so this is no news.
                if !forbid {
                    return Ok(());
                }
                Some(format!("{file} does not say what it was trained on"))
            }
            None => None,
        };
        let trained = match unknown {
            None => puzzles.open(&self.paths).map_err(|err| {
                format!("the training data of {file} cannot be read ({})", anyhow::Error::from(err))
            }),
            Some(unknown) => Err(unknown),
        };
        match trained {
            Ok(trained) => {
                let trained = (trained.as_ref(), self.paths.is_empty());
                data_checks::trained_on(task, trained, forbid)
            }
            Err(why) => {
                let message = format!("{why}, so evaluation puzzles cannot be compared with them");
                if forbid {
                    return Err(usage(format!("{message} (--forbid-leaks)")));
                }
                note(message);
                Ok(())
            }
        }
    }
}

impl Eval {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            output::must_be_free(out)?;
        }
        let checkpoint = checkpoint::open(&self.run, &self.compute)?;
        let model = &checkpoint.model;
        let n_segments = self.segments.map_or(model.n_segments_max(), positive);
        let budget =
            if self.halt { Budget::UntilHalt(n_segments) } else { Budget::Fixed(n_segments) };
        let batch_size = self.batch as usize;

        if let Some(file) = &self.challenge {
            let task = self.written.of_others(checkpoint.record.task.clone())?;
            let (model, how) = ((&checkpoint, &task), (budget, positive(self.batch)));
            let challenge = challenge::run(model, file, how, self.out.as_deref())?;
            return self.print(&checkpoint, challenge.to_json(), challenge.table());
        }

        let run_data = RunData::of(&checkpoint);
        let own = run_data.to_evaluate(&self.data)?;
        let puzzles = checkpoint.record.task.clone();
        let puzzles = match own.is_none() && !self.data.is_empty() {
            true => self.written.of_others(puzzles)?,
            false => self.written.given(puzzles)?,
        };
        let puzzles = settings::apply_to_task(puzzles, &self.settings())?;
        let data = own.as_ref().unwrap_or(&self.data);
        let given = self.settings().into_iter().chain(self.written.settings());
        ignored(&puzzles, data, given)?.into_iter().for_each(note);
        let kind = puzzles.puzzle_kind();
        let task = match &own {
            // These files may hold the training puzzles as well, and are split as in training.
            Some(own) => puzzles.open(own)?,
            None => puzzles.open_for_eval(&self.data, &checkpoint.identifiers)?,
        };
        data_checks::unknown_names(task.as_ref(), self.allow_unknown)?;
        match &own {
            Some(own) => {
                data_checks::same_identifiers(task.as_ref(), &checkpoint.identifiers)?;
                data_checks::leaks(task.as_ref(), own, self.forbid_leaks)?;
            }
            None if self.data.is_empty() && run_data.record.is_none() => note(format!(
                "{} names no data, and --data is not given: evaluating {} built-in puzzles of {}.",
                run_data.file.display(),
                task.eval().n_groups(),
                puzzles.name()
            )),
            None if self.data.is_empty() => {}
            None => run_data.compare(&checkpoint.record.task, task.as_ref(), self.forbid_leaks)?,
        }
        let mut answers = self.pictures.start()?;
        task.notes().into_iter().for_each(note);
        let mut progress = progress::rows(task.eval().n_rows_total());
        let mut n_done = 0;
        let sampling = self.sample.map(|temperature| Sampling { temperature, seed: self.seed });
        let options = EvalOptions { budget, batch_size, sampling };
        let evaluation = evaluate(model, task.as_ref(), options, |predicted| {
            n_done += 1;
            progress(n_done);
            answers.add(task.eval(), predicted);
            anyhow::Ok(())
        })?;
        // Printed first, so that a full disk does not cost the scores; and neither that nor a
        // reader that has stopped costs what is still to be written.
        let printed =
            self.print(&checkpoint, scores::to_json(&evaluation, None), scores::table(&evaluation));
        let written = self.write(&evaluation.documents);
        self.pictures.write(&answers, task.as_ref(), kind).and(written).and(printed)
    }

    /// The settings that the user has changed, as `key=value`.
    fn settings(&self) -> Vec<String> {
        let rule = self.on_conflict.as_deref().map(on_conflict_setting);
        rule.into_iter().chain(self.set.iter().cloned()).collect()
    }

    /// Prints the result, as `line` or as `text`.
    fn print(&self, checkpoint: &Checkpoint, mut line: Value, text: String) -> anyhow::Result<()> {
        if !self.json {
            return Ok(result(text)?);
        }
        line["checkpoint"] = paths::to_json(&checkpoint.path);
        Ok(result(format!("{line}\n"))?)
    }

    /// Writes documents into the new folder --out, if given.
    fn write(&self, documents: &[Document]) -> anyhow::Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        if documents.is_empty() {
            note(format!("This task has no detailed results: {} is not created.", out.display()));
            return Ok(());
        }
        output::new_folder(out, |folder| {
            for Document { name, text } in documents {
                output::write_new(&folder.join(name), text.as_bytes())?;
            }
            Ok(())
        })?;
        let names: Vec<&str> = documents.iter().map(|document| document.name).collect();
        note(format!("{} written to {}", names.join(" and "), out.display()));
        Ok(())
    }
}
