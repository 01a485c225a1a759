//! `--set key=value`: changes one setting of a run, by its dotted path.

use hrm_core::HrmConfig;
use hrm_tasks::{RunConfig, TaskConfig};
use hrm_train::TrainConfig;
use serde_json::Value;

use crate::error::usage;

/// Settings that are determined by the task.
const SET_BY_TASK: &[&str] =
    &["model.input.vocab_size", "model.input.n_cells", "model.input.n_puzzle_ids"];

/// Applies `key=value` pairs in order, e.g. `model.block.hidden_dim=256`.
///
/// The number of prefix positions follows from the sizes of the puzzle embedding
/// and the model, unless it is set or the preset has another one.
///
/// # Errors
///
/// If a pair has no `=`, a key is not a setting, or a value has the wrong type.
pub(crate) fn apply(config: RunConfig, pairs: &[String]) -> anyhow::Result<RunConfig> {
    let mut tree = serde_json::to_value(&config)?;
    let follows =
        |model: &HrmConfig| model.puzzle_embedding.dim.div_ceil(model.block.hidden_dim.max(1));
    let mut sets_prefix = false;
    // A preset may have a longer prefix. It stays, unless embeddings are off.
    let is_longer = config.model.puzzle_embedding.n_positions != follows(&config.model);
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(usage(format!("--set needs key=value, found `{pair}`")));
        };
        let given = key;
        let key = grouped(key);
        let key = key.as_str();
        if SET_BY_TASK.contains(&key) {
            return Err(usage(format!("`{given}` is determined by the task and cannot be set")));
        }
        sets_prefix |= key == "model.puzzle_embedding.n_positions";
        let slot = find(&mut tree, key)?;
        *slot = parse(slot, value);
        let read = serde_json::from_value::<RunConfig>(tree.clone());
        read.map_err(|err| usage(format!("--set {pair}: {err}")))?;
    }
    let mut config: RunConfig = serde_json::from_value(tree)?;
    let model = &mut config.model;
    if !sets_prefix && (!is_longer || model.puzzle_embedding.dim == 0) {
        model.puzzle_embedding.n_positions = follows(model);
    }
    Ok(config)
}

/// The key of a setting, with its group. Older keys have no group: `model.hidden_dim` is
/// `model.block.hidden_dim`.
pub(crate) fn grouped(key: &str) -> String {
    let sections = [("model.", HrmConfig::RENAMED_KEYS), ("train.", TrainConfig::RENAMED_KEYS)];
    for (section, renamed) in sections {
        let old = key.strip_prefix(section);
        if let Some((_, new)) = renamed.iter().find(|(known, _)| Some(*known) == old) {
            return format!("{section}{new}");
        }
    }
    key.to_owned()
}

/// Applies `task.key=value` pairs to the settings of a task.
///
/// # Errors
///
/// As [`apply`], and if a key belongs to another section.
pub(crate) fn apply_to_task(task: TaskConfig, pairs: &[String]) -> anyhow::Result<TaskConfig> {
    if let Some(pair) = pairs.iter().find(|pair| !pair.starts_with("task.")) {
        return Err(usage(format!(
            "--set accepts only task settings here (`task.KEY=VALUE`), found `{pair}`"
        )));
    }
    // The other sections are not used.
    let (model, train) = (HrmConfig::paper(), TrainConfig::paper());
    Ok(apply(RunConfig { task, model, train }, pairs)?.task)
}

/// The setting at a dotted path.
fn find<'a>(tree: &'a mut Value, key: &str) -> anyhow::Result<&'a mut Value> {
    let known = known_keys(tree);
    let is_setting = known.iter().any(|k| k == key);
    let pointer = format!("/{}", key.replace('.', "/"));
    match tree.pointer_mut(&pointer) {
        Some(slot) if is_setting => Ok(slot),
        _ => Err(usage(format!("no setting `{key}`; the settings are: {}", known.join(", ")))),
    }
}

/// Dotted paths of all settings that can be changed.
fn known_keys(tree: &Value) -> Vec<String> {
    let can_change = |key: &String| key != "task.kind" && !SET_BY_TASK.contains(&key.as_str());
    leaves("", tree).into_iter().map(|(key, _)| key).filter(can_change).collect()
}

/// All values below `path` that are not sections, by their dotted paths.
pub(crate) fn leaves<'a>(path: &str, value: &'a Value) -> Vec<(String, &'a Value)> {
    let Some(section) = value.as_object() else { return vec![(path.to_owned(), value)] };
    let below = |name: &String| match path {
        "" => name.clone(),
        path => format!("{path}.{name}"),
    };
    section.iter().flat_map(|(name, value)| leaves(&below(name), value)).collect()
}

/// Parses a value as JSON. Anything else is a string, as is every value of a
/// setting that is a string.
fn parse(slot: &Value, text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value) if !slot.is_string() => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sudoku() -> RunConfig {
        RunConfig::preset("sudoku", "tiny").unwrap()
    }

    fn set(pairs: &[&str]) -> anyhow::Result<RunConfig> {
        apply(sudoku(), &pairs.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn settings_change_by_path() {
        let config =
            set(&["train.learning_rate=0.5", "task.board=6", "model.block.positions=learned"]);
        let config = config.unwrap();
        assert_eq!(config.train.optimiser.learning_rate, 0.5);
        assert_eq!(config.model.block.positions, hrm_core::Positions::Learned);
        let TaskConfig::Sudoku(task) = config.task else { panic!("the kind is kept") };
        assert_eq!(task.board, 6);
        let by_group = set(&["train.optimiser.ema=0.5", "train.optimiser.kind=muon"]).unwrap();
        assert_eq!(set(&["train.ema=0.5", "train.optimiser=muon"]).unwrap(), by_group);
    }

    #[test]
    fn the_prefix_follows_from_the_embedding_unless_it_is_set() {
        assert_eq!(set(&["model.puzzle_dim=0"]).unwrap().model.puzzle_embedding.n_positions, 0);
        let wide = set(&["model.hidden_dim=64", "model.puzzle_dim=100"]).unwrap();
        assert_eq!(wide.model.puzzle_embedding.n_positions, 2);
        assert_eq!(set(&["model.n_prefix=5"]).unwrap().model.puzzle_embedding.n_positions, 5);
        let preset = RunConfig::preset("maze", "tiny-recursive").unwrap();
        let n_prefix = |pairs: &[&str]| {
            let pairs: Vec<_> = pairs.iter().map(|p| (*p).to_owned()).collect();
            apply(preset.clone(), &pairs).unwrap().model.puzzle_embedding.n_positions
        };
        assert_eq!([n_prefix(&[]), n_prefix(&["train.steps=9"])], [16, 16]);
        assert_eq!(n_prefix(&["model.puzzle_dim=0"]), 0);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let message = |pair| set(&[pair]).unwrap_err().to_string();
        assert!(
            message("train.speed=9").starts_with("no setting `train.speed`; the settings are: ")
        );
        assert_eq!(message("train.steps"), "--set needs key=value, found `train.steps`");
        assert_eq!(
            message("model.n_cells=9"),
            "`model.n_cells` is determined by the task and cannot be set"
        );
        assert!(message("train.steps=many").starts_with("--set train.steps=many: "));
        assert!(message("train.steps=-1").starts_with("--set train.steps=-1: "));
        assert!(message("task.kind=arc").starts_with("no setting `task.kind`"));
    }
}
