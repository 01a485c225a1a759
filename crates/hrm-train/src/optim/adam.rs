//! Both rules of Adam.
//!
//! ```text
//! m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   r = sqrt(v / (1 - b2^t))
//! p <- p (1 - lr wd) - lr / (1 - b1^t) atan2(m, r)          adam-atan2
//! p <- p (1 - lr wd) - lr / (1 - b1^t) m / (r + epsilon)    adamw
//! ```
//!
//! With the arc tangent there is no epsilon, and the step does not depend on the
//! scale of the gradient. As in the authors' optimiser the first bias correction
//! scales the step, outside the arc tangent.

use hrm_kernels::{AdamRatio, AdamStep};

use super::{Rule, Stride};

/// Added to the root mean square, in units of the gradient.
const EPSILON: f64 = 1e-8;

/// The numbers of optimiser step `t`, counted from 1.
pub(super) fn step(rule: Rule, [beta1, beta2]: [f64; 2], t: i32, stride: Stride) -> AdamStep {
    let Stride { learning_rate, weight_decay, gradient_scale } = stride;
    AdamStep {
        beta1,
        beta2,
        gradient_scale,
        ratio: match rule {
            Rule::AdamAtan2 => AdamRatio::Atan2,
            Rule::Adamw | Rule::Muon => AdamRatio::Quotient { epsilon: EPSILON },
        },
        step_size: learning_rate / (1.0 - beta1.powi(t)),
        param_scale: 1.0 - learning_rate * weight_decay,
        root_correction: (1.0 - beta2.powi(t)).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainConfig;
    use crate::optim::Optimiser;
    use candle_core::{Device, Result, Tensor, Var};

    /// One parameter under the gradients given, by the formula in f64.
    fn by_hand(rule: Rule, mut p: f64, grads: &[f64], stride: Stride) -> f64 {
        let (b1, b2) = (0.9, 0.95);
        let (mut m, mut v) = (0.0, 0.0);
        let Stride { learning_rate, weight_decay, gradient_scale } = stride;
        for (t, g) in (1..).zip(grads) {
            let g = g * gradient_scale;
            m = b1 * m + (1.0 - b1) * g;
            v = b2 * v + (1.0 - b2) * g * g;
            let root = (v / (1.0 - f64::powi(b2, t))).sqrt();
            let ratio = match rule {
                Rule::AdamAtan2 => f64::atan2(m, root),
                Rule::Adamw | Rule::Muon => m / (root + 1e-8),
            };
            let size = learning_rate / (1.0 - f64::powi(b1, t));
            p = p * (1.0 - learning_rate * weight_decay) - size * ratio;
        }
        p
    }

    #[test]
    fn steps_follow_the_formula() -> Result<()> {
        let slopes = [2.0f64, -3e-9, 0.0, 1e6];
        let stride = Stride { learning_rate: 0.01, weight_decay: 0.1, gradient_scale: 0.25 };
        for rule in [Rule::AdamAtan2, Rule::Adamw, Rule::Muon] {
            let param = Var::new(&[0.5f32, -1.0, 0.25, 2.0], &Device::Cpu)?;
            let config = TrainConfig { optimiser: rule, ..TrainConfig::paper() };
            let mut optimiser = Optimiser::new([("p", &param)], &config)?;
            let slope = Tensor::new(slopes.map(|s| s as f32).as_slice(), &Device::Cpu)?;
            for _ in 0..5 {
                let grads = (param.as_tensor() * &slope)?.sum_all()?.backward()?;
                optimiser.step(&grads, stride)?;
            }
            let found = param.to_vec1::<f32>()?;
            let starts = [0.5, -1.0, 0.25, 2.0];
            for ((found, start), slope) in found.into_iter().zip(starts).zip(slopes) {
                let want = by_hand(rule, start, &[slope; 5], stride);
                assert!((f64::from(found) - want).abs() < 1e-6, "{rule:?}: {found} is not {want}");
            }
        }
        Ok(())
    }
}
