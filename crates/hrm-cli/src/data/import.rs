//! `hrm data import`: converts data prepared by the published code.

use std::path::PathBuf;

use clap::Args;
use hrm_base::words::counted;
use hrm_tasks::{RunConfig, published};
use serde_json::json;

use crate::output;
use crate::paths;
use crate::settings::apply_to_task;
use crate::task_args::task_names;
use crate::term::{note, result};

/// Maximum number of skipped puzzles that are listed.
const N_NAMED_MAX: usize = 10;

#[derive(Args)]
pub(super) struct Import {
    /// Folder prepared by the published code, or the folder of one split.
    folder: PathBuf,
    /// Kind of puzzle. Default: the one that fits the data.
    #[arg(value_parser = task_names())]
    task: Option<String>,
    /// Change one setting of the task, e.g. task.width=9 for mazes that are not square; may be
    /// repeated.
    #[arg(long, value_name = "KEY=VALUE", requires = "task")]
    set: Vec<String>,
    /// New folder; or a new file, with an extension, if the data needs only one.
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
        let imported = match self.task.as_deref().filter(|_| !self.set.is_empty()) {
            Some(kind) => {
                let task = RunConfig::preset(kind, "tiny")?.task;
                published::import_as(&self.folder, &apply_to_task(task, &self.set)?)?
            }
            None => published::import(&self.folder, self.task.as_deref())?,
        };
        imported.write(&self.out)?;

        let published::Imported { files, n_puzzles, n_versions, refused, notes } = &imported;
        notes.iter().for_each(note);
        for what in refused.iter().take(N_NAMED_MAX) {
            note(format!("skipped: {what}"));
        }
        if refused.len() > N_NAMED_MAX {
            note(format!("skipped: {} more", refused.len() - N_NAMED_MAX));
        }
        if self.json {
            let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
            let line = json!({"out": paths::to_json(&self.out), "files": names, "puzzles": n_puzzles,
                "versions": n_versions, "left_out": refused.len()});
            return Ok(result(format!("{line}\n"))?);
        }
        Ok(result(format!(
            "{} written to {out}; {}, which training generates itself, and {} skipped\n",
            counted(*n_puzzles, "puzzle", "puzzles"),
            counted(*n_versions, "augmented version", "augmented versions"),
            counted(refused.len(), "other puzzle", "other puzzles"),
        ))?)
    }
}
