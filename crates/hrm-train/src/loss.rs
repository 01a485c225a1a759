//! The judgement of one segment.

use candle_core::{D, Result, Tensor};
use hrm_core::SegmentOutput;
use hrm_kernels::{IGNORE_LABEL, binary_cross_entropy_with_logits, cross_entropy};

use crate::{Batch, TrainConfig};

/// Share of each halting loss in the total, as in the published code.
const HALTING_SHARE: f64 = 0.5;

/// The loss of one segment, summed over rows.
#[derive(Clone, Debug)]
pub struct SegmentLoss {
    /// What is differentiated, f64 scalar.
    pub total: Tensor,
    /// The part about cells, f64 scalar: each row's mean over its labelled cells.
    pub cells: Tensor,
    /// Rows whose labelled cells are all right.
    pub exact: Vec<bool>,
}

impl SegmentLoss {
    /// Judges `out` by the labels of `batch`, with the law and smoothing of
    /// `config`. `continue_targets`, one per row, is absent where the halting head does not learn to continue.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit or a label is outside the vocabulary.
    pub fn new(
        out: &SegmentOutput,
        batch: &Batch,
        exact: Vec<bool>,
        continue_targets: Option<&[f32]>,
        config: &TrainConfig,
    ) -> Result<Self> {
        let device = out.logits.device();
        let (law, smoothing) = (config.cell_loss.into(), config.label_smoothing);
        let per_cell = cross_entropy(law, smoothing, &out.logits, &batch.label_tensor(device)?)?;
        let n_labelled = |labels: &[i64]| labels.iter().filter(|l| **l != IGNORE_LABEL).count();
        let shares: Vec<f64> =
            batch.labels().map(|labels| (n_labelled(labels).max(1) as f64).recip()).collect();
        let shares = Tensor::new(shares.as_slice(), device)?;
        let cells = (per_cell.sum(D::Minus1)? * shares)?.sum_all()?;

        let halt_targets: Vec<f32> = exact.iter().map(|e| f32::from(u8::from(*e))).collect();
        let mut halting = preference_loss(&out.q, 0, &halt_targets)?;
        if let Some(targets) = continue_targets {
            halting = (halting + preference_loss(&out.q, 1, targets)?)?;
        }
        let total = (&cells + (halting * HALTING_SHARE)?)?;
        Ok(Self { total, cells, exact })
    }
}

/// Rows of `out` whose labelled cells are all right. A row without labels is.
///
/// # Errors
///
/// If the backend fails.
pub(crate) fn exact_rows(logits: &Tensor, batch: &Batch) -> Result<Vec<bool>> {
    let tokens = logits.detach().argmax(D::Minus1)?.to_vec2::<u32>()?;
    let is_exact = |(tokens, labels): (Vec<u32>, &[i64])| {
        tokens.iter().zip(labels).all(|(t, l)| *l == IGNORE_LABEL || i64::from(*t) == *l)
    };
    Ok(tokens.into_iter().zip(batch.labels()).map(is_exact).collect())
}

/// Binary cross-entropy of one halting logit, summed over rows.
fn preference_loss(q: &Tensor, choice: usize, targets: &[f32]) -> Result<Tensor> {
    let logits = q.narrow(1, choice, 1)?.squeeze(1)?;
    let targets = Tensor::new(targets, q.device())?;
    binary_cross_entropy_with_logits(&logits, &targets)?.sum_all()
}
