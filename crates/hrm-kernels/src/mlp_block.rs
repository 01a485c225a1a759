//! The feed-forward half of a block: mix channels, add, normalise.

use candle_core::{Result, Tensor};

use crate::{linear, rms_norm, swiglu};

/// `rms_norm(x + swiglu(x W_gate_up^T) W_down^T)` for `x: [B, S, D]`, same
/// shape out; `w_gate_up: [2 I, D]`, gate first, and `w_down: [D, I]`.
///
/// # Errors
///
/// If shapes or dtypes do not fit.
pub fn mlp_block(x: &Tensor, w_gate_up: &Tensor, w_down: &Tensor, norm_eps: f64) -> Result<Tensor> {
    let inner = swiglu(&linear(x, w_gate_up)?)?;
    rms_norm(&(x + linear(&inner, w_down)?)?, norm_eps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{check_gradient, ramp64};

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let (x, w_gate_up, w_down) = (ramp64((2, 2, 4))?, ramp64((12, 4))?, ramp64((4, 6))?.cos()?);
        check_gradient("x", &x, |x| mlp_block(x, &w_gate_up, &w_down, 1e-5));
        check_gradient("w_gate_up", &w_gate_up, |w| mlp_block(&x, w, &w_down, 1e-5));
        check_gradient("w_down", &w_down, |w| mlp_block(&x, &w_gate_up, w, 1e-5));
        Ok(())
    }
}
