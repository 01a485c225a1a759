//! The loss of one segment.

use candle_core::{D, Result, Tensor};
use hrm_core::SegmentOutput;
use hrm_kernels::{IGNORE_LABEL, binary_cross_entropy_with_logits, cross_entropy};

use crate::batch::Batch;
use crate::config::LossConfig;

/// Weight of each halting loss in the total, as in the published code.
const HALTING_WEIGHT: f64 = 0.5;

/// The loss of one segment, summed over the rows of the batch.
#[derive(Clone, Debug)]
pub struct SegmentLoss {
    /// The loss to differentiate, f64 scalar.
    pub total: Tensor,
    /// Its cell part, f64 scalar: each row contributes the mean over its labelled cells.
    pub cells: Tensor,
    /// Whether all labelled cells of a row are correct, per row.
    pub exact: Vec<bool>,
}

impl SegmentLoss {
    /// Computes the loss of `out` for the labels of `batch`. `exact` has an entry per
    /// row: whether all labelled cells are predicted correctly. `continue_targets`, one
    /// per row, is `None` if the halting head does not learn to continue.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit or a label is outside the vocabulary.
    pub fn new(
        out: &SegmentOutput,
        batch: &Batch,
        exact: Vec<bool>,
        continue_targets: Option<&[f32]>,
        config: &LossConfig,
    ) -> Result<Self> {
        let device = out.logits.device();
        let (distribution, smoothing) = (config.cells.into(), config.label_smoothing);
        let labels = batch.label_tensor(device)?;
        let per_cell = cross_entropy(distribution, smoothing, &out.logits, &labels)?;
        let n_labelled = |labels: &[i64]| labels.iter().filter(|l| **l != IGNORE_LABEL).count();
        let weights: Vec<f64> =
            batch.labels().map(|labels| (n_labelled(labels).max(1) as f64).recip()).collect();
        let weights = Tensor::new(weights.as_slice(), device)?;
        let cells = (per_cell.sum(D::Minus1)? * weights)?.sum_all()?;

        let halt_targets: Vec<f32> = exact.iter().map(|e| f32::from(u8::from(*e))).collect();
        let mut halting = halting_loss(&out.q, 0, &halt_targets)?;
        if let Some(targets) = continue_targets {
            halting = (halting + halting_loss(&out.q, 1, targets)?)?;
        }
        let total = (&cells + (halting * HALTING_WEIGHT)?)?;
        Ok(Self { total, cells, exact })
    }
}

/// Whether all labelled cells of a row are predicted correctly, per row. True for a
/// row without labels.
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

/// Binary cross-entropy of one column of the halting logits `q: [B, 2]`, summed over
/// rows.
fn halting_loss(q: &Tensor, column: usize, targets: &[f32]) -> Result<Tensor> {
    let logits = q.narrow(1, column, 1)?.squeeze(1)?;
    let targets = Tensor::new(targets, q.device())?;
    binary_cross_entropy_with_logits(&logits, &targets)?.sum_all()
}
