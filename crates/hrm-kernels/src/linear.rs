//! A product with a weight matrix, without bias.

use candle_core::{D, Result, Tensor};

/// `x W^T` for `x: [.., K]` and `weight: [N, K]`; returns `[.., N]`.
///
/// # Errors
///
/// If the inner sizes or the dtypes differ, or the inner size is 0.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    // Merge the leading axes, so that the gradient of the weight is a single product
    // instead of one per batch entry and a sum.
    let mut shape = x.dims().to_vec();
    let inner = x.dim(D::Minus1)?;
    if inner == 0 {
        candle_core::bail!("linear needs at least 1 input channel, found 0");
    }
    let flat = x.reshape(((), inner))?;
    *shape.last_mut().expect("a tensor with an inner size has an axis") = weight.dim(0)?;
    flat.matmul(&weight.t()?)?.reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{check_gradient, ramp64};

    #[test]
    fn gradients_of_input_and_weight_match_finite_differences() -> Result<()> {
        let (x, weight) = (ramp64((2, 3, 5))?, ramp64((4, 5))?);
        check_gradient("x", &x, |x| linear(x, &weight));
        check_gradient("weight", &weight, |weight| linear(&x, weight));
        Ok(())
    }

    #[test]
    fn the_weight_is_transposed() -> Result<()> {
        let device = candle_core::Device::Cpu;
        let x = Tensor::new(&[[1f32, 2.]], &device)?;
        let weight = Tensor::new(&[[3f32, 4.], [5., 6.], [7., 8.]], &device)?;
        assert_eq!(linear(&x, &weight)?.to_vec2::<f32>()?, [[11., 17., 23.]]);
        Ok(())
    }

    #[test]
    fn inner_sizes_that_differ_or_are_zero_are_rejected() -> Result<()> {
        let message = |x: &Tensor| linear(x, &ramp64((4, 0)).unwrap()).unwrap_err().to_string();
        assert!(message(&ramp64((2, 0))?).contains("at least 1 input channel, found 0"));
        assert!(linear(&ramp64((2, 3))?, &ramp64((4, 5))?).is_err());
        Ok(())
    }
}
