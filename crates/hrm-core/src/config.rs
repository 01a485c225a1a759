//! Sizes and schedule of a model, and whether they fit together.

use hrm_blocks::{Block, BlockDims, Init, MixerDims, ParamSpec, Role, inner_dim};
use serde::{Deserialize, Serialize};

use crate::model::names;
use crate::{GradientSpan, Halting, Modules, Starts};

/// Sizes and schedule of one model.
///
/// Building a config checks nothing. [`check`](Self::check) derives the
/// [`Dims`] that everything below works with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HrmConfig {
    /// Distinct token ids, padding included. Logits are `[B, S, vocab_size]`.
    pub vocab_size: usize,
    /// Cells per puzzle, `S`: 81 for Sudoku, 900 for a 30 by 30 grid.
    pub n_cells: usize,
    /// Puzzle identifiers, the blank one included. At least 1.
    pub n_puzzle_ids: usize,
    /// Channels of a puzzle embedding, `E`. 0: no puzzle embedding.
    pub puzzle_dim: usize,
    /// Positions before the cells that hold the puzzle embedding, `P`: usually
    /// `ceil(E / D)`. The embedding is padded with zeros to `P * D` channels.
    pub n_prefix: usize,
    /// Channels per position, `D`. A multiple of `n_heads` with attention.
    pub hidden_dim: usize,
    /// How blocks mix positions.
    pub mixer: Mixer,
    /// Attention heads, `N`. `D / N` is even with rope, which pairs channels.
    pub n_heads: usize,
    /// Width of a SwiGLU before its two thirds, as a multiple of what it maps.
    pub expansion: f64,
    /// Which networks rewrite the states.
    #[serde(default)]
    pub modules: Modules,
    /// Blocks of the slow module. At least 1.
    pub n_h_layers: usize,
    /// Blocks of the fast module. At least 1.
    pub n_l_layers: usize,
    /// Slow updates per segment. At least 1.
    pub n_h_cycles: usize,
    /// Fast updates per slow update. At least 1.
    pub n_l_cycles: usize,
    /// Which updates carry gradient.
    #[serde(default)]
    pub gradient_span: GradientSpan,
    /// What the states of a fresh puzzle hold.
    #[serde(default)]
    pub starts: Starts,
    /// Share of the states from before a segment in those after it, in `0..1`
    /// (arXiv 2605.21488: 0.05).
    #[serde(default)]
    pub damping: f64,
    /// When a puzzle is finished.
    #[serde(default)]
    pub halting: Halting,
    /// Supervision segments after which a puzzle is stopped. At least 1.
    pub n_segments_max: usize,
    /// Probability, in training, that a puzzle must go on for a random number
    /// of segments whatever the halting head says. In `0..=1`.
    pub halt_exploration: f64,
    /// How positions are told apart.
    pub positions: Positions,
    /// Base of the rotary angles. Positive.
    pub rope_base: f64,
    /// Added to the mean square before the root, in squared activation units.
    pub norm_eps: f64,
}

/// How blocks mix positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixer {
    /// Attention between all positions, as published.
    Attention,
    /// A SwiGLU over positions, for puzzles of one small size.
    Mlp,
}

/// How positions are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Queries and keys are turned by an angle per position. Without attention
    /// there is nothing to turn.
    Rope,
    /// A learned vector is added to each position of the input.
    Learned,
    /// Not at all: the model sees a set of cells.
    None,
}

/// Sizes that are known to fit together. Only [`HrmConfig::check`] makes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dims {
    pub(crate) block: BlockDims,
    pub(crate) n_prefix: usize,
    pub(crate) n_positions: usize,
}

impl Dims {
    /// The shape of one state of one puzzle, `(P + S, D)`.
    pub(crate) fn state(&self) -> (usize, usize) {
        (self.n_positions, self.block.hidden_dim)
    }
}

/// Sizes that do not fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A count that must be positive is not.
    #[error("`{field}` must be at least 1, found 0")]
    Zero {
        /// The field.
        field: &'static str,
    },

    /// A count beyond anything this model is made for.
    #[error("`{field}` must be at most {limit}, found {found}")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// The largest value accepted.
        limit: usize,
        /// The value given.
        found: usize,
    },

    /// Heads do not split the channels.
    #[error("`hidden_dim` must be a multiple of `n_heads`, found {hidden_dim} and {n_heads}")]
    HeadsDoNotDivide {
        /// Channels per position.
        hidden_dim: usize,
        /// Attention heads.
        n_heads: usize,
    },

    /// Rotary embedding needs pairs of channels.
    #[error("`hidden_dim / n_heads` must be even with rope, found {head_dim}")]
    OddHeadDim {
        /// Channels per head.
        head_dim: usize,
    },

    /// A puzzle embedding without positions to hold it, or the reverse.
    #[error(
        "`n_prefix` must be positive exactly if `puzzle_dim` is, found {n_prefix} and {puzzle_dim}"
    )]
    Prefix {
        /// Positions before the cells.
        n_prefix: usize,
        /// Channels of a puzzle embedding.
        puzzle_dim: usize,
    },

    /// A real number outside its range.
    #[error("`{field}` must be {expected}, found {found}")]
    Range {
        /// The field.
        field: &'static str,
        /// The values accepted.
        expected: &'static str,
        /// The value given.
        found: f64,
    },
}

