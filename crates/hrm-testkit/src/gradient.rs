//! Inputs for kernels, and finite differences to check their gradients.

use candle_core::{DType, Device, Result, Shape, Tensor, Var};

/// Irregular, distinct and deterministic values between -1 and 1; f32.
///
/// # Errors
///
/// If the backend fails.
pub fn ramp(shape: impl Into<Shape>) -> Result<Tensor> {
    ramp64(shape)?.to_dtype(DType::F32)
}

/// [`ramp`] in f64, for finite differences.
///
/// # Errors
///
/// If the backend fails.
pub fn ramp64(shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    // Multiples of the golden ratio modulo 1 fill the interval evenly.
    let value = |idx: usize| ((idx as f64 + 0.5) * 0.618_033_988_749_895).fract() * 2.0 - 1.0;
    Tensor::from_vec((0..shape.elem_count()).map(value).collect::<Vec<_>>(), shape, &Device::Cpu)
}

/// Computes `f(x)`, and the gradient at `x` of a weighted sum of its elements.
///
/// The weights are a ramp. With equal weights, the gradient of a softmax would be
/// zero, and an error in it would go unnoticed.
///
/// # Errors
///
/// If `f` fails, or no gradient reaches `x`.
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

/// Asserts that the gradient of `f` at `x` agrees with central differences along
/// each element of `x`.
///
/// # Panics
///
/// If it does not, naming the worst element; if `f` fails; or if `x` is not f64,
/// because f32 is too coarse for differences.
#[track_caller]
pub fn check_gradient(name: &str, x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) {
    assert_eq!(x.dtype(), DType::F64, "`{name}` must be f64 for finite differences");
    let (_, grad) = value_and_grad(x, &f).unwrap_or_else(|err| panic!("`{name}`: {err}"));
    let slopes = slopes(x, &f).unwrap_or_else(|err| panic!("`{name}`: {err}"));
    // With a step of 1e-5, the truncation error is about 1e-10.
    let tol = crate::Tol { absolute: 1e-8, relative: 1e-7 };
    crate::assert_close(name, &grad, &slopes, tol);
}

/// Central differences of the weighted sum of `f(x)` along each element of `x`.
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
        // The gradient misses half of the function.
        check_gradient("x", &x, |x| x.sqr()? + x.detach().sqr()?);
    }

    #[test]
    fn a_severed_gradient_is_an_error() -> Result<()> {
        assert!(value_and_grad(&ramp(3)?, |x| x.detach().sqr()).is_err());
        Ok(())
    }
}
