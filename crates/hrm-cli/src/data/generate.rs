//! `hrm data generate`: puzzles of the built-in generators, as a file.

use std::path::PathBuf;

use clap::Args;

use crate::choice::Choice;
use crate::new_file;
use crate::outcome::usage;
use crate::term::{remark, result};

#[derive(Args)]
pub(super) struct Generate {
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

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !self.choice.data.is_empty() {
            return Err(usage("`data generate` makes its own puzzles and takes no --data"));
        }
        if let Some(out) = &self.out {
            new_file::check(out)?;
        }
        let text = self.choice.config()?.task.family().generate(self.n as usize, self.seed)?;
        match self.out {
            None => Ok(result(text)?),
            Some(out) => {
                new_file::write(&out, text.as_bytes())?;
                remark(format!("{} puzzles written to {}", self.n, out.display()));
                Ok(())
            }
        }
    }
}
