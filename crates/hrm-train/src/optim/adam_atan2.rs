//! Adam with an arc tangent in place of the division.
//!
//! ```text
//! m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
//! p <- p (1 - lr wd) - lr / (1 - b1^t) atan2(m, sqrt(v / (1 - b2^t)))
//! ```
//!
//! There is no epsilon, and the step does not depend on the scale of the
//! gradient. As in the authors' optimiser the first bias correction scales the
//! step, outside the arc tangent.

use candle_core::{Result, Tensor, Var, backprop::GradStore};
use hrm_kernels::{AdamStep, adam_atan2};

use crate::TrainConfig;

/// The optimiser of dense weights.
#[derive(Debug)]
pub struct AdamAtan2 {
    slots: Vec<Slot>,
    beta1: f64,
    beta2: f64,
    n_steps: i32,
}

/// A parameter with its moments.
#[derive(Debug)]
struct Slot {
    param: Var,
    mean: Tensor,
    mean_square: Tensor,
}

impl AdamAtan2 {
    /// An optimiser of `params` that has not seen a gradient.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the moments.
    pub fn new<'a>(
        params: impl IntoIterator<Item = &'a Var>,
        beta1: f64,
        beta2: f64,
    ) -> Result<Self> {
        let slot = |param: &Var| {
            let (mean, mean_square) = (param.zeros_like()?, param.zeros_like()?);
            Ok(Slot { param: param.clone(), mean, mean_square })
        };
        let slots = params.into_iter().map(slot).collect::<Result<_>>()?;
        Ok(Self { slots, beta1, beta2, n_steps: 0 })
    }

    /// An optimiser that has made `n_steps` steps, with the moments of each
    /// parameter: mean, mean square.
    pub(crate) fn restore<'a>(
        params: impl IntoIterator<Item = (&'a Var, [Tensor; 2])>,
        config: &TrainConfig,
        n_steps: i32,
    ) -> Self {
        let slot = |(param, [mean, mean_square]): (&Var, [Tensor; 2])| {
            let param = param.clone();
            Slot { param, mean, mean_square }
        };
        let slots = params.into_iter().map(slot).collect();
        Self { slots, beta1: config.beta1, beta2: config.beta2, n_steps }
    }

    /// Steps so far.
    pub(crate) fn n_steps(&self) -> i32 {
        self.n_steps
    }

    /// Mean and mean square of each parameter's gradients.
    pub(crate) fn moments(&self) -> impl Iterator<Item = [&Tensor; 2]> {
        self.slots.iter().map(|slot| [&slot.mean, &slot.mean_square])
    }

    /// Moves every parameter that has a gradient.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn step(&mut self, grads: &GradStore, learning_rate: f64, weight_decay: f64) -> Result<()> {
        self.n_steps += 1;
        let (beta1, beta2) = (self.beta1, self.beta2);
        let step = AdamStep {
            beta1,
            beta2,
            size: learning_rate / (1.0 - beta1.powi(self.n_steps)),
            kept: 1.0 - learning_rate * weight_decay,
            root_correction: (1.0 - beta2.powi(self.n_steps)).sqrt(),
        };
        for Slot { param, mean, mean_square } in &mut self.slots {
            let Some(grad) = grads.get(param) else { continue };
            adam_atan2(param, mean, mean_square, &grad.detach(), step)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// One parameter under the gradients given, by the formula in f64.
    fn by_hand(mut p: f64, grads: &[f64], lr: f64, wd: f64) -> f64 {
        let (b1, b2) = (0.9, 0.95);
        let (mut m, mut v) = (0.0, 0.0);
        for (t, g) in (1..).zip(grads) {
            m = b1 * m + (1.0 - b1) * g;
            v = b2 * v + (1.0 - b2) * g * g;
            let angle = f64::atan2(m, (v / (1.0 - f64::powi(b2, t))).sqrt());
            p = p * (1.0 - lr * wd) - lr / (1.0 - f64::powi(b1, t)) * angle;
        }
        p
    }

    #[test]
    fn steps_follow_the_formula() -> Result<()> {
        let slopes = [2.0f64, -3e-9, 0.0, 1e6];
        let param = Var::new(&[0.5f32, -1.0, 0.25, 2.0], &Device::Cpu)?;
        let mut optimiser = AdamAtan2::new([&param], 0.9, 0.95)?;
        let slope = Tensor::new(slopes.map(|s| s as f32).as_slice(), &Device::Cpu)?;
        for _ in 0..5 {
            let grads = (param.as_tensor() * &slope)?.sum_all()?.backward()?;
            optimiser.step(&grads, 0.01, 0.1)?;
        }
        let found = param.to_vec1::<f32>()?;
        let starts = [0.5, -1.0, 0.25, 2.0];
        for ((found, start), slope) in found.into_iter().zip(starts).zip(slopes) {
            let want = by_hand(start, &[slope; 5], 0.01, 0.1);
            assert!((f64::from(found) - want).abs() < 1e-6, "{found} is not {want}");
        }
        Ok(())
    }

    #[test]
    fn a_parameter_without_gradient_stays() -> Result<()> {
        let (moved, still) = (Var::new(1f32, &Device::Cpu)?, Var::new(1f32, &Device::Cpu)?);
        let mut optimiser = AdamAtan2::new([&moved, &still], 0.9, 0.95)?;
        optimiser.step(&moved.sqr()?.backward()?, 0.1, 1.0)?;
        assert_ne!(moved.to_scalar::<f32>()?, 1.0);
        assert_eq!(still.to_scalar::<f32>()?, 1.0);
        Ok(())
    }
}
