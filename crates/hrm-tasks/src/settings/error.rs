//! Settings that do not exist, have a wrong value, or stand in a malformed file.

use crate::PresetError;

/// A setting, or a file of settings, that could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No setting has this key.
    #[error("no setting `{key}`; {}`hrm settings {task}` lists all", did_you_mean(nearest))]
    Unknown {
        /// The key.
        key: String,
        /// Kind of puzzle whose settings were searched.
        task: String,
        /// Keys that may have been meant, best first.
        nearest: Vec<String>,
    },

    /// A group was given a value.
    #[error(
        "`{key}` is a group of settings and has no value; `hrm settings {key} --task {task}` \
         lists it"
    )]
    Group {
        /// The group.
        key: String,
        /// Kind of puzzle whose settings were searched.
        task: String,
    },

    /// A setting that follows from the task and its data.
    #[error("`{key}` is determined by the task and cannot be set")]
    SetByTask {
        /// The setting, as the user wrote it.
        key: String,
    },

    /// A value of the wrong type, or not among those allowed.
    #[error("{key}")]
    Value {
        /// The setting, as the user wrote it.
        key: String,
        /// What was expected.
        #[source]
        source: serde_json::Error,
    },

    /// A file gives a setting by its key and by its older key.
    #[error("`{key}` is given twice, once without its group: give only one")]
    Twice {
        /// The key.
        key: String,
    },

    /// A name in a file that should be that of a task or a preset.
    #[error("`{key}` must be the name of a {expected}, found {found}")]
    Name {
        /// The key.
        key: &'static str,
        /// What it names.
        expected: &'static str,
        /// The value given.
        found: String,
    },

    /// A mistake in a file of settings.
    #[error("{place}")]
    At {
        /// The file, with the line if it is known.
        place: String,
        /// The mistake.
        #[source]
        source: Box<SettingsError>,
    },

    /// The file is not TOML.
    #[error("{place} is not a file of settings")]
    Toml {
        /// The file.
        place: String,
        /// What is wrong with it, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },

    /// The file is not JSON.
    #[error("{place} is not a file of settings")]
    Json {
        /// The file.
        place: String,
        /// What is wrong with it, with line and column.
        #[source]
        source: serde_json::Error,
    },

    /// The file is YAML, as the settings of other projects are.
    #[error(
        "{place} is YAML: settings are TOML or JSON; `hrm import` reads the settings of a \
         published checkpoint"
    )]
    Yaml {
        /// The file.
        place: String,
    },

    /// The file holds a run record, not only settings.
    #[error(
        "{place} records a run: repeat the run with `hrm train --from {place}`, or keep only \
         its `config`"
    )]
    RunRecord {
        /// The file.
        place: String,
    },

    /// The file is for another task.
    #[error("{place} is for {found}, not {expected}")]
    OtherTask {
        /// The file.
        place: String,
        /// The task it is for.
        found: String,
        /// The task that was asked for.
        expected: String,
    },

    /// The preset that the file is based on.
    #[error(transparent)]
    Preset(#[from] PresetError),
}

fn did_you_mean(nearest: &[String]) -> String {
    let quoted: Vec<_> = nearest.iter().map(|key| format!("`{key}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => format!("did you mean {last}? "),
        Some((last, others)) => format!("did you mean {} or {last}? ", others.join(", ")),
    }
}
