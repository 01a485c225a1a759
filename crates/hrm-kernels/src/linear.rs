//! A product with a weight matrix, without bias.

use candle_core::{D, Result, Tensor};

/// `x W^T` for `x: [.., K]` and `weight: [N, K]`; gives `[.., N]`.
///
/// # Errors
///
/// If the inner sizes or the dtypes differ.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    // Leading axes become rows of one matrix: the gradient of the weight is
    // then a single product instead of one per batch entry and a sum.
    let mut shape = x.dims().to_vec();
    let inner = x.dim(D::Minus1)?;
    let rows = x.reshape(((), inner))?;
    *shape.last_mut().expect("a tensor with an inner size has an axis") = weight.dim(0)?;
    rows.matmul(&weight.t()?)?.reshape(shape)
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
    fn rows_are_multiplied_by_the_transposed_weight() -> Result<()> {
        let device = candle_core::Device::Cpu;
        let x = Tensor::new(&[[1f32, 2.]], &device)?;
        let weight = Tensor::new(&[[3f32, 4.], [5., 6.], [7., 8.]], &device)?;
        assert_eq!(linear(&x, &weight)?.to_vec2::<f32>()?, [[11., 17., 23.]]);
        Ok(())
    }
}
