//! `hrm data generate`: puzzles of the built-in generators, as a file.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::choice::Choice;
use crate::outcome::usage;
use crate::output;
use crate::term::{remark, result};

#[derive(Args)]
pub(super) struct Generate {
    #[command(flatten)]
    choice: Choice,
    /// Puzzles to generate.
    #[arg(long, short, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Sudoku: only puzzles that take our solver at least so many guesses.
    #[arg(long, value_name = "GUESSES")]
    min_rating: Option<u64>,
    /// Mazes: cells on the shortest path at least, both ends included.
    #[arg(long, value_name = "CELLS")]
    min_path: Option<usize>,
    /// Decides the puzzles.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File to write; it must not exist. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !self.choice.data.is_empty() {
            return Err(usage("`data generate` makes its own puzzles and takes no --data"));
        }
        if let Some(out) = &self.out {
            output::must_be_free(out)?;
        }
        let mut choice = self.choice;
        if let Some(min_rating) = self.min_rating {
            choice = choice.with_setting("task.min_rating", min_rating);
        }
        if let Some(min_path) = self.min_path {
            choice = choice.with_setting("task.min_path", min_path);
        }
        let config = choice.config()?;
        let start = Instant::now();
        let text = config.task.family().generate(self.n as usize, self.seed)?;
        let seconds = start.elapsed().as_secs_f64();
        let rate = f64::from(self.n) / seconds;
        remark(format!("{} puzzles in {seconds:.1} s, {rate:.0} a second", self.n));
        match self.out {
            None => Ok(result(text)?),
            Some(out) => {
                output::write_new(&out, text.as_bytes())?;
                remark(format!("written to {}", out.display()));
                Ok(())
            }
        }
    }
}
