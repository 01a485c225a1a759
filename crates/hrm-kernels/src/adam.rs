//! One step of Adam, with a quotient or an arc tangent.
//!
//! ```text
//! m <- b1 m + (1 - b1) c g,   v <- b2 v + (1 - b2) (c g)^2
//! r  = sqrt(v) / root_correction
//! p <- param_scale p - step_size atan2(m, r)
//!  or  param_scale p - step_size m / (r + epsilon)
//! ```
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::adam): tensor operations, for any device.
//! 2. [`adam`]: one pass over contiguous f32 on the CPU; anything else takes
//!    the reference.

use candle_core::{DType, Result, Tensor, Var};
use rayon::prelude::*;

use crate::atan2::atan2;
use crate::cpu::profile::{Part, section};
use crate::cpu::{Isa, KernelImpl, Simd, with_simd};
use crate::storage::{is_plain_f32, with_values, with_values_mut};

/// Coefficients of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Decay of the mean gradient, `b1`.
    pub beta1: f64,
    /// Decay of the mean square, `b2`.
    pub beta2: f64,
    /// Factor of the gradient, `c`.
    pub gradient_scale: f64,
    /// How the mean gradient is scaled by its root mean square.
    pub ratio: AdamRatio,
    /// Factor of the ratio: the learning rate over the bias correction of the mean.
    pub step_size: f64,
    /// Factor of the parameter: 1 without weight decay.
    pub param_scale: f64,
    /// Bias correction of the root mean square, which is divided by it.
    pub root_correction: f64,
}

/// How a mean gradient is scaled by its root mean square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AdamRatio {
    /// `atan2(mean, root)`, which needs no epsilon.
    Atan2,
    /// `mean / (root + epsilon)`.
    Quotient {
        /// Added to the root to keep it from being 0.
        epsilon: f64,
    },
}

/// Updates `param` and its moments `mean` and `mean_square` by one step for the
/// gradient `grad`, in place. All four have the same shape.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn adam(
    param: &Var,
    mean: &mut Tensor,
    mean_square: &mut Tensor,
    grad: &Tensor,
    step: AdamStep,
) -> Result<()> {
    let all = [param.as_tensor(), mean, mean_square, grad];
    if let Some(other) = all.iter().find(|t| t.dims() != param.dims()) {
        let (param, other) = (param.dims(), other.dims());
        candle_core::bail!("adam: the parameter has shape {param:?}, another tensor {other:?}");
    }
    match KernelImpl::select(DType::F32, Isa::current()?) {
        Some(kernel) if all.into_iter().all(is_plain_f32) => {
            let slices = |p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]| {
                with_simd!(kernel, V => step_all::<V>(p, m, v, g, step));
                Ok(())
            };
            with_values_mut("adam", param.as_tensor(), |p| {
                with_values_mut("adam", mean, |m| {
                    with_values_mut("adam", mean_square, |v| {
                        with_values("adam", grad, |g| slices(p, m, v, g))
                    })
                })
            })
        }
        _ => reference(param, mean, mean_square, grad, step),
    }
}

/// [`adam`](crate::adam) as tensor operations.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn reference(
    param: &Var,
    mean: &mut Tensor,
    mean_square: &mut Tensor,
    grad: &Tensor,
    step: AdamStep,
) -> Result<()> {
    let AdamStep { beta1, beta2, gradient_scale, ratio, step_size, param_scale, root_correction } =
        step;
    let grad = (grad * gradient_scale)?;
    *mean = ((&*mean * beta1)? + (&grad * (1.0 - beta1))?)?;
    *mean_square = ((&*mean_square * beta2)? + (grad.sqr()? * (1.0 - beta2))?)?;
    let root = (mean_square.sqrt()? / root_correction)?;
    let ratio = match ratio {
        AdamRatio::Atan2 => atan2(mean, &root)?,
        AdamRatio::Quotient { epsilon } => (&*mean / (root + epsilon)?)?,
    };
    param.set(&((param.as_detached_tensor() * param_scale)? - (ratio * step_size)?)?)
}

/// Elements per task of a thread.
const N_ELEMENTS_PER_TASK: usize = 1 << 15;

fn step_all<V: Simd>(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], step: AdamStep) {
    match step.ratio {
        AdamRatio::Atan2 => step_with::<V>(p, m, v, g, step, angle::<V>),
        AdamRatio::Quotient { epsilon } => {
            let epsilon = epsilon as f32;
            step_with::<V>(
                p,
                m,
                v,
                g,
                step,
                #[inline(always)]
                |mean, root| mean / (root + epsilon),
            );
        }
    }
}

