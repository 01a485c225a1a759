//! `hrm eval`: how many puzzles a trained model gets right.

use std::path::PathBuf;

use clap::Args;
use hrm_core::Budget;
use hrm_train::task::Document;
use hrm_train::{Asking, Sampling, evaluate};
use serde_json::{Value, json};

use crate::challenge;
use crate::checkpoint::Checkpoint;
use crate::compute::Compute;
use crate::output;
use crate::pictures::Pictures;
use crate::progress;
use crate::scores;
use crate::settings;
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Eval {
    /// Run or checkpoint folder.
    run: PathBuf,
    /// Puzzles to score on, all of them; default: those held out in training.
    #[arg(long, value_name = "PATH")]
    data: Vec<PathBuf>,
    /// Change one setting of the puzzles, e.g. task.eval_givens=26.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "challenge")]
    set: Vec<String>,
    /// A file of puzzles without answers: says how many answers obey the rules.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    challenge: Option<PathBuf>,
    /// Folder for what the evaluation says in full: submission.json and a table
    /// of tasks for ARC, the answers to a challenge. It must not exist.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Segments per puzzle; default: as many as in training.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    segments: Option<u32>,
    /// Let the halting head stop early.
    #[arg(long)]
    halt: bool,
    /// Draw another answer to each question at this temperature; the favourite
    /// of those becomes the second attempt (ARC).
    #[arg(long, value_name = "TEMPERATURE", value_parser = temperature, conflicts_with = "challenge")]
    sample: Option<f64>,
    /// Decides the draws of --sample.
    #[arg(long, default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Puzzles at a time.
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

impl Eval {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            output::must_be_free(out)?;
        }
        let checkpoint = Checkpoint::open(&self.run, &self.compute)?;
        let model = &checkpoint.model;
        let n_segments = self.segments.map_or(model.config().n_segments_max, |n| n as usize);
        let budget =
            if self.halt { Budget::UntilHalt(n_segments) } else { Budget::Fixed(n_segments) };
        let batch_size = self.batch as usize;

        if let Some(file) = &self.challenge {
            let challenge = challenge::run(&checkpoint, file, budget, batch_size)?;
            self.say(&checkpoint, challenge.to_json(), challenge.table())?;
            return self.keep(&[challenge.document]);
        }

        let puzzles = settings::apply_to_task(checkpoint.puzzles.task.clone(), &self.set)?;
        let family = puzzles.family();
        let task = if self.data.is_empty() {
            puzzles.open(&checkpoint.puzzles.data)?
        } else {
            puzzles.open_for_eval(&self.data, &checkpoint.identifiers)?
        };
        task.notes().into_iter().for_each(note);
        let mut pictured = self.pictures.begin()?;
        let mut progress = progress::rows(task.eval().row_ids().count() as u64);
        let mut n_done = 0;
        let sampling = self.sample.map(|temperature| Sampling { temperature, seed: self.seed });
        let asking = Asking { budget, batch_size, sampling };
        let evaluation = evaluate(model, task.as_ref(), asking, |predicted| {
            n_done += 1;
            progress(n_done);
            pictured.add(task.eval(), predicted);
            anyhow::Ok(())
        })?;
        // Said first: a full disk must not cost the figures.
        self.say(&checkpoint, scores::to_json(&evaluation, None), scores::table(&evaluation))?;
        self.keep(&evaluation.documents)?;
        self.pictures.write(&pictured, task.as_ref(), family)
    }

    /// Prints the result.
    fn say(&self, checkpoint: &Checkpoint, mut line: Value, text: String) -> anyhow::Result<()> {
        if !self.json {
            return Ok(result(text)?);
        }
        line["checkpoint"] = json!(checkpoint.path);
        Ok(result(format!("{line}\n"))?)
    }

    /// Writes documents into the new folder --out, if it was asked for.
    fn keep(&self, documents: &[Document]) -> anyhow::Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        if documents.is_empty() {
            note("This kind of puzzle has nothing to say in full.");
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
