//! A batch of examples.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};
use hrm_kernels::IGNORE_LABEL;

use crate::task::{BLANK_PUZZLE, Examples, PADDING, RowId, RowMut};

/// A batch of examples, in host memory. A row is one example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    n_cells: usize,
    inputs: Vec<u32>,
    labels: Vec<i64>,
    puzzle_ids: Vec<u32>,
}

impl Batch {
    /// `n_rows` rows of padding without labels.
    pub fn blank(n_rows: usize, n_cells: usize) -> Self {
        Self {
            n_cells,
            inputs: vec![PADDING; n_rows * n_cells],
            labels: vec![IGNORE_LABEL; n_rows * n_cells],
            puzzle_ids: vec![BLANK_PUZZLE; n_rows],
        }
    }

    /// A batch of given rows: `inputs` and `labels` are `[n_rows * n_cells]`, with
    /// [`IGNORE_LABEL`] for cells without a label.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn new(n_cells: usize, inputs: Vec<u32>, labels: Vec<i64>, puzzle_ids: Vec<u32>) -> Self {
        assert_eq!(inputs.len(), n_cells * puzzle_ids.len(), "one input per cell");
        assert_eq!(labels.len(), inputs.len(), "one label per cell");
        Self { n_cells, inputs, labels, puzzle_ids }
    }

    /// The examples `row_ids`, in order.
    pub fn read(examples: &dyn Examples, row_ids: &[RowId], n_cells: usize) -> Self {
        let mut batch = Self::blank(row_ids.len(), n_cells);
        for (row, at) in row_ids.iter().enumerate() {
            batch.write(row, examples, *at);
        }
        batch
    }

    /// Replaces one row by the example `at`.
    pub fn write(&mut self, row: usize, examples: &dyn Examples, at: RowId) {
        let cells = row * self.n_cells..(row + 1) * self.n_cells;
        let mut labels = vec![PADDING; self.n_cells];
        let inputs = &mut self.inputs[cells.clone()];
        let puzzle_id = &mut self.puzzle_ids[row];
        examples.write(at, RowMut { inputs, labels: &mut labels, puzzle_id });
        for (label, id) in self.labels[cells].iter_mut().zip(labels) {
            *label = if id == PADDING { IGNORE_LABEL } else { i64::from(id) };
        }
    }

    /// Replaces one row by the same row of another batch with the same number of cells.
    pub fn copy_row(&mut self, row: usize, from: &Self) {
        let cells = row * self.n_cells..(row + 1) * self.n_cells;
        self.inputs[cells.clone()].copy_from_slice(&from.inputs[cells.clone()]);
        self.labels[cells.clone()].copy_from_slice(&from.labels[cells]);
        self.puzzle_ids[row] = from.puzzle_ids[row];
    }

    /// A copy of some of the rows.
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let cells = rows.start * self.n_cells..rows.end * self.n_cells;
        Self {
            n_cells: self.n_cells,
            inputs: self.inputs[cells.clone()].to_vec(),
            labels: self.labels[cells].to_vec(),
            puzzle_ids: self.puzzle_ids[rows].to_vec(),
        }
    }

    /// Number of rows, `B`.
    pub fn n_rows(&self) -> usize {
        self.puzzle_ids.len()
    }

    /// Cells per row, `S`.
    pub fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Puzzle identifier of each row.
    pub fn puzzle_ids(&self) -> &[u32] {
        &self.puzzle_ids
    }

    /// Input token ids, one slice per row.
    pub fn inputs(&self) -> impl Iterator<Item = &[u32]> {
        self.inputs.chunks_exact(self.n_cells)
    }

    /// Labels, one slice per row, with [`IGNORE_LABEL`] for cells without a label.
    pub fn labels(&self) -> impl Iterator<Item = &[i64]> {
        self.labels.chunks_exact(self.n_cells)
    }

    /// Inputs as a tensor, `[B, S]` u32.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the tensor.
    pub fn input_tensor(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_slice(&self.inputs, (self.n_rows(), self.n_cells), device)
    }

    /// Labels as a tensor, `[B, S]` i64.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the tensor.
    pub fn label_tensor(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_slice(&self.labels, (self.n_rows(), self.n_cells), device)
    }
}
