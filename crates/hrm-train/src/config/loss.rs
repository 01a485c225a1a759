//! Settings of the loss.

use hrm_kernels::CellDistribution;
use serde::{Deserialize, Serialize};

use super::range::check_range;
use crate::error::TrainError;

/// The loss of one segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// How logits become the probabilities of a cell.
    pub cells: CellLoss,
    /// Share of each label that is spread over the vocabulary, in `0..1`
    /// (arXiv 2601.19085: 0.2).
    pub label_smoothing: f64,
}

/// How logits become the probabilities of a cell. The default is the published
/// distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellLoss {
    /// A softmax with linear tails.
    #[default]
    Stablemax,
    /// The usual softmax.
    Softmax,
}

impl From<CellLoss> for CellDistribution {
    fn from(loss: CellLoss) -> Self {
        match loss {
            CellLoss::Stablemax => Self::Stablemax,
            CellLoss::Softmax => Self::Softmax,
        }
    }
}

impl LossConfig {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        check_range("loss.label_smoothing", self.label_smoothing, 0.0..=0.99, "in 0..=0.99")
    }
}