fn step_with<V: Simd>(
    p: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
    g: &[f32],
    step: AdamStep,
    ratio: impl Fn(f32, f32) -> f32 + Sync,
) {
    let AdamStep { beta1, beta2, gradient_scale, step_size, param_scale, root_correction, .. } =
        step;
    let (b1, b2) = (beta1 as f32, beta2 as f32);
    let (step_size, param_scale) = (step_size as f32, param_scale as f32);
    let (c1, c2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
    let (scale, per_root) = (gradient_scale as f32, root_correction.recip() as f32);
    p.par_chunks_mut(N_ELEMENTS_PER_TASK)
        .zip(m.par_chunks_mut(N_ELEMENTS_PER_TASK))
        .zip(v.par_chunks_mut(N_ELEMENTS_PER_TASK))
        .zip(g.par_chunks(N_ELEMENTS_PER_TASK))
        .for_each(|(((p, m), v), g)| {
            let _updating = section(Part::Optimiser);
            V::vectorized(
                #[inline(always)]
                || {
                    for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut()))
                    {
                        let g = scale * g;
                        *m = V::fma(b1, *m, c1 * g);
                        *v = V::fma(b2, *v, c2 * (g * g));
                        *p = V::fma(param_scale, *p, -step_size * ratio(*m, v.sqrt() * per_root));
                    }
                },
            );
        });
}

/// `atan2(y, x)` for `x >= 0` to about one unit in the last place.
#[inline(always)]
fn angle<V: Simd>(y: f32, x: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};
    // Reflect the angle into the first octant, then subtract pi / 4 if it is above
    // pi / 8: the tangent of the rest is at most tan(pi / 8).
    let (length, is_steep) = (y.abs(), y.abs() > x);
    let (short, long) = if is_steep { (x, length) } else { (length, x) };
    let is_far = short > 0.414_213_57 * long;
    let numerator = if is_far { short - long } else { short };
    let denominator = if is_far { short + long } else { long };
    // At the origin both are zero, and so is the angle.
    let tangent = numerator / if denominator == 0.0 { 1.0 } else { denominator };
    let square = tangent * tangent;
    // The Taylor series; the first omitted term is below 3e-8 of the sum.
    let mut series = -1.0 / 15.0;
    for term in [1.0 / 13.0, -1.0 / 11.0, 1.0 / 9.0, -1.0 / 7.0, 1.0 / 5.0, -1.0 / 3.0] {
        series = V::fma(series, square, term);
    }
    let angle = V::fma(series * square, tangent, tangent);
    let angle = if is_far { angle + FRAC_PI_4 } else { angle };
    let angle = if is_steep { FRAC_PI_2 - angle } else { angle };
    angle.copysign(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, ramp};

    const STEP: AdamStep = AdamStep {
        beta1: 0.9,
        beta2: 0.95,
        gradient_scale: 0.5,
        ratio: AdamRatio::Atan2,
        step_size: 0.01,
        param_scale: 0.999,
        root_correction: 0.4,
    };

    fn check_angles<V: Simd>() {
        let magnitudes = [0.0f32, 1e-30, 1e-12, 1e-4, 0.3, 0.41, 0.42, 1.0, 2.4, 7.0, 1e6];
        for y in magnitudes.into_iter().flat_map(|y| [y, -y]) {
            for x in magnitudes {
                let (found, expected) = (V::vectorized(|| angle::<V>(y, x)), y.atan2(x));
                let error = (found - expected).abs();
                assert!(
                    error <= 2.5e-7 * expected.abs(),
                    "atan2({y}, {x}) is {found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn angles_agree_with_the_standard_library_on_every_isa() {
        for isa in Isa::available() {
            let kernel = KernelImpl::select(DType::F32, isa).unwrap();
            with_simd!(kernel, V => check_angles::<V>());
        }
    }

    #[test]
    fn fused_agrees_with_reference_step_after_step() -> Result<()> {
        let quotient = AdamStep { ratio: AdamRatio::Quotient { epsilon: 1e-8 }, ..STEP };
        let lengths = [1, 17, N_ELEMENTS_PER_TASK + 3];
        for (len, step) in lengths.into_iter().flat_map(|len| [(len, STEP), (len, quotient)]) {
            let start = ramp(len)?;
            let params = [Var::from_tensor(&start)?, Var::from_tensor(&start)?];
            let mut moments = [(); 4].map(|()| start.zeros_like().unwrap());
            for round in 1..4 {
                let grad = (start.cos()? * (0.1 * f64::from(round)))?;
                let [m, v, expected_m, expected_v] = &mut moments;
                adam(&params[0], m, v, &grad, step)?;
                reference(&params[1], expected_m, expected_v, &grad, step)?;
            }
            assert_close("param", params[0].as_tensor(), params[1].as_tensor(), Tol::F32_KERNEL);
            assert_close("mean", &moments[0], &moments[2], Tol::F32_KERNEL);
            assert_close("mean square", &moments[1], &moments[3], Tol::F32_KERNEL);
        }
        Ok(())
    }

    #[test]
    fn tensors_of_different_shapes_are_rejected() -> Result<()> {
        let param = Var::from_tensor(&ramp(3)?)?;
        let [mut m, mut v] = [(); 2].map(|()| param.zeros_like().unwrap());
        let grad = Tensor::zeros(4, DType::F32, &Device::Cpu)?;
        assert!(adam(&param, &mut m, &mut v, &grad, STEP).is_err());
        Ok(())
    }
}
