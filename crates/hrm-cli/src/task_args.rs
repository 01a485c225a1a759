//! The arguments that several commands share: task, data, preset, settings.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use hrm_tasks::{Preset, RunConfig, TaskConfig, TaskError, recipe};

use crate::error::usage;
use crate::settings;

/// A task, its data and its configuration.
#[derive(Args)]
pub(crate) struct TaskArgs {
    /// Kind of puzzle.
    #[arg(value_parser = task_names())]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) data_args: DataArgs,
}

/// The data and the configuration of a task.
#[derive(Args, Clone)]
pub(crate) struct DataArgs {
    /// Puzzle files or folders, or one folder prepared by the published code.
    /// Default: built-in puzzles, for tasks that have a generator.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// Size of the model and of the training run. Default: tiny, or small with
    /// --data.
    #[arg(long, value_parser = presets())]
    preset: Option<String>,
    /// Change one setting, e.g. model.hidden_dim=256 or task.board=6; may be
    /// repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl DataArgs {
    /// Whether the user has changed the setting `key`.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.set
            .iter()
            .any(|pair| pair.split_once('=').is_some_and(|(set, _)| settings::grouped(set) == key))
    }
}

/// The names of all tasks, for the command line.
pub(crate) fn task_names() -> PossibleValuesParser {
    TaskConfig::KINDS.to_vec().into()
}

fn presets() -> PossibleValuesParser {
    Preset::ALL.map(|(name, _)| name).into()
}

impl TaskArgs {
    /// Adds a setting, for flags that are short for one.
    pub(crate) fn with_setting(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.data_args.set.push(format!("{key}={value}"));
        self
    }

    /// The name of the preset, or of the default one.
    pub(crate) fn preset(&self) -> &str {
        let default = if self.data_args.data.is_empty() { "tiny" } else { "small" };
        self.data_args.preset.as_deref().unwrap_or(default)
    }

    /// The configuration of the preset, adapted to the data, with the user's
    /// settings.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, or a setting does not exist.
    pub(crate) fn config(&self) -> anyhow::Result<RunConfig> {
        let name = self.preset();
        let (_, preset) = Preset::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| usage(format!("no preset `{name}`")))?;
        let config = RunConfig::preset(&self.task, preset)
            .ok_or_else(|| usage(format!("no task `{}`", self.task)))?;
        // Adapted first, so that the user's settings win, and are checked.
        let config = fitted(config, preset, &self.data_args.data)?;
        settings::apply(config, &self.data_args.set)
    }
}

/// Smallest batch size that a preset is reduced to.
const BATCH_MIN: usize = 4;

/// Adapts a configuration to the puzzles in `data`. A prepared set brings the
/// settings of its task.
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

/// The batch size for puzzles of `n_cells` cells. It is reduced for puzzles
/// larger than the preset's, so that a preset needs about the same memory and
/// time for any puzzle. The published configurations are not reduced.
fn batch_size(of_preset: usize, n_cells_of_preset: usize, n_cells: usize) -> usize {
    let in_proportion = of_preset * n_cells_of_preset / n_cells.max(1);
    of_preset.min(in_proportion.max(BATCH_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_puzzles_have_smaller_batches() {
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
        // The preset has 8 by 8 mazes in batches of 64.
        assert_eq!(batch_size(Preset::Small, 8), 64);
        assert_eq!(batch_size(Preset::Small, 6), 64);
        assert_eq!(batch_size(Preset::Small, 12), 28);
        assert_eq!(batch_size(Preset::Small, 20), 10);
        assert_eq!(batch_size(Preset::Small, 30), 4);
        assert_eq!(batch_size(Preset::Tiny, 30), BATCH_MIN);
        assert_eq!(batch_size(Preset::Paper, 30), 768);
    }
}
