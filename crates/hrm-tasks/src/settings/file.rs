//! Files that hold all settings of a run, or only those that differ from a preset.

use std::collections::BTreeSet;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::editor::SettingsEditor;
use super::error::SettingsError;
use super::keys::{at, below, flat_key, grouped_key};
use crate::{PRESETS, PresetFile, TaskConfig};

/// A file of settings, in TOML or JSON.
///
/// ```
/// # use hrm_tasks::settings::SettingsFile;
/// let text = "preset = 'small'\ntask.kind = 'maze'\ntrain.steps = 100";
/// let file = SettingsFile::parse(text, "mine.toml")?.over_preset("maze", None, "tiny")?;
/// assert_eq!(file.train.steps, 100);
/// assert_eq!(file.train.batch_size, 64); // as in `small`
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Settings that a file omits have their values in a preset. A file that names no preset
/// and has all settings of `task` and `model` is complete: settings of `train` that it
/// omits have their published values, and it does not adapt to data unless it says how.
#[derive(Debug)]
pub struct SettingsFile {
    place: String,
    /// Everything in the file.
    tree: Value,
    /// The line, counted from 1, of each key of a TOML file.
    lines: Vec<(String, usize)>,
    preset: Option<String>,
    task: Option<String>,
    complete: Option<PresetFile>,
}

impl SettingsFile {
    /// Reads a file; messages call it `place`. A file that begins with a brace is JSON,
    /// any other is TOML.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Toml`] or [`SettingsError::Json`] with line and column,
    /// [`SettingsError::Yaml`],
    /// [`SettingsError::RunRecord`], or [`SettingsError::Name`] for an unknown task or
    /// preset.
    pub fn parse(text: &str, place: &str) -> Result<Self, SettingsError> {
        let place = place.to_owned();
        let mut lines = Vec::new();
        let (tree, complete) = if text.trim_start().starts_with('{') {
            let malformed = |source| SettingsError::Json { place: place.clone(), source };
            let tree: Value = serde_json::from_str(text).map_err(malformed)?;
            if tree.get("config").is_some_and(Value::is_object) {
                return Err(SettingsError::RunRecord { place });
            }
            (tree, serde_json::from_str(text).ok())
        } else {
            let malformed = |source| match is_yaml(text) {
                true => SettingsError::Yaml { place: place.clone() },
                false => SettingsError::Toml { place: place.clone(), source: Box::new(source) },
            };
            let spans = DeTable::parse(text).map_err(malformed)?;
            find_lines("", spans.get_ref(), text, &mut lines);
            (toml::from_str(text).map_err(malformed)?, toml::from_str(text).ok())
        };
        let mut file = Self { place, tree, lines, preset: None, task: None, complete };
        file.preset = file.name("preset", "preset", &PRESETS)?;
        file.task = file.name("task.kind", "task", TaskConfig::NAMES)?;
        Ok(file)
    }

    /// The task that the file is for, if it says so.
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// The preset that the file names.
    pub fn preset(&self) -> Option<&str> {
        self.preset.as_deref()
    }

    /// Whether the file itself gives the setting `key`, under its dotted or its older key.
    pub fn states(&self, key: &str) -> bool {
        let older = flat_key(key);
        let mut keys = std::iter::once(key).chain(older.as_deref());
        keys.any(|key| at(&self.tree, key).is_some_and(|value| !value.is_object()))
    }

    /// The settings of `task`: those in the file, and the others from a preset. That is
    /// `preset` if it is given, else the one that the file names, else `default`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::OtherTask`], or [`SettingsError::At`] with the line of a setting
    /// that does not exist, has a wrong value or is given twice.
    pub fn over_preset(
        self,
        task: &str,
        preset: Option<&str>,
        default: &str,
    ) -> Result<PresetFile, SettingsError> {
        if let Some(found) = self.task.as_ref().filter(|found| *found != task) {
            let (found, expected) = (found.clone(), task.to_owned());
            return Err(SettingsError::OtherTask { place: self.place, found, expected });
        }
        if let (None, Some(complete)) = (preset, self.complete) {
            return Ok(complete);
        }
        let preset = preset.or(self.preset.as_deref()).unwrap_or(default);
        let base = PresetFile::embedded(task, preset)?;
        let task_before = base.task.clone();
        let mut editor = SettingsEditor::new(base);
        let mut values = Vec::new();
        collect("", &self.tree, &editor, &mut values);
        let line_of = |key: &str| self.lines.iter().find(|(known, _)| known == key);
        // In the order of the file, so that its first mistake is reported.
        values.sort_by_key(|(key, _)| line_of(key).map(|(_, line)| *line));

        let mut given = BTreeSet::new();
        for (key, value) in values {
            let grouped = grouped_key(&key);
            let result = if given.insert(grouped.clone()) {
                editor.set(&key, value.clone())
            } else {
                Err(SettingsError::Twice { key: grouped })
            };
            result.map_err(|err| placed(&self.place, line_of(&key), err))?;
        }
        let mut file = editor.finish();
        let n_cells = file.task.puzzle_kind().n_cells();
        // The batch size suits the puzzles of the file. Sizes of grids are those of the data.
        let follows = !given.contains("model.input.n_cells") && n_cells > 0;
        if follows && file.task != task_before {
            file.model.input.n_cells = n_cells;
        }
        Ok(file)
    }

