//! The settings of ARC.

use hrm_puzzles::arc::SIDE_MAX;
use serde::{Deserialize, Serialize};

use crate::cells::check_held_out;
use crate::error::TaskError;

/// Size of the canvas, and how tasks are varied, drawn and split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArcConfig {
    /// Cells on each side of the canvas, `1..=30`: 30 as published. Tasks with a
    /// larger grid are left out.
    pub canvas: usize,
    /// Versions of each task beyond itself, at most 100 000. 1000 as published.
    pub augmentations: usize,
    /// Whether training pairs are moved about the canvas. As published: yes.
    pub translate: bool,
    /// Draws the built-in tasks, versions, offsets and what is held out.
    pub seed: u64,
    /// Built-in data: training tasks, at most 100 000.
    pub n_train: usize,
    /// Built-in data: evaluation tasks, at most 100 000.
    pub n_eval: usize,
    /// Share of the user's tasks, at least one if it is positive, that are
    /// evaluation tasks when no file or folder is. `0 <= held_out < 1`.
    pub held_out: f64,
    /// Built-in data: share of the tasks that follow two rules in turn, as
    /// `recolour+rotate-0001` does. `0 <= compose <= 1`.
    #[serde(default)]
    pub compose: f64,
}

/// Bounds memory: a set of all versions then still fits in a few gigabytes.
const N_AUGMENTATIONS_MAX: usize = 100_000;
pub(super) const N_TASKS_MAX: usize = 100_000;

impl ArcConfig {
    /// Refuses settings outside their range.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first of them.
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
