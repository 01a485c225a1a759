//! The optimiser of dense weights.

use candle_core::backprop::GradStore;
use candle_core::{Error, Result, Tensor, Var};
use hrm_core::names;
use hrm_kernels::{adam, sum_of_squares};

use super::step_size::StepSize;
use super::{adam, muon};
use crate::config::{OptimiserConfig, OptimiserKind};

/// The optimiser of dense weights: Adam-atan2, AdamW or Muon.
///
/// As a [`candle_nn::Optimizer`] it applies the learning rate, weight decay and
/// clipping of its config. The trainer, which schedules the learning rate and has
/// computed the gradient norm, passes a [`StepSize`] to [`step_by`](Self::step_by)
/// instead.
#[derive(Debug)]
pub struct Optimiser {
    params: Vec<Param>,
    config: OptimiserConfig,
    n_steps: i32,
}

/// A parameter with its moments.
#[derive(Debug)]
struct Param {
    var: Var,
    moments: Moments,
}

/// The running averages of a parameter's gradients.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// Running mean of the gradients; for Muon, their momentum.
    pub(crate) mean: Tensor,
    /// Running mean of the squared gradients. Absent for parameters that Muon moves
    /// along orthogonal matrices.
    pub(crate) mean_square: Option<Tensor>,
}

impl Moments {
    fn zero(param: &Var, needs_square: bool) -> Result<Self> {
        let mean_square = if needs_square { Some(param.zeros_like()?) } else { None };
        Ok(Self { mean: param.zeros_like()?, mean_square })
    }
}

impl Optimiser {
    /// An optimiser of the parameters of an HRM, by name, before its first step.
    /// Muon moves the matrices of the blocks along orthogonal matrices.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the moments.
    pub fn named<'a>(
        params: impl IntoIterator<Item = (&'a str, &'a Var)>,
        config: &OptimiserConfig,
    ) -> Result<Self> {
        Self::restored(params, config, 0, |_, var, needs_square| Moments::zero(var, needs_square))
    }

    /// An optimiser of the parameters of an HRM after `n_steps` steps. `moments`
    /// returns the moments of a parameter, given its name, the parameter, and whether
    /// the mean square is needed.
    pub(crate) fn restored<'a, E>(
        params: impl IntoIterator<Item = (&'a str, &'a Var)>,
        config: &OptimiserConfig,
        n_steps: i32,
        mut moments: impl FnMut(&str, &Var, bool) -> std::result::Result<Moments, E>,
    ) -> std::result::Result<Self, E> {
        let param = |(name, var): (&str, &Var)| {
            let is_orthogonal = names::is_in_module(name) && is_orthogonal(config, var);
            Ok(Param { var: var.clone(), moments: moments(name, var, !is_orthogonal)? })
        };
        let params = params.into_iter().map(param).collect::<std::result::Result<_, E>>()?;
        Ok(Self { params, config: config.clone(), n_steps })
    }

    /// Steps so far.
    pub(crate) fn n_steps(&self) -> i32 {
        self.n_steps
    }

    /// The moments of each parameter, in the order of the parameters.
    pub(crate) fn moments(&self) -> impl Iterator<Item = &Moments> {
        self.params.iter().map(|param| &param.moments)
    }

    /// The norm of all gradients together.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn gradient_norm(&self, grads: &GradStore) -> Result<f64> {
        let mut sum = 0.0;
        for grad in self.params.iter().filter_map(|param| grads.get(&param.var)) {
            sum += sum_of_squares(grad)?;
        }
        Ok(sum.sqrt())
    }

    /// Moves every parameter that has a gradient by one step of size `size`.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn step_by(&mut self, grads: &GradStore, size: StepSize) -> Result<()> {
        self.n_steps += 1;
        let betas = [self.config.beta1, self.config.beta2];
        let step = adam::step(self.config.kind, betas, self.n_steps, size);
        for Param { var, moments: Moments { mean, mean_square } } in &mut self.params {
            let Some(grad) = grads.get(var) else { continue };
            match mean_square {
                Some(mean_square) => adam(var, mean, mean_square, &grad.detach(), step)?,
                None => muon::step(var, mean, &grad.detach(), size)?,
            }
        }
        Ok(())
    }
}

impl candle_nn::Optimizer for Optimiser {
    type Config = OptimiserConfig;

    /// An optimiser of `vars`. Variables that are not floats are left unchanged.
    /// Without names, Muon moves every matrix along orthogonal matrices: use another
    /// optimiser for embeddings and heads.
    ///
    /// # Errors
    ///
    /// If a setting is out of range, if `ema` is not 0 (only the trainer keeps an
    /// average of the weights), or if a device cannot hold the moments.
    fn new(vars: Vec<Var>, config: OptimiserConfig) -> Result<Self> {
        config.check().map_err(Error::wrap)?;
        if config.ema != 0.0 {
            candle_core::bail!("`ema` must be 0 outside a trainer, found {}", config.ema);
        }
        let param = |var: Var| {
            let moments = Moments::zero(&var, !is_orthogonal(&config, &var))?;
            Ok(Param { var, moments })
        };
        let floats = vars.into_iter().filter(|var| var.dtype().is_float());
        let params = floats.map(param).collect::<Result<_>>()?;
        Ok(Self { params, config, n_steps: 0 })
    }

