//! `hrm solve`: answers puzzles, and prints them with their answers.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use hrm_core::Budget;
use hrm_puzzles::text::{PUZZLE_ENDINGS, Text, quoted};
use hrm_puzzles::{PuzzleError, Verdict};
use hrm_tasks::{Answer, Checkpoint, TaskConfig, TaskError, answer_with_givens};
use hrm_train::TrainError;
use hrm_train::run::read_json;
use serde_json::{Value, json};

use crate::checkpoint;
use crate::compute::Compute;
use crate::error::usage;
use crate::positive::positive;
use crate::puzzle_text::{self, Answered, Refused};
use crate::record::RunRecord;
use crate::task_args::{WrittenArgs, task_names};
use crate::term::{note, result, style};

/// Puzzles per batch.
const BATCH_SIZE: u32 = 32;

#[derive(Args)]
pub(crate) struct Solve {
    /// Kind of puzzle.
    #[arg(value_parser = task_names())]
    task: String,
    /// A puzzle, a file of puzzles, or - for standard input. Default: a newly
    /// generated puzzle.
    input: Option<String>,
    /// Run or checkpoint folder. Default: the newest run of this task in runs/.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Maximum number of segments per puzzle. Default: that of training.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    segments: Option<u32>,
    /// Seed for the puzzle that is generated without INPUT.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    written: WrittenArgs,
    /// Print one line of JSON per puzzle.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

impl Solve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.input.is_none() && self.written.has_columns() {
            return Err(usage("--columns needs INPUT: a generated puzzle is no table"));
        }
        let run = match &self.run {
            Some(run) => run.clone(),
            None => newest_run(Path::new("runs"), &self.task)?,
        };
        let checkpoint = checkpoint::open(&run, &self.compute)?;
        let task = checkpoint.record.task.clone();
        if task.name() != self.task {
            let (found, wanted) = (task.name(), &self.task);
            return Err(usage(format!("{} solves {found}, not {wanted}", run.display())));
        }
        let task = self.written.of_others(task)?;
        self.answer(&checkpoint, &task).map_err(|err| match err.downcast_ref() {
            Some(TaskError::Puzzle(PuzzleError::Empty { place, .. })) if place == TYPED => {
                let input = quoted(self.input.as_deref().unwrap_or_default());
                usage(format!("{input} is neither a puzzle nor the name of a file"))
            }
            _ => err,
        })
    }

    /// Prints the answers to the puzzles.
    fn answer(&self, checkpoint: &Checkpoint, task: &TaskConfig) -> anyhow::Result<()> {
        let text = self.text(checkpoint, task)?;
        let queries = task.puzzle_kind().queries(text, &checkpoint.identifiers)?;

        let n_max = self.segments.map_or(checkpoint.model.n_segments_max(), positive);
        let (budget, batch_size) = (Budget::UntilHalt(n_max), positive(BATCH_SIZE));
        let mut refused = Refused::default();
        puzzle_text::answer(checkpoint, queries, budget, batch_size, |answered| {
            let (query, outputs) = match answered {
                Answered::Outputs(query, outputs) => (query, outputs),
                Answered::Refused(why) => {
                    refused.add(why);
                    // A line for each puzzle.
                    let line = json!({"answer": null, "valid": null, "why": why});
                    return if self.json { Ok(result(format!("{line}\n"))?) } else { Ok(()) };
                }
            };
            let (answer, n_changed) = answer_with_givens(query, outputs, style());
            let text = match self.json {
                true => format!("{}\n", to_json(&answer, n_changed)),
                false => describe(&answer, n_changed),
            };
            Ok(result(text)?)
        })?;
        refused.finish();
        Ok(())
    }

    /// The puzzles.
    fn text(&self, checkpoint: &Checkpoint, task: &TaskConfig) -> anyhow::Result<Text> {
        let typed =
            |text: String, place: &str| Ok(Text::new(Cursor::new(text.into_bytes()), place, &[])?);
        let Some(input) = &self.input else {
            let seed = self.seed.unwrap_or_else(random_seed);
            let text = task.puzzle_kind().example(seed)?;
            note(format!(
                "Solving a generated puzzle (--seed {seed}) with {}.",
                checkpoint.path.display()
            ));
            return typed(text, &format!("generated puzzle {seed}"));
        };
        if input == "-" {
            return puzzle_text::stdin();
        }
        let path = Path::new(input);
        match std::fs::metadata(path) {
            Ok(found) if !found.is_dir() => puzzle_text::open(path),
            Ok(_) if has_name(path) => {
                Err(usage(format!("{input} is a folder: name a file of puzzles")))
            }
            Err(err) if is_path(path) => Err(TaskError::read(path)(err).into()),
            _ => typed(input.clone(), TYPED),
        }
    }
}

/// What messages call a puzzle on the command line.
const TYPED: &str = "puzzle";

