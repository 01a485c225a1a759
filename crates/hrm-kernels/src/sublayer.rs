//! Fused sublayers as operations on tensors.
//!
//! A sublayer is `y = norm(x + f(x, w_in, w_out))`. What is common to both
//! kinds lives here: reading and writing tensors, keeping what the forward pass
//! saved until the backward pass comes, and running without a record in place.

use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage as _;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor};

use crate::Weight;
use crate::cpu::post_norm::Gradients;
use crate::cpu::{Arith, Threads};
use crate::element::{Operand, load, load_tensor, store, store_tensor};

/// What one of the two sublayers does to rows.
pub(crate) trait Sublayer<A: Arith<Elem: Operand>>: Clone + Send + Sync + 'static {
    /// What the backward pass wants to know about the forward pass.
    type Saved: Send + 'static;

    /// Its name in messages.
    const NAME: &str;

    /// The first weight.
    fn w_in(&self) -> &Weight;

    /// The second weight.
    fn w_out(&self) -> &Weight;

    /// Replaces rows by the result.
    fn forward(&self, x: &mut [A::Elem], threads: Threads) -> Self::Saved;

    /// [`forward`](Self::forward) when nobody will ask.
    fn forward_only(&self, x: &mut [A::Elem], threads: Threads) {
        self.forward(x, threads);
    }

    /// Gradients of the rows and, as far as wanted, of the weights, from `dy`
    /// at the result `y`.
    fn backward(
        &self,
        x: &[A::Elem],
        y: &[A::Elem],
        dy: &[A::Elem],
        saved: Self::Saved,
        wanted: [bool; 2],
    ) -> Result<Gradients<A::Elem>>;
}

/// Whether [`apply`] takes a tensor.
pub(crate) fn takes(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::BF16)
}

/// Applies a sublayer to `x: [.., D]`, f32 or bf16, with a record, if `x` or a
/// weight is tracked.
///
/// # Errors
///
/// If the backend fails.
pub(crate) fn apply<A: Arith<Elem: Operand>, S: Sublayer<A>>(
    sublayer: S,
    x: &Tensor,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (w_in, w_out) = (sublayer.w_in().tensor().clone(), sublayer.w_out().tensor().clone());
    let is_tracked = x.track_op() || w_in.track_op() || w_out.track_op();
    let op = Fused::<A, S> { sublayer, is_tracked, saved: Mutex::new(None) };
    x.apply_op3(&w_in, &w_out, op)
}

/// A sublayer in a graph.
struct Fused<A: Arith<Elem: Operand>, S: Sublayer<A>> {
    sublayer: S,
    is_tracked: bool,
    saved: Mutex<Option<S::Saved>>,
}

impl<A: Arith<Elem: Operand>, S: Sublayer<A>> CustomOp3 for Fused<A, S> {
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
        let mut rows = load::<A>(S::NAME, x, layout)?;
        if self.is_tracked {
            let saved = self.sublayer.forward(&mut rows, Threads::All);
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        } else {
            self.sublayer.forward_only(&mut rows, Threads::All);
        }
        Ok((store::<A>(&rows, x.dtype()), layout.shape().clone()))
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
        let [x_rows, y_rows] = [load_tensor::<A>(S::NAME, x)?, load_tensor::<A>(S::NAME, y)?];
        let dy_rows = load_tensor::<A>(S::NAME, &dy.contiguous()?)?;
        // The first backward pass uses up what was saved; a second one over the
        // same graph runs the forward pass again.
        let saved =
            saved.unwrap_or_else(|| self.sublayer.forward(&mut x_rows.to_vec(), Threads::All));
        let gradients = self.sublayer.backward(&x_rows, &y_rows, &dy_rows, saved, wanted)?;
        let weight = |values: Option<Vec<f32>>, like: &Tensor| {
            values.map(|values| Tensor::from_vec(values, like.shape(), like.device())).transpose()
        };
        debug_assert_eq!(w_in.dtype(), DType::F32, "only f32 weights are packed");
        let dx = store_tensor::<A>(&gradients.x, x.shape(), x)?;
        Ok((Some(dx), weight(gradients.w_in, w_in)?, weight(gradients.w_out, w_out)?))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cpu::Path;
    use crate::weight::Form;
    use candle_core::Var;
    use hrm_testkit::{Tol, assert_close, ramp, relative_rms};

    /// Value, and gradients with respect to the rows and both weights.
    fn value_and_gradients(
        x: &Tensor,
        weights: [&Tensor; 2],
        f: impl Fn(&Tensor, [&Tensor; 2]) -> Result<Tensor>,
    ) -> Result<[Tensor; 4]> {
        let x = Var::from_tensor(x)?;
        let weights = [Var::from_tensor(weights[0])?, Var::from_tensor(weights[1])?];
        let y = f(x.as_tensor(), [weights[0].as_tensor(), weights[1].as_tensor()])?;
        // Not along `y`, which is near the ramp that goes in: nothing of such a
        // gradient passes a norm but rounding.
        let direction = (ramp(y.shape())? * 9.0)?.cos()?;
        let loss = (y.to_dtype(DType::F32)? * direction)?.sum_all()?;
        let grads = loss.backward()?;
        let grad = |var: &Var| grads.get(var).cloned().expect("everything is differentiable");
        Ok([y.detach(), grad(&x), grad(&weights[0]), grad(&weights[1])])
    }

