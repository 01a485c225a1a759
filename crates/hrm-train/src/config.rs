//! How long and how fast to learn.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Settings of a training run.
///
/// Building a config checks nothing; [`check`](Self::check) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Puzzles per step. At least 1.
    pub batch_size: usize,
    /// Optimiser steps. At least 1.
    pub steps: u64,
    /// Step size of dense weights after warm-up.
    pub learning_rate: f64,
    /// Share of a dense weight that a unit learning rate removes per step.
    pub weight_decay: f64,
    /// Step size of puzzle embeddings after warm-up.
    pub puzzle_learning_rate: f64,
    /// Share of a puzzle embedding that a unit learning rate removes per step.
    pub puzzle_weight_decay: f64,
    /// Steps over which the learning rates rise linearly from zero.
    pub warmup_steps: u64,
    /// Share of the learning rates that is left at the last step, by a cosine
    /// from the end of warm-up. 1: constant.
    pub lr_min_ratio: f64,
    /// Memory of the mean gradient, in `0..1`.
    pub beta1: f64,
    /// Memory of the mean squared gradient, in `0..1`.
    pub beta2: f64,
    /// Steps between evaluations; 0: at the end only.
    pub eval_interval: u64,
    /// Steps between checkpoints, beside those at evaluations; 0: only there.
    #[serde(default)]
    pub checkpoint_interval: u64,
    /// Newest checkpoints that are kept. At least 1.
    #[serde(default = "n_checkpoints")]
    pub n_checkpoints: usize,
}

fn n_checkpoints() -> usize {
    3
}

impl TrainConfig {
    /// The published Sudoku run on one device: 20,000 epochs of 1000 puzzles.
    pub fn paper() -> Self {
        Self {
            batch_size: 384,
            steps: 52_083,
            learning_rate: 7e-5,
            weight_decay: 1.0,
            puzzle_learning_rate: 7e-5,
            puzzle_weight_decay: 1.0,
            warmup_steps: 2_000,
            lr_min_ratio: 1.0,
            beta1: 0.9,
            beta2: 0.95,
            eval_interval: 0,
            checkpoint_interval: 500,
            n_checkpoints: n_checkpoints(),
        }
    }

    /// Makes sure that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        let setting =
            |field, expected, found: String| Err(TrainError::Setting { field, expected, found });
        if !(1..=1 << 20).contains(&self.batch_size) {
            return setting("batch_size", "in 1..=1048576", self.batch_size.to_string());
        }
        if self.steps == 0 {
            return setting("steps", "at least 1", self.steps.to_string());
        }
        if self.n_checkpoints == 0 {
            return setting("n_checkpoints", "at least 1", self.n_checkpoints.to_string());
        }
        let ranges = [
            ("learning_rate", self.learning_rate, "in 0..=1", 0.0..=1.0),
            ("weight_decay", self.weight_decay, "in 0..=100", 0.0..=100.0),
            ("puzzle_learning_rate", self.puzzle_learning_rate, "in 0..=1", 0.0..=1.0),
            ("puzzle_weight_decay", self.puzzle_weight_decay, "in 0..=100", 0.0..=100.0),
            ("lr_min_ratio", self.lr_min_ratio, "in 0..=1", 0.0..=1.0),
            ("beta1", self.beta1, "in 0..=0.9999", 0.0..=0.9999),
            ("beta2", self.beta2, "in 0..=0.999999", 0.0..=0.999_999),
        ];
        for (field, found, expected, range) in ranges {
            if !range.contains(&found) {
                return setting(field, expected, found.to_string());
            }
        }
        Ok(())
    }

    /// The share of the learning rates in force at optimiser step `step`,
    /// counted from 1.
    pub fn rate_at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        let n_decaying = self.steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((step - self.warmup_steps) as f64 / n_decaying as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.lr_min_ratio + (1.0 - self.lr_min_ratio) * cosine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_follows_the_cosine() {
        let config = TrainConfig {
            steps: 300,
            warmup_steps: 100,
            lr_min_ratio: 0.2,
            ..TrainConfig::paper()
        };
        let rates = [1, 50, 100, 200, 300, 400].map(|step| config.rate_at(step));
        let want = [0.01, 0.5, 1.0, 0.6, 0.2, 0.2];
        for (rate, want) in rates.into_iter().zip(want) {
            assert!((rate - want).abs() < 1e-12, "{rates:?}");
        }
        let constant = TrainConfig { warmup_steps: 0, lr_min_ratio: 1.0, ..config };
        assert_eq!(constant.rate_at(1), 1.0);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let config = TrainConfig { learning_rate: f64::NAN, ..TrainConfig::paper() };
        let message = config.check().unwrap_err().to_string();
        assert_eq!(message, "train.learning_rate must be in 0..=1, found NaN");
        let config = TrainConfig { batch_size: 0, ..TrainConfig::paper() };
        let message = config.check().unwrap_err().to_string();
        assert_eq!(message, "train.batch_size must be in 1..=1048576, found 0");
    }
}
