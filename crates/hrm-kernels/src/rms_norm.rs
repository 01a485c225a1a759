//! Root-mean-square normalisation, without a learned gain.
//!
//! ```text
//! y = x / rms,   rms = sqrt(mean(x^2) + eps),   mean over the last axis
//! ```
//!
//! Means are computed in f32 or wider, whatever the input dtype.

use candle_core::{D, Result, Tensor};

use crate::accumulator::accumulator;

/// Normalises `[.., D]` over its last axis; shape and dtype are preserved.
///
/// # Errors
///
/// If the backend fails.
pub(crate) fn rms_norm(x: &Tensor, eps: f64) -> Result<Tensor> {
    let dtype = x.dtype();
    let x = x.to_dtype(accumulator(dtype))?;
    let rms = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    x.broadcast_div(&rms)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use hrm_testkit::{check_gradient, ramp64};
    use proptest::prelude::*;

    #[test]
    fn gradient_matches_finite_differences() -> Result<()> {
        for shape in [(1, 1), (3, 7), (2, 64)] {
            check_gradient("x", &ramp64(shape)?, |x| rms_norm(x, 1e-5));
        }
        Ok(())
    }

    #[test]
    fn half_precision_is_normalised_in_single_precision() -> Result<()> {
        // 300^2 overflows f16's largest value, 65504.
        let x = Tensor::full(300f32, (1, 4), &candle_core::Device::Cpu)?.to_dtype(DType::F16)?;
        let y = rms_norm(&x, 1e-5)?;
        assert_eq!(y.dtype(), DType::F16);
        assert_eq!(y.to_dtype(DType::F32)?.to_vec2::<f32>()?, [[1.0; 4]]);
        Ok(())
    }

    proptest! {
        #[test]
        fn normalised_vectors_have_unit_rms(x in prop::collection::vec(-8f32..8.0, 1..200)) {
            let mean_square = |x: &[f32]| x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
            // Vectors close to zero are dominated by eps, by design.
            prop_assume!(mean_square(&x) > 1e-2);
            let x = Tensor::new(x, &candle_core::Device::Cpu).unwrap();
            let y = rms_norm(&x, 1e-6).unwrap().to_vec1::<f32>().unwrap();
            let rms = mean_square(&y).sqrt();
            prop_assert!((rms - 1.0).abs() < 1e-3, "rms {rms}");
        }
    }
}
