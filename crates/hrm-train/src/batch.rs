//! Examples side by side.

use candle_core::{Device, Result, Tensor};
use hrm_kernels::IGNORE_LABEL;

use crate::task::{BLANK_PUZZLE, Examples, PADDING, RowId, RowMut};

/// Rows of token ids, on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    n_cells: usize,
    inputs: Vec<u32>,
    labels: Vec<i64>,
    puzzle_ids: Vec<u32>,
}

impl Batch {
    /// `n_rows` rows of padding, which ask for nothing.
    pub fn blank(n_rows: usize, n_cells: usize) -> Self {
        Self {
            n_cells,
            inputs: vec![PADDING; n_rows * n_cells],
            labels: vec![IGNORE_LABEL; n_rows * n_cells],
            puzzle_ids: vec![BLANK_PUZZLE; n_rows],
        }
    }

    /// A batch of ready rows: `inputs` and `labels` are `[n_rows * n_cells]`,
    /// labels with [`IGNORE_LABEL`] where nothing is asked.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit together.
    pub fn new(n_cells: usize, inputs: Vec<u32>, labels: Vec<i64>, puzzle_ids: Vec<u32>) -> Self {
        assert_eq!(inputs.len(), n_cells * puzzle_ids.len(), "one input per cell");
        assert_eq!(labels.len(), inputs.len(), "one label per cell");
        Self { n_cells, inputs, labels, puzzle_ids }
    }

    /// The rows at `places`, in order.
    pub fn read(examples: &dyn Examples, places: &[RowId], n_cells: usize) -> Self {
        let mut batch = Self::blank(places.len(), n_cells);
        for (row, at) in places.iter().enumerate() {
            batch.write(row, examples, *at);
        }
        batch
    }

    /// Replaces one row by the example at `at`.
    pub fn write(&mut self, row: usize, examples: &dyn Examples, at: RowId) {
        let cells = row * self.n_cells..(row + 1) * self.n_cells;
        let mut labels = vec![PADDING; self.n_cells];
        let inputs = &mut self.inputs[cells.clone()];
        let puzzle_id = &mut self.puzzle_ids[row];
        examples.write(at, RowMut { inputs, labels: &mut labels, puzzle_id });
        let asked = |id: u32| if id == PADDING { IGNORE_LABEL } else { i64::from(id) };
        for (label, id) in self.labels[cells].iter_mut().zip(labels) {
            *label = asked(id);
        }
    }

    /// Replaces one row by a row of another batch of the same width.
    pub fn copy_row(&mut self, row: usize, from: &Self) {
        let cells = row * self.n_cells..(row + 1) * self.n_cells;
        self.inputs[cells.clone()].copy_from_slice(&from.inputs[cells.clone()]);
        self.labels[cells.clone()].copy_from_slice(&from.labels[cells]);
        self.puzzle_ids[row] = from.puzzle_ids[row];
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.puzzle_ids.len()
    }

    /// Cells per row.
    pub fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Puzzle identifiers, one per row.
    pub fn puzzle_ids(&self) -> &[u32] {
        &self.puzzle_ids
    }

    /// Questions, one slice per row.
    pub fn inputs(&self) -> impl Iterator<Item = &[u32]> {
        self.inputs.chunks_exact(self.n_cells)
    }

    /// Answers, one slice per row, with [`IGNORE_LABEL`] where nothing is asked.
    pub fn labels(&self) -> impl Iterator<Item = &[i64]> {
        self.labels.chunks_exact(self.n_cells)
    }

    /// Questions as a tensor, `[B, S]` u32.
    ///
    /// # Errors
    ///
    /// If the device cannot hold it.
    pub fn input_tensor(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_slice(&self.inputs, (self.n_rows(), self.n_cells), device)
    }

    /// Answers as a tensor, `[B, S]` i64.
    ///
    /// # Errors
    ///
    /// If the device cannot hold it.
    pub fn label_tensor(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_slice(&self.labels, (self.n_rows(), self.n_cells), device)
    }
}
