//! The token ids of one puzzle to draw.

use hrm_train::task::PADDING;

/// Token ids of one puzzle, row by row, `[n_cells]` each. Cells beyond the end of a slice
/// are padding.
#[derive(Clone, Copy, Debug)]
pub struct TokenView<'a> {
    /// The question.
    pub inputs: &'a [u32],
    /// The answer of a model, if there is one.
    pub prediction: Option<&'a [u32]>,
    /// The expected answer; [`PADDING`] carries no label.
    pub labels: &'a [u32],
}

impl TokenView<'_> {
    /// Number of cells with a label.
    pub fn n_labels(&self) -> usize {
        self.labels.iter().filter(|label| **label != PADDING).count()
    }

    /// Number of cells whose prediction differs from their label.
    pub fn n_wrong(&self) -> usize {
        let Some(prediction) = self.prediction else { return 0 };
        let predicted = |cell: usize| prediction.get(cell).copied().unwrap_or(PADDING);
        let labels = self.labels.iter().enumerate();
        labels.filter(|(cell, label)| **label != PADDING && predicted(*cell) != **label).count()
    }
}
