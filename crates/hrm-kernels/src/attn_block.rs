//! The attention half of a block: mix positions, add, normalise.
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::attn_block): a composition of this
//!    crate's functions, for any device and dtype.
//! 2. [`attn_block`]: f32 and bf16 on the CPU, heads one by one and never all
//!    their scores at once, with an analytic backward; anything else takes the
//!    reference.

use candle_core::{Result, Tensor};

use crate::cpu::attn::{self, Sizes};
use crate::cpu::post_norm::Gradients;
use crate::cpu::{Arith, Scratch, Threads, with_arith};
use crate::element::Operand;
use crate::sublayer::{self, Sublayer};
use crate::{Rotary, Weight, attention, linear, rms_norm};

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
    w_qkv: &Weight,
    w_o: &Weight,
    n_heads: usize,
    rotary: Option<&Rotary>,
    eps: f64,
) -> Result<Tensor> {
    let (_, n_positions, width) = x.dims3()?;
    let sublayer = Attn::new([n_positions, width], w_qkv, w_o, n_heads, rotary, eps)?;
    match w_qkv.scheme() {
        Some(scheme) if sublayer::takes(x) && w_o.scheme() == Some(scheme) => {
            with_arith!(scheme, A => sublayer::apply::<A, _>(sublayer, x))
        }
        _ => reference(x, &w_qkv.tensor_like(x)?, &w_o.tensor_like(x)?, n_heads, rotary, eps),
    }
}

/// [`attn_block`](crate::attn_block) as a composition, for weights in the
/// dtype of `x`.
///
/// # Errors
///
/// If shapes or dtypes do not fit, or `n_heads` does not divide `D`.
pub fn reference(
    x: &Tensor,
    w_qkv: &Tensor,
    w_o: &Tensor,
    n_heads: usize,
    rotary: Option<&Rotary>,
    eps: f64,
) -> Result<Tensor> {
    let (n_rows, n_positions, hidden_dim) = x.dims3()?;
    let per_head = (n_rows, n_positions, 3, n_heads, hidden_dim / n_heads);
    let qkv = linear(x, w_qkv)?.reshape(per_head)?.permute((2, 0, 3, 1, 4))?;
    let turned = |t: Tensor| rotary.map_or(Ok(t.clone()), |rotary| rotary.apply(&t));
    let (q, k, v) = (turned(qkv.get(0)?)?, turned(qkv.get(1)?)?, qkv.get(2)?);

    let mixed = attention(&q, &k, &v)?.transpose(1, 2)?.reshape(x.shape())?;
    rms_norm(&(x + linear(&mixed, w_o)?)?, eps)
}

/// The sublayer with its weights.
#[derive(Clone, Debug)]
pub(crate) struct Attn {
    w_qkv: Weight,
    w_o: Weight,
    rotary: Option<Rotary>,
    n_positions: usize,
    n_heads: usize,
    head_dim: usize,
    eps: f32,
}

impl Attn {
    /// For puzzles of `[S, D]`.
    ///
    /// # Errors
    ///
    /// If the weights or the rotary tables do not fit.
    pub(crate) fn new(
        [n_positions, width]: [usize; 2],
        w_qkv: &Weight,
        w_o: &Weight,
        n_heads: usize,
        rotary: Option<&Rotary>,
        eps: f64,
    ) -> Result<Self> {
        if n_heads == 0 || !width.is_multiple_of(n_heads) {
            candle_core::bail!("attn_block: {n_heads} heads do not divide {width} channels");
        }
        let (found_in, found_out) = (w_qkv.tensor().dims2()?, w_o.tensor().dims2()?);
        if found_in != (3 * width, width) || found_out != (width, width) {
            candle_core::bail!(
                "attn_block on {width} channels needs weights [{}, {width}] and [{width}, {width}], \
                 found {found_in:?} and {found_out:?}",
                3 * width
            );
        }
        let head_dim = width / n_heads;
        if let Some(rotary) = rotary {
            rotary.host(n_positions, head_dim)?;
        }
        let (w_qkv, w_o, rotary) = (w_qkv.clone(), w_o.clone(), rotary.cloned());
        Ok(Self { w_qkv, w_o, rotary, n_positions, n_heads, head_dim, eps: eps as f32 })
    }

    /// The sublayer for the first position of each puzzle alone: `[B S, D]` to
    /// `[B, D]`.
    pub(crate) fn forward_first<A: Arith<Elem: Operand>>(
        &self,
        x: &[A::Elem],
        threads: Threads,
    ) -> Scratch<A::Elem> {
        let (qkv, o) = (self.w_qkv.forward(), self.w_o.forward());
        attn::forward_first::<A>(x, qkv, o, self.sizes(), threads)
    }

    fn sizes(&self) -> Sizes<'_> {
        let Self { n_positions, n_heads, head_dim, eps, .. } = *self;
        let angles = self.rotary.as_ref().map(|rotary| {
            rotary.host(n_positions, head_dim).expect("`new` has asked for these angles before")
        });
        Sizes { n_positions, n_heads, head_dim, eps, angles }
    }
}

impl<A: Arith<Elem: Operand>> Sublayer<A> for Attn {
    type Saved = attn::Saved<A::Elem>;

    const NAME: &str = "attn_block";

    fn w_in(&self) -> &Weight {
        &self.w_qkv
    }

