//! The attention half of a block: mix positions, add, normalise.

use candle_core::{Result, Tensor};

use crate::{Rotary, attention, linear, rms_norm};

/// `rms_norm(x + attention(x))` for `x: [B, S, D]`, same shape out.
///
/// `w_qkv: [3 D, D]` holds all query heads, then all key heads, then all value
/// heads; `w_o: [D, D]`. Queries and keys are turned by `rotary` if there is one.
///
/// # Errors
///
/// If shapes or dtypes do not fit, or `n_heads` does not divide `D`.
pub fn attn_block(
    x: &Tensor,
    w_qkv: &Tensor,
    w_o: &Tensor,
    n_heads: usize,
    rotary: Option<&Rotary>,
    norm_eps: f64,
) -> Result<Tensor> {
    let (n_rows, n_positions, hidden_dim) = x.dims3()?;
    let per_head = (n_rows, n_positions, 3, n_heads, hidden_dim / n_heads);
    let qkv = linear(x, w_qkv)?.reshape(per_head)?.permute((2, 0, 3, 1, 4))?;
    let turned = |t: Tensor| rotary.map_or(Ok(t.clone()), |rotary| rotary.apply(&t));
    let (q, k, v) = (turned(qkv.get(0)?)?, turned(qkv.get(1)?)?, qkv.get(2)?);

    let mixed = attention(&q, &k, &v)?.transpose(1, 2)?.reshape(x.shape())?;
    rms_norm(&(x + linear(&mixed, w_o)?)?, norm_eps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{check_gradient, ramp, ramp64};

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let rotary = Rotary::new(3, 2, 10_000.0, &candle_core::Device::Cpu)?;
        let (x, w_qkv, w_o) = (ramp64((2, 3, 4))?, ramp64((12, 4))?, ramp64((4, 4))?.cos()?);
        for rotary in [None, Some(&rotary)] {
            check_gradient("x", &x, |x| attn_block(x, &w_qkv, &w_o, 2, rotary, 1e-5));
            check_gradient("w_qkv", &w_qkv, |w| attn_block(&x, w, &w_o, 2, rotary, 1e-5));
            check_gradient("w_o", &w_o, |w| attn_block(&x, &w_qkv, w, 2, rotary, 1e-5));
        }
        Ok(())
    }

    #[test]
    fn without_rotary_the_order_of_positions_does_not_matter() -> Result<()> {
        let (x, w_qkv, w_o) = (ramp((1, 3, 4))?, ramp((12, 4))?, ramp((4, 4))?);
        let backwards = |t: &Tensor| t.flip(&[1]);
        let y = attn_block(&x, &w_qkv, &w_o, 2, None, 1e-5)?;
        let turned = backwards(&attn_block(&backwards(&x)?, &w_qkv, &w_o, 2, None, 1e-5)?)?;
        hrm_testkit::assert_close("order", &turned, &y, hrm_testkit::Tol::F32_KERNEL);
        Ok(())
    }
}