    fn step(&mut self, grads: &GradStore) -> Result<()> {
        let is_clipping = self.config.clip_norm > 0.0;
        let norm = if is_clipping { self.gradient_norm(grads)? } else { 0.0 };
        self.step_by(grads, StepSize::new(&self.config, 1.0, norm))
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.config.learning_rate = lr;
    }
}

/// Whether Muon moves a parameter of a block along orthogonal matrices.
fn is_orthogonal(config: &OptimiserConfig, param: &Var) -> bool {
    config.kind == OptimiserKind::Muon && param.rank() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use candle_nn::Optimizer;

    const KINDS: [OptimiserKind; 3] =
        [OptimiserKind::AdamAtan2, OptimiserKind::Adamw, OptimiserKind::Muon];

    const SIZE: StepSize = StepSize { learning_rate: 0.1, weight_decay: 1.0, gradient_scale: 1.0 };

    fn of_kind(kind: OptimiserKind) -> OptimiserConfig {
        OptimiserConfig { kind, ..OptimiserConfig::default() }
    }

    /// One parameter after a step along each of `grads`, by the formula in f64.
    fn by_hand(kind: OptimiserKind, mut p: f64, grads: &[f64], size: StepSize) -> f64 {
        let (b1, b2) = (0.9, 0.95);
        let (mut m, mut v) = (0.0, 0.0);
        let StepSize { learning_rate, weight_decay, gradient_scale } = size;
        for (t, g) in (1..).zip(grads) {
            let g = g * gradient_scale;
            m = b1 * m + (1.0 - b1) * g;
            v = b2 * v + (1.0 - b2) * g * g;
            let root = (v / (1.0 - f64::powi(b2, t))).sqrt();
            let ratio = match kind {
                OptimiserKind::AdamAtan2 => f64::atan2(m, root),
                OptimiserKind::Adamw | OptimiserKind::Muon => m / (root + 1e-8),
            };
            let size = learning_rate / (1.0 - f64::powi(b1, t));
            p = p * (1.0 - learning_rate * weight_decay) - size * ratio;
        }
        p
    }

    /// Gradients and first values of a parameter of four elements.
    const SLOPES: [f64; 4] = [2.0, -3e-9, 0.0, 1e6];
    const STARTS: [f64; 4] = [0.5, -1.0, 0.25, 2.0];

    /// A parameter at [`STARTS`], and a function whose gradient is [`SLOPES`].
    fn param_and_loss() -> Result<(Var, impl Fn() -> Result<Tensor>)> {
        let param = Var::new(STARTS.map(|start| start as f32).as_slice(), &Device::Cpu)?;
        let slopes = Tensor::new(SLOPES.map(|slope| slope as f32).as_slice(), &Device::Cpu)?;
        let var = param.clone();
        Ok((param, move || (var.as_tensor() * &slopes)?.sum_all()))
    }

    fn assert_moved(param: &Var, kind: OptimiserKind, n_steps: usize, size: StepSize) {
        let found = param.to_vec1::<f32>().unwrap();
        for ((found, start), slope) in found.into_iter().zip(STARTS).zip(SLOPES) {
            let want = by_hand(kind, start, &vec![slope; n_steps], size);
            assert!(
                (f64::from(found) - want).abs() < 1e-6,
                "{kind:?}: found {found}, expected {want}"
            );
        }
    }

    #[test]
    fn steps_follow_the_formula() -> Result<()> {
        let size = StepSize { learning_rate: 0.01, weight_decay: 0.1, gradient_scale: 0.25 };
        for kind in KINDS {
            let (param, loss) = param_and_loss()?;
            let mut optimiser = Optimiser::named([("p", &param)], &of_kind(kind))?;
            for _ in 0..5 {
                optimiser.step_by(&loss()?.backward()?, size)?;
            }
            assert_moved(&param, kind, 5, size);
        }
        Ok(())
    }

    #[test]
    fn candle_steps_follow_the_formula() -> Result<()> {
        for (kind, clip_norm) in KINDS.into_iter().flat_map(|kind| [(kind, 0.0), (kind, 10.0)]) {
            let (param, loss) = param_and_loss()?;
            let config = OptimiserConfig {
                learning_rate: 0.01,
                weight_decay: 0.1,
                clip_norm,
                ..of_kind(kind)
            };
            let mut optimiser = Optimiser::new(vec![param.clone()], config)?;
            for _ in 0..5 {
                optimiser.backward_step(&loss()?)?;
            }
            let norm = SLOPES.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
            let gradient_scale = if clip_norm > 0.0 { clip_norm / norm } else { 1.0 };
            let size = StepSize { learning_rate: 0.01, weight_decay: 0.1, gradient_scale };
            assert_moved(&param, kind, 5, size);
        }
        Ok(())
    }

    #[test]
    fn candle_learning_rates_can_be_changed() -> Result<()> {
        let (param, loss) = param_and_loss()?;
        let mut optimiser = Optimiser::from_slice(&[&param], OptimiserConfig::default())?;
        assert_eq!(optimiser.learning_rate(), 7e-5);
        optimiser.set_learning_rate(0.0);
        optimiser.backward_step(&loss()?)?;
        assert_moved(&param, OptimiserKind::AdamAtan2, 0, SIZE);
        optimiser.set_learning_rate(0.5);
        assert_eq!(optimiser.learning_rate(), 0.5);
        optimiser.backward_step(&loss()?)?;
        assert_ne!(param.to_vec1::<f32>()?[0], 0.5);
        Ok(())
    }

    #[test]
    fn the_candle_interface_accepts_mixed_dtypes_and_shapes() -> Result<()> {
        for kind in KINDS {
            let device = &Device::Cpu;
            let floats = [
                Var::zeros((3, 2), DType::F32, device)?,
                Var::zeros((2, 3), DType::F64, device)?,
                Var::zeros((2, 2, 2), DType::F32, device)?,
                Var::zeros((), DType::F32, device)?,
            ];
            let ids = Var::zeros(2, DType::U32, device)?;
            let vars = floats.iter().chain([&ids]).cloned().collect();
            let config = OptimiserConfig { learning_rate: 0.1, weight_decay: 0.0, ..of_kind(kind) };
            let mut optimiser = Optimiser::new(vars, config)?;
            let distance = || {
                let squared = |var: &Var| {
                    let apart = (var.as_tensor() - 1.0)?.to_dtype(DType::F64)?;
                    apart.sqr()?.sum_all()
                };
                let all: Vec<_> = floats.iter().map(squared).collect::<Result<_>>()?;
                Tensor::stack(&all, 0)?.sum_all()
            };
            let before = distance()?.to_scalar::<f64>()?;
            for _ in 0..5 {
                optimiser.backward_step(&distance()?)?;
            }
            let after = distance()?.to_scalar::<f64>()?;
            assert!(after < 0.7 * before, "{kind:?}: from {before} to {after}");
        }
        Ok(())
    }

    #[test]
    fn settings_out_of_range_are_rejected() {
        let message = |config| Optimiser::new(Vec::new(), config).unwrap_err().to_string();
        let wrong = OptimiserConfig { beta1: 2.0, ..OptimiserConfig::default() };
        let text = message(wrong);
        assert!(text.contains("optimiser.beta1 must be in 0..=0.9999, found 2"), "{text}");
        let average = OptimiserConfig { ema: 0.9, ..OptimiserConfig::default() };
        let text = message(average);
        assert!(text.contains("`ema` must be 0"), "{text}");
    }

    #[test]
    fn a_parameter_without_gradient_is_unchanged() -> Result<()> {
        for kind in KINDS {
            let (moved, still) = (Var::new(1f32, &Device::Cpu)?, Var::new(1f32, &Device::Cpu)?);
            let named = [("moved", &moved), ("still", &still)];
            let mut optimiser = Optimiser::named(named, &of_kind(kind))?;
            optimiser.step_by(&moved.sqr()?.backward()?, SIZE)?;
            assert_ne!(moved.to_scalar::<f32>()?, 1.0);
            assert_eq!(still.to_scalar::<f32>()?, 1.0);
        }
        Ok(())
    }

    #[test]
    fn the_gradient_norm_is_that_of_all_gradients_together() -> Result<()> {
        let params = [Var::new(&[1f32, 2.], &Device::Cpu)?, Var::new(3f32, &Device::Cpu)?];
        let named = [("a", &params[0]), ("b", &params[1])];
        let optimiser = Optimiser::named(named, &OptimiserConfig::default())?;
        // The gradient of half the squared norm is the point itself.
        let half = ((params[0].sqr()?.sum_all()? + params[1].sqr()?)? * 0.5)?;
        let norm = optimiser.gradient_norm(&half.backward()?)?;
        assert!((norm - 14f64.sqrt()).abs() < 1e-6, "{norm}");
        Ok(())
    }

    #[test]
    fn muon_moves_the_matrices_of_blocks() -> Result<()> {
        let matrix = Var::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let vector = Var::zeros(3, DType::F32, &Device::Cpu)?;
        let in_block = format!("{}.w", names::layer(names::L_MODULE, 0));
        let config = of_kind(OptimiserKind::Muon);
        let named = [(in_block.as_str(), &matrix), (&in_block, &vector), (names::LM_HEAD, &matrix)];
        let by_name = Optimiser::named(named, &config)?;
        let without_names = Optimiser::new(vec![matrix.clone(), vector], config)?;
        let is_orthogonal = |optimiser: &Optimiser| -> Vec<_> {
            optimiser.moments().map(|moments| moments.mean_square.is_none()).collect()
        };
        assert_eq!(is_orthogonal(&by_name), [true, false, false]);
        assert_eq!(is_orthogonal(&without_names), [true, false]);
        Ok(())
    }
}
