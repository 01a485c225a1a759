//! The arguments that several commands share: task, data, preset, settings.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use hrm_tasks::{Fit, PRESETS, PresetFile, RunConfig, TaskConfig, TaskError, preset_text};

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
    /// Puzzle file or folder; may be repeated. Or one folder prepared by
    /// `hrm data prepare` or by the published code. Default: built-in puzzles, if
    /// the task has a generator.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// Preset for the sizes of puzzles, model and training run. Default: tiny, or
    /// small with --data and for `data generate`.
    #[arg(long, value_parser = PRESETS)]
    preset: Option<String>,
    /// Read the settings from a TOML file, e.g. an edited copy of a preset
    /// (`hrm train TASK --print-config` prints one).
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub(crate) config: Option<PathBuf>,
    /// Change one setting, e.g. model.block.hidden_dim=256 or task.board=6; may
    /// be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The settings of a command, and how they were adapted to the data.
pub(crate) struct Chosen {
    pub(crate) config: RunConfig,
    /// How the settings follow the data.
    pub(crate) fit: Fit,
    /// What was adapted.
    pub(crate) notes: Vec<String>,
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
    TaskConfig::NAMES.to_vec().into()
}

impl TaskArgs {
    /// Adds a setting, for flags that are shorthand for one.
    pub(crate) fn with_setting(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.data_args.set.push(format!("{key}={value}"));
        self
    }

    /// Sets the preset for commands with another default, unless the user has chosen
    /// settings.
    pub(crate) fn with_default_preset(mut self, preset: &str) -> Self {
        if self.data_args.config.is_none() {
            self.data_args.preset.get_or_insert_with(|| preset.to_owned());
        }
        self
    }

    /// The name of the preset, of the file, or of the default preset.
    pub(crate) fn preset(&self) -> &str {
        let args = &self.data_args;
        let file = args.config.as_ref().and_then(|path| path.file_stem()?.to_str());
        let default = if args.data.is_empty() { "tiny" } else { "small" };
        args.preset.as_deref().or(file).unwrap_or(default)
    }

    /// The settings, adapted to the data, with the user's changes.
    ///
    /// # Errors
    ///
    /// If the data or the file of settings cannot be read, or a setting does not exist.
    pub(crate) fn config(&self) -> anyhow::Result<RunConfig> {
        Ok(self.chosen()?.config)
    }

    /// [`config`](Self::config), with how it was adapted to the data.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub(crate) fn chosen(&self) -> anyhow::Result<Chosen> {
        let file = match &self.data_args.config {
            None => PresetFile::embedded(&self.task, self.preset())?,
            Some(path) => {
                let file = read_preset(path)?;
                let found = file.task.name();
                if found != self.task {
                    let path = path.display();
                    return Err(usage(format!("{path} is for {found}, not {}", self.task)));
                }
                file
            }
        };
        // Adapted first, so that the user's settings win, and are checked.
        let (file, notes) = file.fitted_to(&self.data_args.data)?;
        let fit = file.fit;
        let config = settings::apply(file.into_config(), &self.data_args.set)?;
        Ok(Chosen { config, fit, notes })
    }

    /// The settings as a TOML file: that of the preset with its comments, unless something
    /// was changed.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        let args = &self.data_args;
        if args.config.is_none() && args.set.is_empty() && args.data.is_empty() {
            return Ok(preset_text(&self.task, self.preset())?.to_owned());
        }
        let Chosen { config: RunConfig { task, model, train }, fit, .. } = self.chosen()?;
        Ok(toml::to_string_pretty(&PresetFile { fit, task, model, train })?)
    }
}

/// Reads a file of settings.
///
/// # Errors
///
/// If it cannot be read or is not a preset file.
pub(crate) fn read_preset(path: &Path) -> anyhow::Result<PresetFile> {
    let text = std::fs::read_to_string(path).map_err(TaskError::read(path))?;
    Ok(PresetFile::parse(&text, &path.display().to_string())?)
}
