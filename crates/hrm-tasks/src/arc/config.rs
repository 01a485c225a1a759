//! The settings of ARC.

use hrm_puzzles::arc::{OnConflict, SIDE_MAX};
use serde::{Deserialize, Serialize};

use crate::cells::check_held_out;
use crate::error::TaskError;

/// Size of the canvas, and how tasks are augmented, generated and split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArcConfig {
    /// Cells on each side of the canvas, `1..=30`; 30 in the published setup.
    /// Tasks with a larger grid are left out.
    pub canvas: usize,
    /// Augmented versions of each task beyond itself, at most 100,000; 1000 in the
    /// published setup.
    pub augmentations: usize,
    /// Whether training pairs are placed at random positions on the canvas; yes in the
    /// published setup.
    pub translate: bool,
    /// Seed of built-in tasks, versions, positions and the held-out split.
    pub seed: u64,
    /// Number of built-in training tasks, at most 100,000.
    pub n_train: usize,
    /// Number of built-in evaluation tasks, at most 100,000.
    pub n_eval: usize,
    /// Share of the tasks in data files that is held out for evaluation if no file or
    /// folder holds evaluation tasks, `0 <= held_out < 1`; at least one task if positive.
    pub held_out: f64,
    /// Share of the built-in tasks that apply two rules one after the other, as
    /// `recolour+rotate-0001` does, `0 <= compose <= 1`.
    #[serde(default)]
    pub compose: f64,
    /// Which of different tasks with the same id in data files is used.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// Bounds memory: all versions then fit in a few gigabytes.
const N_AUGMENTATIONS_MAX: usize = 100_000;
pub(super) const N_TASKS_MAX: usize = 100_000;

impl ArcConfig {
    /// Makes sure that the settings are in range.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first setting out of range.
    pub fn check(&self) -> Result<(), TaskError> {
        let ranges = [
            ("canvas", self.canvas, 1, SIDE_MAX),
            ("augmentations", self.augmentations, 0, N_AUGMENTATIONS_MAX),
            ("n_train", self.n_train, 0, N_TASKS_MAX),
            ("n_eval", self.n_eval, 0, N_TASKS_MAX),
        ];
        for (field, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(TaskError::setting(field, format!("{low} to {high}"), value));
            }
        }
        check_held_out(self.held_out)?;
        if !(0.0..=1.0).contains(&self.compose) {
            return Err(TaskError::setting("compose", "0 to 1", self.compose));
        }
        Ok(())
    }
}
