//! The angle of a point in the right half-plane.
//!
//! The tensor library has no arc tangent: this one is composed of operations that
//! it has, on any device.

use candle_core::{Result, Tensor};

/// `atan2(y, x)` elementwise for `x >= 0`; `atan2(0, 0)` is 0.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub(crate) fn atan2(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    // Halve the angle until its series converges quickly: for t = tan(a),
    // tan(a / 2) = t / (1 + sqrt(1 + t^2)). From a right angle, three halvings
    // leave t <= tan(pi / 16) = 0.199, where six terms of the series of the arc
    // tangent are exact to 1e-10.
    // Dividing by the larger coordinate keeps the squares from underflowing.
    let scale = y.abs()?.maximum(x)?.detach();
    let scale = scale.eq(0.0)?.where_cond(&scale.ones_like()?, &scale)?;
    let (y, x) = ((y / &scale)?, (x / &scale)?);
    let radius = (y.sqr()? + x.sqr()?)?.sqrt()?;
    // At the origin both coordinates are 0, and the half angle would be 0 / 0.
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use hrm_testkit::{Tol, assert_close, check_gradient};

    #[test]
    fn angles_agree_with_the_standard_library_everywhere() -> Result<()> {
        // Around the axes, the origin, and far from 1 in both directions.
        let magnitudes = [0.0f32, 1e-30, 1e-12, 1e-4, 0.3, 1.0, 7.0, 1e6];
        let mut points = Vec::new();
        for y in magnitudes {
            points.extend(magnitudes.iter().flat_map(|x| [(y, *x), (-y, *x)]));
        }
        let angles: Vec<f32> = points.iter().map(|(y, x)| y.atan2(*x)).collect();
        let (y, x): (Vec<f32>, Vec<f32>) = points.into_iter().unzip();
        let [y, x, angles] = [y, x, angles].map(|v| Tensor::new(v, &Device::Cpu));
        assert_close("angle", &atan2(&y?, &x?)?, &angles?, Tol::F32_KERNEL);
        Ok(())
    }

    #[test]
    fn gradients_match_finite_differences_and_the_formula() -> Result<()> {
        let y = Tensor::new(&[-2f64, -0.5, 0.25, 1.0, 3.0], &Device::Cpu)?;
        let x = Tensor::new(&[0.5f64, 1.0, 2.0, 0.75, 1.5], &Device::Cpu)?;
        check_gradient("y", &y, |y| atan2(y, &x));
        check_gradient("x", &x, |x| atan2(&y, x));
        // da/dy = x / (x^2 + y^2), da/dx = -y / (x^2 + y^2)
        let (y, x) = (y.to_dtype(DType::F32)?, x.to_dtype(DType::F32)?);
        let (_, weights) = hrm_testkit::value_and_grad(&y, |y| Ok(y.clone()))?;
        let per_square = (weights / (y.sqr()? + x.sqr()?)?)?;
        let (_, dy) = hrm_testkit::value_and_grad(&y, |y| atan2(y, &x))?;
        let (_, dx) = hrm_testkit::value_and_grad(&x, |x| atan2(&y, x))?;
        assert_close("dy", &dy, &(&x * &per_square)?, Tol::F32_KERNEL);
        assert_close("dx", &dx, &(y.neg()? * per_square)?, Tol::F32_KERNEL);
        Ok(())
    }
}
