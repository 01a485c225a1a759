//! How parameters move: [`Optimiser`] for dense weights, [`sign_sgd`] for the
//! few rows of a puzzle table that a batch touches.

mod adam;
mod muon;
mod sign_sgd;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use hrm_core::names;
use hrm_kernels::{adam, sum_of_squares};
use serde::{Deserialize, Serialize};

use crate::TrainConfig;
pub use sign_sgd::sign_sgd;

/// How a dense weight follows its gradient. The first is the published way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Adam with an arc tangent in place of the division.
    #[default]
    AdamAtan2,
    /// Adam with decoupled weight decay (arXiv 1711.05101).
    Adamw,
    /// Matrices of the blocks along the nearest orthogonal matrix of their
    /// momentum, at steps as large as Adam's (arXiv 2502.16982); everything
    /// else by [`Adamw`](Self::Adamw).
    Muon,
}

/// The optimiser of dense weights.
#[derive(Debug)]
pub struct Optimiser {
    slots: Vec<Slot>,
    rule: Rule,
    betas: [f64; 2],
    n_steps: i32,
}

/// A parameter with what is remembered of its gradients.
#[derive(Debug)]
struct Slot {
    param: Var,
    moments: Moments,
}

/// What is remembered of the gradients of a parameter.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// Their running mean, or their momentum.
    pub(crate) mean: Tensor,
    /// The running mean of their squares, where the rule needs it.
    pub(crate) mean_square: Option<Tensor>,
}

/// How far to go in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stride {
    /// Step size.
    pub learning_rate: f64,
    /// Share of a weight that a unit learning rate removes.
    pub weight_decay: f64,
    /// Factor of the gradients.
    pub gradient_scale: f64,
}

impl Optimiser {
    /// An optimiser of `params`, by name, that has not seen a gradient.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the moments.
    pub fn new<'a>(
        params: impl IntoIterator<Item = (&'a str, &'a Var)>,
        config: &TrainConfig,
    ) -> Result<Self> {
        let fresh = |_: &str, param: &Var, needs_square: bool| {
            let mean_square = if needs_square { Some(param.zeros_like()?) } else { None };
            Ok(Moments { mean: param.zeros_like()?, mean_square })
        };
        Self::remembering(params, config, 0, fresh)
    }

    /// An optimiser that has made `n_steps` steps. `moments` is given each
    /// parameter, and whether its rule needs the mean square.
    pub(crate) fn remembering<'a, E>(
        params: impl IntoIterator<Item = (&'a str, &'a Var)>,
        config: &TrainConfig,
        n_steps: i32,
        mut moments: impl FnMut(&str, &Var, bool) -> std::result::Result<Moments, E>,
    ) -> std::result::Result<Self, E> {
        let rule = config.optimiser;
        let slot = |(name, param): (&str, &Var)| {
            let needs_square = rule != Rule::Muon || !is_orthogonal(name, param);
            let moments = moments(name, param, needs_square)?;
            Ok(Slot { param: param.clone(), moments })
        };
        let slots = params.into_iter().map(slot).collect::<std::result::Result<_, E>>()?;
        Ok(Self { slots, rule, betas: [config.beta1, config.beta2], n_steps })
    }

    /// Steps so far.
    pub(crate) fn n_steps(&self) -> i32 {
        self.n_steps
    }

    /// What is remembered of each parameter, in the order they were given.
    pub(crate) fn moments(&self) -> impl Iterator<Item = &Moments> {
        self.slots.iter().map(|slot| &slot.moments)
    }

    /// The length of all gradients together.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn gradient_norm(&self, grads: &GradStore) -> Result<f64> {
        let mut sum = 0.0;
        for grad in self.slots.iter().filter_map(|slot| grads.get(&slot.param)) {
            sum += sum_of_squares(grad)?;
        }
        Ok(sum.sqrt())
    }

    /// Moves every parameter that has a gradient.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn step(&mut self, grads: &GradStore, stride: Stride) -> Result<()> {
        self.n_steps += 1;
        let step = adam::step(self.rule, self.betas, self.n_steps, stride);
        for Slot { param, moments: Moments { mean, mean_square } } in &mut self.slots {
            let Some(grad) = grads.get(param) else { continue };
            match mean_square {
                Some(mean_square) => adam(param, mean, mean_square, &grad.detach(), step)?,
                None => muon::step(param, mean, &grad.detach(), stride)?,
            }
        }
        Ok(())
    }
}

/// Whether Muon moves a parameter itself.
fn is_orthogonal(name: &str, param: &Var) -> bool {
    names::is_in_module(name) && param.rank() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    const STRIDE: Stride = Stride { learning_rate: 0.1, weight_decay: 1.0, gradient_scale: 1.0 };

    #[test]
    fn a_parameter_without_gradient_stays() -> Result<()> {
        for optimiser in [Rule::AdamAtan2, Rule::Adamw, Rule::Muon] {
            let (moved, still) = (Var::new(1f32, &Device::Cpu)?, Var::new(1f32, &Device::Cpu)?);
            let config = TrainConfig { optimiser, ..TrainConfig::paper() };
            let mut optimiser = Optimiser::new([("moved", &moved), ("still", &still)], &config)?;
            optimiser.step(&moved.sqr()?.backward()?, STRIDE)?;
            assert_ne!(moved.to_scalar::<f32>()?, 1.0);
            assert_eq!(still.to_scalar::<f32>()?, 1.0);
        }
        Ok(())
    }

    #[test]
    fn the_norm_is_that_of_all_gradients_together() -> Result<()> {
        let params = [Var::new(&[1f32, 2.], &Device::Cpu)?, Var::new(3f32, &Device::Cpu)?];
        let named = [("a", &params[0]), ("b", &params[1])];
        let optimiser = Optimiser::new(named, &TrainConfig::paper())?;
        // The gradient of half the squared length is the point itself.
        let half = ((params[0].sqr()?.sum_all()? + params[1].sqr()?)? * 0.5)?;
        let norm = optimiser.gradient_norm(&half.backward()?)?;
        assert!((norm - 14f64.sqrt()).abs() < 1e-6, "{norm}");
        Ok(())
    }

    #[test]
    fn muon_takes_the_matrices_of_blocks() -> Result<()> {
        let matrix = Var::zeros((2, 3), candle_core::DType::F32, &Device::Cpu)?;
        let vector = Var::zeros(3, candle_core::DType::F32, &Device::Cpu)?;
        let in_block = format!("{}.w", names::layer(names::L_MODULE, 0));
        assert!(is_orthogonal(&in_block, &matrix));
        assert!(!is_orthogonal(&in_block, &vector));
        assert!(!is_orthogonal(names::LM_HEAD, &matrix));
        Ok(())
    }
}
