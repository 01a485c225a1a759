//! What each setting means, from the comments of the preset files.

use serde_json::Value;

use super::keys::{at, below, flat_key};
use crate::{PRESETS, PresetError, preset_text};

/// A group of settings, in the order of the preset files.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingGroup {
    /// Dotted key, e.g. `train.optimiser`.
    pub key: String,
    /// What the group is about.
    pub meaning: String,
    /// Its settings, without those of groups in it.
    pub settings: Vec<Setting>,
}

/// A setting of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Dotted key, e.g. `train.optimiser.learning_rate`.
    pub key: String,
    /// The key in older files, which is still accepted.
    pub flat_key: Option<String>,
    /// What it means, and which values are allowed.
    pub meaning: String,
    /// Its value in each preset, in the order of [`PRESETS`].
    pub values: Vec<PresetValue>,
}

/// The value of a setting in a preset.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetValue {
    /// The preset.
    pub preset: &'static str,
    /// The value.
    pub value: Value,
    /// Why the preset has this value, if it says so.
    pub reason: Option<String>,
}

/// Explains all settings of a task, in the order of the preset files.
///
/// # Errors
///
/// [`PresetError::Unknown`] for an unknown task.
pub fn explain(task: &str) -> Result<Vec<SettingGroup>, PresetError> {
    let mut presets = Vec::new();
    for preset in PRESETS {
        let text = preset_text(task, preset)?;
        let tree: Value = toml::from_str(text).expect("preset files are TOML");
        presets.push((preset, entries(text), tree));
    }
    let comment = |preset_idx: usize, key: &str| -> &[&str] {
        let (_, entries, _) = &presets[preset_idx];
        entries.iter().find(|entry| entry.key == key).map_or(&[], |entry| &entry.comment)
    };
    let mut groups: Vec<SettingGroup> = Vec::new();
    for Entry { key, is_group, .. } in &presets[0].1 {
        // Lines that all presets have say what it means, the others why one has its value.
        let n_common = (0..PRESETS.len())
            .map(|idx| n_shared(comment(0, key), comment(idx, key)))
            .min()
            .unwrap_or_default();
        let meaning = comment(0, key)[..n_common].join(" ");
        if *is_group {
            groups.push(SettingGroup { key: key.clone(), meaning, settings: Vec::new() });
            continue;
        }
        let values = presets.iter().enumerate().map(|(idx, (preset, _, tree))| {
            let reason = comment(idx, key).get(n_common..).unwrap_or_default().join(" ");
            let value = at(tree, key).cloned().unwrap_or_default();
            PresetValue { preset, value, reason: (!reason.is_empty()).then_some(reason) }
        });
        let (values, key) = (values.collect(), key.clone());
        let setting = Setting { flat_key: flat_key(&key), key, meaning, values };
        if let Some(group) = groups.last_mut() {
            group.settings.push(setting);
        }
    }
    Ok(groups)
}

/// A group or a setting of a preset file.
struct Entry<'a> {
    key: String,
    is_group: bool,
    /// The lines of the comment before it.
    comment: Vec<&'a str>,
}

/// The groups and settings of a preset file, which has each on a line of its own.
fn entries(text: &str) -> Vec<Entry<'_>> {
    let (mut entries, mut group, mut comment) = (Vec::new(), "", Vec::new());
    for line in text.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
            continue;
        }
        let comment = std::mem::take(&mut comment);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            group = name;
            entries.push(Entry { key: group.to_owned(), is_group: true, comment });
        } else if let Some((name, _)) = line.split_once(" = ") {
            entries.push(Entry { key: below(group, name), is_group: false, comment });
        }
    }
    entries
}

/// Number of lines at the start of `a` that `b` starts with as well.
fn n_shared(a: &[&str], b: &[&str]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::leaves;
    use crate::{RunConfig, TaskConfig};

    fn all(task: &str) -> Vec<Setting> {
        explain(task).unwrap().into_iter().flat_map(|group| group.settings).collect()
    }

    #[test]
    fn every_setting_is_explained_with_its_value_in_every_preset() {
        for task in TaskConfig::NAMES {
            let settings = all(task);
            for (idx, preset) in PRESETS.iter().enumerate() {
                let config = serde_json::to_value(RunConfig::preset(task, preset).unwrap());
                let config = config.unwrap();
                let mut wanted = leaves("", &config);
                let in_file = settings.iter().filter(|setting| !setting.key.starts_with("fit."));
                let mut found: Vec<_> =
                    in_file.map(|s| (s.key.clone(), &s.values[idx].value)).collect();
                wanted.sort_by(|a, b| a.0.cmp(&b.0));
                found.sort_by(|a, b| a.0.cmp(&b.0));
                assert_eq!(found, wanted, "{task}-{preset}");
            }
        }
    }

    /// The same setting means the same everywhere. Tasks differ in their own settings only.
    #[test]
    fn every_setting_and_group_has_one_meaning() {
        let mut meanings: BTreeMap<String, String> = BTreeMap::new();
        for task in TaskConfig::NAMES {
            for SettingGroup { key, meaning, settings } in explain(task).unwrap() {
                let of_settings = settings.into_iter().map(|s| (s.key, s.meaning));
                for (key, meaning) in of_settings.chain([(key, meaning)]) {
                    assert!(meaning.ends_with('.'), "{task}: {key}: {meaning:?}");
                    let key = if key.starts_with("task.") { format!("{task}: {key}") } else { key };
                    let known = meanings.entry(key.clone()).or_insert_with(|| meaning.clone());
                    assert_eq!(*known, meaning, "{task}: {key}");
                }
            }
        }
    }

    #[test]
    fn reasons_belong_to_a_preset() {
        let settings = all("maze");
        let find = |key| settings.iter().find(|setting| setting.key == key).unwrap();
        let n_segments = find("model.halting.n_segments_max");
        assert_eq!(n_segments.meaning, "Maximum number of supervision segments per puzzle.");
        let reasons: Vec<_> = n_segments.values.iter().map(|value| &value.reason).collect();
        assert!(reasons[1].as_ref().unwrap().starts_with("Fewer segments per maze"));
        assert_eq!(reasons[2], &None);
        let batch_size = find("fit.batch_size_min");
        assert!(batch_size.meaning.ends_with("below this. 0: it never shrinks."));
    }
}
