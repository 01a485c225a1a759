//! The gated activation of the feed-forward sublayer.

use candle_core::{D, Result, Tensor};

/// `silu(gate) * up` for `gate_up: [.., 2 I]`, gate first; returns `[.., I]`.
///
/// # Errors
///
/// If the last axis is odd.
pub(crate) fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let width = gate_up.dim(D::Minus1)?;
    if !width.is_multiple_of(2) {
        candle_core::bail!("swiglu needs an even number of channels, found {width}");
    }
    let gate = gate_up.narrow(D::Minus1, 0, width / 2)?;
    let up = gate_up.narrow(D::Minus1, width / 2, width / 2)?;
    gate.silu()? * up
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{check_gradient, ramp, ramp64};

    #[test]
    fn gradient_matches_finite_differences() -> Result<()> {
        check_gradient("gate_up", &ramp64((3, 10))?, swiglu);
        Ok(())
    }

    #[test]
    fn the_gate_comes_first() -> Result<()> {
        // silu(0) = 0 closes the gate, whatever `up` is.
        let closed = Tensor::new(&[[0f32, 5.]], &candle_core::Device::Cpu)?;
        assert_eq!(swiglu(&closed)?.to_vec2::<f32>()?, [[0.0]]);
        assert!(swiglu(&ramp((2, 3))?).is_err());
        Ok(())
    }
}
