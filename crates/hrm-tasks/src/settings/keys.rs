//! Dotted keys, and the flat keys of older files.

use hrm_core::HrmConfig;
use hrm_train::TrainConfig;
use serde_json::Value;

/// Settings that follow from the task and its data.
pub const SET_BY_TASK: &[&str] =
    &["model.input.vocab_size", "model.input.n_cells", "model.input.n_puzzle_ids"];

const RENAMED: [(&str, &[(&str, &str)]); 2] =
    [("model.", HrmConfig::RENAMED_KEYS), ("train.", TrainConfig::RENAMED_KEYS)];

/// The key of a setting, with its group. Older keys have no group: `model.hidden_dim` is
/// `model.block.hidden_dim`.
pub fn grouped_key(key: &str) -> String {
    for (section, renamed) in RENAMED {
        let old = key.strip_prefix(section);
        if let Some((_, new)) = renamed.iter().find(|(known, _)| Some(*known) == old) {
            return format!("{section}{new}");
        }
    }
    key.to_owned()
}

/// The older key of a setting, without its group, if it has one.
pub(super) fn flat_key(key: &str) -> Option<String> {
    RENAMED.into_iter().find_map(|(section, renamed)| {
        let new = key.strip_prefix(section)?;
        let (old, _) = renamed.iter().find(|(_, known)| *known == new)?;
        Some(format!("{section}{old}"))
    })
}

/// All values below `path` that are not groups, by their dotted keys.
pub fn leaves<'a>(path: &str, value: &'a Value) -> Vec<(String, &'a Value)> {
    let Some(group) = value.as_object() else { return vec![(path.to_owned(), value)] };
    group.iter().flat_map(|(name, value)| leaves(&below(path, name), value)).collect()
}

/// The key of `name` in the group `path`.
pub(super) fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The setting or group with a dotted key.
pub(super) fn at<'a>(tree: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(tree, |tree, name| tree.as_object()?.get(name))
}

/// [`at`], to change it.
pub(super) fn at_mut<'a>(tree: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    key.split('.').try_fold(tree, |tree, name| tree.as_object_mut()?.get_mut(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_keys_and_grouped_keys_belong_together() {
        for (old, new) in [
            ("model.hidden_dim", "model.block.hidden_dim"),
            ("train.optimiser", "train.optimiser.kind"),
        ] {
            assert_eq!(grouped_key(old), new);
            assert_eq!(flat_key(new).as_deref(), Some(old));
        }
        assert_eq!(grouped_key("train.steps"), "train.steps");
        assert_eq!(flat_key("train.steps"), None);
    }
}
