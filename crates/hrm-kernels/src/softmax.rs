//! Softmax over the last axis.
//!
//! ```text
//! y  = exp(x - max) / sum(exp(x - max)),   dx = y (dy - sum(y dy))
//! ```
//!
//! Versions, by increasing speed:
//! 1. [`reference`]: tensor operations only, for any device and dtype.
//! 2. [`softmax`]: one pass per row over contiguous f32 on CPU, rows in
//!    parallel, analytic backward; anything else takes the reference.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::accumulator;
use crate::element::contiguous;

/// `exp(x) / sum(exp(x))` over the last axis; shape and dtype are preserved.
///
/// # Errors
///
/// If the backend fails.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    let has_fused_path = x.device().is_cpu() && x.dtype() == DType::F32 && x.is_contiguous();
    if has_fused_path { x.apply_op1(Softmax) } else { reference(x) }
}

/// The definition.
fn reference(x: &Tensor) -> Result<Tensor> {
    let dtype = x.dtype();
    let x = x.to_dtype(accumulator(dtype))?;
    // Subtracting a constant changes neither the value nor the gradient, so
    // nothing has to flow through the maximum.
    let max = x.detach().max_keepdim(D::Minus1)?;
    let exp = x.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?.to_dtype(dtype)
}

/// Rows that a thread takes at a time hold about this many elements.
const N_ELEMENTS_PER_TASK: usize = 1 << 14;

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "hrm-softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        let y = by_rows(x, layout.dim(D::Minus1)?, |at, y| {
            let x = &x[at..at + y.len()];
            let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - max).exp());
            let scale = y.iter().sum::<f32>().recip();
            y.iter_mut().for_each(|y| *y *= scale);
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        y.contiguous()?.apply_op2_no_bwd(&dy.contiguous()?, &SoftmaxBackward).map(Some)
    }
}

/// `y (dy - sum(y dy))` by rows.
struct SoftmaxBackward;

impl CustomOp2 for SoftmaxBackward {
    fn name(&self) -> &'static str {
        "hrm-softmax-backward"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        dy: &CpuStorage,
        dy_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = contiguous::<f32>(self.name(), y, y_layout)?;
        let dy = contiguous::<f32>(self.name(), dy, dy_layout)?;
        let dx = by_rows(y, y_layout.dim(D::Minus1)?, |at, dx| {
            let (y, dy) = (&y[at..at + dx.len()], &dy[at..at + dx.len()]);
            let along_y = y.iter().zip(dy).map(|(y, dy)| y * dy).sum::<f32>();
            dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (y, dy))| *dx = y * (dy - along_y));
        });
        Ok((CpuStorage::F32(dx), y_layout.shape().clone()))
    }
}

/// As many elements as `like`, each row written by `write_row`, which is told
/// where the row starts.
fn by_rows(like: &[f32], row_len: usize, write_row: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut out = vec![0.0; like.len()];
    let row_len = row_len.max(1);
    let task_len = N_ELEMENTS_PER_TASK.div_ceil(row_len) * row_len;
    out.par_chunks_mut(task_len).enumerate().for_each(|(task, rows)| {
        for (row, out) in rows.chunks_exact_mut(row_len).enumerate() {
            write_row(task * task_len + row * row_len, out);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp, ramp64, value_and_grad};

    /// Row lengths on both sides of the usual block sizes.
    const EDGE_LENGTHS: &[usize] = &[1, 2, 7, 8, 9, 63, 64, 65, 511, 512, 513];

    #[test]
    fn gradient_matches_finite_differences() -> Result<()> {
        check_gradient("x", &ramp64((3, 9))?, softmax);
        Ok(())
    }

    #[test]
    fn fused_agrees_with_reference_in_value_and_gradient() -> Result<()> {
        // The last has more rows than one task takes.
        let shapes = EDGE_LENGTHS.iter().map(|len| (3, *len)).chain([(40, 901)]);
        for shape in shapes {
            let x = (ramp(shape)? * 4.0)?;
            let (y, dx) = value_and_grad(&x, softmax)?;
            let (want_y, want_dx) = value_and_grad(&x, reference)?;
            assert_close("y", &y, &want_y, Tol::F32_KERNEL);
            assert_close("dx", &dx, &want_dx, Tol::F32_KERNEL);
        }
        Ok(())
    }

    #[test]
    fn rows_that_are_not_contiguous_take_the_reference() -> Result<()> {
        let x = ramp((5, 7))?;
        let (y, dx) = value_and_grad(&x, |x| softmax(&x.t()?))?;
        let (want_y, want_dx) = value_and_grad(&x, |x| reference(&x.t()?))?;
        assert_close("y", &y, &want_y, Tol::EXACT);
        assert_close("dx", &dx, &want_dx, Tol::EXACT);
        Ok(())
    }

    #[test]
    fn rows_sum_to_one_at_every_edge() -> Result<()> {
        for &len in EDGE_LENGTHS {
            let sums = softmax(&ramp((3, len))?)?.sum(1)?.to_vec1::<f32>()?;
            assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-5), "len {len}: {sums:?}");
        }
        Ok(())
    }

    #[test]
    fn large_logits_do_not_overflow() -> Result<()> {
        let x = Tensor::new(&[[1000f32, 999., -1000.]], &candle_core::Device::Cpu)?;
        let y = softmax(&x)?.to_vec2::<f32>()?;
        assert!((y[0][0] - 0.731_058_6).abs() < 1e-6 && y[0][2] == 0.0, "{y:?}");
        Ok(())
    }
}
