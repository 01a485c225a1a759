//! One step of Adam, with a division or with an arc tangent in its place.
//!
//! ```text
//! m <- b1 m + (1 - b1) c g,   v <- b2 v + (1 - b2) (c g)^2
//! r  = sqrt(v) / root_correction
//! p <- p kept - size atan2(m, r)    or    p kept - size m / (r + epsilon)
//! ```
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::adam): tensor operations, for any device.
//! 2. [`adam`]: one pass over contiguous f32 on the CPU; anything else takes
//!    the reference.

use candle_core::{DType, Result, Tensor, Var};
use rayon::prelude::*;

use crate::atan2;
use crate::cpu::profile::{Part, section};
use crate::cpu::{Arith, Path, Scheme, with_arith};
use crate::element::{is_plain, lend, with_values};

/// Numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Share of the mean gradient that is kept.
    pub beta1: f64,
    /// Share of the mean square that is kept.
    pub beta2: f64,
    /// Factor of the gradient, `c`.
    pub gradient_scale: f64,
    /// What the mean is set against its root mean square by.
    pub ratio: Ratio,
    /// Factor of the ratio.
    pub size: f64,
    /// Factor of the parameter itself.
    pub kept: f64,
    /// What the root of the mean square is divided by.
    pub root_correction: f64,
}

/// How a mean is set against its root mean square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ratio {
    /// By the arc tangent of both, which needs no epsilon.
    Angle,
    /// By their quotient.
    Quotient {
        /// Added to the root, so that it is never 0.
        epsilon: f64,
    },
}

