//! How long and how fast to learn.

use hrm_kernels::CellDistribution;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::optim::Rule;

/// Settings of a training run. What a file does not state is as published.
///
/// Building a config checks nothing; [`check`](Self::check) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default = "TrainConfig::paper")]
pub struct TrainConfig {
    /// Puzzles per step. At least 1.
    pub batch_size: usize,
    /// Batches at work in turn, each one step in so many. At least 1. The more,
    /// the further apart are the segments of a puzzle, and the less is learnt of
    /// this puzzle alone.
    pub n_carries: usize,
    /// Optimiser steps. At least 1.
    pub steps: u64,
    /// How dense weights follow their gradient.
    pub optimiser: Rule,
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
    /// How the learning rates fall from the end of warm-up to the last step.
    pub decay: Decay,
    /// Share of the learning rates that is left at the last step. 1: constant.
    pub lr_min_ratio: f64,
    /// Memory of the mean gradient, in `0..1`.
    pub beta1: f64,
    /// Memory of the mean squared gradient, in `0..1`.
    pub beta2: f64,
    /// Gradients of dense weights that are longer, all together, are shortened
    /// to this. 0: never.
    pub clip_norm: f64,
    /// Share of a running average of the dense weights that a step keeps, in
    /// `0..1`; the average is what is evaluated and saved (arXiv 2510.04871:
    /// 0.999). 0: the weights themselves are.
    pub ema: f64,
    /// How logits become the probabilities of a cell.
    pub cell_loss: CellLoss,
    /// Share of a label that is spread over the vocabulary, in `0..1`
    /// (arXiv 2601.19085: 0.2).
    pub label_smoothing: f64,
    /// Deviation of the noise that is added to the states after each segment,
    /// in training (arXiv 2605.21488: 0.01).
    pub state_noise: f64,
    /// Fewer cycles for parts of the run, in order; after the last, those of the
    /// model (arXiv 2511.08653).
    pub curriculum: Vec<Stage>,
    /// Puzzles that are cut from the training set to choose a checkpoint by.
    /// 0: none is chosen.
    pub n_validation: usize,
    /// Evaluations in a row without a better one that end the run; 0: none do.
    pub patience: u64,
    /// Steps in a row that may be skipped because a loss or a gradient is not
    /// finite, before the run goes back to its last checkpoint.
    pub n_skipped_max: u64,
    /// Times that the run may go back; 0: it stops instead.
    pub n_rollbacks_max: u64,
    /// Factor of the learning rates, each time the run has gone back. In
    /// `0..=1`.
    pub rollback_rate: f64,
    /// Steps between evaluations; 0: at the end only.
    pub eval_interval: u64,
    /// Steps between checkpoints, beside those at evaluations; 0: only there.
    pub checkpoint_interval: u64,
    /// Newest checkpoints that are kept, beside the best. At least 1.
    pub n_checkpoints: usize,
}

/// How learning rates fall after warm-up. The first is the published way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Along half a cosine.
    #[default]
    Cosine,
    /// Along a straight line.
    Linear,
    /// Not at all.
    Constant,
}

/// How logits become the probabilities of a cell. The first is the published
/// way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellLoss {
    /// A softmax with linear tails.
    #[default]
    Stablemax,
    /// The usual one.
    Softmax,
}

impl From<CellLoss> for CellDistribution {
    fn from(loss: CellLoss) -> Self {
        match loss {
            CellLoss::Stablemax => Self::Stablemax,
            CellLoss::Softmax => Self::Softmax,
        }
    }
}

/// A part of a run with cycles of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Share of the steps that are done when it ends.
    pub until: f64,
    /// Slow updates per segment. At least 1.
    pub n_h_cycles: usize,
    /// Fast updates per slow update. At least 1.
    pub n_l_cycles: usize,
}

impl TrainConfig {
    /// The published Sudoku run on one device: 20,000 epochs of 1000 puzzles.
    pub fn paper() -> Self {
        Self {
            batch_size: 384,
            n_carries: 1,
            steps: 52_083,
            optimiser: Rule::AdamAtan2,
            learning_rate: 7e-5,
            weight_decay: 1.0,
            puzzle_learning_rate: 7e-5,
            puzzle_weight_decay: 1.0,
            warmup_steps: 2_000,
            decay: Decay::Cosine,
            lr_min_ratio: 1.0,
            beta1: 0.9,
            beta2: 0.95,
            clip_norm: 0.0,
            ema: 0.0,
            cell_loss: CellLoss::Stablemax,
            label_smoothing: 0.0,
            state_noise: 0.0,
            curriculum: Vec::new(),
            n_validation: 0,
            patience: 0,
            n_skipped_max: 10,
            n_rollbacks_max: 3,
            rollback_rate: 0.5,
            eval_interval: 0,
            checkpoint_interval: 500,
            n_checkpoints: 3,
        }
    }

    /// The published run of the Tiny Recursive Model on Sudoku and mazes: 50,000
    /// epochs of 1000 puzzles.
    pub fn tiny_recursive() -> Self {
        Self {
            batch_size: 768,
            steps: 65_104,
            learning_rate: 1e-4,
            puzzle_learning_rate: 1e-4,
            ema: 0.999,
            ..Self::paper()
        }
    }

