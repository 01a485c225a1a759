//! The attention half of a block: mix positions, add, normalise.
//!
//! Versions, by increasing speed:
//! 1. [`reference`](crate::reference::attn_block): a composition of this
//!    crate's functions, for any device and dtype.
//! 2. [`attn_block`]: f32 and bf16 on the CPU, head by head with few scores in
//!    memory at a time, with an analytic backward pass; anything else takes the
//!    reference.

use candle_core::{Result, Tensor};

use crate::attention::attention;
use crate::cpu::attn::{self, Sizes};
use crate::cpu::post_norm::Gradients;
use crate::cpu::{Scratch, Simd, Threads, with_simd};
use crate::linear::linear;
use crate::operand::Operand;
use crate::rms_norm::rms_norm;
use crate::rotary::Rotary;
use crate::sublayer::{self, Sublayer};
use crate::weight::Weight;

/// `rms_norm(x + attention(x))` for `x: [B, S, D]`, same shape out.
///
/// `w_qkv: [3 D, D]` holds all query heads, then all key heads, then all value
/// heads; `w_o: [D, D]`. Queries and keys are rotated by `rotary` if given.
///
/// # Errors
///
/// If shapes or dtypes do not fit, `n_heads` does not divide `D`, or a size is 0:
/// `S`, `D` or `n_heads`. An empty batch is not an error.
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
    match w_qkv.kernel() {
        Some(kernel) if sublayer::accepts(x) && w_o.kernel() == Some(kernel) => {
            with_simd!(kernel, V => sublayer::apply::<V, _>(sublayer, x))
        }
        _ => reference(x, &w_qkv.tensor_like(x)?, &w_o.tensor_like(x)?, n_heads, rotary, eps),
    }
}

/// [`attn_block`](crate::attn_block) as a composition, for weights in the
/// dtype of `x`.
///
/// # Errors
///
/// If shapes or dtypes do not fit, `n_heads` does not divide `D`, or a size is 0:
/// `S`, `D` or `n_heads`. An empty batch is not an error.
pub fn reference(
    x: &Tensor,
    w_qkv: &Tensor,
    w_o: &Tensor,
    n_heads: usize,
    rotary: Option<&Rotary>,
    eps: f64,
) -> Result<Tensor> {
    let (n_puzzles, n_positions, width) = x.dims3()?;
    let head_dim = head_dim([n_positions, width], n_heads)?;
    if let Some(rotary) = rotary {
        rotary.host(n_positions, head_dim)?;
    }
    let per_head = (n_puzzles, n_positions, 3, n_heads, head_dim);
    let qkv = linear(x, w_qkv)?.reshape(per_head)?.permute((2, 0, 3, 1, 4))?;
    let rotated = |t: Tensor| rotary.map_or(Ok(t.clone()), |rotary| rotary.apply(&t));
    let (q, k, v) = (rotated(qkv.get(0)?)?, rotated(qkv.get(1)?)?, qkv.get(2)?);

    let mixed = attention(&q, &k, &v)?.transpose(1, 2)?.reshape(x.shape())?;
    rms_norm(&(x + linear(&mixed, w_o)?)?, eps)
}

/// Checks sizes and returns the channels of one head, `D / N`.
fn head_dim([n_positions, width]: [usize; 2], n_heads: usize) -> Result<usize> {
    if n_positions == 0 || width == 0 {
        candle_core::bail!(
            "attn_block needs at least 1 position and 1 channel, \
             found {n_positions} and {width}"
        );
    }
    if n_heads == 0 || !width.is_multiple_of(n_heads) {
        candle_core::bail!("attn_block: {width} channels cannot be split into {n_heads} heads");
    }
    Ok(width / n_heads)
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
    /// Binds the sublayer to puzzles of `[S, D]`.
    ///
    /// # Errors
    ///
    /// If the weights or the rotary tables do not fit, or a size is 0.
    pub(crate) fn new(
        [n_positions, width]: [usize; 2],
        w_qkv: &Weight,
        w_o: &Weight,
        n_heads: usize,
        rotary: Option<&Rotary>,
        eps: f64,
    ) -> Result<Self> {
        let head_dim = head_dim([n_positions, width], n_heads)?;
        let (found_in, found_out) = (w_qkv.tensor().dims2()?, w_o.tensor().dims2()?);
        if found_in != (3 * width, width) || found_out != (width, width) {
            candle_core::bail!(
                "attn_block on {width} channels needs weights [{}, {width}] and [{width}, {width}], \
                 found {found_in:?} and {found_out:?}",
                3 * width
            );
        }
        if let Some(rotary) = rotary {
            rotary.host(n_positions, head_dim)?;
        }
        let (w_qkv, w_o, rotary) = (w_qkv.clone(), w_o.clone(), rotary.cloned());
        Ok(Self { w_qkv, w_o, rotary, n_positions, n_heads, head_dim, eps: eps as f32 })
    }

    /// Applies the sublayer to the first position of each puzzle only: `[B S, D]` to
    /// `[B, D]`.
    pub(crate) fn forward_first<V: Simd<Elem: Operand>>(
        &self,
        x: &[V::Elem],
        threads: Threads,
    ) -> Scratch<V::Elem> {
        let (qkv, o) = (self.w_qkv.forward(), self.w_o.forward());
        attn::forward_first::<V>(x, qkv, o, self.sizes(), threads)
    }

    fn sizes(&self) -> Sizes<'_> {
        let Self { n_positions, n_heads, head_dim, eps, .. } = *self;
        let angles = self.rotary.as_ref().map(|rotary| {
            rotary.host(n_positions, head_dim).expect("`new` checked the rotary tables")
        });
        Sizes { n_positions, n_heads, head_dim, eps, angles }
    }
}

