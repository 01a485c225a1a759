//! `hrm data import`: what the published code prepared, as puzzle files.

use std::path::PathBuf;

use clap::Args;
use hrm_tasks::published;
use serde_json::json;

use crate::output;
use crate::task_args::task_names;
use crate::term::{note, result};

/// Puzzles named one by one that could not be turned.
const N_NAMED_MAX: usize = 10;

#[derive(Args)]
pub(super) struct Import {
    /// Folder that the published code prepared, or one split of it.
    folder: PathBuf,
    /// Kind of puzzle; default: the one that fits.
    #[arg(value_parser = task_names())]
    task: Option<String>,
    /// Folder to write, or a file if there is only one; it must not exist.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let out = self.out.display();
        output::must_be_free(&self.out)?;
        let imported = published::import(&self.folder, self.task.as_deref())?;
        imported.write(&self.out)?;

        let published::Imported { files, n_puzzles, n_versions, refused } = &imported;
        for what in refused.iter().take(N_NAMED_MAX) {
            note(format!("left out: {what}"));
        }
        if refused.len() > N_NAMED_MAX {
            note(format!("left out: {} more", refused.len() - N_NAMED_MAX));
        }
        if self.json {
            let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
            let line = json!({"out": self.out, "files": names, "puzzles": n_puzzles,
                "versions": n_versions, "left_out": refused.len()});
            return Ok(result(format!("{line}\n"))?);
        }
        Ok(result(format!(
            "{n_puzzles} puzzles written to {out}; {n_versions} versions of them, which training \
             makes by itself, and {} others left out\n",
            refused.len()
        ))?)
    }
}
