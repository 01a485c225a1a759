//! Scaled dot-product attention between all positions.

use candle_core::{D, Result, Tensor};

use crate::softmax::softmax;

/// `softmax(q k^T / sqrt(d)) v` for `q, k, v: [B, N, S, d]`, same shape out.
///
/// # Errors
///
/// If the shapes differ, or there is no position.
pub(crate) fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let head_dim = q.dim(D::Minus1)?;
    // Scaling the queries touches S x d numbers, scaling the scores S x S.
    let q = (q * (head_dim as f64).sqrt().recip())?;
    let scores = q.contiguous()?.matmul(&k.t()?.contiguous()?)?;
    softmax(&scores)?.matmul(&v.contiguous()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp64};

    fn inputs() -> Result<[Tensor; 3]> {
        let q = ramp64((2, 2, 3, 4))?;
        Ok([q.clone(), (&q * 0.5)?.cos()?, q.sin()?])
    }

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let [q, k, v] = inputs()?;
        check_gradient("q", &q, |q| attention(q, &k, &v));
        check_gradient("k", &k, |k| attention(&q, k, &v));
        check_gradient("v", &v, |v| attention(&q, &k, v));
        Ok(())
    }

    #[test]
    fn equal_keys_average_the_values() -> Result<()> {
        let [q, _, v] = inputs()?;
        let y = attention(&q, &q.ones_like()?, &v)?;
        let mean = v.mean_keepdim(2)?.broadcast_as(v.shape())?;
        assert_close("mean", &y, &mean, Tol::F32_KERNEL);
        Ok(())
    }
}
