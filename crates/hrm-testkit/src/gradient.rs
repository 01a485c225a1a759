//! Inputs for kernels, and gradients to compare with theirs.

use candle_core::{DType, Device, Result, Shape, Tensor, Var};

/// Irregular values in about -1..1, all different, the same every time; f32.
///
/// # Errors
///
/// If the backend fails.
pub fn ramp(shape: impl Into<Shape>) -> Result<Tensor> {
    ramp64(shape)?.to_dtype(DType::F32)
}

/// [`ramp`] in f64, as finite differences need it.
///
/// # Errors
///
/// If the backend fails.
pub fn ramp64(shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    // Multiples of the golden ratio fill the interval evenly without repeating.
    let value = |idx: usize| ((idx as f64 + 0.5) * 0.618_033_988_749_895).fract() * 2.0 - 1.0;
    Tensor::from_vec((0..shape.elem_count()).map(value).collect::<Vec<_>>(), shape, &Device::Cpu)
}

/// `f(x)` and the gradient at `x` of a weighted sum of it.
///
/// The weights are a ramp. With equal weights a normalised row would have the
/// same zero gradient under every implementation.
///
/// # Errors
///
/// If `f` fails, or if no gradient reaches `x`.
pub fn value_and_grad(
    x: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let x = Var::from_tensor(x)?;
    let y = f(x.as_tensor())?;
    let grads = weighted_sum(&y)?.backward()?;
    let Some(grad) = grads.get(&x) else {
        candle_core::bail!("no gradient reaches the input");
    };
    Ok((y.detach(), grad.clone()))
}

/// Fails the test unless the gradient of `f` at `x` is the slope of `f` there,
/// by central differences along each element of `x`.
///
/// # Panics
///
/// If `x` is not f64 (f32 is too coarse for differences), if `f` fails, or with
/// the worst element.
#[track_caller]
pub fn check_gradient(name: &str, x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) {
    assert_eq!(x.dtype(), DType::F64, "`{name}` must be f64 for finite differences");
    let (_, grad) = value_and_grad(x, &f).unwrap_or_else(|err| panic!("`{name}`: {err}"));
    let slopes = slopes(x, &f).unwrap_or_else(|err| panic!("`{name}`: {err}"));
    // A step of 1e-5 leaves a truncation error of about 1e-10.
    let tol = crate::Tol { absolute: 1e-8, relative: 1e-7 };
    crate::assert_close(name, &grad, &slopes, tol);
}

fn slopes(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    const STEP: f64 = 1e-5;
    let values = x.flatten_all()?.to_vec1::<f64>()?;
    let at = |idx: usize, step: f64| -> Result<f64> {
        let mut moved = values.clone();
        moved[idx] += step;
        let moved = Tensor::from_vec(moved, x.shape(), x.device())?;
        weighted_sum(&f(&moved)?)?.to_scalar::<f64>()
    };
    let slopes = (0..values.len())
        .map(|idx| Ok((at(idx, STEP)? - at(idx, -STEP)?) / (2.0 * STEP)))
        .collect::<Result<Vec<_>>>()?;
    Tensor::from_vec(slopes, x.shape(), x.device())
}

fn weighted_sum(y: &Tensor) -> Result<Tensor> {
    (y * ramp64(y.shape())?.to_dtype(y.dtype())?)?.sum_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correct_gradient_passes() -> Result<()> {
        check_gradient("x", &ramp64((2, 3))?, |x| x.sqr()?.exp());
        Ok(())
    }

    #[test]
    #[should_panic(expected = "`x` differs")]
    fn a_wrong_gradient_is_caught() {
        let x = ramp64(3).expect("a ramp is a tensor");
        // Half of the function is hidden from the gradient.
        check_gradient("x", &x, |x| x.sqr()? + x.detach().sqr()?);
    }

    #[test]
    fn a_severed_gradient_is_an_error() -> Result<()> {
        assert!(value_and_grad(&ramp(3)?, |x| x.detach().sqr()).is_err());
        Ok(())
    }
}
