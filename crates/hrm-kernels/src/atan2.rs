//! The angle of a point in the right half-plane.
//!
//! ```text
//! a = atan2(y, x),   da/dy = x / (x^2 + y^2),   da/dx = -y / (x^2 + y^2)
//! ```
//!
//! Versions, by increasing speed:
//! 1. [`reference`]: tensor operations only, for any device.
//! 2. [`atan2`]: one pass over contiguous f32 on CPU, analytic backward;
//!    anything else takes the reference.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor};

use crate::element::contiguous;

/// `atan2(y, x)` elementwise for `x >= 0`; `atan2(0, 0)` is 0.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub fn atan2(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let has_fused_path =
        y.device().is_cpu() && y.dtype() == DType::F32 && y.is_contiguous() && x.is_contiguous();
    if has_fused_path { y.apply_op2(x, Atan2) } else { reference(y, x) }
}

/// The definition, by halving the angle until its series converges at once.
///
/// `tan(a / 2) = t / (1 + sqrt(1 + t^2))` for `t = tan(a)`. From a right angle,
/// three halvings leave `t <= tan(pi / 16) = 0.199`, where six terms of the
/// series of the arc tangent are exact to 1e-10.
fn reference(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    // Dividing by the larger coordinate keeps the squares from underflowing.
    let scale = y.abs()?.maximum(x)?.detach();
    let scale = scale.eq(0.0)?.where_cond(&scale.ones_like()?, &scale)?;
    let (y, x) = ((y / &scale)?, (x / &scale)?);
    let radius = (y.sqr()? + x.sqr()?)?.sqrt()?;
    // At the origin both coordinates are 0 and the half angle is 0 / 0.
    let across = (&radius + &x)?;
    let across = across.eq(0.0)?.where_cond(&across.ones_like()?, &across)?;

    let mut tangent = (y / across)?;
    for _ in 0..2 {
        tangent = (&tangent / ((tangent.sqr()? + 1.0)?.sqrt()? + 1.0)?)?;
    }
    let square = tangent.sqr()?;
    let mut series = (square.zeros_like()? - 1.0 / 11.0)?;
    for (n, sign) in [(9.0, 1.0), (7.0, -1.0), (5.0, 1.0), (3.0, -1.0), (1.0, 1.0)] {
        series = ((series * &square)? + sign / n)?;
    }
    (series * tangent)? * 8.0
}

struct Atan2;

impl CustomOp2 for Atan2 {
    fn name(&self) -> &'static str {
        "hrm-atan2"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if y_layout.shape() != x_layout.shape() {
            let (y, x) = (y_layout.shape(), x_layout.shape());
            candle_core::bail!("{} needs equal shapes, found {y:?} and {x:?}", self.name());
        }
        let y = contiguous::<f32>(self.name(), y, y_layout)?;
        let x = contiguous::<f32>(self.name(), x, x_layout)?;
        let angles = y.iter().zip(x).map(|(y, x)| y.atan2(*x)).collect();
        Ok((CpuStorage::F32(angles), y_layout.shape().clone()))
    }

    fn bwd(
        &self,
        y: &Tensor,
        x: &Tensor,
        _angle: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let per_square = (grad / (y.sqr()? + x.sqr()?)?)?;
        Ok((Some((x * &per_square)?), Some((y.neg()? * per_square)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, check_gradient};

    /// Around the axes, the origin, and far from 1 in both directions.
    fn points() -> Result<(Tensor, Tensor)> {
        let magnitudes = [0.0f32, 1e-30, 1e-12, 1e-4, 0.3, 1.0, 7.0, 1e6];
        let mut points = Vec::new();
        for y in magnitudes {
            points.extend(magnitudes.iter().flat_map(|x| [(y, *x), (-y, *x)]));
        }
        let (y, x): (Vec<f32>, Vec<f32>) = points.into_iter().unzip();
        Ok((Tensor::new(y, &Device::Cpu)?, Tensor::new(x, &Device::Cpu)?))
    }

    #[test]
    fn reference_and_fused_agree_everywhere() -> Result<()> {
        let (y, x) = points()?;
        assert_close("angle", &reference(&y, &x)?, &atan2(&y, &x)?, Tol::F32_KERNEL);
        Ok(())
    }

    #[test]
    fn gradients_match_finite_differences_on_both_paths() -> Result<()> {
        let y = Tensor::new(&[-2f32, -0.5, 0.25, 1.0, 3.0], &Device::Cpu)?;
        let x = Tensor::new(&[0.5f32, 1.0, 2.0, 0.75, 1.5], &Device::Cpu)?;
        let (y64, x64) = (y.to_dtype(DType::F64)?, x.to_dtype(DType::F64)?);
        check_gradient("y", &y64, |y| reference(y, &x64));
        check_gradient("x", &x64, |x| reference(&y64, x));
        for wrt_y in [true, false] {
            let at = if wrt_y { &y } else { &x };
            let fused = |t: &Tensor| if wrt_y { atan2(t, &x) } else { atan2(&y, t) };
            let plain = |t: &Tensor| if wrt_y { reference(t, &x) } else { reference(&y, t) };
            let (_, found) = hrm_testkit::value_and_grad(at, fused)?;
            let (_, want) = hrm_testkit::value_and_grad(at, plain)?;
            assert_close("gradient", &found, &want, Tol::F32_KERNEL);
        }
        Ok(())
    }
}
