//! The state of a run that its model and its trainer do not hold.
//!
//! Every checkpoint includes it, so that a resumed run continues exactly where
//! the checkpoint was written.

use std::path::Path;

use hrm_train::run::{read_json, write_json};
use hrm_train::{DataCursor, TrainError};
use serde::{Deserialize, Serialize};

use super::metrics_window::MetricsWindow;

/// Name of the state's file in a checkpoint folder.
const FILE: &str = "position.json";

/// The state of a run that its model and its trainer do not hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunState {
    /// Position in the training data and in the random streams.
    #[serde(rename = "feed")]
    pub(super) cursor: DataCursor,
    /// Length of `metrics.jsonl` in bytes.
    #[serde(rename = "n_metrics")]
    pub(super) n_metrics_bytes: u64,
    /// Training time so far, in seconds.
    pub(super) seconds: f64,
    /// Steps since the last line of metrics.
    pub(super) window: MetricsWindow,
    /// Whether the evaluation that is due at this step has not run yet.
    pub(super) awaits_evaluation: bool,
    /// The checkpoint with the best validation result.
    pub(super) best: Option<BestCheckpoint>,
    /// Validations since then, none of them better.
    pub(super) n_worse: u64,
    /// Number of rollbacks to an earlier checkpoint.
    pub(super) n_rollbacks: u64,
}

/// A checkpoint and its validation result.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BestCheckpoint {
    pub(super) step: u64,
    /// Share of examples that are right in every cell.
    pub(super) exact: f64,
    /// Share of cells that are right.
    pub(super) cells: f64,
}

impl RunState {
    /// The state before the first step.
    pub(crate) fn initial(seed: u64) -> Self {
        Self {
            cursor: DataCursor::new(seed),
            n_metrics_bytes: 0,
            seconds: 0.0,
            window: MetricsWindow::open(),
            awaits_evaluation: false,
            best: None,
            n_worse: 0,
            n_rollbacks: 0,
        }
    }

    /// Reads the state from a checkpoint folder.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`] or [`TrainError::Json`].
    pub(super) fn read(checkpoint: &Path) -> Result<Self, TrainError> {
        read_json(&checkpoint.join(FILE))
    }

    /// Writes the state into a checkpoint folder.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub(super) fn write(&self, checkpoint: &Path) -> Result<(), TrainError> {
        write_json(&checkpoint.join(FILE), self)
    }

    /// Records a validation result. Returns whether it is the best so far.
    pub(super) fn record_validation(&mut self, result: BestCheckpoint) -> bool {
        let BestCheckpoint { exact, cells, .. } = result;
        let is_best = self.best.is_none_or(|best| (exact, cells) > (best.exact, best.cells));
        if is_best {
            self.best = Some(result);
            self.n_worse = 0;
        } else {
            self.n_worse += 1;
        }
        is_best
    }

    /// Whether `patience` validations in a row have brought no improvement. A
    /// patience of 0 is unlimited.
    pub(super) fn is_patience_exhausted(&self, patience: u64) -> bool {
        patience > 0 && self.n_worse >= patience
    }

    /// Returns to the state `earlier`, of the checkpoint of `step`. Validation
    /// results stay, unless their checkpoint is gone.
    pub(super) fn roll_back_to(&mut self, earlier: Self, step: u64) {
        *self = Self {
            best: self.best.filter(|best| best.step <= step),
            n_worse: self.n_worse,
            n_rollbacks: self.n_rollbacks + 1,
            awaits_evaluation: false,
            ..earlier
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(step: u64, exact: f64, cells: f64) -> BestCheckpoint {
        BestCheckpoint { step, exact, cells }
    }

    #[test]
    fn the_first_of_equal_validations_stays_the_best() {
        let mut state = RunState::initial(1);
        assert!(state.record_validation(result(10, 0.5, 0.9)));
        assert!(!state.record_validation(result(20, 0.5, 0.9)));
        assert!(!state.record_validation(result(30, 0.4, 1.0)));
        assert!(state.is_patience_exhausted(2) && !state.is_patience_exhausted(3));
        assert!(!state.is_patience_exhausted(0), "0 is unlimited");
        assert!(state.record_validation(result(40, 0.5, 0.95)), "cells decide between equals");
        assert_eq!(state.n_worse, 0);
    }

    #[test]
    fn a_rollback_forgets_a_best_checkpoint_that_is_gone() {
        let earlier = || RunState { seconds: 5.0, ..RunState::initial(1) };
        for (best_step, is_kept) in [(10, true), (30, false)] {
            let mut state = RunState { n_rollbacks: 2, ..RunState::initial(1) };
            state.record_validation(result(best_step, 0.5, 0.9));
            state.roll_back_to(earlier(), 20);
            assert_eq!(state.best.is_some(), is_kept);
            assert_eq!((state.n_rollbacks, state.seconds), (3, 5.0));
        }
    }

    #[test]
    fn the_file_keeps_its_field_names() {
        let json = serde_json::to_value(RunState::initial(7)).unwrap();
        let names: Vec<&String> = json.as_object().unwrap().keys().collect();
        let want = [
            "awaits_evaluation",
            "best",
            "feed",
            "n_metrics",
            "n_rollbacks",
            "n_worse",
            "seconds",
            "window",
        ];
        assert_eq!(names, want);
        serde_json::from_value::<RunState>(json).unwrap();
    }
}
