//! The settings of a training run, in groups.

mod loss;
mod optimiser;
mod range;
mod renamed_keys;
mod run;
mod schedule;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use self::range::check_range;
use crate::error::TrainError;
pub use loss::{CellLoss, LossConfig};
pub use optimiser::{OptimiserConfig, OptimiserKind, PuzzleEmbeddingOptimiserConfig};
pub use run::{CheckpointConfig, EvaluationConfig, RecoveryConfig};
pub use schedule::{CurriculumStage, Decay, ScheduleConfig};

/// Settings of a training run. A file may omit settings, which then have their values
/// in [`paper`](Self::paper).
///
/// Flat files, which have every setting at the top level, load too: see
/// [`RENAMED_KEYS`](Self::RENAMED_KEYS).
///
/// Building a config checks nothing; [`check`](Self::check) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default = "TrainConfig::paper")]
pub struct TrainConfig {
    /// Number of optimiser steps: in `1..=`[`STEPS_MAX`](Self::STEPS_MAX), or
    /// [`OPEN_ENDED`](Self::OPEN_ENDED).
    pub steps: u64,
    /// Puzzles per step. At least 1.
    pub batch_size: usize,
    /// Number of parts in which a batch is processed, one after another, while their
    /// gradients add up: less memory, the same numbers except for rounding. In
    /// `1..=batch_size`.
    pub accumulate: usize,
    /// Number of independent carries, used round-robin. At least 1. With `n` carries,
    /// a puzzle is trained on in every `n`-th step.
    pub n_carries: usize,
    /// Standard deviation of the noise added to the hidden states after each
    /// segment of training, in `0..=1` (arXiv 2605.21488: 0.01).
    pub state_noise: f64,
    /// Optimiser of dense weights.
    pub optimiser: OptimiserConfig,
    /// Optimiser of puzzle embeddings.
    pub puzzle_embedding: PuzzleEmbeddingOptimiserConfig,
    /// Learning-rate schedule and curriculum.
    pub schedule: ScheduleConfig,
    /// Loss of one segment.
    pub loss: LossConfig,
    /// Evaluation and validation.
    pub evaluation: EvaluationConfig,
    /// Checkpoints.
    pub checkpoints: CheckpointConfig,
    /// Recovery from losses and gradients that are not finite.
    pub recovery: RecoveryConfig,
}

impl Serialize for TrainConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived function, which is inherent because of `remote`.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for TrainConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Value::deserialize(deserializer)?;
        if let Some(settings) = settings.as_object_mut() {
            renamed_keys::move_renamed(settings).map_err(D::Error::custom)?;
        }
        Self::deserialize(settings).map_err(D::Error::custom)
    }
}

impl TrainConfig {
    /// Flat key and dotted key of each setting that has both, e.g.
    /// `("learning_rate", "optimiser.learning_rate")`. Files may use either.
    pub const RENAMED_KEYS: &[(&str, &str)] = renamed_keys::RENAMED_KEYS;

    /// Largest fixed number of steps: schedules are computed in f64, which represents
    /// every integer up to this one.
    pub const STEPS_MAX: u64 = 1 << 53;

    /// Value of [`steps`](Self::steps) for a run without a fixed number of steps,
    /// e.g. with a time limit. The share of steps done stays 0: learning rates do not
    /// decay, and no curriculum stage ends.
    pub const OPEN_ENDED: u64 = schedule::OPEN_ENDED;

    /// The published Sudoku run on one device: 20,000 epochs of 1000 puzzles.
    pub fn paper() -> Self {
        Self {
            steps: 52_083,
            batch_size: 384,
            accumulate: 1,
            n_carries: 1,
            state_noise: 0.0,
            optimiser: OptimiserConfig::default(),
            puzzle_embedding: PuzzleEmbeddingOptimiserConfig::default(),
            schedule: ScheduleConfig::default(),
            loss: LossConfig::default(),
            evaluation: EvaluationConfig::default(),
            checkpoints: CheckpointConfig::default(),
            recovery: RecoveryConfig::default(),
        }
    }

    /// The published run of the Tiny Recursive Model on Sudoku and mazes: 50,000
    /// epochs of 1000 puzzles.
    pub fn tiny_recursive() -> Self {
        Self::paper().with(|train| {
            train.steps = 65_104;
            train.batch_size = 768;
            train.optimiser.learning_rate = 1e-4;
            train.optimiser.ema = 0.999;
            train.puzzle_embedding.learning_rate = 1e-4;
        })
    }

    /// A run of [`HrmConfig::small`](hrm_core::HrmConfig::small) that takes minutes
    /// on a CPU.
    pub fn small() -> Self {
        Self {
            steps: 1_400,
            batch_size: 64,
            accumulate: 1,
            n_carries: 16,
            optimiser: OptimiserConfig {
                kind: OptimiserKind::Adamw,
                learning_rate: 1e-3,
                weight_decay: 0.1,
                clip_norm: 1.0,
                ema: 0.99,
                ..OptimiserConfig::default()
            },
            puzzle_embedding: PuzzleEmbeddingOptimiserConfig {
                learning_rate: 1e-3,
                weight_decay: 0.1,
            },
            schedule: ScheduleConfig {
                warmup_steps: 200,
                lr_min_ratio: 0.02,
                ..ScheduleConfig::default()
            },
            loss: LossConfig { cells: CellLoss::Softmax, ..LossConfig::default() },
            evaluation: EvaluationConfig {
                interval: 700,
                n_validation: 64,
                ..EvaluationConfig::default()
            },
            ..Self::paper()
        }
    }

    /// This config with some settings changed.
    ///
    /// ```
    /// # use hrm_train::TrainConfig;
    /// let config = TrainConfig::paper().with(|train| {
    ///     train.steps = 100;
    ///     train.optimiser.learning_rate = 1e-3;
    /// });
    /// assert_eq!(config.steps, 100);
    /// assert_eq!(config.schedule, TrainConfig::paper().schedule);
    /// ```
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        if self.steps != Self::OPEN_ENDED {
            self.check_fixed_steps()?;
        }
        check_range("batch_size", self.batch_size, 1..=1 << 20, "in 1..=1048576")?;
        check_range("accumulate", self.accumulate, 1..=self.batch_size, "in 1..=batch_size")?;
        check_range("n_carries", self.n_carries, 1..=1 << 10, "in 1..=1024")?;
        check_range("state_noise", self.state_noise, 0.0..=1.0, "in 0..=1")?;
        self.optimiser.check()?;
        self.puzzle_embedding.check()?;
        self.schedule.check()?;
        self.loss.check()?;
        self.evaluation.check()?;
        self.checkpoints.check()?;
        self.recovery.check()
    }

    /// Checks that the number of steps is fixed and in its range: for runs without
    /// another stopping condition.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if it is not.
    pub fn check_fixed_steps(&self) -> Result<(), TrainError> {
        check_range("steps", self.steps, 1..=Self::STEPS_MAX, "in 1..=9007199254740992")
    }
}

#[cfg(test)]
mod tests;