impl HrmConfig {
    /// Sizes of `config/arch/hrm_v1.yaml` in the published code, with the
    /// vocabulary and grid of its 9 by 9 Sudoku data set: 27,275,266 trained
    /// parameters.
    pub fn paper() -> Self {
        Self {
            vocab_size: 11, // Padding, blank and nine digits.
            n_cells: 81,
            n_puzzle_ids: 1,
            puzzle_dim: 512,
            n_prefix: 1,
            hidden_dim: 512,
            mixer: Mixer::Attention,
            n_heads: 8,
            expansion: 4.0,
            modules: Modules::Two,
            n_h_layers: 4,
            n_l_layers: 4,
            n_h_cycles: 2,
            n_l_cycles: 2,
            gradient_span: GradientSpan::LastUpdate,
            starts: Starts::Fixed,
            damping: 0.0,
            halting: Halting::QLearning,
            n_segments_max: 16,
            halt_exploration: 0.1,
            positions: Positions::Rope,
            rope_base: 10_000.0,
            norm_eps: 1e-5,
        }
    }

    /// The Tiny Recursive Model as published (`config/arch/trm.yaml`), with the
    /// grid of [`paper`](Self::paper): about 7 million parameters, 5 with
    /// [`Mixer::Mlp`], which takes no [`Positions`].
    pub fn tiny_recursive() -> Self {
        Self {
            n_prefix: 16,
            modules: Modules::Shared,
            n_l_layers: 2,
            n_h_layers: 2,
            n_h_cycles: 3,
            n_l_cycles: 6,
            gradient_span: GradientSpan::LastCycle,
            halting: Halting::HaltOnly,
            ..Self::paper()
        }
    }

    /// A model of 1 + 1 layers for minutes on a processor, with the grid of 4
    /// by 4 Sudoku.
    pub fn tiny() -> Self {
        Self {
            vocab_size: 6,
            n_cells: 16,
            puzzle_dim: 64,
            hidden_dim: 64,
            n_heads: 2,
            n_h_layers: 1,
            n_l_layers: 1,
            n_segments_max: 4,
            ..Self::paper()
        }
    }

    /// A model for minutes on a processor, with the grid of 9 by 9 Sudoku: two
    /// layers in both roles, and one update of each state per segment, both
    /// differentiated, so that a step takes little time. The base of the angles
    /// fits a hundred positions: with the published one most would hardly turn.
    pub fn small() -> Self {
        Self {
            puzzle_dim: 128,
            hidden_dim: 128,
            n_heads: 4,
            modules: Modules::Shared,
            n_h_layers: 2,
            n_l_layers: 2,
            n_h_cycles: 1,
            n_l_cycles: 1,
            gradient_span: GradientSpan::LastCycle,
            halting: Halting::HaltOnly,
            rope_base: 100.0,
            ..Self::paper()
        }
    }

    /// Derives the sizes every layer needs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the first field that does not fit.
    pub fn check(&self) -> Result<Dims, ConfigError> {
        let counts = [
            ("vocab_size", self.vocab_size, 1 << 16),
            ("n_cells", self.n_cells, 1 << 16),
            ("n_puzzle_ids", self.n_puzzle_ids, 1 << 24),
            ("hidden_dim", self.hidden_dim, 1 << 14),
            ("n_heads", self.n_heads, 1 << 14),
            ("n_h_layers", self.n_h_layers, 1 << 10),
            ("n_l_layers", self.n_l_layers, 1 << 10),
            ("n_h_cycles", self.n_h_cycles, 1 << 10),
            ("n_l_cycles", self.n_l_cycles, 1 << 10),
            ("n_segments_max", self.n_segments_max, 1 << 20),
        ];
        if let Some((field, ..)) = counts.into_iter().find(|(_, n, _)| *n == 0) {
            return Err(ConfigError::Zero { field });
        }
        let may_be_zero =
            [("puzzle_dim", self.puzzle_dim, 1 << 16), ("n_prefix", self.n_prefix, 1 << 10)];
        if let Some((field, found, limit)) =
            counts.into_iter().chain(may_be_zero).find(|(_, n, limit)| n > limit)
        {
            return Err(ConfigError::TooLarge { field, limit, found });
        }
        let ranges = [
            ("expansion", "in 0..=64", self.expansion, 0.0, 64.0),
            ("damping", "in 0..=0.99", self.damping, 0.0, 0.99),
            ("halt_exploration", "in 0..=1", self.halt_exploration, 0.0, 1.0),
            ("rope_base", "in 1..=1e12", self.rope_base, 1.0, 1e12),
            ("norm_eps", "in 0..=1", self.norm_eps, 0.0, 1.0),
        ];
        for (field, expected, found, low, high) in ranges {
            // Written so that NaN is out of range.
            if !(low..=high).contains(&found) {
                return Err(ConfigError::Range { field, expected, found });
            }
        }

        let &Self { hidden_dim, n_prefix, puzzle_dim, expansion, norm_eps, .. } = self;
        if (n_prefix == 0) != (puzzle_dim == 0) {
            return Err(ConfigError::Prefix { n_prefix, puzzle_dim });
        }
        let n_positions = n_prefix + self.n_cells;
        let mixer = self.check_mixer(n_positions)?;
        let inner_dim = inner_dim(hidden_dim, expansion);
        let block = BlockDims { hidden_dim, mixer, inner_dim, norm_eps };
        Ok(Dims { block, n_prefix, n_positions })
    }

