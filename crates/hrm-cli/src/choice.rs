//! Which puzzles, and which settings: the flags that several verbs share.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use hrm_tasks::{Preset, RunConfig, TaskConfig, TaskError, recipe};

use crate::outcome::usage;
use crate::settings;

/// Which puzzles, and which settings.
#[derive(Args)]
pub(crate) struct Choice {
    /// Kind of puzzle.
    #[arg(value_parser = kinds())]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Which puzzles of a kind, and which settings.
#[derive(Args, Clone)]
pub(crate) struct Settings {
    /// Puzzle files or folders, or one folder that the published code prepared;
    /// without any, built-in puzzles, if there are.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// How much to ask of the machine. Default: tiny, or small with --data.
    #[arg(long, value_parser = presets())]
    preset: Option<String>,
    /// Change one setting, e.g. model.hidden_dim=256 or task.board=6.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Settings {
    /// Whether the user has chosen a setting.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.set
            .iter()
            .any(|pair| pair.split_once('=').is_some_and(|(set, _)| settings::grouped(set) == key))
    }
}

/// The names of all kinds of puzzle, for the command line.
pub(crate) fn kinds() -> PossibleValuesParser {
    TaskConfig::KINDS.to_vec().into()
}

fn presets() -> PossibleValuesParser {
    Preset::ALL.map(|(name, _)| name).into()
}

impl Choice {
    /// The same with one more setting, for flags that stand for one.
    pub(crate) fn with_setting(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.settings.set.push(format!("{key}={value}"));
        self
    }

    /// The preset by name, also if none is named.
    pub(crate) fn preset(&self) -> &str {
        let default = if self.settings.data.is_empty() { "tiny" } else { "small" };
        self.settings.preset.as_deref().unwrap_or(default)
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
        let config = fitted(config, preset, &self.settings.data)?;
        settings::apply(config, &self.settings.set)
    }
}

/// Fewest puzzles per step that a preset is cut down to.
const BATCH_MIN: usize = 4;

/// The settings for the puzzles in `data`. Those of a prepared set are its own.
fn fitted(mut config: RunConfig, preset: Preset, data: &[PathBuf]) -> Result<RunConfig, TaskError> {
    config.task = match recipe::read(data)? {
        None => config.task.fitted_to(data)?,
        Some(prepared) if prepared.kind() == config.task.kind() => prepared,
        Some(prepared) => {
            let place = data[0].join(recipe::RECIPE).display().to_string();
            let expected = format!("puzzles of kind {}", config.task.kind());
            return Err(TaskError::malformed(place, expected, prepared.kind()));
        }
    };
    if !preset.is_published() {
        let n_cells = config.task.family().n_cells();
        config.train.batch_size =
            batch_size(config.train.batch_size, config.model.input.n_cells, n_cells);
    }
    Ok(config)
}

/// Puzzles per step. Larger ones than the preset is made for come fewer at a
/// time, so that it keeps its promise of memory and, as far as it can, of time;
/// the published configuration stays as it is.
fn batch_size(of_preset: usize, n_cells_of_preset: usize, n_cells: usize) -> usize {
    let in_proportion = of_preset * n_cells_of_preset / n_cells.max(1);
    of_preset.min(in_proportion.max(BATCH_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_puzzles_come_fewer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let batch_size = |preset, side: usize| {
            let mut config = RunConfig::preset("maze", preset).unwrap();
            config.task = config.task.with_cells(side * side).unwrap();
            let path = folder.path().join("mazes.csv");
            let mut file = std::fs::File::create(&path).unwrap();
            config.task.family().generate(1, 1, &mut file).unwrap();
            let config = RunConfig::preset("maze", preset).unwrap();
            fitted(config, preset, &[path]).unwrap().train.batch_size
        };
        // Mazes of 8 by 8 by default, 64 at a time.
        assert_eq!(batch_size(Preset::Small, 8), 64);
        assert_eq!(batch_size(Preset::Small, 6), 64);
        assert_eq!(batch_size(Preset::Small, 12), 28);
        assert_eq!(batch_size(Preset::Small, 20), 10);
        assert_eq!(batch_size(Preset::Small, 30), 4);
        assert_eq!(batch_size(Preset::Tiny, 30), BATCH_MIN);
        assert_eq!(batch_size(Preset::Paper, 30), 768);
    }
}
