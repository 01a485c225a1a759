//! Changes single settings by their dotted keys.

use hrm_core::HrmConfig;
use serde_json::Value;

use super::error::SettingsError;
use super::keys::{SET_BY_TASK, at, at_mut, grouped_key, leaves};
use super::search::nearest_keys;
use crate::PresetFile;

/// Changes single settings by their dotted keys, with or without their group.
///
/// The number of prefix positions follows from the sizes of the puzzle embedding and the
/// model, unless it is set or the preset has another one.
///
/// ```
/// # use hrm_tasks::{PresetFile, settings::SettingsEditor};
/// let mut editor = SettingsEditor::new(PresetFile::embedded("sudoku", "tiny")?);
/// editor.set_text("train.learning_rate", "1e-3")?;
/// assert_eq!(editor.finish().train.optimiser.learning_rate, 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SettingsEditor {
    file: PresetFile,
    tree: Value,
    sets_prefix: bool,
    /// Whether the preset has a longer prefix than its embedding needs. It stays, unless
    /// embeddings are off.
    has_longer_prefix: bool,
}

/// Number of prefix positions that the puzzle embedding of a model needs.
fn n_prefix_needed(model: &HrmConfig) -> usize {
    model.puzzle_embedding.dim.div_ceil(model.block.hidden_dim.max(1))
}

impl SettingsEditor {
    /// Starts from the settings in `file`.
    pub fn new(file: PresetFile) -> Self {
        let tree = serde_json::to_value(&file).expect("settings are always JSON");
        let n_positions = file.model.puzzle_embedding.n_positions;
        let has_longer_prefix = n_positions != n_prefix_needed(&file.model);
        Self { file, tree, sets_prefix: false, has_longer_prefix }
    }

    /// Changes a setting to a value as users write it: JSON, or text without quotes.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unknown`], [`SettingsError::Group`], [`SettingsError::SetByTask`] or
    /// [`SettingsError::Value`]. The settings are unchanged.
    pub fn set_text(&mut self, key: &str, text: &str) -> Result<(), SettingsError> {
        let grouped = grouped_key(key);
        if grouped == "task.kind" || SET_BY_TASK.contains(&grouped.as_str()) {
            return Err(SettingsError::SetByTask { key: key.to_owned() });
        }
        let is_text = at(&self.tree, &grouped).is_some_and(Value::is_string);
        let value = match serde_json::from_str(text) {
            Ok(value) if !is_text => value,
            _ => Value::String(text.to_owned()),
        };
        self.set(key, value)
    }

    /// Changes a setting, also one that follows from the task.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Unknown`], [`SettingsError::Group`] or [`SettingsError::Value`]. The
    /// settings are unchanged.
    pub(super) fn set(&mut self, key: &str, value: Value) -> Result<(), SettingsError> {
        let grouped = grouped_key(key);
        let mut tree = self.tree.clone();
        let Some(slot) = at_mut(&mut tree, &grouped) else {
            return Err(self.unknown(key));
        };
        if slot.is_object() {
            let task = self.file.task.name().to_owned();
            return Err(SettingsError::Group { key: key.to_owned(), task });
        }
        *slot = value;
        self.file = serde_json::from_value(tree.clone())
            .map_err(|err| SettingsError::Value { key: key.to_owned(), source: in_words(err) })?;
        self.tree = tree;
        self.sets_prefix |= grouped == "model.puzzle_embedding.n_positions";
        Ok(())
    }

    /// Whether `key` is a group of settings.
    pub(super) fn is_group(&self, key: &str) -> bool {
        at(&self.tree, key).is_some_and(Value::is_object)
    }

    fn unknown(&self, key: &str) -> SettingsError {
        let can_be_set = |key: &String| key != "task.kind" && !SET_BY_TASK.contains(&key.as_str());
        let keys: Vec<String> =
            leaves("", &self.tree).into_iter().map(|(key, _)| key).filter(can_be_set).collect();
        SettingsError::Unknown {
            key: key.to_owned(),
            task: self.file.task.name().to_owned(),
            nearest: nearest_keys(key, &keys),
        }
    }

    /// The changed settings.
    pub fn finish(self) -> PresetFile {
        let Self { mut file, sets_prefix, has_longer_prefix, .. } = self;
        let model = &mut file.model;
        if !sets_prefix && (!has_longer_prefix || model.puzzle_embedding.dim == 0) {
            model.puzzle_embedding.n_positions = n_prefix_needed(model);
        }
        file
    }
}
/// The error of a value, which names types in plain words.
fn in_words(err: serde_json::Error) -> serde_json::Error {
    let text = err.to_string();
    let Some((found, expected)) = text.rsplit_once(", expected ") else { return err };
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number of at least 0",
        "f64" | "f32" => "a number",
        _ => return err,
    };
    serde::de::Error::custom(format!("{found}, expected {expected}"))
}
