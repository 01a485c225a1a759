//! `hrm data generate`: writes puzzles of the built-in generators to a file.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hrm_base::durable;
use hrm_base::words::counted;
use hrm_puzzles::PuzzleError;
use hrm_tasks::TaskError;

use crate::error::usage;
use crate::output;
use crate::progress::hide_stage;
use crate::task_args::TaskArgs;
use crate::term::note;

#[derive(Args)]
pub(super) struct Generate {
    #[command(flatten)]
    task_args: TaskArgs,
    /// Number of puzzles.
    #[arg(long, short, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Sudoku: minimum number of guesses that the built-in solver needs.
    #[arg(long, value_name = "GUESSES")]
    min_rating: Option<u64>,
    /// Maze: minimum number of cells on the shortest path, both ends included.
    #[arg(long, value_name = "CELLS")]
    min_path: Option<usize>,
    /// Seed of the generator.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// New file to write to. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !self.task_args.data_args.data.is_empty() {
            return Err(usage("`data generate` makes its own puzzles and does not accept --data"));
        }
        if let Some(out) = &self.out {
            output::must_be_free(out)?;
        }
        let mut task_args = self.task_args;
        if let Some(min_rating) = self.min_rating {
            task_args = task_args.with_setting("task.min_rating", min_rating);
        }
        if let Some(min_path) = self.min_path {
            task_args = task_args.with_setting("task.min_path", min_path);
        }
        if task_args.task == "sudoku" && !task_args.data_args.sets("task.eval_givens") {
            // It concerns evaluation only, and may not fit on a smaller board.
            task_args = task_args.with_setting("task.eval_givens", 0);
        }
        let config = task_args.with_default_preset("small").config()?;
        let start = Instant::now();
        let generate = |out: &mut dyn Write| {
            config.task.puzzle_kind().generate(self.n as usize, self.seed, out)
        };
        match &self.out {
            None => generate(&mut Stdout)?,
            Some(out) => {
                let failed = TaskError::write(out);
                durable::new_file(out, &failed, |file| {
                    generate(file).map_err(|err| match err {
                        TaskError::Puzzle(PuzzleError::Output(source)) => failed(source),
                        err => err,
                    })
                })?;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = f64::from(self.n) / seconds;
        let puzzles = counted(self.n as usize, "puzzle", "puzzles");
        note(format!("{puzzles} in {seconds:.1} s, {rate:.0} per second"));
        if let Some(out) = &self.out {
            note(format!("Written to {}.", out.display()));
        }
        Ok(())
    }
}

/// Standard output, beside which the progress is hidden while it is written to.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hide_stage();
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