    /// The value of `key`, which must be one of `names` if it is there.
    fn name(
        &self,
        key: &'static str,
        expected: &'static str,
        names: &[&str],
    ) -> Result<Option<String>, SettingsError> {
        let Some(found) = at(&self.tree, key) else { return Ok(None) };
        match found.as_str() {
            Some(name) if names.contains(&name) => Ok(Some(name.to_owned())),
            _ => {
                let line = self.lines.iter().find(|(known, _)| known == key);
                let expected_names = format!("{found}; known are {}", names.join(", "));
                let err = SettingsError::Name { key, expected, found: expected_names };
                Err(placed(&self.place, line, err))
            }
        }
    }
}

/// Whether text that is no TOML looks like YAML: it begins with `key:` or `---`.
fn is_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', '%']));
    let is_key = |key: &str| key.chars().all(|symbol| symbol.is_alphanumeric() || symbol == '_');
    first.is_some_and(|line| match line.split_once(':') {
        Some((key, value)) => is_key(key) && (value.is_empty() || value.starts_with(' ')),
        None => line == "---",
    })
}

/// A mistake with its file and line.
fn placed(place: &str, line: Option<&(String, usize)>, source: SettingsError) -> SettingsError {
    let place = match line {
        Some((_, line)) => format!("{place}:{line}"),
        None => place.to_owned(),
    };
    SettingsError::At { place, source: Box::new(source) }
}

