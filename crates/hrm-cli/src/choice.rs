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
    /// Puzzle files or folders, or one folder that the published code prepared;
    /// without any, built-in puzzles.
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
        // Fitted first, so that what the user sets is kept, and checked.
        let config = match config.task.cells_in(&self.data)? {
            Some(n_cells) => fitted(config, preset, n_cells)?,
            None => config,
        };
        settings::apply(config, &self.set)
    }
}

/// Fewest puzzles per step that a preset is cut down to.
const BATCH_MIN: usize = 4;

/// The settings for puzzles of another size. Larger ones come fewer at a time,
/// so that a preset keeps its promise of memory and, as far as it can, of time;
/// the published configuration stays as it is.
fn fitted(mut config: RunConfig, preset: Preset, n_cells: usize) -> anyhow::Result<RunConfig> {
    config.task = config.task.with_cells(n_cells)?;
    if preset != Preset::Paper {
        let in_proportion = config.train.batch_size * config.model.n_cells / n_cells.max(1);
        config.train.batch_size = config.train.batch_size.min(in_proportion.max(BATCH_MIN));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_puzzles_come_fewer_at_a_time() {
        let batch_size = |preset, n_cells| {
            let config = RunConfig::preset("maze", preset).unwrap();
            fitted(config, preset, n_cells).unwrap().train.batch_size
        };
        // Mazes of 12 by 12 by default, 32 at a time.
        assert_eq!(batch_size(Preset::Small, 144), 32);
        assert_eq!(batch_size(Preset::Small, 100), 32);
        assert_eq!(batch_size(Preset::Small, 400), 11);
        assert_eq!(batch_size(Preset::Small, 900), 5);
        assert_eq!(batch_size(Preset::Tiny, 900), BATCH_MIN);
        assert_eq!(batch_size(Preset::Paper, 900), 768);
    }
}