    /// Compares a fused sublayer with its reference, on every path and in both
    /// dtypes, in value and in all gradients.
    ///
    /// In bf16 every number carries a rounding of 2^-8, and how far they add up
    /// depends on the sublayer. The measure is the reference itself, composed in
    /// bf16: the fused version, which rounds at other places (the norm's result
    /// where the reference rounds its argument), is as far from the f32 result
    /// in most cases, and may be 2.5 times as far where few roundings make chance
    /// decide.
    pub(crate) fn check_agreement(
        name: &str,
        x: &Tensor,
        weights: [(&Tensor, Form); 2],
        fused: impl Fn(&Tensor, [&Weight; 2]) -> Result<Tensor>,
        reference: impl Fn(&Tensor, [&Tensor; 2]) -> Result<Tensor>,
    ) -> Result<()> {
        const NAMES: [&str; 4] = ["y", "dx", "dw_in", "dw_out"];
        let tensors = weights.map(|(w, _)| w);
        let wanted = value_and_gradients(x, tensors, &reference)?;
        let bf16 = x.to_dtype(DType::BF16)?;
        let composed = value_and_gradients(&bf16, tensors, |x, [w_in, w_out]| {
            reference(x, [&w_in.to_dtype(DType::BF16)?, &w_out.to_dtype(DType::BF16)?])
        })?;
        for path in Path::available() {
            let bound = |dtype| {
                let fused = &fused;
                move |x: &Tensor, [w_in, w_out]: [&Tensor; 2]| {
                    let w_in = Weight::on_path(w_in.clone(), dtype, weights[0].1, path)?;
                    let w_out = Weight::on_path(w_out.clone(), dtype, weights[1].1, path)?;
                    assert!(w_in.scheme().is_some(), "the fused version is what is tested");
                    fused(x, [&w_in, &w_out])
                }
            };
            let found = value_and_gradients(x, tensors, bound(DType::F32))?;
            for (what, (found, wanted)) in NAMES.iter().zip(found.iter().zip(&wanted)) {
                let name = format!("{name}: {what} on {path}");
                assert_close(&name, found, wanted, Tol::F32_SUBLAYER);
            }

            let found = value_and_gradients(&bf16, tensors, bound(DType::BF16))?;
            assert_eq!(found[0].dtype(), DType::BF16);
            assert_eq!(found[2].dtype(), DType::F32, "weights and their gradients are f32");
            // A single channel normalises to its sign: its gradient is what eps
            // leaves of a difference of equal numbers.
            let n_comparable = if x.dim(candle_core::D::Minus1)? > 1 { NAMES.len() } else { 1 };
            for (idx, what) in NAMES.iter().enumerate().take(n_comparable) {
                let apart = relative_rms(&found[idx], &wanted[idx]);
                let bound = 2.5 * relative_rms(&composed[idx], &wanted[idx]) + 1e-3;
                assert!(
                    apart <= bound && apart < 0.1,
                    "{name}: {what} on {path} in bf16 is off by {apart:.2e} of its size, \
                     the bound is {bound:.2e}"
                );
            }
        }
        Ok(())
    }

    /// A graph can be walked twice, and untracked arguments do not change the
    /// value.
    pub(crate) fn check_both_passes_repeat(
        x: &Tensor,
        weights: [(&Tensor, Form); 2],
        fused: impl Fn(&Tensor, [&Weight; 2]) -> Result<Tensor>,
    ) -> Result<()> {
        let x = Var::from_tensor(x)?;
        for path in Path::available() {
            let bind = |w: &Tensor, form| Weight::on_path(w.clone(), DType::F32, form, path);
            let w_in = Var::from_tensor(weights[0].0)?;
            let live = bind(w_in.as_tensor(), weights[0].1)?;
            let still = bind(weights[1].0, weights[1].1)?;
            let y = fused(x.as_tensor(), [&live, &still])?;
            let loss = (&y * ramp(y.shape())?)?.sum_all()?;
            let (first, second) = (loss.backward()?, loss.backward()?);
            for var in [&x, &w_in] {
                let (first, second) = (first.get(var).unwrap(), second.get(var).unwrap());
                assert_close("second pass", second, first, Tol::EXACT);
            }
            let alone = fused(&x.as_detached_tensor(), [&live.detach(), &still])?;
            assert!(!alone.track_op());
            assert_close("untracked", &alone, &y, Tol::EXACT);
        }
        Ok(())
    }
}