/// The line of every key below `path`.
fn find_lines(path: &str, table: &DeTable<'_>, text: &str, lines: &mut Vec<(String, usize)>) {
    for (name, value) in table {
        let key = below(path, name.get_ref());
        let before = text.as_bytes().iter().take(name.span().start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        if let DeValue::Table(table) = value.get_ref() {
            find_lines(&key, table, text, lines);
        }
        lines.push((key, line));
    }
}

/// The values of a file that are not groups of `editor`, with their keys.
fn collect<'a>(
    path: &str,
    value: &'a Value,
    editor: &SettingsEditor,
    values: &mut Vec<(String, &'a Value)>,
) {
    match value.as_object().filter(|_| path.is_empty() || editor.is_group(path)) {
        Some(group) => {
            for (name, value) in group {
                collect(&below(path, name), value, editor, values);
            }
        }
        None if ["preset", "task.kind"].contains(&path) => {}
        None => values.push((path.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunConfig, preset_text};

    fn read(text: &str) -> Result<PresetFile, String> {
        let message = |err: SettingsError| {
            let mut text = err.to_string();
            let mut cause = std::error::Error::source(&err);
            while let Some(err) = cause {
                text += &format!(": {err}");
                cause = err.source();
            }
            text
        };
        let file = SettingsFile::parse(text, "my.toml").map_err(message)?;
        let task = file.task().unwrap_or("sudoku").to_owned();
        file.over_preset(&task, None, "tiny").map_err(message)
    }

    #[test]
    fn settings_that_a_file_omits_are_those_of_its_preset() {
        let tiny = PresetFile::embedded("sudoku", "tiny").unwrap();
        assert_eq!(read("").unwrap(), tiny);
        assert_eq!(read("[train]\n").unwrap(), tiny);
        let text = "preset = \"small\"\n[train]\nsteps = 7\n[train.optimiser]\nema = 0\n";
        let file = read(text).unwrap();
        let mut want = PresetFile::embedded("sudoku", "small").unwrap();
        want.train.steps = 7;
        want.train.optimiser.ema = 0.0;
        assert_eq!(file, want);
        let json = r#"{"preset": "small", "train": {"steps": 7, "optimiser": {"ema": 0}}}"#;
        assert_eq!(read(json).unwrap(), want);
        assert_eq!(read("preset = 'small'\ntrain.steps = 7\ntrain.ema = 0").unwrap(), want);

        let file = SettingsFile::parse("preset = 'small'", "my.toml").unwrap();
        let paper = file.over_preset("maze", Some("paper"), "tiny").unwrap();
        assert_eq!(paper, PresetFile::embedded("maze", "paper").unwrap());
    }

    #[test]
    fn sizes_follow_from_what_the_file_sets() {
        let file = read("task.board = 9\nmodel.puzzle_dim = 0").unwrap();
        assert_eq!(file.model.input.n_cells, 81);
        assert_eq!(file.model.puzzle_embedding.n_positions, 0);
        let file = read("task.board = 9\nmodel.input.n_cells = 16").unwrap();
        assert_eq!(file.model.input.n_cells, 16, "as in a copy of a preset");
    }

    #[test]
    fn complete_files_load_as_they_are() {
        for task in TaskConfig::NAMES {
            for preset in PRESETS {
                let text = preset_text(task, preset).unwrap();
                let want = PresetFile::embedded(task, preset).unwrap();
                assert_eq!(read(text).unwrap(), want);
                assert_eq!(read(&format!("preset = 'paper'\n{text}")).unwrap(), want);
                let config = RunConfig::preset(task, preset).unwrap();
                let json = serde_json::to_string_pretty(&config).unwrap();
                assert_eq!(read(&json).unwrap().into_config(), config);
            }
        }
        // An older file has flat keys and lacks newer settings.
        let mut tree: toml::Table = preset_text("sudoku", "tiny").unwrap().parse().unwrap();
        tree.remove("fit");
        let train = "[train]\nsteps = 9\nlearning_rate = 0.5\nhalt = 1\n";
        tree.remove("train");
        let text = format!("{tree}\n{}", train.replace("halt = 1\n", ""));
        let older = read(&text).unwrap();
        assert_eq!(older, PresetFile::parse(&text, "my.toml").unwrap());
        assert_eq!(older.train.batch_size, hrm_train::TrainConfig::paper().batch_size);
        let err = read(&format!("{tree}\n{train}")).unwrap_err();
        assert!(err.contains("no setting `train.halt`"), "{err}");
    }

    #[test]
    fn yaml_is_named() {
        let want = "my.toml is YAML: settings are TOML or JSON; `hrm import` reads the settings of \
                    a published checkpoint";
        for text in ["# all\n\narch:\n  hidden_size: 4\n", "---\nlr: 1\n", "lr: 1e-4\n"] {
            assert_eq!(read(text).unwrap_err(), want, "{text}");
        }
        assert!(read("steps 1").unwrap_err().contains("my.toml is not a file of settings"));
    }

    #[test]
    fn the_types_of_values_are_in_plain_words() {
        for (text, want) in [
            ("task.board = 'x'", "string \"x\", expected a whole number of at least 0"),
            ("train.steps = 1.5", "floating point `1.5`, expected a whole number of at least 0"),
            ("train.steps = -1", "integer `-1`, expected a whole number of at least 0"),
            ("train.optimiser.beta1 = true", "boolean `true`, expected a number"),
        ] {
            let err = read(text).unwrap_err();
            assert!(err.ends_with(want), "{err}");
        }
    }

    #[test]
    fn mistakes_are_reported_with_their_line() {
        let tiny = preset_text("sudoku", "tiny").unwrap();
        let line_of = |text: &str| 1 + tiny.lines().position(|line| line == text).unwrap();
        let refused = |text: &str, want: &str| {
            let err = read(text).unwrap_err();
            assert!(err.starts_with(want), "{err}\n{want}");
        };
        // In a group, in a nested group, and in the outermost table.
        for (right, wrong, key, meant) in [
            ("board = 4", "bord = 4", "task.bord", "task.board"),
            (
                "hidden_dim = 64",
                "hiden_dim = 64",
                "model.block.hiden_dim",
                "model.block.hidden_dim",
            ),
            ("beta1 = 0.9", "beta = 0.9", "train.optimiser.beta", "train.optimiser.beta1"),
        ] {
            let line = line_of(right);
            let want = format!("my.toml:{line}: no setting `{key}`; did you mean `{meant}`");
            refused(&tiny.replace(right, wrong), &want);
        }
        refused("\n[train]\nlr = 1", "my.toml:3: no setting `train.lr`; did you mean `train.opt");
        refused("x = 1", "my.toml:1: no setting `x`; `hrm settings sudoku` lists all");
        refused("[trian]\nsteps = 1", "my.toml:1: no setting `trian`; ");
        refused("[task.board]\nx = 1", "my.toml:1: task.board: invalid type: map");
        refused("[task]\nkind = 'chess'", "my.toml:2: `task.kind` must be the name of a task");
        refused("preset = 3", "my.toml:1: `preset` must be the name of a preset, found 3; known");
        let group = "my.toml:2: `model.block` is a group of settings and has no value";
        refused("[model]\nblock = 3", group);
        refused("\n\ntrain.steps = -1", "my.toml:3: train.steps: invalid value");
        let twice = "[train]\nema = 0.5\n[train.optimiser]\nema = 0.6";
        refused(twice, "my.toml:4: `train.optimiser.ema` is given twice");
        refused("[task", "my.toml is not a file of settings: TOML parse error at line 1");
        refused("{", "my.toml is not a file of settings: EOF while parsing");
        refused(r#"{"train": {"lr": 1}}"#, "my.toml: no setting `train.lr`");
        refused(r#"{"version": "1", "config": {}}"#, "my.toml records a run");
        let maze = SettingsFile::parse("task.kind = 'maze'", "my.toml").unwrap();
        let err = maze.over_preset("arc", None, "tiny").unwrap_err();
        assert_eq!(err.to_string(), "my.toml is for maze, not arc");
    }
}
