//! The feed-forward half of a block: mix channels, add, normalise.
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::mlp_block): a composition of this crate's
//!    functions, for any device and dtype.
//! 2. [`mlp_block`]: f32 and bf16 on the CPU, by blocks of positions, with an
//!    analytic backward pass; anything else takes the reference.

use candle_core::{Result, Tensor};

use crate::cpu::mlp::{self, Sizes};
use crate::cpu::post_norm::Gradients;
use crate::cpu::{Simd, Threads, with_simd};
use crate::linear::linear;
use crate::operand::Operand;
use crate::rms_norm::rms_norm;
use crate::sublayer::{self, Sublayer};
use crate::swiglu::swiglu;
use crate::weight::Weight;

/// `rms_norm(x + swiglu(x W_gate_up^T) W_down^T)` for `x: [.., D]`, same shape
/// out; `w_gate_up: [2 I, D]`, gate first and [gated](Weight::gated), and
/// `w_down: [D, I]`.
///
/// # Errors
///
/// If shapes or dtypes do not fit, or a size is 0: `D` or `I`.
pub fn mlp_block(x: &Tensor, w_gate_up: &Weight, w_down: &Weight, eps: f64) -> Result<Tensor> {
    let sublayer = Mlp::new(x.dim(candle_core::D::Minus1)?, w_gate_up, w_down, eps)?;
    match w_gate_up.kernel() {
        Some(kernel) if sublayer::accepts(x) && w_down.kernel() == Some(kernel) => {
            with_simd!(kernel, V => sublayer::apply::<V, _>(sublayer, x))
        }
        _ => reference(x, &w_gate_up.tensor_like(x)?, &w_down.tensor_like(x)?, eps),
    }
}

/// [`mlp_block`](crate::mlp_block) as a composition, for weights in the dtype
/// of `x`.
///
/// # Errors
///
/// If shapes or dtypes do not fit, or a size is 0: `D` or `I`.
pub fn reference(x: &Tensor, w_gate_up: &Tensor, w_down: &Tensor, eps: f64) -> Result<Tensor> {
    check_sizes(x.dim(candle_core::D::Minus1)?, w_gate_up, w_down)?;
    let inner = swiglu(&linear(x, w_gate_up)?)?;
    rms_norm(&(x + linear(&inner, w_down)?)?, eps)
}

/// Checks the sizes of both weights and returns `I`.
fn check_sizes(width: usize, w_gate_up: &Tensor, w_down: &Tensor) -> Result<usize> {
    let (found_in, found_out) = (w_gate_up.dims2()?, w_down.dims2()?);
    let inner = found_in.0 / 2;
    if found_in != (2 * inner, width) || found_out != (width, inner) {
        candle_core::bail!(
            "mlp_block on {width} channels needs weights [2 I, {width}] and [{width}, I], \
             found {found_in:?} and {found_out:?}"
        );
    }
    if width == 0 || inner == 0 {
        candle_core::bail!(
            "mlp_block needs at least 1 channel outside and inside, found {width} and {inner}"
        );
    }
    Ok(inner)
}

/// The sublayer with its weights.
#[derive(Clone, Debug)]
pub(crate) struct Mlp {
    w_gate_up: Weight,
    w_down: Weight,
    sizes: Sizes,
}

impl Mlp {
    /// Binds the sublayer to hidden states of `width` channels.
    ///
    /// # Errors
    ///
    /// If the weights do not fit, or a size is 0.
    pub(crate) fn new(width: usize, w_gate_up: &Weight, w_down: &Weight, eps: f64) -> Result<Self> {
        let inner = check_sizes(width, w_gate_up.tensor(), w_down.tensor())?;
        let sizes = Sizes { width, inner, eps: eps as f32 };
        Ok(Self { w_gate_up: w_gate_up.clone(), w_down: w_down.clone(), sizes })
    }
}

impl<V: Simd<Elem: Operand>> Sublayer<V> for Mlp {
    type Saved = mlp::Saved<V::Elem>;

    const NAME: &str = "mlp_block";

    fn w_in(&self) -> &Weight {
        &self.w_gate_up
    }

    fn w_out(&self) -> &Weight {
        &self.w_down
    }

    fn forward(&self, x: &mut [V::Elem], threads: Threads) -> Self::Saved {
        let (gate_up, down) = (self.w_gate_up.forward(), self.w_down.forward());
        mlp::forward_saving::<V>(x, gate_up, down, self.sizes, threads)
    }

    fn forward_only(&self, x: &mut [V::Elem], threads: Threads) {
        let (gate_up, down) = (self.w_gate_up.forward(), self.w_down.forward());
        mlp::forward::<V>(x, gate_up, down, self.sizes, threads);
    }

