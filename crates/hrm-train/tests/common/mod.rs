//! A batch for tests that measure memory.

use hrm_core::HrmConfig;
use hrm_core::halting::Exploration;
use hrm_train::Batch;

/// A batch of `n_rows` puzzles, and draws with which none of them halts before its last
/// segment.
pub(crate) fn unhalted(config: &HrmConfig, n_rows: usize) -> (Batch, Vec<Exploration>) {
    let (n_cells, vocab_size) = (config.input.n_cells, config.input.vocab_size);
    let token = |idx: usize| 1 + idx * 7 % (vocab_size - 1);
    let inputs = (0..n_rows * n_cells).map(|idx| token(idx) as u32).collect();
    let labels = (0..n_rows * n_cells).map(|idx| token(idx + 1) as i64).collect();
    let batch = Batch::new(n_cells, inputs, labels, vec![0; n_rows]);
    let min_segments = config.halting.n_segments_max as u32;
    (batch, vec![Exploration { u: 0.0, min_segments }; n_rows])
}
