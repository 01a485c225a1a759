//! An exponential moving average of a tensor.
//!
//! Versions, by increasing speed:
//! 1. [`reference`]: tensor operations, for any device.
//! 2. [`blend`]: one pass over contiguous f32 on the CPU; anything else takes
//!    the reference.

use candle_core::{DType, Result, Tensor, Var};
use rayon::prelude::*;

use crate::cpu::profile::{Part, section};
use crate::cpu::{Isa, KernelImpl, Simd, with_simd};
use crate::storage::{is_plain_f32, with_values, with_values_mut};

/// Moves `average` towards `value`, which has the same shape, in place:
/// `a <- decay a + (1 - decay) v`.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn blend(average: &Var, value: &Tensor, decay: f64) -> Result<()> {
    if average.dims() != value.dims() {
        let (average, value) = (average.dims(), value.dims());
        candle_core::bail!("blend: the average has shape {average:?}, the value {value:?}");
    }
    match KernelImpl::select(DType::F32, Isa::current()?) {
        Some(kernel) if is_plain_f32(average.as_tensor()) && is_plain_f32(value) => {
            with_values_mut("blend", average.as_tensor(), |a| {
                with_values("blend", value, |v| {
                    with_simd!(kernel, V => blend_all::<V>(a, v, decay));
                    Ok(())
                })
            })
        }
        _ => reference(average, value, decay),
    }
}

/// [`blend`] as tensor operations.
///
/// # Errors
///
/// If shapes or dtypes differ.
fn reference(average: &Var, value: &Tensor, decay: f64) -> Result<()> {
    average.set(&((average.as_detached_tensor() * decay)? + (value * (1.0 - decay))?)?)
}

/// Elements per task of a thread.
const N_ELEMENTS_PER_TASK: usize = 1 << 16;

fn blend_all<V: Simd>(average: &mut [f32], value: &[f32], decay: f64) {
    let (decay, share) = (decay as f32, (1.0 - decay) as f32);
    average
        .par_chunks_mut(N_ELEMENTS_PER_TASK)
        .zip(value.par_chunks(N_ELEMENTS_PER_TASK))
        .for_each(|(average, value)| {
            let _averaging = section(Part::Optimiser);
            V::vectorized(
                #[inline(always)]
                || {
                    for (a, v) in average.iter_mut().zip(value) {
                        *a = V::fma(decay, *a, share * v);
                    }
                },
            );
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, ramp};

    #[test]
    fn fused_agrees_with_reference() -> Result<()> {
        for len in [1, 17, N_ELEMENTS_PER_TASK + 3] {
            let start = ramp(len)?;
            let (fused, plain) = (Var::from_tensor(&start)?, Var::from_tensor(&start)?);
            for round in 1..4 {
                let value = (start.cos()? * f64::from(round))?;
                blend(&fused, &value, 0.9)?;
                reference(&plain, &value, 0.9)?;
            }
            assert_close("average", fused.as_tensor(), plain.as_tensor(), Tol::F32_KERNEL);
        }
        Ok(())
    }

    #[test]
    fn an_average_approaches_a_constant_value() -> Result<()> {
        let (average, value) = (Var::new(0f32, &Device::Cpu)?, Tensor::new(8f32, &Device::Cpu)?);
        for expected in [4f32, 6., 7.] {
            blend(&average, &value, 0.5)?;
            assert_eq!(average.to_scalar::<f32>()?, expected);
        }
        assert!(blend(&average, &Tensor::new(&[1f32], &Device::Cpu)?, 0.5).is_err());
        Ok(())
    }
}
