//! The memory that training will take, before it takes any.

use hrm_blocks::{Role, inner_dim};
use hrm_core::candle_core::DType;
use hrm_core::{ConfigError, HrmConfig, Mixer, Modules, Schedule, Update};

use crate::config::{OptimiserKind, TrainConfig};

/// The memory of a training run on the CPU, in bytes: what is live at the peak of a step.
/// The memory of threads and data sets is not included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryEstimate {
    /// Weights, their packed copies, gradients, moments and running average.
    pub weights: f64,
    /// Puzzles and hidden states, per row of a batch.
    pub carried_per_row: f64,
    /// The graph and the working memory of a step, per row of the part of a batch that is
    /// processed at a time.
    pub step_per_row: f64,
}

impl MemoryEstimate {
    /// The memory of training a model with hidden states in `dtype`: f32 or bf16.
    ///
    /// # Errors
    ///
    /// If the model config is invalid.
    pub fn new(model: &HrmConfig, train: &TrainConfig, dtype: DType) -> Result<Self, ConfigError> {
        let params = model.params()?;
        let count = |role| -> f64 {
            params.iter().filter(|p| p.role == role).map(|p| p.len() as f64).sum()
        };
        let (n_trained, n_embedded) = (count(Role::Trained), count(Role::SparseEmbedding));
        let element = dtype.size_in_bytes() as f64;
        let n_moments = match train.optimiser.kind {
            OptimiserKind::AdamAtan2 | OptimiserKind::Adamw => 2.0,
            OptimiserKind::Muon => 1.0,
        };
        let n_averages = f64::from(u8::from(train.optimiser.ema > 0.0));
        // In f32: weights, gradients, moments, average. Each weight is also packed, for the
        // forward and for the backward pass.
        // Parts of a batch have gradients of their own, which are added up.
        let n_gradients = if train.accumulate == 1 { 1.0 } else { 3.0 };
        // One more is being computed, when a gradient or an update is made.
        let n_copies = 2.0 + n_gradients + n_moments + n_averages;
        let weights =
            n_trained * (4.0 * n_copies + 2.0 * element) + n_embedded * 4.0 * (1.0 + n_averages);

        let n_cells = model.input.n_cells as f64;
        let n_positions = model.puzzle_embedding.n_positions as f64 + n_cells;
        let (d, n_heads) = (model.block.hidden_dim as f64, model.block.n_heads as f64);
        // Hidden states are f32 in both dtypes.
        let state = n_positions * d * 4.0;
        let operand = n_positions * d * element;
        let inner = |width: f64| inner_dim(width as usize, model.block.expansion) as f64;
        let mlp = n_positions * 2.0 * inner(d) * element;
        let mixer = match model.block.mixer {
            Mixer::Attention => 4.0 * operand + n_positions * n_heads * 4.0,
            Mixer::Mlp => 2.0 * state + d * 2.0 * inner(n_positions) * element,
        };
        // The inputs of both sublayers, and what these save for the backward pass.
        let block = 2.0 * state + mixer + mlp;
        let n_blocks = |update: &Update| {
            let (high, low) = (model.recurrence.n_h_layers, model.recurrence.n_l_layers);
            match (update, model.recurrence.modules) {
                (Update::High, Modules::Two) => high,
                (Update::Flat, _) => high + low,
                _ => low,
            }
        };
        let schedule = Schedule::new(model);
        let recorded = schedule.tracked().iter().map(|u| n_blocks(u) as f64 * block + state);
        let logits = n_cells * model.input.vocab_size as f64 * 16.0;
        let backward = 4.0 * state + 4.0 * operand + mlp / 2.0;
        Ok(Self {
            weights,
            carried_per_row: 2.0 * state + n_cells * 12.0,
            step_per_row: recorded.sum::<f64>() + 8.0 * state + logits + backward,
        })
    }

    /// The memory of a run with these settings.
    pub fn total(&self, train: &TrainConfig) -> f64 {
        let n_rows_at_a_time = train.batch_size.div_ceil(train.accumulate) as f64;
        // The new states of a carry exist beside the old ones.
        let n_rows_carried = train.batch_size as f64 * (train.n_carries as f64 + 1.0);
        self.weights + n_rows_carried * self.carried_per_row + n_rows_at_a_time * self.step_per_row
    }
}
