//! Settings of the optimisers.

use serde::{Deserialize, Serialize};

use super::range::check_range;
use crate::error::TrainError;

/// The update rule of dense weights. The default is the published one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// Adam with an arc tangent in place of the division.
    #[default]
    AdamAtan2,
    /// Adam with decoupled weight decay (arXiv 1711.05101).
    Adamw,
    /// Moves each matrix of the blocks along the nearest orthogonal matrix of its
    /// momentum, scaled to the step size of Adam (arXiv 2502.16982). All other
    /// parameters follow [`Adamw`](Self::Adamw).
    Muon,
}

/// The optimiser of dense weights: every parameter except the puzzle embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserConfig {
    /// Update rule.
    pub kind: OptimiserKind,
    /// Learning rate after warm-up. In `0..=1`.
    pub learning_rate: f64,
    /// Decoupled weight decay: each step multiplies a weight by
    /// `1 - learning_rate * weight_decay`. In `0..=100`.
    pub weight_decay: f64,
    /// Decay rate of the running mean of gradients. In `0..1`.
    pub beta1: f64,
    /// Decay rate of the running mean of squared gradients. In `0..1`.
    pub beta2: f64,
    /// Largest norm of all gradients together; longer gradients are scaled down
    /// to it. 0: no clipping.
    pub clip_norm: f64,
    /// Decay rate of an exponential moving average of the dense weights, in
    /// `0..1`. The average is evaluated and saved in place of the weights
    /// (arXiv 2510.04871: 0.999). 0: no average.
    pub ema: f64,
}

impl Default for OptimiserConfig {
    /// The published settings.
    fn default() -> Self {
        Self {
            kind: OptimiserKind::AdamAtan2,
            learning_rate: 7e-5,
            weight_decay: 1.0,
            beta1: 0.9,
            beta2: 0.95,
            clip_norm: 0.0,
            ema: 0.0,
        }
    }
}

impl OptimiserConfig {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        check_range("optimiser.learning_rate", self.learning_rate, 0.0..=1.0, "in 0..=1")?;
        check_range("optimiser.weight_decay", self.weight_decay, 0.0..=100.0, "in 0..=100")?;
        check_range("optimiser.beta1", self.beta1, 0.0..=0.9999, "in 0..=0.9999")?;
        check_range("optimiser.beta2", self.beta2, 0.0..=0.999_999, "in 0..=0.999999")?;
        check_range("optimiser.clip_norm", self.clip_norm, 0.0..=1e9, "in 0..=1e9")?;
        check_range("optimiser.ema", self.ema, 0.0..=0.999_999, "in 0..=0.999999")
    }
}

/// The optimiser of puzzle embeddings: sign-SGD on the embeddings of the puzzles
/// in the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PuzzleEmbeddingOptimiserConfig {
    /// Learning rate after warm-up. In `0..=1`.
    pub learning_rate: f64,
    /// Decoupled weight decay: each step multiplies an embedding by
    /// `1 - learning_rate * weight_decay`. In `0..=100`.
    pub weight_decay: f64,
}

impl Default for PuzzleEmbeddingOptimiserConfig {
    /// The published settings.
    fn default() -> Self {
        Self { learning_rate: 7e-5, weight_decay: 1.0 }
    }
}

impl PuzzleEmbeddingOptimiserConfig {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        check_range("puzzle_embedding.learning_rate", self.learning_rate, 0.0..=1.0, "in 0..=1")?;
        check_range("puzzle_embedding.weight_decay", self.weight_decay, 0.0..=100.0, "in 0..=100")
    }
}
