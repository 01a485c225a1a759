//! Fused sublayers as operations on tensors.
//!
//! A sublayer is `y = norm(x + f(x, w_in, w_out))`. This file holds what both kinds
//! share: converting tensors, keeping the results of the forward pass for the
//! backward pass, and running untracked.

use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage as _;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor};

use crate::cpu::post_norm::Gradients;
use crate::cpu::{Simd, Threads};
use crate::operand::Operand;
use crate::storage::{load, load_tensor, store, store_tensor};
use crate::weight::Weight;

/// One of the two sublayers, on slices.
pub(crate) trait Sublayer<V: Simd<Elem: Operand>>: Clone + Send + Sync + 'static {
    /// Results of the forward pass that the backward pass needs.
    type Saved: Send + 'static;

    /// Name of the operation, for error messages.
    const NAME: &str;

    /// The first weight.
    fn w_in(&self) -> &Weight;

    /// The second weight.
    fn w_out(&self) -> &Weight;

    /// Replaces hidden states by the result.
    fn forward(&self, x: &mut [V::Elem], threads: Threads) -> Self::Saved;

    /// [`forward`](Self::forward) without saving anything for a backward pass.
    fn forward_only(&self, x: &mut [V::Elem], threads: Threads) {
        self.forward(x, threads);
    }

    /// Gradients of `x` and of the `wanted` weights, given `dy` at the result `y`.
    fn backward(
        &self,
        x: &[V::Elem],
        y: &[V::Elem],
        dy: &[V::Elem],
        saved: Self::Saved,
        wanted: [bool; 2],
    ) -> Result<Gradients<V::Elem>>;
}

/// Whether [`apply`] accepts a tensor.
pub(crate) fn accepts(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::BF16)
}

/// Applies a sublayer to `x: [.., D]`, f32 or bf16. The result is tracked if `x` or a
/// weight is.
///
/// # Errors
///
/// If the backend fails.
pub(crate) fn apply<V: Simd<Elem: Operand>, S: Sublayer<V>>(
    sublayer: S,
    x: &Tensor,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (w_in, w_out) = (sublayer.w_in().tensor().clone(), sublayer.w_out().tensor().clone());
    let is_tracked = x.track_op() || w_in.track_op() || w_out.track_op();
    let op = Fused::<V, S> { sublayer, is_tracked, saved: Mutex::new(None) };
    x.apply_op3(&w_in, &w_out, op)
}

/// A sublayer as an operation of the autograd graph.
struct Fused<V: Simd<Elem: Operand>, S: Sublayer<V>> {
    sublayer: S,
    is_tracked: bool,
    saved: Mutex<Option<S::Saved>>,
}

