//! Sizes and schedule of a model, and its presets.

use serde::Serialize;

use super::groups::{
    BlockConfig, HaltingConfig, InputConfig, Mixer, Positions, PuzzleEmbeddingConfig,
    RecurrenceConfig,
};
use crate::variants::{GradientSpan, HaltRule, InitialStates, Modules};

/// Sizes and schedule of one model.
///
/// Building a config checks nothing. [`check`](Self::check) derives the
/// [`Dims`](crate::Dims) that the layers work with.
///
/// It is written in groups (`{"input": {"vocab_size": 11, ...}, ...}`). A flat
/// config, with the keys of [`RENAMED_KEYS`](Self::RENAMED_KEYS), is read as well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HrmConfig {
    /// Sizes of the model's input and output.
    pub input: InputConfig,
    /// A learned embedding per puzzle identifier.
    pub puzzle_embedding: PuzzleEmbeddingConfig,
    /// The transformer blocks.
    pub block: BlockConfig,
    /// How the states are updated within a segment.
    pub recurrence: RecurrenceConfig,
    /// When the model stops working on a puzzle.
    pub halting: HaltingConfig,
}

impl HrmConfig {
    /// Sizes of `config/arch/hrm_v1.yaml` in the published code, with the
    /// vocabulary and grid of its 9 by 9 Sudoku data set: 27,275,266 trained
    /// parameters.
    pub fn paper() -> Self {
        Self {
            input: InputConfig {
                vocab_size: 11, // Padding, blank and nine digits.
                n_cells: 81,
                n_puzzle_ids: 1,
            },
            puzzle_embedding: PuzzleEmbeddingConfig { dim: 512, n_positions: 1 },
            block: BlockConfig {
                hidden_dim: 512,
                mixer: Mixer::Attention,
                n_heads: 8,
                expansion: 4.0,
                positions: Positions::Rope,
                rope_base: 10_000.0,
                norm_eps: 1e-5,
            },
            recurrence: RecurrenceConfig {
                modules: Modules::Two,
                n_h_layers: 4,
                n_l_layers: 4,
                n_h_cycles: 2,
                n_l_cycles: 2,
                gradient_span: GradientSpan::LastUpdate,
                initial_states: InitialStates::Fixed,
                damping: 0.0,
            },
            halting: HaltingConfig {
                rule: HaltRule::QLearning,
                n_segments_max: 16,
                exploration: 0.1,
            },
        }
    }

    /// The Tiny Recursive Model (`config/arch/trm.yaml` in its published code),
    /// with the grid of [`paper`](Self::paper): about 7 million parameters, or 5
    /// million with [`Mixer::Mlp`], which needs no [`Positions`].
    pub fn tiny_recursive() -> Self {
        Self::paper().with(|config| {
            config.puzzle_embedding.n_positions = 16;
            config.recurrence.modules = Modules::Shared;
            config.recurrence.n_h_layers = 2;
            config.recurrence.n_l_layers = 2;
            config.recurrence.n_h_cycles = 3;
            config.recurrence.n_l_cycles = 6;
            config.recurrence.gradient_span = GradientSpan::LastCycle;
            config.halting.rule = HaltRule::HaltOnly;
        })
    }

    /// A model with one block per module that trains in minutes on a CPU, with
    /// the grid of 4 by 4 Sudoku.
    pub fn tiny() -> Self {
        Self::paper().with(|config| {
            config.input.vocab_size = 6;
            config.input.n_cells = 16;
            config.puzzle_embedding.dim = 64;
            config.block.hidden_dim = 64;
            config.block.n_heads = 2;
            config.recurrence.n_h_layers = 1;
            config.recurrence.n_l_layers = 1;
            config.halting.n_segments_max = 4;
        })
    }

    /// A model that trains in minutes on a CPU, with the grid of 9 by 9 Sudoku:
    /// one module of two blocks in both roles, and one update of each state per
    /// segment, both with gradient, so that a step is short. The rope base suits
    /// about a hundred positions; with the published one most angles would
    /// hardly change across them.
    pub fn small() -> Self {
        Self::paper().with(|config| {
            config.puzzle_embedding.dim = 128;
            config.block.hidden_dim = 128;
            config.block.n_heads = 4;
            config.block.rope_base = 100.0;
            config.recurrence.modules = Modules::Shared;
            config.recurrence.n_h_layers = 2;
            config.recurrence.n_l_layers = 2;
            config.recurrence.n_h_cycles = 1;
            config.recurrence.n_l_cycles = 1;
            config.recurrence.gradient_span = GradientSpan::LastCycle;
            config.halting.rule = HaltRule::HaltOnly;
        })
    }

    /// Returns this config with some fields changed.
    ///
    /// ```
    /// use hrm_core::HrmConfig;
    ///
    /// let config = HrmConfig::tiny().with(|config| config.input.n_cells = 36);
    /// assert_eq!(config.input.n_cells, 36);
    /// ```
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
