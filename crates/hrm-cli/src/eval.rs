//! `hrm eval`: evaluates a trained model.

use std::path::PathBuf;

use clap::Args;
use hrm_core::Budget;
use hrm_train::run::files;
use hrm_train::task::Document;
use hrm_train::{EvalOptions, Sampling, evaluate};
use serde_json::Value;

use crate::challenge;
use crate::checkpoint;
use crate::compute::Compute;
use crate::data_checks;
use crate::output;
use crate::paths;
use crate::pictures::Pictures;
use crate::positive::positive;
use crate::progress;
use crate::record::{RunRecord, data_not_found};
use crate::scores;
use crate::settings;
use crate::task_args::{ON_CONFLICT, on_conflict_setting};
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Eval {
    /// Run or checkpoint folder.
    run: PathBuf,
    /// Evaluate on all puzzles in this file or folder; may be repeated. Default:
    /// the test set of the run. If the data of the run are no longer where they were and
    /// these are the same, by their hashes, that test set.
    #[arg(long, value_name = "PATH")]
    data: Vec<PathBuf>,
    /// Change one setting of the task, e.g. task.eval_givens=26; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "challenge")]
    set: Vec<String>,
    /// Which of different ARC tasks with the same id is used. Default: as in training.
    #[arg(long, value_name = "RULE", value_parser = ON_CONFLICT, conflicts_with = "challenge")]
    on_conflict: Option<String>,
    /// Evaluate although the model knows only a minority of the puzzle identifiers of the data.
    #[arg(long)]
    allow_unknown: bool,
    /// Do not evaluate if evaluation puzzles are among the training puzzles.
    #[arg(long)]
    forbid_leaks: bool,
    /// Answer a file of puzzles without labels, and report how many answers obey
    /// the rules.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    challenge: Option<PathBuf>,
    /// Which columns of a table hold what, e.g. question=quizzes,answer=solutions. Default:
    /// those with known names.
    #[arg(long, value_name = "ROLE=COLUMN,...")]
    columns: Option<String>,
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

/// Where the data of the run of a checkpoint are, if its test set is to be evaluated: with
/// no other data `given`, or with the same ones in another place.
///
/// # Errors
///
/// If they are to be evaluated and are nowhere.
fn own_data(
    checkpoint: &hrm_tasks::Checkpoint,
    given: &[PathBuf],
) -> anyhow::Result<Option<Vec<PathBuf>>> {
    // The record of the run knows where its data are even if the whole project was moved.
    let path = &checkpoint.path;
    let run = match path.parent() {
        Some(parent) if parent.ends_with(files::CHECKPOINTS) => parent.parent(),
        parent => parent.filter(|_| path.ends_with(files::INIT)),
    };
    let run = run.unwrap_or(path);
    let file = run.join(files::RECORD);
    let record = RunRecord::load(&file).ok();
    let (recorded, file) = match &record {
        Some(record) => (&record.data, file.as_path()),
        None => (&checkpoint.record.data, checkpoint.path.as_path()),
    };
    let missing = recorded.iter().find(|path| !path.exists());
    match (given.is_empty(), missing) {
        (true, _) if recorded.is_empty() => Ok(None),
        (true, Some(missing)) => Err(data_not_found(missing, file)),
        (true, None) => {
            if let Some(Err(err)) = record.as_ref().map(|record| record.check_data(file)) {
                note(format!("Warning: {err}"));
            }
            Ok(Some(recorded.clone()))
        }
        (false, Some(missing)) => {
            let missing = missing.display().to_string();
            let moved = record.and_then(|record| record.with_data_at(file, given).ok());
            if moved.is_some() {
                note(format!(
                    "--data holds the data of the run, which are no longer at {missing}: \
                     evaluating its test set."
                ));
            }
            Ok(moved.map(|record| record.data))
        }
        (false, None) => Ok(None),
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
            let task = checkpoint.record.task.clone();
            let task = task.with_table_columns(self.columns.as_deref().unwrap_or_default())?;
            let (model, how) = ((&checkpoint, &task), (budget, positive(self.batch)));
            let challenge = challenge::run(model, file, how, self.out.as_deref())?;
            return self.print(&checkpoint, challenge.to_json(), challenge.table());
        }

        let mut puzzles = checkpoint.record.task.clone();
        // Other files have columns of their own.
        if !self.data.is_empty() || self.columns.is_some() {
            puzzles = puzzles.with_table_columns(self.columns.as_deref().unwrap_or_default())?;
        }
        let puzzles = settings::apply_to_task(puzzles, &self.settings())?;
        let kind = puzzles.puzzle_kind();
        let own = own_data(&checkpoint, &self.data)?;
        let task = match &own {
            // These files may hold the training puzzles as well, and are split as in training.
            Some(own) => puzzles.open(own)?,
            None => puzzles.open_for_eval(&self.data, &checkpoint.identifiers)?,
        };
        data_checks::unknown_names(task.as_ref(), self.allow_unknown)?;
        data_checks::leaks(task.as_ref(), own.as_deref().unwrap_or_default(), self.forbid_leaks)?;
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
    fn print(
        &self,
        checkpoint: &hrm_tasks::Checkpoint,
        mut line: Value,
        text: String,
    ) -> anyhow::Result<()> {
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
