//! Softmax over the last axis.

use candle_core::{D, Result, Tensor};

use crate::accumulator;

/// `exp(x) / sum(exp(x))` over the last axis; shape and dtype are preserved.
///
/// # Errors
///
/// If the backend fails.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    let dtype = x.dtype();
    let x = x.to_dtype(accumulator(dtype))?;
    // Subtracting a constant changes neither the value nor the gradient, so
    // nothing has to flow through the maximum.
    let max = x.detach().max_keepdim(D::Minus1)?;
    let exp = x.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{check_gradient, ramp, ramp64};

    /// Row lengths on both sides of the usual block sizes.
    const EDGE_LENGTHS: &[usize] = &[1, 2, 7, 8, 9, 63, 64, 65, 511, 512, 513];

    #[test]
    fn gradient_matches_finite_differences() -> Result<()> {
        check_gradient("x", &ramp64((3, 9))?, softmax);
        Ok(())
    }

    #[test]
    fn rows_sum_to_one_at_every_edge() -> Result<()> {
        for &len in EDGE_LENGTHS {
            let sums = softmax(&ramp((3, len))?)?.sum(1)?.to_vec1::<f32>()?;
            assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-5), "len {len}: {sums:?}");
        }
        Ok(())
    }

    #[test]
    fn large_logits_do_not_overflow() -> Result<()> {
        let x = Tensor::new(&[[1000f32, 999., -1000.]], &candle_core::Device::Cpu)?;
        let y = softmax(&x)?.to_vec2::<f32>()?;
        assert!((y[0][0] - 0.731_058_6).abs() < 1e-6 && y[0][2] == 0.0, "{y:?}");
        Ok(())
    }
}