    fn w_out(&self) -> &Weight {
        &self.w_o
    }

    fn forward(&self, x: &mut [A::Elem], threads: Threads) -> Self::Saved {
        attn::forward::<A>(x, self.w_qkv.forward(), self.w_o.forward(), self.sizes(), threads)
    }

    fn backward(
        &self,
        x: &[A::Elem],
        y: &[A::Elem],
        dy: &[A::Elem],
        saved: Self::Saved,
        wanted: [bool; 2],
    ) -> Result<Gradients<A::Elem>> {
        let (qkv, o) = (self.w_qkv.backward::<A>()?, self.w_o.backward::<A>()?);
        Ok(attn::backward::<A>(x, y, dy, saved, &qkv, &o, self.sizes(), wanted, Threads::All))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sublayer::tests::{check_agreement, check_both_passes_repeat};
    use crate::weight::Form;
    use candle_core::{DType, Device};
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp, ramp64};

    const PLAIN: Form = Form::Plain;

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let rotary = Rotary::new(3, 2, 10_000.0, &Device::Cpu)?;
        let (x, w_qkv, w_o) = (ramp64((2, 3, 4))?, ramp64((12, 4))?, ramp64((4, 4))?.cos()?);
        for rotary in [None, Some(&rotary)] {
            check_gradient("x", &x, |x| reference(x, &w_qkv, &w_o, 2, rotary, 1e-5));
            check_gradient("w_qkv", &w_qkv, |w| reference(&x, w, &w_o, 2, rotary, 1e-5));
            check_gradient("w_o", &w_o, |w| reference(&x, &w_qkv, w, 2, rotary, 1e-5));
        }
        Ok(())
    }

    #[test]
    fn fused_agrees_with_reference_in_value_and_every_gradient_on_every_path() -> Result<()> {
        // Puzzles, positions, heads and channels of a head around the sizes of
        // tiles, panels and blocks, even and odd.
        let shapes = [
            (1, 1, 1, 1),
            (1, 1, 2, 4),
            (3, 2, 1, 3),
            (2, 17, 2, 8),
            (1, 17, 3, 5),
            (1, 31, 1, 32),
            (1, 97, 2, 6),
            (2, 82, 2, 16),
            (1, 82, 1, 64),
            (1, 901, 2, 8),
        ];
        for (b, s, n, d) in shapes {
            let width = n * d;
            let w_qkv = (ramp((3 * width, width))? * (3.0 / (width as f64).sqrt()))?;
            let w_o = (ramp((width, width))?.cos()? * (2.0 / (width as f64).sqrt()))?;
            let rotary = match d % 2 {
                0 => Some(Rotary::new(s, d, 10_000.0, &Device::Cpu)?),
                _ => None,
            };
            for rotary in [None, rotary.as_ref()].into_iter().take(1 + usize::from(d % 2 == 0)) {
                let name = format!("{b}x{s}, {n} heads of {d}, rotary {}", rotary.is_some());
                check_agreement(
                    &name,
                    &ramp((b, s, width))?,
                    [(&w_qkv, PLAIN), (&w_o, PLAIN)],
                    |x, [w_in, w_out]| attn_block(x, w_in, w_out, n, rotary, 1e-5),
                    |x, [w_in, w_out]| reference(x, w_in, w_out, n, rotary, 1e-5),
                )?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_second_backward_pass_gives_the_same() -> Result<()> {
        let (w_qkv, w_o) = (ramp((12, 4))?, ramp((4, 4))?);
        check_both_passes_repeat(
            &ramp((2, 3, 4))?,
            [(&w_qkv, PLAIN), (&w_o, PLAIN)],
            |x, [w_in, w_out]| attn_block(x, w_in, w_out, 2, None, 1e-5),
        )
    }

    #[test]
    fn without_rotary_the_order_of_positions_does_not_matter() -> Result<()> {
        let x = ramp((1, 3, 4))?;
        let w_qkv = Weight::new(ramp((12, 4))?, DType::F32)?;
        let w_o = Weight::new(ramp((4, 4))?, DType::F32)?;
        let backwards = |t: &Tensor| t.flip(&[1]);
        let y = attn_block(&x, &w_qkv, &w_o, 2, None, 1e-5)?;
        let turned = backwards(&attn_block(&backwards(&x)?, &w_qkv, &w_o, 2, None, 1e-5)?)?;
        assert_close("order", &turned, &y, Tol::F32_KERNEL);
        Ok(())
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() -> Result<()> {
        let (x, f32) = (ramp((1, 3, 4))?, DType::F32);
        let (w_qkv, w_o) = (Weight::new(ramp((12, 4))?, f32)?, Weight::new(ramp((4, 4))?, f32)?);
        let message = |result: Result<Tensor>| result.unwrap_err().to_string();
        assert!(message(attn_block(&x, &w_qkv, &w_o, 3, None, 1e-5)).contains("3 heads"));
        assert!(message(attn_block(&x, &w_o, &w_o, 2, None, 1e-5)).contains("found (4, 4)"));
        let short = Rotary::new(2, 2, 10_000.0, &Device::Cpu)?;
        let refused = attn_block(&x, &w_qkv, &w_o, 2, Some(&short), 1e-5);
        assert!(message(refused).contains("2 positions of 2 channels, found 3 of 2"));
        Ok(())
    }
}
