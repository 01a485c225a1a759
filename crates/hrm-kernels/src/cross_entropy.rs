//! The losses of a segment: cross-entropy of the cells, and binary cross-entropy of
//! the halting head.
//!
//! Both are computed in f64: there are few logits, and a loss is a sum over many
//! cells. The published code does the same for stablemax.
//!
//! Versions of the cross-entropy, by increasing speed:
//! 1. [`reference`](crate::reference::cross_entropy): a composition of tensor
//!    operations, for any device.
//! 2. [`cross_entropy`]: one pass over the cells on the CPU, for value and gradient;
//!    anything else takes the reference.

use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor, WithDType};
use half::bf16;
use rayon::prelude::*;

use crate::cpu::profile::{Part, section};
use crate::storage::contiguous;

/// The label of cells without a loss, as in the published code.
pub const IGNORE_LABEL: i64 = -100;

/// The distribution over tokens that logits define: `p_i = s(x_i) / sum s(x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellDistribution {
    /// A softmax with linear tails: `s(x) = x + 1` for `x >= 0`, `1 / (1 - x)`
    /// below.
    Stablemax,
    /// `s(x) = e^x`.
    Softmax,
}

/// Cross-entropy of each cell, `-sum t_i log p_i`.
///
/// `logits: [B, S, V]` of any float dtype, `labels: [B, S]` i64; returns `[B, S]`
/// f64 with 0 where the label is [`IGNORE_LABEL`]. The target `t` has weight
/// `1 - smoothing` on the label, and `smoothing` spread evenly over the vocabulary.
///
/// # Errors
///
/// If the shapes do not fit or a label is outside the vocabulary.
pub fn cross_entropy(
    distribution: CellDistribution,
    smoothing: f64,
    logits: &Tensor,
    labels: &Tensor,
) -> Result<Tensor> {
    let dtype = logits.dtype();
    let is_fused =
        logits.device().is_cpu() && matches!(dtype, DType::F32 | DType::BF16 | DType::F64);
    if is_fused {
        logits
            .contiguous()?
            .apply_op2(&labels.contiguous()?, CrossEntropy { distribution, smoothing })
    } else {
        reference(distribution, smoothing, logits, labels)
    }
}

/// [`cross_entropy`](crate::cross_entropy) as a composition.
///
/// # Errors
///
/// If the shapes do not fit or a label is outside the vocabulary.
pub fn reference(
    distribution: CellDistribution,
    smoothing: f64,
    logits: &Tensor,
    labels: &Tensor,
) -> Result<Tensor> {
    let logits = logits.to_dtype(DType::F64)?;
    let s = match distribution {
        CellDistribution::Stablemax => stablemax_scores(&logits)?,
        CellDistribution::Softmax => {
            let max = logits.detach().max_keepdim(D::Minus1)?;
            logits.broadcast_sub(&max)?.exp()?
        }
    };
    let log_p = s.broadcast_div(&s.sum_keepdim(D::Minus1)?)?.log()?;

    let has_label = labels.ne(IGNORE_LABEL)?;
    let in_range = has_label.where_cond(labels, &labels.zeros_like()?)?;
    let picked = log_p.gather(&in_range.unsqueeze(D::Minus1)?, D::Minus1)?.squeeze(D::Minus1)?;
    let log_p = match smoothing {
        // The mean is not finite if any token has probability 0.
        0.0 => picked,
        _ => ((picked * (1.0 - smoothing))? + (log_p.mean(D::Minus1)? * smoothing)?)?,
    };
    log_p.neg()? * has_label.to_dtype(DType::F64)?
}

/// `s(x)` of [`CellDistribution::Stablemax`], elementwise.
fn stablemax_scores(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?;
    let positive = x.ge(&zeros)?;
    // Evaluate the lower branch on negative values only: its pole at x = 1 would turn
    // the zero gradient of the unused branch into NaN.
    let below = positive.where_cond(&zeros, x)?;
    positive.where_cond(&(x + 1.0)?, &(1.0 - below)?.recip()?)
}

