//! A running average of a tensor that changes.
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::blend): tensor operations, for any device.
//! 2. [`blend`]: one pass over contiguous f32 on the CPU; anything else takes
//!    the reference.

use candle_core::{DType, Result, Tensor, Var};
use rayon::prelude::*;

use crate::cpu::profile::{Part, section};
use crate::cpu::{Arith, Path, Scheme, with_arith};
use crate::element::{is_plain, lend, with_values};

/// Moves `average` towards `value` of the same shape, in place:
/// `a <- kept a + (1 - kept) v`.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn blend(average: &Var, value: &Tensor, kept: f64) -> Result<()> {
    if average.dims() != value.dims() {
        let (average, value) = (average.dims(), value.dims());
        candle_core::bail!("an average of shape {average:?} meets a tensor of {value:?}");
    }
    match Scheme::of(DType::F32, Path::current()?) {
        Some(scheme) if is_plain(average.as_tensor()) && is_plain(value) => {
            lend("blend", average.as_tensor(), |a| {
                with_values("blend", value, |v| {
                    with_arith!(scheme, A => blend_all::<A>(a, v, kept));
                    Ok(())
                })
            })
        }
        _ => reference(average, value, kept),
    }
}

/// [`blend`](crate::blend) as tensor operations.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn reference(average: &Var, value: &Tensor, kept: f64) -> Result<()> {
    average.set(&((average.as_detached_tensor() * kept)? + (value * (1.0 - kept))?)?)
}

/// Elements that a thread takes at a time.
const N_ELEMENTS_PER_TASK: usize = 1 << 16;

fn blend_all<A: Arith>(average: &mut [f32], value: &[f32], kept: f64) {
    let (kept, taken) = (kept as f32, (1.0 - kept) as f32);
    average
        .par_chunks_mut(N_ELEMENTS_PER_TASK)
        .zip(value.par_chunks(N_ELEMENTS_PER_TASK))
        .for_each(|(average, value)| {
            let _averaging = section(Part::Optimiser);
            A::vectorized(
                #[inline(always)]
                || {
                    for (a, v) in average.iter_mut().zip(value) {
                        *a = A::fma(kept, *a, taken * v);
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
    fn an_average_approaches_what_stays() -> Result<()> {
        let (average, value) = (Var::new(0f32, &Device::Cpu)?, Tensor::new(8f32, &Device::Cpu)?);
        for want in [4f32, 6., 7.] {
            blend(&average, &value, 0.5)?;
            assert_eq!(average.to_scalar::<f32>()?, want);
        }
        assert!(blend(&average, &Tensor::new(&[1f32], &Device::Cpu)?, 0.5).is_err());
        Ok(())
    }
}
