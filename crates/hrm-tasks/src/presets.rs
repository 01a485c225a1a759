//! Presets: all settings of a run except its data, in one TOML file per task and preset.
//!
//! The files in `presets/` are embedded in the program. An edited copy of one is a preset
//! too: [`SettingsFile`](crate::settings::SettingsFile) reads it, and files that hold only
//! some settings.

use std::path::PathBuf;

use hrm_core::HrmConfig;
use hrm_train::TrainConfig;
use serde::{Deserialize, Serialize};

use crate::{TaskConfig, TaskError, prepared};

/// The settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The puzzles.
    pub task: TaskConfig,
    /// Sizes and schedule of the model. Vocabulary, number of cells and number of puzzle
    /// identifiers are those of the task.
    pub model: HrmConfig,
    /// Length and learning rates of the training.
    pub train: TrainConfig,
}

/// What a preset file contains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetFile {
    /// How the settings adapt to data of another size.
    #[serde(default)]
    pub fit: Fit,
    /// The puzzles.
    pub task: TaskConfig,
    /// The model.
    pub model: HrmConfig,
    /// The training.
    pub train: TrainConfig,
}

/// How the settings of a preset adapt to data of another size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// For puzzles with more cells than `model.input.n_cells`, the batch size shrinks in
    /// proportion, but not below this. 0: it does not change.
    pub batch_size_min: usize,
    /// Largest share of the training puzzles that is held back for validation, in `0..=1`.
    pub validation_share_max: f64,
}

impl Default for Fit {
    /// No setting adapts to the data.
    fn default() -> Self {
        Self { batch_size_min: 0, validation_share_max: 1.0 }
    }
}

/// A preset that could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// There is no preset of that name.
    #[error("no preset `{preset}` for the task `{task}`; the presets are {}", PRESETS.join(", "))]
    Unknown {
        /// Name of the task.
        task: String,
        /// Name of the preset.
        preset: String,
    },

    /// The file is not a preset.
    #[error("{place} is not a preset file")]
    Malformed {
        /// The file.
        place: String,
        /// What is wrong with it, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },
}

/// Names of the presets that every task has.
pub const PRESETS: [&str; 4] = ["tiny", "small", "paper", "tiny-recursive"];

/// Every embedded file: task, preset, text.
macro_rules! files {
    ($($task:literal),+) => {
        &[$(
            ($task, "tiny", include_str!(concat!("../presets/", $task, "-tiny.toml"))),
            ($task, "small", include_str!(concat!("../presets/", $task, "-small.toml"))),
            ($task, "paper", include_str!(concat!("../presets/", $task, "-paper.toml"))),
            (
                $task,
                "tiny-recursive",
                include_str!(concat!("../presets/", $task, "-tiny-recursive.toml"))
            ),
        )+]
    };
}

const FILES: &[(&str, &str, &str)] = files!["arc", "binairo", "grid", "maze", "sudoku"];

/// The text of an embedded preset file.
///
/// # Errors
///
/// [`PresetError::Unknown`] for an unknown name.
pub fn preset_text(task: &str, preset: &str) -> Result<&'static str, PresetError> {
    let found = FILES.iter().find(|(t, p, _)| (*t, *p) == (task, preset));
    found.map(|(.., text)| *text).ok_or_else(|| {
        let (task, preset) = (task.to_owned(), preset.to_owned());
        PresetError::Unknown { task, preset }
    })
}

/// The publication whose model and training a preset has.
pub fn preset_source(preset: &str) -> Option<&'static str> {
    match preset {
        "paper" => Some("published HRM, arXiv 2506.21734"),
        "tiny-recursive" => Some("published TRM, arXiv 2510.04871"),
        _ => None,
    }
}

impl PresetFile {
    /// An embedded preset.
    ///
    /// # Errors
    ///
    /// [`PresetError::Unknown`] for an unknown name.
    pub fn embedded(task: &str, preset: &str) -> Result<Self, PresetError> {
        Self::parse(preset_text(task, preset)?, &format!("presets/{task}-{preset}.toml"))
    }

