//! Number of floating-point operations, by part of the model.

use hrm_kernels::profile::Part;

/// Floating-point operations of one step.
pub(super) struct Flops {
    /// Products with weights.
    pub(super) matmul: f64,
    /// Gradients of weights.
    pub(super) weight_gradient: f64,
    /// Products inside attention heads.
    pub(super) attention: f64,
}

impl Flops {
    /// Operations of all parts.
    pub(super) fn total(&self) -> f64 {
        self.matmul + self.weight_gradient + self.attention
    }

    /// Operations of one part; 0 for parts that are not counted.
    pub(super) fn of(&self, part: Part) -> f64 {
        match part {
            Part::Matmul => self.matmul,
            Part::WeightGradient => self.weight_gradient,
            Part::Attention => self.attention,
            _ => 0.0,
        }
    }
}
