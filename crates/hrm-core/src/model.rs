//! A model: a config, its weights, and the networks bound to them.

use candle_core::{DType, Device, Tensor};
use hrm_base::rng;
use hrm_blocks::{Init, MixerDims, Tracking, Weights, WeightsView};
use hrm_kernels::{Rotary, activation_dtype};

use crate::{Dims, HrmConfig, ModelError, Network, Positions, Schedule, Starts, States};

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

    /// Whether a parameter belongs to a block of a module.
    pub fn is_in_module(name: &str) -> bool {
        name.starts_with(H_MODULE) || name.starts_with(L_MODULE)
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
    /// What every position starts from, `[P + S, D]` each, where that is drawn.
    drawn_starts: Option<[Tensor; 2]>,
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
        let drawn_starts = match config.starts {
            Starts::Fixed => None,
            Starts::Random => {
                let draw = |state| {
                    let rng = &mut rng::stream(0, &format!("start of {state}"));
                    draw_start(&dims, weights.device(), rng)
                };
                Some([draw("z_h")?, draw("z_l")?])
            }
        };
        Ok(Self { config, dims, weights, dtype: DType::F32, rotary, drawn_starts })
    }

    /// A model with copies of the trained parameters and the very same others:
    /// what is trained can then be changed in one of the two.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the copies.
    pub fn fork(&self) -> candle_core::Result<Self> {
        Ok(Self {
            config: self.config.clone(),
            dims: self.dims,
            weights: self.weights.fork()?,
            dtype: self.dtype,
            rotary: self.rotary.clone(),
            drawn_starts: self.drawn_starts.clone(),
        })
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
        self.network_on(tracking, Schedule::new(&self.config))
    }

    /// [`network`](Self::network) with other updates per segment than its own.
    ///
    /// # Errors
    ///
    /// If a parameter is missing.
    pub fn network_on(
        &self,
        tracking: Tracking,
        schedule: Schedule,
    ) -> candle_core::Result<Network> {
        let view = self.weights.view(self.dtype, tracking);
        let starts = self.starts(&view)?;
        Network::bind(&view, &self.config, self.dims, (schedule, starts, self.rotary.clone()))
    }

    /// The states every puzzle starts from, `[B, P + S, D]` each, detached:
    /// those of a [`network`](Self::network), without binding one.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or the device cannot hold them.
    pub fn initial_states(&self, n_rows: usize) -> candle_core::Result<States> {
        let view = self.weights.view(self.dtype, Tracking::Frozen);
        States::starting_from(&self.starts(&view)?, n_rows, self.dims.n_positions)
    }

    /// States that one puzzle may start from in training, `[1, P + S, D]` each:
    /// drawn from `rng`, or those of all puzzles.
    ///
    /// # Errors
    ///
    /// As [`initial_states`](Self::initial_states).
    pub fn draw_states(&self, rng: &mut rng::ChaCha8Rng) -> candle_core::Result<States> {
        if self.config.starts == Starts::Fixed {
            return self.initial_states(1);
        }
        let mut draw = || -> candle_core::Result<Tensor> {
            let start = draw_start(&self.dims, self.device(), rng)?;
            start.to_dtype(activation_dtype(self.dtype, self.device()))?.unsqueeze(0)
        };
        Ok(States { z_h: draw()?, z_l: draw()? })
    }

    /// What every puzzle starts from: slow state, fast state.
    fn starts(&self, view: &WeightsView<'_>) -> candle_core::Result<[Tensor; 2]> {
        match &self.drawn_starts {
            None => Ok([view.get(names::H_START)?, view.get(names::L_START)?]),
            Some([z_h, z_l]) => {
                let dtype = activation_dtype(self.dtype, self.device());
                Ok([z_h.to_dtype(dtype)?, z_l.to_dtype(dtype)?])
            }
        }
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

/// A normal draw for every channel of every position of one state.
fn draw_start(
    dims: &Dims,
    device: &Device,
    rng: &mut rng::ChaCha8Rng,
) -> candle_core::Result<Tensor> {
    let (n_positions, hidden_dim) = dims.state();
    let values = Init::TruncatedNormal { std: 1.0 }.sample(n_positions * hidden_dim, rng);
    Tensor::from_vec(values, (n_positions, hidden_dim), device)
}
