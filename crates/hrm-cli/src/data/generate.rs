//! `hrm data generate`: puzzles of the built-in generators, as a file.

use std::path::{Path, PathBuf};

use clap::Args;
use hrm_tasks::TaskError;

use crate::choice::Choice;
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