    fn backward(
        &self,
        x: &[V::Elem],
        y: &[V::Elem],
        dy: &[V::Elem],
        saved: Self::Saved,
        wanted: [bool; 2],
    ) -> Result<Gradients<V::Elem>> {
        let (gate_up, down) = (self.w_gate_up.backward::<V>()?, self.w_down.backward::<V>()?);
        Ok(mlp::backward::<V>(x, y, dy, saved, &gate_up, &down, self.sizes, wanted, Threads::All))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sublayer::tests::{check_agreement, check_both_passes_repeat};
    use crate::weight::WeightLayout;
    use hrm_testkit::{check_gradient, ramp, ramp64};

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let (x, w_gate_up, w_down) = (ramp64((2, 2, 4))?, ramp64((12, 4))?, ramp64((4, 6))?.cos()?);
        check_gradient("x", &x, |x| reference(x, &w_gate_up, &w_down, 1e-5));
        check_gradient("w_gate_up", &w_gate_up, |w| reference(&x, w, &w_down, 1e-5));
        check_gradient("w_down", &w_down, |w| reference(&x, &w_gate_up, w, 1e-5));
        Ok(())
    }

    #[test]
    fn fused_agrees_with_reference_in_value_and_every_gradient_on_every_isa() -> Result<()> {
        // Positions, channels and inner channels around the sizes of tiles, panels
        // and blocks, even and odd.
        let shapes = [
            (1, 1, 1, 1),
            (1, 1, 8, 16),
            (1, 17, 5, 3),
            (2, 6, 31, 15),
            (3, 4, 33, 17),
            (1, 95, 16, 48),
            (1, 97, 24, 40),
            (2, 82, 64, 256),
            (1, 901, 16, 33),
        ];
        for (b, s, d, i) in shapes {
            let w_gate_up = (ramp((2 * i, d))? * (2.0 / (d as f64).sqrt()))?;
            let w_down = (ramp((d, i))?.cos()? * (2.0 / (i as f64).sqrt()))?;
            let name = format!("{b}x{s}x{d}, {i} inside");
            check_agreement(
                &name,
                &ramp((b, s, d))?,
                [(&w_gate_up, WeightLayout::Gated), (&w_down, WeightLayout::Plain)],
                |x, [w_in, w_out]| mlp_block(x, w_in, w_out, 1e-5),
                |x, [w_in, w_out]| reference(x, w_in, w_out, 1e-5),
            )?;
        }
        Ok(())
    }

    #[test]
    fn a_second_backward_pass_gives_the_same_gradients() -> Result<()> {
        let (w_gate_up, w_down) = (ramp((12, 4))?, ramp((4, 6))?);
        check_both_passes_repeat(
            &ramp((2, 3, 4))?,
            [(&w_gate_up, WeightLayout::Gated), (&w_down, WeightLayout::Plain)],
            |x, [w_in, w_out]| mlp_block(x, w_in, w_out, 1e-5),
        )
    }

    #[test]
    fn weights_that_do_not_fit_are_rejected() -> Result<()> {
        let f32 = candle_core::DType::F32;
        let (w_gate_up, w_down) = (Weight::gated(ramp((12, 4))?, f32)?, ramp((4, 5))?);
        let err = mlp_block(&ramp((1, 2, 4))?, &w_gate_up, &Weight::new(w_down, f32)?, 1e-5);
        assert!(err.unwrap_err().to_string().contains("found (12, 4) and (4, 5)"));
        assert!(Weight::gated(ramp((3, 4))?, f32).is_err());
        Ok(())
    }

    #[test]
    fn sizes_of_zero_are_rejected_but_an_empty_batch_is_not() -> Result<()> {
        let f32 = candle_core::DType::F32;
        for (width, inner) in [(0, 6), (4, 0), (0, 0)] {
            let (w_gate_up, w_down) = (ramp((2 * inner, width))?, ramp((width, inner))?);
            let x = ramp((1, 2, width))?;
            let plain = reference(&x, &w_gate_up, &w_down, 1e-5);
            let (w_gate_up, w_down) = (Weight::gated(w_gate_up, f32)?, Weight::new(w_down, f32)?);
            for refused in [mlp_block(&x, &w_gate_up, &w_down, 1e-5), plain] {
                let message = refused.unwrap_err().to_string();
                assert!(message.contains("needs at least 1 channel"), "{message}");
            }
        }
        let (w_gate_up, w_down) = (ramp((12, 4))?, ramp((4, 6))?);
        let (w_gate_up, w_down) = (Weight::gated(w_gate_up, f32)?, Weight::new(w_down, f32)?);
        for shape in [(0, 2, 4), (1, 0, 4)] {
            let y = mlp_block(&ramp(shape)?, &w_gate_up, &w_down, 1e-5)?;
            assert_eq!(y.dims3()?, shape);
        }
        Ok(())
    }
}
