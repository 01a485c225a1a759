//! The size of one step.

use crate::config::OptimiserConfig;

/// The size of one optimiser step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSize {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay: the step multiplies a weight by
    /// `1 - learning_rate * weight_decay`.
    pub weight_decay: f64,
    /// Factor of the gradients, from clipping.
    pub gradient_scale: f64,
}

impl StepSize {
    /// A step with `lr_factor` times the learning rate of `config`, along gradients
    /// of norm `gradient_norm`.
    pub fn new(config: &OptimiserConfig, lr_factor: f64, gradient_norm: f64) -> Self {
        let OptimiserConfig { learning_rate, weight_decay, clip_norm, .. } = *config;
        let is_clipped = clip_norm > 0.0 && gradient_norm > clip_norm;
        Self {
            learning_rate: learning_rate * lr_factor,
            weight_decay,
            gradient_scale: if is_clipped { clip_norm / gradient_norm } else { 1.0 },
        }
    }
}
