//! `hrm data`: generate puzzles, or look at them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use hrm_tasks::{PuzzleTask, TaskError};
use hrm_train::task::{Examples, RowMut};
use serde_json::json;

use crate::choice::Choice;
use crate::outcome::usage;
use crate::term::{remark, result, style};

#[derive(Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write generated puzzles in the format that training reads.
    Generate(Generate),
    /// Draw puzzles with their answers.
    Show(Show),
    /// Print figures about a set of puzzles.
    Stats(Stats),
}

#[derive(Args)]
struct Generate {
    #[command(flatten)]
    choice: Choice,
    /// Puzzles to generate.
    #[arg(long, short, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Decides the puzzles.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File to write; it must not exist. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct Show {
    #[command(flatten)]
    choice: Choice,
    /// Puzzles to draw.
    #[arg(long, short, default_value_t = 3)]
    n: usize,
    /// Which side of the split.
    #[arg(long, value_enum, default_value_t = Split::Train)]
    split: Split,
    /// Print one line of JSON per puzzle.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Split {
    Train,
    Eval,
}

#[derive(Args)]
struct Stats {
    #[command(flatten)]
    choice: Choice,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Data {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Generate(action) => action.run(),
            Action::Show(action) => action.run(),
            Action::Stats(action) => action.run(),
        }
    }
}

/// The puzzles, with remarks about them.
fn open(choice: &Choice) -> anyhow::Result<Box<dyn PuzzleTask>> {
    let task = choice.config()?.task.family().open(&choice.data)?;
    for note in task.notes() {
        remark(note);
    }
    Ok(task)
}

impl Generate {
    fn run(self) -> anyhow::Result<()> {
        if !self.choice.data.is_empty() {
            return Err(usage("`data generate` makes its own puzzles and takes no --data"));
        }
        if let Some(out) = self.out.as_deref().filter(|out| out.exists()) {
            return Err(usage(format!("{} exists already", out.display())));
        }
        let text = self.choice.config()?.task.family().generate(self.n as usize, self.seed)?;
        match self.out {
            None => Ok(result(text)?),
            Some(out) => {
                write_new(&out, text.as_bytes())?;
                remark(format!("{} puzzles written to {}", self.n, out.display()));
                Ok(())
            }
        }
    }
}

impl Show {
    fn run(self) -> anyhow::Result<()> {
        let task = open(&self.choice)?;
        let examples = match self.split {
            Split::Train => task.train(),
            Split::Eval => task.eval(),
        };
        for (inputs, labels, puzzle_id) in rows(task.as_ref(), examples).take(self.n) {
            let name = &task.identifiers()[puzzle_id as usize];
            if self.json {
                let line = json!({"puzzle": name, "inputs": inputs, "labels": labels});
                result(format!("{line}\n"))?;
            } else {
                let title = if puzzle_id == 0 { String::new() } else { format!("{name}\n") };
                result(format!("{title}{}\n", task.draw(&inputs, &labels, style())))?;
            }
        }
        Ok(())
    }
}

impl Stats {
    fn run(self) -> anyhow::Result<()> {
        let stats = open(&self.choice)?.stats();
        if self.json {
            let stats: serde_json::Map<_, _> =
                stats.into_iter().map(|(name, value)| (name, json!(value))).collect();
            return Ok(result(format!("{}\n", serde_json::Value::Object(stats)))?);
        }
        let mut text = String::new();
        for (name, value) in stats {
            let digits = if value.fract() == 0.0 { 0 } else { 2 };
            let _ = writeln!(text, "  {name:<32} {value:>12.digits$}");
        }
        Ok(result(text)?)
    }
}

/// The first row of each puzzle as it is, without augmentation.
fn rows<'a>(
    task: &'a dyn PuzzleTask,
    examples: &'a dyn Examples,
) -> impl Iterator<Item = (Vec<u32>, Vec<u32>, u32)> + 'a {
    examples.row_ids().filter(|at| at.version == 0).map(move |at| {
        let (mut inputs, mut labels) = (vec![0; task.n_cells()], vec![0; task.n_cells()]);
        let mut puzzle_id = 0;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        (inputs, labels, puzzle_id)
    })
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    let write = || -> std::io::Result<()> {
        use std::io::Write;
        let mut file = std::fs::File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| TaskError::Write { path: path.to_owned(), source })
}