/// The fused operation.
#[derive(Clone, Copy)]
struct CrossEntropy {
    distribution: CellDistribution,
    smoothing: f64,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let cells = Cells::new((logits, logits_layout), (labels, labels_layout))?;
        let losses = cells.map(1, |logits, label, loss| loss[0] = self.loss(logits, label));
        Ok((CpuStorage::F64(losses), labels_layout.shape().clone()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        _loss: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let slopes = logits.apply_op2_no_bwd(labels, &Slopes(*self))?;
        let grad = slopes.broadcast_mul(&grad.unsqueeze(D::Minus1)?)?;
        Ok((Some(grad.to_dtype(logits.dtype())?), None))
    }
}

/// The derivative of each cell's loss by its logits, `[B, S, V]` f64.
struct Slopes(CrossEntropy);

impl CustomOp2 for Slopes {
    fn name(&self) -> &'static str {
        "cross_entropy_slopes"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let cells = Cells::new((logits, logits_layout), (labels, labels_layout))?;
        let slopes = cells.map(cells.n_tokens, |logits, label, slopes| {
            self.0.slopes(logits, label, slopes);
        });
        Ok((CpuStorage::F64(slopes), logits_layout.shape().clone()))
    }
}

/// Logits in f64, `n_tokens` for each label.
struct Cells<'a> {
    n_tokens: usize,
    logits: Vec<f64>,
    labels: &'a [i64],
}

impl<'a> Cells<'a> {
    fn new(
        (logits, logits_layout): (&CpuStorage, &Layout),
        (labels, labels_layout): (&'a CpuStorage, &Layout),
    ) -> Result<Self> {
        const NAME: &str = "cross_entropy";
        let (dims, cells) = (logits_layout.dims(), labels_layout.dims());
        let Some((&n_tokens, _)) = dims.split_last().filter(|(_, leading)| *leading == cells)
        else {
            candle_core::bail!("{NAME}: logits {dims:?} do not fit labels {cells:?}");
        };
        let in_f64 = |logits: &CpuStorage| -> Result<Vec<f64>> {
            Ok(match logits {
                CpuStorage::F32(_) => widened(contiguous::<f32>(NAME, logits, logits_layout)?),
                CpuStorage::BF16(_) => widened(contiguous::<bf16>(NAME, logits, logits_layout)?),
                _ => widened(contiguous::<f64>(NAME, logits, logits_layout)?),
            })
        };
        let labels = contiguous::<i64>(NAME, labels, labels_layout)?;
        let is_valid = |l: &i64| *l == IGNORE_LABEL || (0..n_tokens as i64).contains(l);
        if let Some(label) = labels.iter().find(|l| !is_valid(l)) {
            candle_core::bail!("{NAME}: labels must be below {n_tokens}, found {label}");
        }
        Ok(Self { n_tokens, logits: in_f64(logits)?, labels })
    }

    /// `n_per_cell` numbers for each cell, written by `write` from its logits and
    /// label; 0 for cells without a label.
    fn map(&self, n_per_cell: usize, write: impl Fn(&[f64], usize, &mut [f64]) + Sync) -> Vec<f64> {
        let _timing = section(Part::Loss);
        let mut out = vec![0.0; self.labels.len() * n_per_cell];
        out.par_chunks_exact_mut(n_per_cell.max(1))
            .zip(self.logits.par_chunks_exact(self.n_tokens.max(1)))
            .zip(self.labels)
            .with_min_len(256)
            .filter(|(_, label)| **label != IGNORE_LABEL)
            .for_each(|((out, logits), label)| write(logits, *label as usize, out));
        out
    }
}

fn widened<T: WithDType>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

impl CellDistribution {
    /// `s(x)`, its logarithm, and `s'(x) / s(x)`.
    fn score(self, x: f64, max: f64) -> (f64, f64, f64) {
        match self {
            Self::Stablemax if x >= 0.0 => (x + 1.0, x.ln_1p(), (x + 1.0).recip()),
            Self::Stablemax => {
                let s = (1.0 - x).recip();
                (s, s.ln(), s)
            }
            Self::Softmax => ((x - max).exp(), x - max, 1.0),
        }
    }

