//! The squared norm of a tensor.
//!
//! Versions, by increasing speed:
//! 1. [`reference`]: tensor operations, for any device.
//! 2. [`sum_of_squares`]: one pass over contiguous f32 on the CPU; anything else
//!    takes the reference.

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use crate::cpu::profile::{Part, section};
use crate::storage::{is_plain_f32, with_values};

/// The sum of the squares of all elements, in f64. The result does not depend on the
/// number of threads.
///
/// # Errors
///
/// If the backend fails.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    if is_plain_f32(x) {
        with_values("sum_of_squares", x, |values| Ok(sum_all(values)))
    } else {
        reference(x)
    }
}

/// [`sum_of_squares`] as tensor operations.
fn reference(x: &Tensor) -> Result<f64> {
    x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar()
}

/// Elements per task of a thread.
const N_ELEMENTS_PER_TASK: usize = 1 << 16;

/// Independent partial sums, so that an addition need not wait for the previous one.
const N_LANES: usize = 16;

fn sum_all(values: &[f32]) -> f64 {
    let sum_of_task = |values: &[f32]| {
        let _summing = section(Part::Optimiser);
        let mut sums = [0f64; N_LANES];
        let whole = values.chunks_exact(N_LANES);
        let rest = whole.remainder();
        for values in whole {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += f64::from(*value).powi(2);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>()
    };
    // Collected in order, because floating-point sums depend on it.
    let sums: Vec<f64> = values.par_chunks(N_ELEMENTS_PER_TASK).map(sum_of_task).collect();
    sums.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::ramp;

    #[test]
    fn fused_agrees_with_reference() -> Result<()> {
        for len in [1, 17, 2 * N_ELEMENTS_PER_TASK + 3] {
            let x = ramp(len)?;
            let (found, expected) = (sum_of_squares(&x)?, reference(&x)?);
            let error = (found - expected).abs();
            assert!(error <= 1e-12 * expected, "found {found}, expected {expected}");
        }
        Ok(())
    }

    #[test]
    fn nan_and_infinity_are_detected() -> Result<()> {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let x = Tensor::new(&[1.0, bad, 2.0], &Device::Cpu)?;
            assert!(!sum_of_squares(&x)?.is_finite());
        }
        // Squares of finite elements do not overflow.
        assert!(sum_of_squares(&Tensor::new(&[f32::MAX; 3], &Device::Cpu)?)?.is_finite());
        Ok(())
    }
}