    /// A run of [`HrmConfig::small`](hrm_core::HrmConfig::small) for minutes on a
    /// processor.
    pub fn small() -> Self {
        Self {
            batch_size: 64,
            n_carries: 16,
            steps: 1_400,
            optimiser: Rule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.1,
            puzzle_learning_rate: 1e-3,
            puzzle_weight_decay: 0.1,
            warmup_steps: 200,
            lr_min_ratio: 0.02,
            clip_norm: 1.0,
            ema: 0.99,
            cell_loss: CellLoss::Softmax,
            n_validation: 64,
            eval_interval: 700,
            ..Self::paper()
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
        if !(1..=1 << 10).contains(&self.n_carries) {
            return setting("n_carries", "in 1..=1024", self.n_carries.to_string());
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
            ("clip_norm", self.clip_norm, "in 0..=1e9", 0.0..=1e9),
            ("ema", self.ema, "in 0..=0.999999", 0.0..=0.999_999),
            ("label_smoothing", self.label_smoothing, "in 0..=0.99", 0.0..=0.99),
            ("state_noise", self.state_noise, "in 0..=1", 0.0..=1.0),
            ("rollback_rate", self.rollback_rate, "in 0..=1", 0.0..=1.0),
        ];
        for (field, found, expected, range) in ranges {
            if !range.contains(&found) {
                return setting(field, expected, found.to_string());
            }
        }
        if self.patience > 0 && (self.n_validation == 0 || self.eval_interval == 0) {
            let expected = "0 without n_validation and eval_interval";
            return setting("patience", expected, self.patience.to_string());
        }
        let mut begun = 0.0;
        for Stage { until, n_h_cycles, n_l_cycles } in &self.curriculum {
            if !(begun..=1.0).contains(until) {
                let expected = "of stages with `until` in 0..=1, each after the one before";
                return setting("curriculum", expected, until.to_string());
            }
            let cycles = 1..=1 << 10;
            if !cycles.contains(n_h_cycles) || !cycles.contains(n_l_cycles) {
                let found = format!("{n_h_cycles} and {n_l_cycles}");
                return setting("curriculum", "of stages with 1..=1024 cycles", found);
            }
            begun = *until;
        }
        Ok(())
    }

    /// The stage that optimiser step `step`, counted from 1, belongs to, if it
    /// belongs to one.
    pub fn stage_at(&self, step: u64) -> Option<&Stage> {
        let done = step.saturating_sub(1) as f64 / self.steps as f64;
        self.curriculum.iter().find(|stage| done < stage.until)
    }

    /// The share of the learning rates in force at optimiser step `step`,
    /// counted from 1.
    pub fn rate_at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        let n_decaying = self.steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((step - self.warmup_steps) as f64 / n_decaying as f64).min(1.0);
        let above_least = match self.decay {
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Decay::Linear => 1.0 - progress,
            Decay::Constant => 1.0,
        };
        self.lr_min_ratio + (1.0 - self.lr_min_ratio) * above_least
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
        let linear = TrainConfig { decay: Decay::Linear, ..config.clone() };
        let rates = [100, 150, 200, 300, 400].map(|step| linear.rate_at(step));
        for (rate, want) in rates.into_iter().zip([1.0, 0.8, 0.6, 0.2, 0.2]) {
            assert!((rate - want).abs() < 1e-12, "{rates:?}");
        }
        let constant = TrainConfig { decay: Decay::Constant, ..config.clone() };
        assert_eq!([100, 200, 300].map(|step| constant.rate_at(step)), [1.0; 3]);
        let constant = TrainConfig { warmup_steps: 0, lr_min_ratio: 1.0, ..config };
        assert_eq!(constant.rate_at(1), 1.0);
    }

    #[test]
    fn stages_follow_each_other() {
        let stage = |until, n_l_cycles| Stage { until, n_h_cycles: 1, n_l_cycles };
        let curriculum = vec![stage(0.3, 2), stage(0.6, 4)];
        let config = TrainConfig { steps: 10, curriculum, ..TrainConfig::paper() };
        config.check().unwrap();
        let cycles = |step| config.stage_at(step).map(|stage| stage.n_l_cycles);
        let found: Vec<_> = (1..=10).map(cycles).collect();
        let (two, four) = (Some(2), Some(4));
        assert_eq!(found, [two, two, two, four, four, four, None, None, None, None]);

        let wrong = |stages: Vec<Stage>| {
            let config = TrainConfig { curriculum: stages, ..TrainConfig::paper() };
            config.check().unwrap_err().to_string()
        };
        assert!(wrong(vec![stage(0.6, 2), stage(0.3, 2)]).ends_with("found 0.3"));
        assert!(wrong(vec![stage(0.6, 0)]).ends_with("found 1 and 0"));
    }

    #[test]
    fn what_is_not_stated_is_as_published() {
        let config: TrainConfig = serde_json::from_str(r#"{"steps": 7}"#).unwrap();
        assert_eq!(config, TrainConfig { steps: 7, ..TrainConfig::paper() });
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
