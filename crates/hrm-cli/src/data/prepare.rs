//! `hrm data prepare`: writes base puzzles, and the settings of their augmentation,
//! into a folder.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hrm_tasks::prepared;
use hrm_train::task::Examples;
use serde_json::json;

use super::open::open;
use crate::output;
use crate::paths;
use crate::task_args::TaskArgs;
use crate::term::result;

#[derive(Args)]
pub(super) struct Prepare {
    #[command(flatten)]
    task_args: TaskArgs,
    /// New folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Prepare {
    pub(super) fn run(self) -> anyhow::Result<()> {
        output::must_be_free(&self.out)?;
        let start = Instant::now();
        let (config, task) = open(&self.task_args)?;
        let n_bytes = prepared::prepare(&config, task.as_ref(), &self.out)?;
        let seconds = start.elapsed().as_secs_f64();

        let [train, eval] = [task.train(), task.eval()].map(Counts::of);
        if self.json {
            let side = |Counts { n_puzzles, n_rows }| json!({"puzzles": n_puzzles, "rows": n_rows});
            let line = json!({"folder": paths::to_json(&self.out), "bytes": n_bytes, "seconds": seconds,
                "train": side(train), "eval": side(eval), "identifiers": task.n_puzzle_ids()});
            return Ok(result(format!("{line}\n"))?);
        }
        let (out, kind) = (self.out.display(), &self.task_args.task);
        let side = |name, Counts { n_puzzles, n_rows }| {
            format!("  {name:<12} {n_puzzles:>8} puzzles {n_rows:>10} rows\n")
        };
        Ok(result(format!(
            "{out} holds {:.1} MB, written in {seconds:.1} s:\n{}{}Next: hrm train {kind} --data {out}\n",
            n_bytes as f64 / 1e6,
            side("training", train),
            side("evaluation", eval),
        ))?)
    }
}

/// The size of one side of the split.
struct Counts {
    n_puzzles: usize,
    n_rows: u64,
}

impl Counts {
    fn of(examples: &dyn Examples) -> Self {
        let n_puzzles = examples.n_groups();
        Self { n_puzzles, n_rows: examples.n_rows_total() }
    }
}
