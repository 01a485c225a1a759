//! Which puzzles, and which settings: the flags that several verbs share.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use hrm_tasks::{Preset, RunConfig, TaskConfig};

use crate::outcome::usage;
use crate::settings;

/// Which puzzles, and which settings.
#[derive(Args)]
pub(crate) struct Choice {
    /// Kind of puzzle.
    #[arg(value_parser = kinds())]
    pub(crate) task: String,
    /// Puzzle files or folders; without any, built-in puzzles.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// How much to ask of the machine. Default: tiny, or small with --data.
    #[arg(long, value_parser = presets())]
    preset: Option<String>,
    /// Change one setting, e.g. model.hidden_dim=256 or task.board=6.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The names of all kinds of puzzle, for the command line.
pub(crate) fn kinds() -> PossibleValuesParser {
    TaskConfig::KINDS.to_vec().into()
}

fn presets() -> PossibleValuesParser {
    Preset::ALL.map(|(name, _)| name).into()
}

impl Choice {
    /// The preset by name, also if none is named.
    pub(crate) fn preset(&self) -> &str {
        let default = if self.data.is_empty() { "tiny" } else { "small" };
        self.preset.as_deref().unwrap_or(default)
    }

    /// The settings of the preset, fitted to the data and changed as asked.
    ///
    /// # Errors
    ///
    /// For data that cannot be read, or a setting that does not exist.
    pub(crate) fn config(&self) -> anyhow::Result<RunConfig> {
        let name = self.preset();
        let (_, preset) = Preset::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| usage(format!("no preset `{name}`")))?;
        let config = RunConfig::preset(&self.task, preset)
            .ok_or_else(|| usage(format!("no kind of puzzle `{}`", self.task)))?;
        // Fitted first, so that a size the user sets is kept, and checked.
        let config = match config.task.family().cells_in(&self.data)? {
            Some(n_cells) => RunConfig { task: config.task.with_cells(n_cells)?, ..config },
            None => config,
        };
        settings::apply(config, &self.set)
    }
}
