//! One step of Adam with an arc tangent in place of the division.
//!
//! ```text
//! m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
//! p <- p kept - size atan2(m, sqrt(v) / root_correction)
//! ```
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::adam_atan2): tensor operations, for any
//!    device.
//! 2. [`adam_atan2`]: one pass over contiguous f32 on the CPU; anything else
//!    takes the reference.

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Tensor, Var};
use rayon::prelude::*;

use crate::atan2;
use crate::cpu::profile::{Part, section};
use crate::cpu::{Arith, Path, Scheme, with_arith};
use crate::element::with_values;

/// Numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Share of the mean gradient that is kept.
    pub beta1: f64,
    /// Share of the mean square that is kept.
    pub beta2: f64,
    /// Factor of the angle.
    pub size: f64,
    /// Factor of the parameter itself.
    pub kept: f64,
    /// What the root of the mean square is divided by.
    pub root_correction: f64,
}

/// Moves `param` and its moments `mean` and `mean_square` by one step along
/// `grad`, in place. All four have one shape.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn adam_atan2(
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
    let is_plain =
        |t: &&Tensor| t.device().is_cpu() && t.dtype() == DType::F32 && t.is_contiguous();
    match Scheme::of(DType::F32, Path::current()?) {
        Some(scheme) if all.iter().all(is_plain) => {
            let slices = |p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]| {
                with_arith!(scheme, A => move_all::<A>(p, m, v, g, step));
                Ok(())
            };
            lend(param.as_tensor(), |p| {
                lend(mean, |m| {
                    lend(mean_square, |v| with_values("adam_atan2", grad, |g| slices(p, m, v, g)))
                })
            })
        }
        _ => reference(param, mean, mean_square, grad, step),
    }
}

/// [`adam_atan2`](crate::adam_atan2) as tensor operations.
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
    let AdamStep { beta1, beta2, size, kept, root_correction } = step;
    *mean = ((&*mean * beta1)? + (grad * (1.0 - beta1))?)?;
    *mean_square = ((&*mean_square * beta2)? + (grad.sqr()? * (1.0 - beta2))?)?;
    let angle = atan2(mean, &(mean_square.sqrt()? / root_correction)?)?;
    param.set(&((param.as_detached_tensor() * kept)? - (angle * size)?)?)
}

/// Elements that a thread takes at a time.
const N_ELEMENTS_PER_TASK: usize = 1 << 15;

fn move_all<A: Arith>(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], step: AdamStep) {
    let AdamStep { beta1, beta2, size, kept, root_correction } = step;
    let (b1, b2, size, kept) = (beta1 as f32, beta2 as f32, size as f32, kept as f32);
    let (c1, c2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
    let per_root = root_correction.recip() as f32;
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
                        *m = A::fma(b1, *m, c1 * g);
                        *v = A::fma(b2, *v, c2 * (g * g));
                        *p = A::fma(kept, *p, -size * angle::<A>(*m, v.sqrt() * per_root));
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

/// Lends the elements of a contiguous f32 tensor on the CPU to `f`, to change.
fn lend(tensor: &Tensor, f: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
    struct Lend<F>(RefCell<Option<F>>);

    impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Lend<F> {
        fn name(&self) -> &'static str {
            "adam_atan2"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            let (CpuStorage::F32(values), Some((start, end))) =
                (storage, layout.contiguous_offsets())
            else {
                candle_core::bail!("{} needs contiguous f32 tensors", self.name());
            };
            let f = self.0.take().expect("an operation runs once");
            f(&mut values[start..end])
        }
    }

    tensor.inplace_op1(&Lend(RefCell::new(Some(f))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, ramp};

    const STEP: AdamStep =
        AdamStep { beta1: 0.9, beta2: 0.95, size: 0.01, kept: 0.999, root_correction: 0.4 };

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
        for len in [1, 17, N_ELEMENTS_PER_TASK + 3] {
            let start = ramp(len)?;
            let params = [Var::from_tensor(&start)?, Var::from_tensor(&start)?];
            let mut moments = [(); 4].map(|()| start.zeros_like().unwrap());
            for round in 1..4 {
                let grad = (start.cos()? * (0.1 * f64::from(round)))?;
                let [m, v, want_m, want_v] = &mut moments;
                adam_atan2(&params[0], m, v, &grad, STEP)?;
                reference(&params[1], want_m, want_v, &grad, STEP)?;
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
        assert!(adam_atan2(&param, &mut m, &mut v, &grad, STEP).is_err());
        Ok(())
    }
}