impl<V: Simd<Elem: Operand>> Sublayer<V> for Attn {
    type Saved = attn::Saved<V::Elem>;

    const NAME: &str = "attn_block";

    fn w_in(&self) -> &Weight {
        &self.w_qkv
    }

    fn w_out(&self) -> &Weight {
        &self.w_o
    }

    fn forward(&self, x: &mut [V::Elem], threads: Threads) -> Self::Saved {
        attn::forward::<V>(x, self.w_qkv.forward(), self.w_o.forward(), self.sizes(), threads)
    }

    fn backward(
        &self,
        x: &[V::Elem],
        y: &[V::Elem],
        dy: &[V::Elem],
        saved: Self::Saved,
        wanted: [bool; 2],
    ) -> Result<Gradients<V::Elem>> {
        let (qkv, o) = (self.w_qkv.backward::<V>()?, self.w_o.backward::<V>()?);
        Ok(attn::backward::<V>(x, y, dy, saved, &qkv, &o, self.sizes(), wanted, Threads::All))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sublayer::tests::{check_agreement, check_both_passes_repeat};
    use crate::weight::WeightLayout;
    use candle_core::{DType, Device, Var};
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp, ramp64};

    const PLAIN: WeightLayout = WeightLayout::Plain;

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
    fn fused_agrees_with_reference_in_value_and_every_gradient_on_every_isa() -> Result<()> {
        // Puzzles, positions, heads and channels per head around the sizes of tiles,
        // panels and blocks, even and odd.
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
    fn equal_keys_give_queries_and_keys_no_gradient() -> Result<()> {
        // Scores around 100: their log-sum-exp has a rounding error of 4e-6.
        let (n_positions, width) = (17, 8);
        let x = (ramp((1, 1, width))? * 3.0)?.broadcast_as((1, n_positions, width))?;
        let w_qkv = Var::from_tensor(&(ramp((3 * width, width))? * 4.0)?)?;
        let w_in = Weight::new(w_qkv.as_tensor().clone(), DType::F32)?;
        let w_out = Weight::new(ramp((width, width))?.cos()?, DType::F32)?;
        let y = attn_block(&x.contiguous()?, &w_in, &w_out, 1, None, 1e-5)?;
        let grads = (y * ramp((1, n_positions, width))?)?.sum_all()?.backward()?;
        let grad = grads.get(&w_qkv).expect("the weight is tracked").abs()?;
        let largest = |first, n| grad.narrow(0, first, n)?.max_all()?.to_scalar::<f32>();
        let (of_scores, of_values) = (largest(0, 2 * width)?, largest(2 * width, width)?);
        assert!(of_scores < 1e-5 * of_values, "{of_scores:e} beside {of_values:e}");
        Ok(())
    }

    #[test]
    fn a_second_backward_pass_gives_the_same_gradients() -> Result<()> {
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
        let reversed = |t: &Tensor| t.flip(&[1]);
        let y = attn_block(&x, &w_qkv, &w_o, 2, None, 1e-5)?;
        let restored = reversed(&attn_block(&reversed(&x)?, &w_qkv, &w_o, 2, None, 1e-5)?)?;
        assert_close("order", &restored, &y, Tol::F32_KERNEL);
        Ok(())
    }

    #[test]
    fn arguments_that_do_not_fit_are_rejected() -> Result<()> {
        let (x, f32) = (ramp((1, 3, 4))?, DType::F32);
        let (w_qkv, w_o) = (Weight::new(ramp((12, 4))?, f32)?, Weight::new(ramp((4, 4))?, f32)?);
        let message = |result: Result<Tensor>| result.unwrap_err().to_string();
        assert!(message(attn_block(&x, &w_qkv, &w_o, 3, None, 1e-5)).contains("3 heads"));
        assert!(message(attn_block(&x, &w_o, &w_o, 2, None, 1e-5)).contains("found (4, 4)"));
        let short = Rotary::new(2, 2, 10_000.0, &Device::Cpu)?;
        let plain = reference(&x, w_qkv.tensor(), w_o.tensor(), 2, Some(&short), 1e-5);
        for refused in [attn_block(&x, &w_qkv, &w_o, 2, Some(&short), 1e-5), plain] {
            assert!(message(refused).contains("2 positions of 2 channels, found 3 of 2"));
        }
        Ok(())
    }

    #[test]
    fn sizes_of_zero_are_rejected_but_an_empty_batch_is_not() -> Result<()> {
        let f32 = DType::F32;
        for (n_positions, width, n_heads, why) in [
            (0, 4, 2, "at least 1 position and 1 channel, found 0 and 4"),
            (3, 0, 2, "at least 1 position and 1 channel, found 3 and 0"),
            (3, 4, 0, "4 channels cannot be split into 0 heads"),
        ] {
            let x = ramp((1, n_positions, width))?;
            let (w_qkv, w_o) = (ramp((3 * width, width))?, ramp((width, width))?);
            let plain = reference(&x, &w_qkv, &w_o, n_heads, None, 1e-5);
            let (w_qkv, w_o) = (Weight::new(w_qkv, f32)?, Weight::new(w_o, f32)?);
            for refused in [attn_block(&x, &w_qkv, &w_o, n_heads, None, 1e-5), plain] {
                let message = refused.unwrap_err().to_string();
                assert!(message.contains(why), "{message}");
            }
        }
        let (w_qkv, w_o) = (Weight::new(ramp((12, 4))?, f32)?, Weight::new(ramp((4, 4))?, f32)?);
        let y = attn_block(&ramp((0, 3, 4))?, &w_qkv, &w_o, 2, None, 1e-5)?;
        assert_eq!(y.dims3()?, (0, 3, 4));
        Ok(())
    }
}
