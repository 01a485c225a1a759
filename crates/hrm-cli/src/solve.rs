//! `hrm solve`: one puzzle, drawn with its answer.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;
use hrm_core::Budget;
use hrm_tasks::{Answer, TaskError, Verdict};
use hrm_train::run::{find_checkpoint, read_json};
use serde_json::{Value, json};

use crate::ask::ask;
use crate::checkpoint::Checkpoint;
use crate::compute::Compute;
use crate::error::usage;
use crate::record::RunRecord;
use crate::task_args::task_names;
use crate::term::{note, result, style};

/// Questions put to the model at a time.
const BATCH: usize = 32;

#[derive(Args)]
pub(crate) struct Solve {
    /// Kind of puzzle.
    #[arg(value_parser = task_names())]
    task: String,
    /// The puzzle itself, a file, or - for standard input. Default: a freshly
    /// generated puzzle.
    input: Option<String>,
    /// Run or checkpoint folder. Default: the newest run of this kind in runs/.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Segments per puzzle at most; default: as many as in training.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    segments: Option<u32>,
    /// Decides the puzzle that is generated without INPUT.
    #[arg(long)]
    seed: Option<u64>,
    /// Print one line of JSON per puzzle.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

impl Solve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let run = match &self.run {
            Some(run) => run.clone(),
            None => newest_run(Path::new("runs"), &self.task)?,
        };
        let checkpoint = Checkpoint::open(&run, &self.compute)?;
        let task = &checkpoint.puzzles.task;
        if task.kind() != self.task {
            let (found, wanted) = (task.kind(), &self.task);
            return Err(usage(format!("{} solves {found}, not {wanted}", run.display())));
        }
        let (text, place) = self.text(&checkpoint)?;
        let posed = task.family().pose(&text, &place, &checkpoint.identifiers)?;

        let n_max = self.segments.map_or(checkpoint.model.config().n_segments_max, |n| n as usize);
        ask(&checkpoint.model, &posed, Budget::UntilHalt(n_max), BATCH, |puzzle, replies| {
            let answer = posed[puzzle].answer(replies, style());
            let n_segments = replies.get(answer.reply_idx).map_or(0, |reply| reply.n_segments);
            let text = match self.json {
                true => format!("{}\n", to_json(&answer, n_segments)),
                false => describe(&answer, n_segments),
            };
            Ok(result(text)?)
        })
    }

    /// The puzzle as text, and what messages call its origin.
    fn text(&self, checkpoint: &Checkpoint) -> anyhow::Result<(String, String)> {
        let Some(input) = &self.input else {
            let seed = self.seed.unwrap_or_else(seed_of_the_moment);
            note(format!(
                "A generated puzzle (--seed {seed}), solved by {}.",
                checkpoint.path.display()
            ));
            let text = checkpoint.puzzles.task.family().example(seed)?;
            return Ok((text, format!("generated puzzle {seed}")));
        };
        if input == "-" {
            let mut bytes = Vec::new();
            let mut input = std::io::stdin().lock().take(N_BYTES_MAX + 1);
            input.read_to_end(&mut bytes).context("cannot read standard input")?;
            let place = "standard input";
            return Ok((as_text(bytes, place)?, place.to_owned()));
        }
        let path = Path::new(input);
        if path.is_file() {
            return Ok((read(path)?, input.clone()));
        }
        Ok((input.clone(), "puzzle".to_owned()))
    }
}

/// More than any puzzle file a person would pose.
const N_BYTES_MAX: u64 = 64 << 20;

/// The text of a file of puzzles.
///
/// # Errors
///
/// For a file that cannot be read, is unreasonably large or is no text.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).map_err(TaskError::read(path))?;
    let mut bytes = Vec::new();
    file.take(N_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(TaskError::read(path))?;
    as_text(bytes, &path.display().to_string())
}

fn as_text(bytes: Vec<u8>, place: &str) -> anyhow::Result<String> {
    if bytes.len() as u64 > N_BYTES_MAX {
        return Err(
            TaskError::malformed(place, format!("at most {N_BYTES_MAX} bytes"), "more").into()
        );
    }
    let not_text = |err: std::string::FromUtf8Error| {
        TaskError::malformed(place, "UTF-8 text", err.utf8_error().to_string())
    };
    Ok(String::from_utf8(bytes).map_err(not_text)?)
}

fn describe(answer: &Answer, n_segments: usize) -> String {
    let verdict = match &answer.verdict {
        Verdict::Valid => "Valid by the rules".to_owned(),
        Verdict::Expected => "As the label has it".to_owned(),
        Verdict::Invalid(why) => format!("Not valid: {why}"),
        Verdict::Unchecked(why) => format!("Not checked: {why}"),
    };
    let segments = if n_segments == 1 { "segment" } else { "segments" };
    format!("{}{verdict}, after {n_segments} {segments}.\n", answer.drawing)
}

fn to_json(answer: &Answer, n_segments: usize) -> Value {
    let (valid, why) = match &answer.verdict {
        Verdict::Valid | Verdict::Expected => (Some(true), None),
        Verdict::Invalid(why) => (Some(false), Some(why)),
        Verdict::Unchecked(why) => (None, Some(why)),
    };
    json!({"answer": answer.text, "valid": valid, "why": why, "segments": n_segments})
}

/// The run in `runs` that wrote a checkpoint of this kind last.
fn newest_run(runs: &Path, task: &str) -> anyhow::Result<PathBuf> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let candidates = entries.filter_map(|entry| {
        let path = entry.path();
        let checkpoint = find_checkpoint(&path).ok()?;
        let record: RunRecord = read_json(&path.join("run.json")).ok()?;
        let written: SystemTime = std::fs::metadata(checkpoint).ok()?.modified().ok()?;
        (record.config.task.kind() == task).then_some((written, path))
    });
    let newest = candidates.max().map(|(_, path)| path);
    newest.ok_or_else(|| {
        usage(format!(
            "no trained {task} model in {}: train one with `cargo xtask train {task}`, \
             or name one with --run",
            runs.display()
        ))
    })
}

/// A seed that differs from call to call.
fn seed_of_the_moment() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) % 100_000
}
