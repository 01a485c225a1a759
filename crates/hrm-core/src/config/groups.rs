//! The groups of a config, one per part of the model.

use serde::{Deserialize, Serialize};

use crate::variants::{GradientSpan, HaltRule, InitialStates, Modules};

/// Sizes of the model's input and output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// Number of token ids, including padding. Logits are `[B, S, vocab_size]`.
    pub vocab_size: usize,
    /// Number of cells per puzzle, `S`: 81 for Sudoku, 900 for a 30 by 30 grid.
    pub n_cells: usize,
    /// Number of puzzle identifiers, including the blank one. At least 1.
    pub n_puzzle_ids: usize,
}

/// A learned embedding per puzzle identifier, placed before the cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PuzzleEmbeddingConfig {
    /// Channels of the embedding, `E`. 0 disables puzzle embeddings.
    pub dim: usize,
    /// Number of prefix positions that hold the embedding, `P`: usually
    /// `ceil(E / D)`. The embedding is zero-padded or cut to `P * D` channels.
    pub n_positions: usize,
}

/// The transformer blocks that the modules are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockConfig {
    /// Channels per position, `D`. With attention, a multiple of `n_heads`.
    pub hidden_dim: usize,
    /// How a block mixes positions.
    pub mixer: Mixer,
    /// Attention heads, `N`. With rope, `D / N` must be even.
    pub n_heads: usize,
    /// Width of a SwiGLU relative to its input, before the usual factor of 2/3.
    pub expansion: f64,
    /// How positions are encoded.
    pub positions: Positions,
    /// Base of the rotary angles, at least 1.
    pub rope_base: f64,
    /// Added to the mean square in RMS norm, in squared activation units.
    pub norm_eps: f64,
}

/// How the slow and the fast state are updated within a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecurrenceConfig {
    /// Which networks update the states.
    #[serde(default)]
    pub modules: Modules,
    /// Blocks in the slow (H) module. At least 1.
    pub n_h_layers: usize,
    /// Blocks in the fast (L) module. At least 1.
    pub n_l_layers: usize,
    /// Slow cycles per segment, each ending in an update of the slow state.
    /// At least 1.
    pub n_h_cycles: usize,
    /// Updates of the fast state per slow cycle. At least 1.
    pub n_l_cycles: usize,
    /// Which updates carry gradient.
    #[serde(default)]
    pub gradient_span: GradientSpan,
    /// The states that a puzzle starts from.
    #[serde(default)]
    pub initial_states: InitialStates,
    /// Fraction of the previous states that is mixed into the states after each
    /// segment, in `0..=0.99` (arXiv 2605.21488: 0.05).
    #[serde(default)]
    pub damping: f64,
}

/// When the model stops working on a puzzle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltingConfig {
    /// How the halting logits are read.
    #[serde(default)]
    pub rule: HaltRule,
    /// Maximum number of segments per puzzle. At least 1.
    pub n_segments_max: usize,
    /// Probability, in training, that a puzzle runs for at least a random number
    /// of segments, whatever the halting head says. In `0..=1`.
    pub exploration: f64,
}

/// How a block mixes positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixer {
    /// Attention between all positions (arXiv 2506.21734).
    Attention,
    /// A SwiGLU over positions, for puzzles of one small size.
    Mlp,
}

/// How positions are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Rotary embedding of queries and keys. Has no effect without attention.
    Rope,
    /// A learned vector per position, added to the input.
    Learned,
    /// No encoding: the model sees a set of cells.
    None,
}