/// Whether a path is more than dots and slashes, which may be cells.
fn has_name(path: &Path) -> bool {
    path.components().any(|part| matches!(part, Component::Normal(_)))
}

/// Whether the name of a file that does not exist is meant, not a puzzle: it has the ending
/// of a file of puzzles, or is in a folder that exists.
fn is_path(path: &Path) -> bool {
    let text = path.to_string_lossy().to_ascii_lowercase();
    let mut endings = PUZZLE_ENDINGS.iter().chain(&["gz", "zip"]);
    let has_ending = endings.any(|ending| {
        let stem = text.strip_suffix(ending).and_then(|text| text.strip_suffix('.'));
        stem.is_some_and(|stem| stem.ends_with(char::is_alphanumeric))
    });
    let folder = path.parent().filter(|folder| has_name(folder));
    !text.contains('\n') && (has_ending || folder.is_some_and(Path::is_dir))
}

/// The drawing and the verdict. `n_changed` givens are kept although the model changed
/// them.
fn describe(answer: &Answer, n_changed: usize) -> String {
    let verdict = match &answer.verdict {
        Verdict::Valid => "Valid by the rules".to_owned(),
        Verdict::Expected => "Matches the label".to_owned(),
        Verdict::Invalid(why) => format!("Not valid: {why}"),
        Verdict::Unchecked(why) => format!("Not checked: {why}"),
    };
    let n_segments = answer.n_segments;
    let segments = if n_segments == 1 { "segment" } else { "segments" };
    let changed = match n_changed {
        0 => String::new(),
        1 => " The model had changed 1 given cell, which is kept.".to_owned(),
        n => format!(" The model had changed {n} given cells, which are kept."),
    };
    format!("{}{verdict}, after {n_segments} {segments}.{changed}\n", answer.drawing)
}

fn to_json(answer: &Answer, n_changed: usize) -> Value {
    let (valid, why) = match &answer.verdict {
        Verdict::Valid | Verdict::Expected => (Some(true), None),
        Verdict::Invalid(why) => (Some(false), Some(why)),
        Verdict::Unchecked(why) => (None, Some(why)),
    };
    json!({
        "answer": answer.text,
        "valid": valid,
        "why": why,
        "segments": answer.n_segments,
        "changed_givens": n_changed,
    })
}

/// The run in `runs` with the newest checkpoint for `task`.
fn newest_run(runs: &Path, task: &str) -> anyhow::Result<PathBuf> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let candidates = entries.filter_map(|entry| {
        let path = entry.path();
        // A run that is being trained removes old checkpoints.
        let written = Checkpoint::open_with(&path, |checkpoint| {
            let modified = std::fs::metadata(checkpoint).and_then(|found| found.modified());
            modified.map_err(|source| TrainError::Read { path: checkpoint.to_owned(), source })
        });
        let record: RunRecord = read_json(&path.join("run.json")).ok()?;
        let written: SystemTime = written.ok()?;
        (record.config.task.name() == task).then_some((written, path))
    });
    let newest = candidates.max().map(|(_, path)| path);
    newest.ok_or_else(|| {
        usage(format!(
            "no trained {task} model in {}: train one with `hrm train {task}`, or name one \
             with --run",
            runs.display()
        ))
    })
}

/// A random seed. It has only 32 bits, since the user may type it again.
fn random_seed() -> u64 {
    // The standard library's source of randomness: the keys of its hash maps.
    RandomState::new().build_hasher().finish() >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kept_givens_are_mentioned() {
        let answer = |n_changed| {
            let answer = Answer {
                puzzle: String::new(),
                drawing: "1 2\n".to_owned(),
                text: "12".to_owned(),
                second: None,
                verdict: Verdict::Valid,
                n_segments: 3,
            };
            describe(&answer, n_changed)
        };
        assert_eq!(answer(0), "1 2\nValid by the rules, after 3 segments.\n");
        let want = "segments. The model had changed 1 given cell, which is kept.\n";
        assert!(answer(1).ends_with(want), "{}", answer(1));
        assert!(answer(2).ends_with("changed 2 given cells, which are kept.\n"));
    }

    #[test]
    fn paths_are_told_from_puzzles() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("x").display().to_string();
        for path in ["a.csv", "a/b.TXT", "puzzles.json.gz", &inside] {
            assert!(is_path(Path::new(path)), "{path}");
        }
        for puzzle in
            ["1..2", "ab/b", "../..", "./b", "..csv", "a.csv\nb.csv", "{\"a\": \"b.json\"}"]
        {
            assert!(!is_path(Path::new(puzzle)), "{puzzle}");
        }
    }

    #[test]
    fn random_seeds_differ() {
        let seeds: BTreeSet<u64> = (0..1000).map(|_| random_seed()).collect();
        assert!(seeds.len() > 990, "{} of 1000", seeds.len());
        assert!(seeds.iter().all(|seed| *seed <= u64::from(u32::MAX)));
    }
}
