//! The shapes that are timed, and models and batches of them.

use candle_core::Device;
use hrm_core::halting::Exploration;
use hrm_core::{Hrm, HrmConfig, InputConfig};
use hrm_train::Batch;

/// One shape, named after the run that it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name in reports.
    pub name: &'static str,
    /// Puzzles per batch, `B`.
    pub batch_size: usize,
    config: fn() -> HrmConfig,
}

/// Every shape, cheapest first.
pub const CASES: &[Case] = &[
    Case { name: "tiny", batch_size: 32, config: HrmConfig::tiny },
    Case { name: "small", batch_size: 32, config: small },
    // Far fewer puzzles than in the published runs: the time per puzzle is
    // nearly the same, and a sample takes seconds instead of minutes.
    Case { name: "paper", batch_size: 2, config: HrmConfig::paper },
];

/// The published schedule with a model small enough for a laptop.
fn small() -> HrmConfig {
    HrmConfig::paper().with(|config| {
        config.puzzle_embedding.dim = 128;
        config.block.hidden_dim = 128;
        config.block.n_heads = 4;
        config.recurrence.n_h_layers = 2;
        config.recurrence.n_l_layers = 2;
    })
}

impl Case {
    /// A model of this shape with fresh weights, on the CPU.
    ///
    /// # Panics
    ///
    /// If the config of the shape is invalid.
    pub fn model(self) -> Hrm {
        Hrm::seeded((self.config)(), 1, &Device::Cpu).expect("every config in `CASES` is valid")
    }

    /// A batch with a token and a label in every cell.
    pub fn batch(self) -> Batch {
        let InputConfig { n_cells, vocab_size, .. } = (self.config)().input;
        let n_tokens = self.batch_size * n_cells;
        // Any tokens except padding; the time does not depend on them.
        let token = |idx: usize| 1 + (idx * 7 + idx / n_cells) % (vocab_size - 1);
        let inputs = (0..n_tokens).map(|idx| token(idx) as u32).collect();
        let labels = (0..n_tokens).map(|idx| token(idx + 1) as i64).collect();
        Batch::new(n_cells, inputs, labels, vec![0; self.batch_size])
    }

    /// Random numbers with which no puzzle explores, so the halting head alone decides.
    pub fn exploration(self) -> Vec<Exploration> {
        vec![Exploration { u: 1.0, min_segments: 2 }; self.batch_size]
    }
}
