//! Softmax over the last axis.

use candle_core::{D, Result, Tensor};

use crate::accumulator::accumulator;

/// `exp(x) / sum(exp(x))` over the last axis; shape and dtype are preserved.
///
/// # Errors
///
/// If the last axis is empty.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    let dtype = x.dtype();
    let x = x.to_dtype(accumulator(dtype))?;
    // Subtracting a constant changes neither the value nor the gradient, so no
    // gradient has to flow through the maximum.
    let max = x.detach().max_keepdim(D::Minus1)?;
    let exp = x.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp, ramp64, value_and_grad};

    /// Lengths on both sides of common block sizes.
    const EDGE_LENGTHS: &[usize] = &[1, 2, 7, 8, 9, 63, 64, 65, 511, 512, 513];

    #[test]
    fn gradient_matches_finite_differences() -> Result<()> {
        check_gradient("x", &ramp64((3, 9))?, softmax);
        Ok(())
    }

    #[test]
    fn f32_agrees_with_f64_in_value_and_gradient() -> Result<()> {
        let shapes = EDGE_LENGTHS.iter().map(|len| (3, *len)).chain([(40, 901)]);
        for shape in shapes {
            let x = (ramp64(shape)? * 4.0)?;
            let (expected_y, expected_dx) = value_and_grad(&x, softmax)?;
            let (y, dx) = value_and_grad(&x.to_dtype(candle_core::DType::F32)?, softmax)?;
            assert_close("y", &y, &expected_y, Tol::F32_KERNEL);
            assert_close("dx", &dx, &expected_dx, Tol::F32_KERNEL);
        }
        Ok(())
    }

    #[test]
    fn a_transposed_view_gives_the_same_as_a_contiguous_copy() -> Result<()> {
        let x = ramp((5, 7))?;
        let (y, dx) = value_and_grad(&x, |x| softmax(&x.t()?))?;
        let (expected_y, expected_dx) = value_and_grad(&x, |x| softmax(&x.t()?.contiguous()?))?;
        assert_close("y", &y, &expected_y, Tol::F32_KERNEL);
        assert_close("dx", &dx, &expected_dx, Tol::F32_KERNEL);
        Ok(())
    }

    #[test]
    fn results_sum_to_one() -> Result<()> {
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

    #[test]
    fn an_empty_axis_is_an_error() -> Result<()> {
        assert!(softmax(&ramp((3, 0))?).is_err());
        Ok(())
    }
}