    /// The largest logit, and `sum s(x)`.
    fn sum(self, logits: &[f64]) -> (f64, f64) {
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (max, logits.iter().map(|x| self.score(*x, max).0).sum())
    }
}

impl CrossEntropy {
    /// The target probability of token `i`.
    fn target(self, i: usize, label: usize, n_tokens: usize) -> f64 {
        let one_hot = (1.0 - self.smoothing) * f64::from(u8::from(i == label));
        one_hot + self.smoothing / n_tokens as f64
    }

    fn loss(self, logits: &[f64], label: usize) -> f64 {
        let (max, sum) = self.distribution.sum(logits);
        let log_score = |x: f64| self.distribution.score(x, max).1;
        let of_label = sum.ln() - log_score(logits[label]);
        if self.smoothing == 0.0 {
            return of_label;
        }
        let mean = logits.iter().map(|x| log_score(*x)).sum::<f64>() / logits.len() as f64;
        (1.0 - self.smoothing) * of_label + self.smoothing * (sum.ln() - mean)
    }

    /// Derivatives of the loss: `s'(x) / s(x) (p - target)`.
    fn slopes(self, logits: &[f64], label: usize, slopes: &mut [f64]) {
        let (max, sum) = self.distribution.sum(logits);
        for (i, (slope, x)) in slopes.iter_mut().zip(logits).enumerate() {
            let (s, _, relative) = self.distribution.score(*x, max);
            *slope = relative * (s / sum - self.target(i, label, logits.len()));
        }
    }
}

/// Binary cross-entropy of `sigmoid(logits)` against targets in `0..=1`,
/// elementwise, f64. No gradient flows to `targets`.
///
/// # Errors
///
/// If the shapes differ.
pub fn binary_cross_entropy_with_logits(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let logits = logits.to_dtype(DType::F64)?;
    let targets = targets.detach().to_dtype(DType::F64)?;
    // -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) = log(1 + e^x) - t x,
    // with the larger of the two exponents factored out as a constant.
    let max = logits.detach().relu()?;
    let one_plus_exp = ((&logits - &max)?.exp()? + max.neg()?.exp()?)?;
    (one_plus_exp.log()? + max)? - (targets * logits)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp, ramp64, value_and_grad};

    fn labels() -> Result<Tensor> {
        Tensor::new(&[[0i64, 4, IGNORE_LABEL], [2, IGNORE_LABEL, 1]], &Device::Cpu)
    }

    #[test]
    fn gradients_match_finite_differences() -> Result<()> {
        let (labels, logits) = (labels()?, (ramp64((2, 3, 5))? * 3.0)?);
        for (distribution, smoothing) in [CellDistribution::Stablemax, CellDistribution::Softmax]
            .into_iter()
            .flat_map(|distribution| [(distribution, 0.0), (distribution, 0.2)])
        {
            check_gradient("reference", &logits, |x| {
                reference(distribution, smoothing, x, &labels)
            });
            check_gradient("fused", &logits, |x| {
                cross_entropy(distribution, smoothing, x, &labels)
            });
        }
        let targets = Tensor::new(&[0f64, 1., 0.3, 0.9], &Device::Cpu)?;
        let logits = Tensor::new(&[3f64, -2., 0., 0.4], &Device::Cpu)?;
        check_gradient("q", &logits, |x| binary_cross_entropy_with_logits(x, &targets));
        Ok(())
    }