impl<V: Simd<Elem: Operand>, S: Sublayer<V>> CustomOp3 for Fused<V, S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _w_in: &CpuStorage,
        _w_in_layout: &Layout,
        _w_out: &CpuStorage,
        _w_out_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut hidden = load::<V>(S::NAME, x, layout)?;
        if self.is_tracked {
            let saved = self.sublayer.forward(&mut hidden, Threads::All);
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        } else {
            self.sublayer.forward_only(&mut hidden, Threads::All);
        }
        Ok((store::<V>(&hidden, x.dtype()), layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w_in: &Tensor,
        w_out: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let wanted = [w_in.track_op(), w_out.track_op()];
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner).take();
        let [x_values, y_values] = [load_tensor::<V>(S::NAME, x)?, load_tensor::<V>(S::NAME, y)?];
        let dy_values = load_tensor::<V>(S::NAME, &dy.contiguous()?)?;
        // The first backward pass consumes what was saved; a second one over the same
        // graph repeats the forward pass.
        let saved =
            saved.unwrap_or_else(|| self.sublayer.forward(&mut x_values.to_vec(), Threads::All));
        let gradients = self.sublayer.backward(&x_values, &y_values, &dy_values, saved, wanted)?;
        let weight = |values: Option<Vec<f32>>, like: &Tensor| {
            values.map(|values| Tensor::from_vec(values, like.shape(), like.device())).transpose()
        };
        debug_assert_eq!(w_in.dtype(), DType::F32, "only f32 weights are packed");
        let dx = store_tensor::<V>(&gradients.x, x.shape(), x)?;
        Ok((Some(dx), weight(gradients.w_in, w_in)?, weight(gradients.w_out, w_out)?))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cpu::Isa;
    use crate::weight::WeightLayout;
    use candle_core::Var;
    use hrm_testkit::{Tol, assert_close, ramp, relative_rms};

    /// The value, and the gradients with respect to `x` and both weights.
    fn value_and_gradients(
        x: &Tensor,
        weights: [&Tensor; 2],
        f: impl Fn(&Tensor, [&Tensor; 2]) -> Result<Tensor>,
    ) -> Result<[Tensor; 4]> {
        let x = Var::from_tensor(x)?;
        let weights = [Var::from_tensor(weights[0])?, Var::from_tensor(weights[1])?];
        let y = f(x.as_tensor(), [weights[0].as_tensor(), weights[1].as_tensor()])?;
        // Not a ramp, because `y` is close to the ramp `x`: the backward pass of the
        // norm reduces a gradient parallel to `y` to rounding errors.
        let direction = (ramp(y.shape())? * 9.0)?.cos()?;
        let loss = (y.to_dtype(DType::F32)? * direction)?.sum_all()?;
        let grads = loss.backward()?;
        let grad = |var: &Var| grads.get(var).cloned().expect("everything is differentiable");
        Ok([y.detach(), grad(&x), grad(&weights[0]), grad(&weights[1])])
    }

    /// Compares a fused sublayer with its reference, on every instruction set and in
    /// both dtypes, in value and in all gradients.
    ///
    /// In bf16 every number has a rounding error of 2^-8, and how much these add up
    /// depends on the sublayer. The yardstick is the error of the reference composed
    /// in bf16. The fused version rounds in other places (the result of the norm,
    /// where the reference rounds its argument); its error is similar in most cases.
    /// With few roundings it varies by chance, so it may be 2.5 times as large.
    pub(crate) fn check_agreement(
        name: &str,
        x: &Tensor,
        weights: [(&Tensor, WeightLayout); 2],
        fused: impl Fn(&Tensor, [&Weight; 2]) -> Result<Tensor>,
        reference: impl Fn(&Tensor, [&Tensor; 2]) -> Result<Tensor>,
    ) -> Result<()> {
        const NAMES: [&str; 4] = ["y", "dx", "dw_in", "dw_out"];
        let tensors = weights.map(|(w, _)| w);
        let expected = value_and_gradients(x, tensors, &reference)?;
        let bf16 = x.to_dtype(DType::BF16)?;
        let composed = value_and_gradients(&bf16, tensors, |x, [w_in, w_out]| {
            reference(x, [&w_in.to_dtype(DType::BF16)?, &w_out.to_dtype(DType::BF16)?])
        })?;
        for isa in Isa::available() {
            let bound = |dtype| {
                let fused = &fused;
                move |x: &Tensor, [w_in, w_out]: [&Tensor; 2]| {
                    let w_in = Weight::for_isa(w_in.clone(), dtype, weights[0].1, isa)?;
                    let w_out = Weight::for_isa(w_out.clone(), dtype, weights[1].1, isa)?;
                    assert!(w_in.kernel().is_some(), "this tests the fused version");
                    fused(x, [&w_in, &w_out])
                }
            };
            let found = value_and_gradients(x, tensors, bound(DType::F32))?;
            for (what, (found, expected)) in NAMES.iter().zip(found.iter().zip(&expected)) {
                let name = format!("{name}: {what} on {isa}");
                assert_close(&name, found, expected, Tol::F32_SUBLAYER);
            }

            let found = value_and_gradients(&bf16, tensors, bound(DType::BF16))?;
            assert_eq!(found[0].dtype(), DType::BF16);
            assert_eq!(found[2].dtype(), DType::F32, "weights and their gradients are f32");
            // A single channel is normalised to its sign: its gradient is zero except
            // for eps and rounding errors.
            let n_comparable = if x.dim(candle_core::D::Minus1)? > 1 { NAMES.len() } else { 1 };
            for (idx, what) in NAMES.iter().enumerate().take(n_comparable) {
                let error = relative_rms(&found[idx], &expected[idx]);
                let bound = 2.5 * relative_rms(&composed[idx], &expected[idx]) + 1e-3;
                assert!(
                    error <= bound && error < 0.1,
                    "{name}: {what} on {isa} in bf16 has a relative error of {error:.2e}, \
                     the bound is {bound:.2e}"
                );
            }
        }
        Ok(())
    }

    /// Checks that a second backward pass gives the same gradients, and that tracking
    /// does not change the value.
    pub(crate) fn check_both_passes_repeat(
        x: &Tensor,
        weights: [(&Tensor, WeightLayout); 2],
        fused: impl Fn(&Tensor, [&Weight; 2]) -> Result<Tensor>,
    ) -> Result<()> {
        let x = Var::from_tensor(x)?;
        for isa in Isa::available() {
            let bind = |w: &Tensor, form| Weight::for_isa(w.clone(), DType::F32, form, isa);
            let w_in = Var::from_tensor(weights[0].0)?;
            let live = bind(w_in.as_tensor(), weights[0].1)?;
            let frozen = bind(weights[1].0, weights[1].1)?;
            let y = fused(x.as_tensor(), [&live, &frozen])?;
            let loss = (&y * ramp(y.shape())?)?.sum_all()?;
            let (first, second) = (loss.backward()?, loss.backward()?);
            for var in [&x, &w_in] {
                let (first, second) = (first.get(var).unwrap(), second.get(var).unwrap());
                assert_close("second pass", second, first, Tol::EXACT);
            }
            let untracked = fused(&x.as_detached_tensor(), [&live.detach(), &frozen])?;
            assert!(!untracked.track_op());
            assert_close("untracked", &untracked, &y, Tol::EXACT);
        }
        Ok(())
    }
}
