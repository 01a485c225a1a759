//! Settings of evaluation, checkpoints and recovery.

use serde::{Deserialize, Serialize};

use super::range::{check_range, refuse};
use crate::error::TrainError;

/// When the model is evaluated, and whether validation chooses the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Steps between evaluations. 0: only at the end.
    pub interval: u64,
    /// Number of training puzzles held back to choose the best checkpoint. 0: no
    /// validation.
    pub n_validation: usize,
    /// Consecutive evaluations without improvement that end the run. 0: never.
    pub patience: u64,
}

impl EvaluationConfig {
    /// Checks that the settings fit together.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if they do not.
    pub fn check(&self) -> Result<(), TrainError> {
        if self.patience > 0 && (self.n_validation == 0 || self.interval == 0) {
            let expected = "0 unless `evaluation.n_validation` and `evaluation.interval` are set";
            return refuse("evaluation.patience", expected, self.patience);
        }
        Ok(())
    }
}

/// When checkpoints are written, and how many are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Steps between checkpoints, in addition to one at each evaluation. 0: only
    /// those.
    pub interval: u64,
    /// Number of newest checkpoints that are kept, in addition to the best. At
    /// least 1.
    pub n_kept: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { interval: 500, n_kept: 3 }
    }
}

impl CheckpointConfig {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        check_range("checkpoints.n_kept", self.n_kept, 1..=usize::MAX, "at least 1")
    }
}

/// Recovery from a loss or a gradient that is not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// Consecutive steps that may be skipped before the run returns to its last
    /// checkpoint.
    pub n_skipped_max: u64,
    /// Maximum number of returns to a checkpoint. 0: the run stops instead.
    pub n_rollbacks_max: u64,
    /// Factor of the learning rates after each return, in `0..=1`.
    pub rollback_rate: f64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self { n_skipped_max: 10, n_rollbacks_max: 3, rollback_rate: 0.5 }
    }
}

impl RecoveryConfig {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        check_range("recovery.rollback_rate", self.rollback_rate, 0.0..=1.0, "in 0..=1")
    }
}