    /// Reads a preset file; messages call it `place`.
    ///
    /// # Errors
    ///
    /// [`PresetError::Malformed`] with line and column.
    pub fn parse(text: &str, place: &str) -> Result<Self, PresetError> {
        toml::from_str(text).map_err(|source| PresetError::Malformed {
            place: place.to_owned(),
            source: Box::new(source),
        })
    }

    /// The settings of a run.
    pub fn into_config(self) -> RunConfig {
        let Self { task, model, train, .. } = self;
        RunConfig { task, model, train }
    }

    /// The settings for the puzzles in `data`, and a note for each setting that was adapted.
    /// A prepared set has its own task settings, which replace those of the preset.
    ///
    /// # Errors
    ///
    /// [`TaskError`] for data that cannot be read or are of another task.
    pub fn fitted_to(self, data: &[PathBuf]) -> Result<(Self, Vec<String>), TaskError> {
        let file = self.with_task_of(data)?;
        let n_cells = file.task.puzzle_kind().n_cells();
        Ok(file.with_batch_for(n_cells))
    }

    /// The settings with a task for the puzzles in `data`, the first half of
    /// [`fitted_to`](Self::fitted_to).
    ///
    /// # Errors
    ///
    /// As [`fitted_to`](Self::fitted_to).
    pub fn with_task_of(mut self, data: &[PathBuf]) -> Result<Self, TaskError> {
        self.task = match prepared::read(data)? {
            None => self.task.fitted_to(data)?,
            Some(prepared) if prepared.name() == self.task.name() => prepared,
            Some(prepared) => {
                let place = data[0].join(prepared::SETTINGS).display().to_string();
                let expected = format!("puzzles of kind {}", self.task.name());
                return Err(TaskError::malformed(place, expected, prepared.name()));
            }
        };
        Ok(self)
    }

    /// The settings with a batch size for puzzles of `n_cells`, where the model still has the
    /// number of cells that the batch size was for, and a note if it was adapted.
    pub fn with_batch_for(mut self, n_cells: usize) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        let n_cells_preset = self.model.input.n_cells;
        let batch_size = self.fit.batch_size(self.train.batch_size, n_cells_preset, n_cells);
        if batch_size != self.train.batch_size {
            notes.push(format!(
                "train.batch_size is {batch_size} instead of {}: puzzles have {n_cells} cells \
                 instead of {n_cells_preset}",
                self.train.batch_size
            ));
            self.train.batch_size = batch_size;
        }
        (self, notes)
    }
}

impl Fit {
    /// Puzzles per step, reduced in proportion to their cells, so that memory and, as far as
    /// possible, time stay the same.
    fn batch_size(&self, of_preset: usize, n_cells_preset: usize, n_cells: usize) -> usize {
        if self.batch_size_min == 0 {
            return of_preset;
        }
        let in_proportion = of_preset * n_cells_preset / n_cells.max(1);
        of_preset.min(in_proportion.max(self.batch_size_min))
    }

    /// Number of puzzles to hold back for validation, at most `n_wanted` of `n_train`, and a
    /// note if it is less than `n_wanted`.
    pub fn n_validation(&self, n_wanted: usize, n_train: usize) -> (usize, Option<String>) {
        let n = n_wanted.min((n_train as f64 * self.validation_share_max) as usize);
        let note = format!(
            "train.evaluation.n_validation is {n} instead of {n_wanted}: there are {n_train} \
             training puzzles"
        );
        (n, (n != n_wanted).then_some(note))
    }
}