    fn check_mixer(&self, n_positions: usize) -> Result<MixerDims, ConfigError> {
        let &Self { hidden_dim, n_heads, .. } = self;
        if self.mixer == Mixer::Mlp {
            let inner_dim = inner_dim(n_positions, self.expansion);
            return Ok(MixerDims::Mlp { n_positions, inner_dim });
        }
        if !hidden_dim.is_multiple_of(n_heads) {
            return Err(ConfigError::HeadsDoNotDivide { hidden_dim, n_heads });
        }
        let head_dim = hidden_dim / n_heads;
        if self.positions == Positions::Rope && !head_dim.is_multiple_of(2) {
            return Err(ConfigError::OddHeadDim { head_dim });
        }
        Ok(MixerDims::Attention { n_heads })
    }

    /// Every parameter of the model, by its name in weight files.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn params(&self) -> Result<Vec<ParamSpec>, ConfigError> {
        let dims = self.check()?;
        let d = self.hidden_dim;
        let per_channel = Init::lecun(d);
        let unit = Init::TruncatedNormal { std: 1.0 };
        let fixed =
            |name: &str| ParamSpec { role: Role::Fixed, ..ParamSpec::trained(name, [d], unit) };
        let mut params = vec![
            ParamSpec::trained(names::TOKENS, [self.vocab_size, d], per_channel),
            ParamSpec::trained(names::LM_HEAD, [self.vocab_size, d], per_channel),
            // Halting starts out unlikely and the same for every puzzle.
            ParamSpec::trained(names::Q_WEIGHT, [2, d], Init::Constant(0.0)),
            ParamSpec::trained(names::Q_BIAS, [2], Init::Constant(-5.0)),
            fixed(names::H_START),
            fixed(names::L_START),
        ];
        if self.positions == Positions::Learned {
            params.push(ParamSpec::trained(names::POSITIONS, [dims.n_positions, d], per_channel));
        }
        if self.puzzle_dim > 0 {
            let shape = [self.n_puzzle_ids, self.puzzle_dim];
            let table = ParamSpec::trained(names::PUZZLES, shape, Init::Constant(0.0));
            params.push(ParamSpec { role: Role::SparseEmbedding, ..table });
        }
        for (module, n_layers) in self.layers() {
            for layer in 0..n_layers {
                params.extend(Block::params(&names::layer(module, layer), dims.block));
            }
        }
        Ok(params)
    }

    /// The modules by name, with their layers.
    pub(crate) fn layers(&self) -> Vec<(&'static str, usize)> {
        let (high, low) = (self.n_h_layers, self.n_l_layers);
        match self.modules {
            Modules::Two => vec![(names::H_MODULE, high), (names::L_MODULE, low)],
            Modules::Shared => vec![(names::L_MODULE, low)],
            Modules::Flat => vec![(names::L_MODULE, high + low)],
        }
    }

    /// Trained parameters, puzzle embeddings not counted: what the literature
    /// calls the size of the model.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn n_parameters(&self) -> Result<usize, ConfigError> {
        let params = self.params()?;
        Ok(params.iter().filter(|p| p.role == Role::Trained).map(ParamSpec::len).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_configuration_has_the_published_size() {
        assert_eq!(HrmConfig::paper().n_parameters(), Ok(27_275_266));
    }

    #[test]
    fn presets_fit_together() {
        for config in
            [HrmConfig::paper(), HrmConfig::tiny_recursive(), HrmConfig::small(), HrmConfig::tiny()]
        {
            config.check().unwrap();
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let message = |change: fn(&mut HrmConfig)| {
            let mut config = HrmConfig::tiny();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert_eq!(message(|c| c.n_l_cycles = 0), "`n_l_cycles` must be at least 1, found 0");
        assert_eq!(
            message(|c| c.n_heads = 3),
            "`hidden_dim` must be a multiple of `n_heads`, found 64 and 3"
        );
        assert_eq!(
            message(|c| c.n_heads = 64),
            "`hidden_dim / n_heads` must be even with rope, found 1"
        );
        assert_eq!(
            message(|c| c.n_prefix = 0),
            "`n_prefix` must be positive exactly if `puzzle_dim` is, found 0 and 64"
        );
        assert_eq!(message(|c| c.norm_eps = f64::NAN), "`norm_eps` must be in 0..=1, found NaN");
        assert_eq!(
            message(|c| c.hidden_dim = usize::MAX),
            format!("`hidden_dim` must be at most 16384, found {}", usize::MAX)
        );
    }
}
