//! The losses of a segment: what each cell should hold, and whether to halt.
//!
//! Both are computed in f64. Logits are few and a loss is summed over many
//! cells; the published code does the same for stablemax.

use candle_core::{D, DType, Result, Tensor};

/// Label of a cell that carries no loss, as in the published code.
pub const IGNORED: i64 = -100;

/// Cross-entropy of each cell under *stablemax*, a softmax with linear tails:
///
/// ```text
/// p_i = s(x_i) / sum s(x),   s(x) = x + 1 for x >= 0,   1 / (1 - x) below
/// ```
///
/// `logits: [B, S, V]` of any float dtype, `labels: [B, S]` i64; gives
/// `[B, S]` f64 with 0 where the label is [`IGNORED`].
///
/// # Errors
///
/// If the shapes do not fit or a label is outside the vocabulary.
pub fn stablemax_cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let s = stablemax_scores(&logits.to_dtype(DType::F64)?)?;
    let log_p = s.broadcast_div(&s.sum_keepdim(D::Minus1)?)?.log()?;

    let asked = labels.ne(IGNORED)?;
    let in_range = asked.where_cond(labels, &labels.zeros_like()?)?;
    let picked = log_p.gather(&in_range.unsqueeze(D::Minus1)?, D::Minus1)?.squeeze(D::Minus1)?;
    picked.neg()? * asked.to_dtype(DType::F64)?
}

/// `s(x)` of [`stablemax_cross_entropy`], elementwise.
fn stablemax_scores(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?;
    let positive = x.ge(&zeros)?;
    // The lower branch is evaluated on negative values only: at x = 1 its pole
    // would turn the zero gradient of the unused branch into NaN.
    let below = positive.where_cond(&zeros, x)?;
    positive.where_cond(&(x + 1.0)?, &(1.0 - below)?.recip()?)
}

/// Binary cross-entropy of `sigmoid(logits)` against targets in `0..=1`,
/// elementwise, f64. No gradient flows to `targets`.
///
/// # Errors
///
/// If the shapes differ.
pub fn binary_cross_entropy_with_logits(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let logits = logits.to_dtype(DType::F64)?;
    let targets = targets.detach().to_dtype(DType::F64)?;
    // -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) = log(1 + e^x) - t x,
    // with the larger of the two exponents taken out as a constant.
    let max = logits.detach().relu()?;
    let one_plus_exp = ((&logits - &max)?.exp()? + max.neg()?.exp()?)?;
    (one_plus_exp.log()? + max)? - (targets * logits)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{check_gradient, ramp, ramp64};

    fn labels() -> Result<Tensor> {
        Tensor::new(&[[0i64, 4, IGNORED], [2, IGNORED, 1]], &Device::Cpu)
    }

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let labels = labels()?;
        check_gradient("logits", &(ramp64((2, 3, 5))? * 3.0)?, |x| {
            stablemax_cross_entropy(x, &labels)
        });
        let targets = Tensor::new(&[0f64, 1., 0.3, 0.9], &Device::Cpu)?;
        let logits = Tensor::new(&[3f64, -2., 0., 0.4], &Device::Cpu)?;
        check_gradient("q", &logits, |x| binary_cross_entropy_with_logits(x, &targets));
        Ok(())
    }

    #[test]
    fn gradient_at_the_seam_and_at_the_pole_is_finite() -> Result<()> {
        // The two branches of stablemax meet at 0 with slope 1, and the lower
        // one has its pole at 1.
        let logits = candle_core::Var::new(&[[[0f64, 1., -1.]]], &Device::Cpu)?;
        let labels = Tensor::new(&[[0i64]], &Device::Cpu)?;
        let loss = stablemax_cross_entropy(logits.as_tensor(), &labels)?.sum_all()?;
        let grads = loss.backward()?;
        let found =
            grads.get(&logits).expect("logits are tracked").flatten_all()?.to_vec1::<f64>()?;
        // s = [1, 2, 0.5], s' = [1, 1, 0.25], loss = -log(s_0 / 3.5).
        let want = [1.0 / 3.5 - 1.0, 1.0 / 3.5, 0.25 / 3.5];
        for (found, want) in found.iter().zip(want) {
            assert!((found - want).abs() < 1e-12, "{found} is not {want}");
        }
        Ok(())
    }

    #[test]
    fn ignored_cells_carry_no_loss_and_no_gradient() -> Result<()> {
        let logits = candle_core::Var::from_tensor(&ramp((2, 3, 5))?)?;
        let loss = stablemax_cross_entropy(logits.as_tensor(), &labels()?)?;
        let cells = loss.to_vec2::<f64>()?;
        assert_eq!([cells[0][2], cells[1][1]], [0.0, 0.0]);
        let grads = loss.sum_all()?.backward()?;
        let grad = grads.get(&logits).expect("logits are tracked").to_vec3::<f32>()?;
        assert!(grad[0][2].iter().chain(&grad[1][1]).all(|g| *g == 0.0));
        assert!(grad[0][0].iter().all(|g| *g != 0.0));
        Ok(())
    }

    #[test]
    fn extreme_halting_logits_stay_finite() -> Result<()> {
        let logits = Tensor::new(&[800f64, -800., 800., -800.], &Device::Cpu)?;
        let targets = Tensor::new(&[1f64, 0., 0., 1.], &Device::Cpu)?;
        let loss = binary_cross_entropy_with_logits(&logits, &targets)?.to_vec1::<f64>()?;
        assert_eq!(loss, [0.0, 0.0, 800.0, 800.0]);
        Ok(())
    }

    #[test]
    fn a_label_outside_the_vocabulary_is_refused() -> Result<()> {
        let labels = Tensor::new(&[[5i64]], &Device::Cpu)?;
        assert!(stablemax_cross_entropy(&ramp((1, 1, 5))?, &labels).is_err());
        Ok(())
    }
}