impl RunConfig {
    /// The settings of an embedded preset.
    ///
    /// # Errors
    ///
    /// [`PresetError::Unknown`] for an unknown name.
    pub fn preset(task: &str, preset: &str) -> Result<Self, PresetError> {
        Ok(PresetFile::embedded(task, preset)?.into_config())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> impl Iterator<Item = (&'static str, &'static str, PresetFile)> {
        let tasks = TaskConfig::NAMES.iter();
        tasks
            .flat_map(|task| PRESETS.map(|preset| (*task, preset)))
            .map(|(task, preset)| (task, preset, PresetFile::embedded(task, preset).unwrap()))
    }

    /// A file states every setting, so that no default has to be known.
    #[test]
    fn every_task_has_every_preset_and_every_file_is_complete() {
        assert_eq!(embedded().count(), FILES.len());
        for (task, preset, file) in embedded() {
            let stated: toml::Table = preset_text(task, preset).unwrap().parse().unwrap();
            let all = toml::Table::try_from(&file).unwrap();
            assert_eq!(stated, all, "{task}-{preset}");
            assert_eq!(file.task.name(), task);
            let header = format!("# {task}, preset `{preset}`: ");
            assert!(preset_text(task, preset).unwrap().starts_with(&header), "{task}-{preset}");
        }
    }

    #[test]
    fn every_setting_and_group_has_a_comment() {
        for (task, preset, text) in FILES {
            let mut before = "";
            for line in text.lines() {
                if !line.starts_with('#') && !line.is_empty() {
                    assert!(before.starts_with("# "), "{task}-{preset}: {line}");
                }
                before = line;
            }
        }
    }

    #[test]
    fn published_presets_name_their_source() {
        for (task, preset, text) in FILES {
            let header = text.lines().next().unwrap();
            let number = preset_source(preset).map(|source| source.rsplit_once(' ').unwrap().1);
            let is_named = number.is_none_or(|number| header.contains(number));
            assert!(is_named && number.is_some() == header.contains("arXiv"), "{task}-{preset}");
        }
    }

    #[test]
    fn presets_are_in_range_and_the_model_has_the_sizes_of_its_task() {
        for (task, preset, file) in embedded() {
            file.train.check().unwrap();
            if task == "grid" {
                continue; // Its sizes are those of the data.
            }
            file.model.check().unwrap();
            let kind = file.task.puzzle_kind();
            let sizes = (kind.vocabulary().len(), kind.n_cells());
            let input = &file.model.input;
            assert_eq!((input.vocab_size, input.n_cells), sizes, "{task}-{preset}");
        }
    }

    #[test]
    fn unknown_presets_are_named() {
        let err = PresetFile::embedded("sudoku", "huge").unwrap_err().to_string();
        assert_eq!(
            err,
            "no preset `huge` for the task `sudoku`; the presets are tiny, small, paper, \
             tiny-recursive"
        );
    }

    #[test]
    fn larger_puzzles_shrink_the_batch() {
        let folder = tempfile::tempdir().unwrap();
        let fitted = |preset, side: usize| {
            let file = PresetFile::embedded("maze", preset).unwrap();
            let task = file.task.clone().with_cells(side * side).unwrap();
            let path = folder.path().join("mazes.csv");
            let mut out = std::fs::File::create(&path).unwrap();
            task.puzzle_kind().generate(1, 1, &mut out).unwrap();
            let (file, notes) = file.fitted_to(&[path]).unwrap();
            (file.train.batch_size, notes)
        };
        let batch_size = |preset, side| fitted(preset, side).0;
        // Mazes of 8 by 8 by default, 64 at a time.
        assert_eq!(fitted("small", 8), (64, Vec::new()));
        assert_eq!(batch_size("small", 6), 64);
        let note = "train.batch_size is 28 instead of 64: puzzles have 144 cells instead of 64";
        assert_eq!(fitted("small", 12), (28, vec![note.to_owned()]));
        assert_eq!(batch_size("small", 20), 10);
        assert_eq!(batch_size("small", 30), 4);
        assert_eq!(batch_size("tiny", 30), 4);
        assert_eq!(batch_size("paper", 30), 768);
    }

    #[test]
    fn validation_takes_no_more_than_its_share() {
        let fit = Fit { batch_size_min: 0, validation_share_max: 0.1 };
        assert_eq!(fit.n_validation(64, 1000), (64, None));
        let note = "train.evaluation.n_validation is 6 instead of 64: there are 60 training \
                    puzzles";
        assert_eq!(fit.n_validation(64, 60), (6, Some(note.to_owned())));
    }
}
