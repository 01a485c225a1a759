//! `hrm data export`: writes all versions of all puzzles for the published code.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hrm_base::words::counted;
use hrm_tasks::published;
use serde_json::json;

use super::open::open;
use crate::output;
use crate::paths;
use crate::progress;
use crate::task_args::TaskArgs;
use crate::term::{note, result};

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    task_args: TaskArgs,
    /// File format.
    #[arg(long, value_enum, default_value_t = Layout::Npy)]
    layout: Layout,
    /// The published project whose code reads the result: it decides the names of versions
    /// of ARC tasks, and the files beside the arrays.
    #[arg(long, value_enum, default_value_t = Dialect::Hrm)]
    dialect: Dialect,
    /// New folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// NumPy arrays with dataset.json, as the published training code reads them.
    Npy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    Hrm,
    Trm,
}

impl From<Dialect> for hrm_puzzles::arc::Dialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Hrm => Self::Hrm,
            Dialect::Trm => Self::Trm,
        }
    }
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Layout::Npy = self.layout;
        let out = self.out.display();
        output::must_be_free(&self.out)?;
        let (config, task) = open(&self.task_args)?;
        let n_rows = task.train().n_rows_total() + task.eval().n_rows_total();
        let n_megabytes = (2 * n_rows * task.n_cells() as u64).div_ceil(1_000_000);
        let rows = counted(n_rows as usize, "row", "rows");
        note(format!("{rows} of {} cells, about {n_megabytes} MB", task.n_cells()));
        let progress = progress::rows(n_rows);
        let published::Exported { n_train, n_test, n_identifiers } =
            published::export(task.as_ref(), self.dialect.into(), &self.out, progress)?;
        if self.dialect == Dialect::Trm
            && self.task_args.task == "arc"
            && task.test_puzzles().is_none()
        {
            note(
                "The data are prepared rows, whose tasks are not known: test_puzzles.json, which TRM's \
                 evaluation reads, is missing.",
            );
        }
        if config.puzzle_kind().settings_of_rows().is_none() {
            note(format!(
                "Only the published code reads these data: keep the files of the puzzles, from \
                 which hrm reads {}.",
                config.name()
            ));
        }
        if n_test == 0 {
            note(
                "No evaluation puzzles: the folder `test` is missing, which the published code needs.",
            );
        }
        if self.json {
            let line = json!({"folder": paths::to_json(&self.out), "train": n_train, "test": n_test,
                "identifiers": n_identifiers});
            return Ok(result(format!("{line}\n"))?);
        }
        let test_rows = counted(n_test, "test row", "test rows");
        Ok(result(format!("{n_train} training and {test_rows} written to {out}\n"))?)
    }
}