/// Moves `param` and its moments `mean` and `mean_square` by one step along
/// `grad`, in place. All four have one shape.
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
        candle_core::bail!("a parameter of shape {param:?} meets a tensor of {other:?}");
    }
    match Scheme::of(DType::F32, Path::current()?) {
        Some(scheme) if all.into_iter().all(is_plain) => {
            let slices = |p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]| {
                with_arith!(scheme, A => move_all::<A>(p, m, v, g, step));
                Ok(())
            };
            lend("adam", param.as_tensor(), |p| {
                lend("adam", mean, |m| {
                    lend("adam", mean_square, |v| with_values("adam", grad, |g| slices(p, m, v, g)))
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
    let AdamStep { beta1, beta2, gradient_scale, ratio, size, kept, root_correction } = step;
    let grad = (grad * gradient_scale)?;
    *mean = ((&*mean * beta1)? + (&grad * (1.0 - beta1))?)?;
    *mean_square = ((&*mean_square * beta2)? + (grad.sqr()? * (1.0 - beta2))?)?;
    let root = (mean_square.sqrt()? / root_correction)?;
    let ratio = match ratio {
        Ratio::Angle => atan2(mean, &root)?,
        Ratio::Quotient { epsilon } => (&*mean / (root + epsilon)?)?,
    };
    param.set(&((param.as_detached_tensor() * kept)? - (ratio * size)?)?)
}

/// Elements that a thread takes at a time.
const N_ELEMENTS_PER_TASK: usize = 1 << 15;

fn move_all<A: Arith>(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], step: AdamStep) {
    match step.ratio {
        Ratio::Angle => move_by::<A>(p, m, v, g, step, angle::<A>),
        Ratio::Quotient { epsilon } => {
            let epsilon = epsilon as f32;
            move_by::<A>(
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

fn move_by<A: Arith>(
    p: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
    g: &[f32],
    step: AdamStep,
    ratio: impl Fn(f32, f32) -> f32 + Sync,
) {
    let AdamStep { beta1, beta2, gradient_scale, size, kept, root_correction, .. } = step;
    let (b1, b2, size, kept) = (beta1 as f32, beta2 as f32, size as f32, kept as f32);
    let (c1, c2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
    let (scale, per_root) = (gradient_scale as f32, root_correction.recip() as f32);
    p.par_chunks_mut(N_ELEMENTS_PER_TASK)
        .zip(m.par_chunks_mut(N_ELEMENTS_PER_TASK))
        .zip(v.par_chunks_mut(N_ELEMENTS_PER_TASK))
        .zip(g.par_chunks(N_ELEMENTS_PER_TASK))
        .for_each(|(((p, m), v), g)| {
            let _moving = section(Part::Optimiser);
            A::vectorized(
                #[inline(always)]
                || {
                    for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut()))
                    {
                        let g = scale * g;
                        *m = A::fma(b1, *m, c1 * g);
                        *v = A::fma(b2, *v, c2 * (g * g));
                        *p = A::fma(kept, *p, -size * ratio(*m, v.sqrt() * per_root));
                    }
                },
            );
        });
}

/// `atan2(y, x)` for `x >= 0` to about one unit in the last place.
#[inline(always)]
fn angle<A: Arith>(y: f32, x: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};
    // Turned into the first half quadrant, then past its middle back by pi / 4:
    // what is left has a tangent of at most tan(pi / 8).
    let (length, is_steep) = (y.abs(), y.abs() > x);
    let (short, long) = if is_steep { (x, length) } else { (length, x) };
    let is_far = short > 0.414_213_57 * long;
    let numerator = if is_far { short - long } else { short };
    let denominator = if is_far { short + long } else { long };
    // At the origin both are zero, and so is the angle.
    let tangent = numerator / if denominator == 0.0 { 1.0 } else { denominator };
    let square = tangent * tangent;
    // The series; its next term is below 3e-8 of the whole.
    let mut series = -1.0 / 15.0;
    for term in [1.0 / 13.0, -1.0 / 11.0, 1.0 / 9.0, -1.0 / 7.0, 1.0 / 5.0, -1.0 / 3.0] {
        series = A::fma(series, square, term);
    }
    let angle = A::fma(series * square, tangent, tangent);
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
        ratio: Ratio::Angle,
        size: 0.01,
        kept: 0.999,
        root_correction: 0.4,
    };

    fn check_angles<A: Arith>() {
        let magnitudes = [0.0f32, 1e-30, 1e-12, 1e-4, 0.3, 0.41, 0.42, 1.0, 2.4, 7.0, 1e6];
        for y in magnitudes.into_iter().flat_map(|y| [y, -y]) {
            for x in magnitudes {
                let (found, want) = (A::vectorized(|| angle::<A>(y, x)), y.atan2(x));
                let apart = (found - want).abs();
                assert!(apart <= 2.5e-7 * want.abs(), "atan2({y}, {x}): {found} is not {want}");
            }
        }
    }

    #[test]
    fn angles_are_right_on_every_path() {
        for path in Path::available() {
            let scheme = Scheme::of(DType::F32, path).unwrap();
            with_arith!(scheme, A => check_angles::<A>());
        }
    }

    #[test]
    fn fused_agrees_with_reference_step_after_step() -> Result<()> {
        let quotient = AdamStep { ratio: Ratio::Quotient { epsilon: 1e-8 }, ..STEP };
        let lengths = [1, 17, N_ELEMENTS_PER_TASK + 3];
        for (len, step) in lengths.into_iter().flat_map(|len| [(len, STEP), (len, quotient)]) {
            let start = ramp(len)?;
            let params = [Var::from_tensor(&start)?, Var::from_tensor(&start)?];
            let mut moments = [(); 4].map(|()| start.zeros_like().unwrap());
            for round in 1..4 {
                let grad = (start.cos()? * (0.1 * f64::from(round)))?;
                let [m, v, want_m, want_v] = &mut moments;
                adam(&params[0], m, v, &grad, step)?;
                reference(&params[1], want_m, want_v, &grad, step)?;
            }
            assert_close("param", params[0].as_tensor(), params[1].as_tensor(), Tol::F32_KERNEL);
            assert_close("mean", &moments[0], &moments[2], Tol::F32_KERNEL);
            assert_close("mean square", &moments[1], &moments[3], Tol::F32_KERNEL);
        }
        Ok(())
    }

    #[test]
    fn tensors_of_other_shapes_are_refused() -> Result<()> {
        let param = Var::from_tensor(&ramp(3)?)?;
        let [mut m, mut v] = [(); 2].map(|()| param.zeros_like().unwrap());
        let grad = Tensor::zeros(4, DType::F32, &Device::Cpu)?;
        assert!(adam(&param, &mut m, &mut v, &grad, STEP).is_err());
        Ok(())
    }
}
