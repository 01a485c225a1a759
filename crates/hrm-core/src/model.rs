//! A model: a config, its weights, and the networks bound to them.

use std::num::NonZeroUsize;

use candle_core::{DType, Device, Tensor};
use hrm_base::rng;
use hrm_blocks::{Init, MixerDims, Tracking, Weights, WeightsView};
use hrm_kernels::{Rotary, activation_dtype};

use crate::config::{Dims, HrmConfig, Positions};
use crate::error::ModelError;
use crate::frozen::FrozenNetwork;
use crate::names;
use crate::network::{Network, States};
use crate::schedule::Schedule;
use crate::variants::InitialStates;

/// A Hierarchical Reasoning Model.
#[derive(Debug)]
pub struct Hrm {
    config: HrmConfig,
    dims: Dims,
    weights: Weights,
    dtype: DType,
    rotary: Option<Rotary>,
    /// Initial slow and fast state, `[P + S, D]` each, with
    /// [`InitialStates::Random`].
    random_initial: Option<[Tensor; 2]>,
}

impl Hrm {
    /// Makes a model with fresh weights. The same seed gives the same weights on
    /// every machine. Activations are f32.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the sizes do not fit together or the device cannot hold
    /// the weights.
    pub fn seeded(config: HrmConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        let weights = Weights::seeded(&config.params()?, seed, device)?;
        Self::with_weights(config, weights)
    }

    /// Makes a model with the given weights. Activations are f32.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the sizes do not fit together. If the weights belong to
    /// another config, [`network`](Self::network) fails.
    pub fn with_weights(config: HrmConfig, weights: Weights) -> Result<Self, ModelError> {
        let dims = config.check()?;
        let rotary = match (dims.block.mixer, config.block.positions) {
            (MixerDims::Attention { n_heads }, Positions::Rope) => {
                let head_dim = dims.block.hidden_dim / n_heads;
                let (base, device) = (config.block.rope_base, weights.device());
                Some(Rotary::new(dims.n_positions, head_dim, base, device)?)
            }
            _ => None,
        };
        let random_initial = match config.recurrence.initial_states {
            InitialStates::Fixed => None,
            InitialStates::Random => {
                let sample = |state| {
                    let rng = &mut rng::stream(0, &format!("start of {state}"));
                    sample_state(&dims, weights.device(), rng)
                };
                Some([sample("z_h")?, sample("z_l")?])
            }
        };
        Ok(Self { config, dims, weights, dtype: DType::F32, rotary, random_initial })
    }

    /// Makes a model with copies of the trained parameters, which shares all other
    /// parameters with this one.
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
            random_initial: self.random_initial.clone(),
        })
    }

    /// The same model with activations in `dtype`. Weights, norms, softmax and
    /// halting logits stay f32.
    #[must_use]
    pub fn with_dtype(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// The config.
    pub fn config(&self) -> &HrmConfig {
        &self.config
    }

    /// Maximum number of segments per puzzle, as configured.
    pub fn n_segments_max(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.config.halting.n_segments_max).expect("the config is checked")
    }

    /// Parameters by name.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The dtype of activations.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device of the weights.
    pub fn device(&self) -> &Device {
        self.weights.device()
    }

    /// Binds the model to its current weights, for training.
    ///
    /// # Errors
    ///
    /// If a parameter is missing.
    pub fn network(&self) -> candle_core::Result<Network> {
        self.network_with_schedule(Schedule::new(&self.config))
    }

    /// As [`network`](Self::network), with `schedule` in place of that of the config.
    ///
    /// # Errors
    ///
    /// If a parameter is missing.
    pub fn network_with_schedule(&self, schedule: Schedule) -> candle_core::Result<Network> {
        self.bind(Tracking::Live, schedule)
    }

    /// Binds the model to its current weights, for inference.
    ///
    /// # Errors
    ///
    /// If a parameter is missing.
    pub fn frozen(&self) -> candle_core::Result<FrozenNetwork> {
        Ok(self.bind(Tracking::Frozen, Schedule::new(&self.config))?.freeze())
    }

    fn bind(&self, tracking: Tracking, schedule: Schedule) -> candle_core::Result<Network> {
        let view = self.weights.view(self.dtype, tracking);
        let initial = self.initial(&view)?;
        Network::bind(&view, &self.config, self.dims, (schedule, initial, self.rotary.clone()))
    }

    /// The initial states of `n_puzzles` puzzles, `[B, P + S, D]` each, detached:
    /// the same as those of a [`network`](Self::network), without binding one.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or the device cannot hold the states.
    pub fn initial_states(&self, n_puzzles: usize) -> candle_core::Result<States> {
        let view = self.weights.view(self.dtype, Tracking::Frozen);
        States::broadcast(&self.initial(&view)?, n_puzzles, self.dims.n_positions)
    }

    /// Initial states of one puzzle for training, `[1, P + S, D]` each: sampled from
    /// `rng` with [`InitialStates::Random`], else the same for every puzzle.
    ///
    /// # Errors
    ///
    /// As [`initial_states`](Self::initial_states).
    pub fn sample_initial_states(&self, rng: &mut rng::ChaCha8Rng) -> candle_core::Result<States> {
        if self.config.recurrence.initial_states == InitialStates::Fixed {
            return self.initial_states(1);
        }
        let mut sample = || -> candle_core::Result<Tensor> {
            let state = sample_state(&self.dims, self.device(), rng)?;
            state.to_dtype(activation_dtype(self.dtype, self.device()))?.unsqueeze(0)
        };
        Ok(States { z_h: sample()?, z_l: sample()? })
    }

    /// Initial slow and fast state of one puzzle or position.
    fn initial(&self, view: &WeightsView<'_>) -> candle_core::Result<[Tensor; 2]> {
        match &self.random_initial {
            None => Ok([view.get(names::H_INIT)?, view.get(names::L_INIT)?]),
            Some([z_h, z_l]) => {
                let dtype = activation_dtype(self.dtype, self.device());
                Ok([z_h.to_dtype(dtype)?, z_l.to_dtype(dtype)?])
            }
        }
    }

    /// Puzzle embeddings of the given identifiers, `[B, E]` f32, detached. `None`
    /// for a model without puzzle embeddings.
    ///
    /// # Errors
    ///
    /// If an identifier is not below `n_puzzle_ids`.
    pub fn puzzle_embeddings(&self, puzzle_ids: &[u32]) -> candle_core::Result<Option<Tensor>> {
        let Some(table) = self.weights.find(names::PUZZLES) else { return Ok(None) };
        let ids = Tensor::new(puzzle_ids, self.device())?;
        table.index_select(&ids, 0).map(Some)
    }
}

/// Samples one state of one puzzle, normally distributed, `[P + S, D]`.
fn sample_state(
    dims: &Dims,
    device: &Device,
    rng: &mut rng::ChaCha8Rng,
) -> candle_core::Result<Tensor> {
    let (n_positions, hidden_dim) = dims.state();
    let values = Init::TruncatedNormal { std: 1.0 }.sample(n_positions * hidden_dim, rng);
    Tensor::from_vec(values, (n_positions, hidden_dim), device)
}