    #[test]
    fn fused_agrees_with_reference_in_value_and_gradient() -> Result<()> {
        let labels: Vec<i64> =
            (0..3 * 901).map(|i| if i % 5 == 0 { IGNORE_LABEL } else { i % 7 }).collect();
        let labels = Tensor::from_vec(labels, (3, 901), &Device::Cpu)?;
        for (distribution, dtype, smoothing) in [
            (CellDistribution::Stablemax, DType::F32, 0.0),
            (CellDistribution::Softmax, DType::F32, 0.0),
            (CellDistribution::Stablemax, DType::BF16, 0.1),
            (CellDistribution::Softmax, DType::BF16, 0.1),
        ] {
            let logits = (ramp((3, 901, 7))? * 20.0)?.to_dtype(dtype)?;
            let (loss, slopes) =
                value_and_grad(&logits, |x| cross_entropy(distribution, smoothing, x, &labels))?;
            let (expected, expected_slopes) =
                value_and_grad(&logits, |x| reference(distribution, smoothing, x, &labels))?;
            assert_eq!(slopes.dtype(), dtype);
            assert_close("loss", &loss, &expected, Tol { absolute: 1e-12, relative: 1e-12 });
            assert_close(
                "slopes",
                &slopes,
                &expected_slopes,
                Tol { absolute: 1e-7, relative: 4e-3 },
            );
        }
        Ok(())
    }

    #[test]
    fn softmax_of_distant_logits_stays_finite() -> Result<()> {
        let logits = Tensor::new(&[[[2000f32, 0., -2000.]]], &Device::Cpu)?;
        let labels = Tensor::new(&[[2i64]], &Device::Cpu)?;
        let (loss, slopes) =
            value_and_grad(&logits, |x| cross_entropy(CellDistribution::Softmax, 0.0, x, &labels))?;
        assert_eq!(loss.to_vec2::<f64>()?, [[4000.0]]);
        assert!(slopes.flatten_all()?.to_vec1::<f32>()?.iter().all(|s| s.is_finite()));
        Ok(())
    }

    #[test]
    fn gradient_at_the_seam_and_at_the_pole_is_finite() -> Result<()> {
        // The two branches of stablemax meet at 0 with slope 1, and the lower one has
        // a pole at 1.
        let logits = candle_core::Var::new(&[[[0f64, 1., -1.]]], &Device::Cpu)?;
        let labels = Tensor::new(&[[0i64]], &Device::Cpu)?;
        let loss = cross_entropy(CellDistribution::Stablemax, 0.0, logits.as_tensor(), &labels)?
            .sum_all()?;
        let grads = loss.backward()?;
        let found =
            grads.get(&logits).expect("logits are tracked").flatten_all()?.to_vec1::<f64>()?;
        // s = [1, 2, 0.5], s' = [1, 1, 0.25], loss = -log(s_0 / 3.5).
        let expected = [1.0 / 3.5 - 1.0, 1.0 / 3.5, 0.25 / 3.5];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
        }
        Ok(())
    }

    #[test]
    fn ignored_cells_have_no_loss_and_no_gradient() -> Result<()> {
        let logits = candle_core::Var::from_tensor(&ramp((2, 3, 5))?)?;
        let loss = cross_entropy(CellDistribution::Stablemax, 0.0, logits.as_tensor(), &labels()?)?;
        let cells = loss.to_vec2::<f64>()?;
        assert_eq!([cells[0][2], cells[1][1]], [0.0, 0.0]);
        let grads = loss.sum_all()?.backward()?;
        let grad = grads.get(&logits).expect("logits are tracked").to_vec3::<f32>()?;
        assert!(grad[0][2].iter().chain(&grad[1][1]).all(|g| *g == 0.0));
        assert!(grad[0][0].iter().all(|g| *g != 0.0));
        Ok(())
    }

    #[test]
    fn extreme_halting_logits_stay_finite() -> Result<()> {
        let logits = Tensor::new(&[800f64, -800., 800., -800.], &Device::Cpu)?;
        let targets = Tensor::new(&[1f64, 0., 0., 1.], &Device::Cpu)?;
        let loss = binary_cross_entropy_with_logits(&logits, &targets)?.to_vec1::<f64>()?;
        assert_eq!(loss, [0.0, 0.0, 800.0, 800.0]);
        Ok(())
    }

    #[test]
    fn a_label_outside_the_vocabulary_is_rejected() -> Result<()> {
        let labels = Tensor::new(&[[5i64]], &Device::Cpu)?;
        assert!(
            cross_entropy(CellDistribution::Stablemax, 0.0, &ramp((1, 1, 5))?, &labels).is_err()
        );
        Ok(())
    }
}
