//! `--set key=value`: changes one setting of a run, by its dotted key.

use hrm_core::HrmConfig;
use hrm_tasks::settings::{SettingsEditor, SettingsError};
use hrm_tasks::{Fit, PresetFile, RunConfig, TaskConfig};
use hrm_train::TrainConfig;

use crate::error::usage;

/// Applies `key=value` pairs in order, e.g. `model.block.hidden_dim=256`.
///
/// # Errors
///
/// If a pair has no `=`, a key is not a setting, or a value has the wrong type.
pub(crate) fn apply<'a>(
    file: PresetFile,
    pairs: impl IntoIterator<Item = &'a String>,
) -> anyhow::Result<PresetFile> {
    let mut editor = SettingsEditor::new(file);
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(usage(format!("--set needs key=value, found `{pair}`")));
        };
        editor.set_text(key, value).map_err(|err| match err {
            SettingsError::Value { source, .. } => usage(format!("--set {pair}: {source}")),
            err => err.into(),
        })?;
    }
    Ok(editor.finish())
}

/// Applies `key=value` pairs to the settings of a run, which is not adapted to data.
///
/// # Errors
///
/// As [`apply`], and if a key is in the section `fit`.
pub(crate) fn apply_to_run(config: RunConfig, pairs: &[String]) -> anyhow::Result<RunConfig> {
    if let Some(pair) = pairs.iter().find(|pair| is_fit(pair)) {
        return Err(usage(format!(
            "--set {pair}: `fit` says how a preset adapts to data, and this run has adapted"
        )));
    }
    let RunConfig { task, model, train } = config;
    Ok(apply(PresetFile { fit: Fit::default(), task, model, train }, pairs)?.into_config())
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
    Ok(apply_to_run(RunConfig { task, model, train }, pairs)?.task)
}

/// Whether a pair changes how a preset adapts to data.
pub(crate) fn is_fit(pair: &str) -> bool {
    pair.starts_with("fit.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sudoku() -> RunConfig {
        RunConfig::preset("sudoku", "tiny").unwrap()
    }

    fn set(pairs: &[&str]) -> anyhow::Result<RunConfig> {
        apply_to_run(sudoku(), &pairs.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
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
            apply_to_run(preset.clone(), &pairs).unwrap().model.puzzle_embedding.n_positions
        };
        assert_eq!([n_prefix(&[]), n_prefix(&["train.steps=9"])], [16, 16]);
        assert_eq!(n_prefix(&["model.puzzle_dim=0"]), 0);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let message = |pair| set(&[pair]).unwrap_err().to_string();
        assert_eq!(
            message("train.lr=9"),
            "no setting `train.lr`; did you mean `train.optimiser.learning_rate`, \
             `train.puzzle_embedding.learning_rate` or `train.schedule.lr_min_ratio`? \
             `hrm settings sudoku` lists all"
        );
        assert_eq!(
            message("train.xyzzy=9"),
            "no setting `train.xyzzy`; `hrm settings sudoku` lists all"
        );
        assert!(message("train.optimiser.kind.x=9").starts_with("no setting `train.opt"));
        assert!(message("model.block=9").starts_with("`model.block` is a group of settings"));
        assert!(message("train/steps=9").starts_with("no setting `train/steps`"));
        assert!(message("fit.batch_size_min=9").contains("this run has adapted"));
        assert_eq!(message("train.steps"), "--set needs key=value, found `train.steps`");
        assert_eq!(
            message("model.n_cells=9"),
            "`model.n_cells` is determined by the task and cannot be set"
        );
        assert!(message("train.steps=many").starts_with("--set train.steps=many: "));
        assert!(message("train.steps=-1").starts_with("--set train.steps=-1: "));
        assert!(message("task.kind=arc").starts_with("`task.kind` is determined by the task"));
    }
}
