//! A model: a config, its weights, and the networks bound to them.

use candle_core::{DType, Device, Tensor};
use hrm_blocks::{MixerDims, Tracking, Weights};
use hrm_kernels::Rotary;

use crate::{Dims, HrmConfig, ModelError, Network, Positions, States};

/// Names of the parameters, as in the authors' checkpoints.
pub mod names {
    /// Token embeddings, `[vocab, D]`.
    pub const TOKENS: &str = "inner.embed_tokens.embedding_weight";
    /// Learned positions, `[P + S, D]`.
    pub const POSITIONS: &str = "inner.embed_pos.embedding_weight";
    /// Puzzle embeddings, `[ids, E]`.
    pub const PUZZLES: &str = "inner.puzzle_emb.weights";
    /// Readout of the cells, `[vocab, D]`.
    pub const LM_HEAD: &str = "inner.lm_head.weight";
    /// Readout of the halting head, `[2, D]`: halt, then continue.
    pub const Q_WEIGHT: &str = "inner.q_head.weight";
    /// Bias of the halting head, `[2]`.
    pub const Q_BIAS: &str = "inner.q_head.bias";
    /// Initial slow state, `[D]`.
    pub const H_START: &str = "inner.H_init";
    /// Initial fast state, `[D]`.
    pub const L_START: &str = "inner.L_init";
    /// Prefix of the slow module.
    pub const H_MODULE: &str = "inner.H_level";
    /// Prefix of the fast module.
    pub const L_MODULE: &str = "inner.L_level";

    /// Prefix of one block of a module.
    pub fn layer(module: &str, layer: usize) -> String {
        format!("{module}.layers.{layer}")
    }
}

/// A Hierarchical Reasoning Model.
#[derive(Debug)]
pub struct Hrm {
    config: HrmConfig,
    dims: Dims,
    weights: Weights,
    dtype: DType,
    rotary: Option<Rotary>,
}

impl Hrm {
    /// A model with fresh weights; the same seed gives the same weights on
    /// every machine. Computes in f32.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the sizes do not fit together or the device cannot
    /// hold the weights.
    pub fn seeded(config: HrmConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        let weights = Weights::seeded(&config.params()?, seed, device)?;
        Self::with_weights(config, weights)
    }

    /// A model with given weights. Computes in f32.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the sizes do not fit together. Weights made for
    /// another config are found when a [`network`](Self::network) is bound.
    pub fn with_weights(config: HrmConfig, weights: Weights) -> Result<Self, ModelError> {
        let dims = config.check()?;
        let rotary = match (dims.block.mixer, config.positions) {
            (MixerDims::Attention { n_heads }, Positions::Rope) => {
                let head_dim = dims.block.hidden_dim / n_heads;
                let (base, device) = (config.rope_base, weights.device());
                Some(Rotary::new(dims.n_positions, head_dim, base, device)?)
            }
            _ => None,
        };
        Ok(Self { config, dims, weights, dtype: DType::F32, rotary })
    }

    /// The same model, computing its activations in `dtype`. Weights, norms,
    /// softmax and halting logits stay f32.
    #[must_use]
    pub fn with_dtype(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// Sizes and schedule.
    pub fn config(&self) -> &HrmConfig {
        &self.config
    }

    /// Parameters by name.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The dtype of activations.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        self.weights.device()
    }

    /// The model as a function of its present weights. Bind anew after an
    /// optimiser step.
    ///
    /// # Errors
    ///
    /// If a parameter is missing.
    pub fn network(&self, tracking: Tracking) -> candle_core::Result<Network> {
        let view = self.weights.view(self.dtype, tracking);
        Network::bind(&view, &self.config, self.dims, self.rotary.clone())
    }

    /// The states every puzzle starts from, `[B, P + S, D]` each, detached:
    /// those of a [`network`](Self::network), without binding one.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or the device cannot hold them.
    pub fn initial_states(&self, n_rows: usize) -> candle_core::Result<States> {
        let view = self.weights.view(self.dtype, Tracking::Frozen);
        let starts = [&view.get(names::H_START)?, &view.get(names::L_START)?];
        States::starting_from(starts, n_rows, self.dims.n_positions)
    }

    /// Puzzle embeddings `[B, E]` f32 of the given identifiers, detached;
    /// `None` for a model without them.
    ///
    /// # Errors
    ///
    /// If an identifier is not below `n_puzzle_ids`.
    pub fn puzzle_rows(&self, puzzle_ids: &[u32]) -> candle_core::Result<Option<Tensor>> {
        let Some(table) = self.weights.find(names::PUZZLES) else { return Ok(None) };
        let ids = Tensor::new(puzzle_ids, self.device())?;
        table.index_select(&ids, 0).map(Some)
    }
}
