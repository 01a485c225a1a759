//! Checks that the sizes of a config fit together.

use hrm_blocks::{BlockDims, MixerDims, inner_dim};

use super::groups::{
    BlockConfig, HaltingConfig, InputConfig, Mixer, Positions, PuzzleEmbeddingConfig,
    RecurrenceConfig,
};
use super::hrm_config::HrmConfig;

/// Sizes that fit together. Only [`HrmConfig::check`] makes them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dims {
    pub(crate) block: BlockDims,
    /// Positions of the puzzle embedding, `P`.
    pub(crate) n_prefix: usize,
    /// All positions, `P + S`.
    pub(crate) n_positions: usize,
}

impl Dims {
    /// The shape of one state of one puzzle, `(P + S, D)`.
    pub(crate) fn state(&self) -> (usize, usize) {
        (self.n_positions, self.block.hidden_dim)
    }
}

/// The sizes of a config do not fit together. Fields are dotted paths.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A count that must be positive is 0.
    #[error("`{field}` must be at least 1, found 0")]
    Zero {
        /// The field.
        field: &'static str,
    },

    /// A count is above its limit.
    #[error("`{field}` must be at most {limit}, found {found}")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// The largest value accepted.
        limit: usize,
        /// The value given.
        found: usize,
    },

    /// The heads do not divide the channels.
    #[error(
        "`block.hidden_dim` must be a multiple of `block.n_heads`, found {hidden_dim} and {n_heads}"
    )]
    HeadsDoNotDivide {
        /// Channels per position.
        hidden_dim: usize,
        /// Attention heads.
        n_heads: usize,
    },

    /// Rotary embedding needs pairs of channels.
    #[error("`block.hidden_dim / block.n_heads` must be even with rope, found {head_dim}")]
    OddHeadDim {
        /// Channels per head.
        head_dim: usize,
    },

    /// A puzzle embedding without positions to hold it, or the reverse.
    #[error(
        "`puzzle_embedding.n_positions` must be positive if and only if `puzzle_embedding.dim` is, \
         found {n_positions} and {dim}"
    )]
    Prefix {
        /// Positions of the puzzle embedding.
        n_positions: usize,
        /// Channels of the puzzle embedding.
        dim: usize,
    },

    /// A puzzle embedding that its positions cannot hold.
    #[error(
        "`puzzle_embedding.dim` must be at most `puzzle_embedding.n_positions * block.hidden_dim`, \
         or channels would be lost: found {dim} and {n_positions} * {hidden_dim}"
    )]
    LostChannels {
        /// Positions of the puzzle embedding.
        n_positions: usize,
        /// Channels of the puzzle embedding.
        dim: usize,
        /// Channels per position.
        hidden_dim: usize,
    },

    /// A real number is outside its range.
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
    /// Derives the sizes that the layers work with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the first field that does not fit.
    pub fn check(&self) -> Result<Dims, ConfigError> {
        let Self { input, puzzle_embedding, block, recurrence, halting } = self;
        let &InputConfig { vocab_size, n_cells, n_puzzle_ids } = input;
        let &PuzzleEmbeddingConfig { dim, n_positions: n_prefix } = puzzle_embedding;
        let &BlockConfig { hidden_dim, n_heads, expansion, rope_base, norm_eps, .. } = block;
        let &RecurrenceConfig { n_h_layers, n_l_layers, n_h_cycles, n_l_cycles, damping, .. } =
            recurrence;
        let &HaltingConfig { n_segments_max, exploration, .. } = halting;
        let counts = [
            ("input.vocab_size", vocab_size, 1 << 16),
            ("input.n_cells", n_cells, 1 << 16),
            ("input.n_puzzle_ids", n_puzzle_ids, 1 << 24),
            ("block.hidden_dim", hidden_dim, 1 << 14),
            ("block.n_heads", n_heads, 1 << 14),
            ("recurrence.n_h_layers", n_h_layers, 1 << 10),
            ("recurrence.n_l_layers", n_l_layers, 1 << 10),
            ("recurrence.n_h_cycles", n_h_cycles, 1 << 10),
            ("recurrence.n_l_cycles", n_l_cycles, 1 << 10),
            ("halting.n_segments_max", n_segments_max, 1 << 20),
        ];
        if let Some((field, ..)) = counts.into_iter().find(|(_, n, _)| *n == 0) {
            return Err(ConfigError::Zero { field });
        }
        let may_be_zero = [
            ("puzzle_embedding.dim", dim, 1 << 16),
            ("puzzle_embedding.n_positions", n_prefix, 1 << 10),
        ];
        if let Some((field, found, limit)) =
            counts.into_iter().chain(may_be_zero).find(|(_, n, limit)| n > limit)
        {
            return Err(ConfigError::TooLarge { field, limit, found });
        }
        let ranges = [
            ("block.expansion", "in 0..=64", expansion, 0.0, 64.0),
            ("recurrence.damping", "in 0..=0.99", damping, 0.0, 0.99),
            ("halting.exploration", "in 0..=1", exploration, 0.0, 1.0),
            ("block.rope_base", "in 1..=1e12", rope_base, 1.0, 1e12),
            ("block.norm_eps", "in 0..=1", norm_eps, 0.0, 1.0),
        ];
        for (field, expected, found, low, high) in ranges {
            // Written so that NaN is out of range.
            if !(low..=high).contains(&found) {
                return Err(ConfigError::Range { field, expected, found });
            }
        }

        if (n_prefix == 0) != (dim == 0) {
            return Err(ConfigError::Prefix { n_positions: n_prefix, dim });
        }
        if dim > n_prefix * hidden_dim {
            return Err(ConfigError::LostChannels { n_positions: n_prefix, dim, hidden_dim });
        }
        let n_positions = n_prefix + n_cells;
        let mixer = mixer_dims(block, n_positions)?;
        let inner_dim = inner_dim(hidden_dim, expansion);
        let block = BlockDims { hidden_dim, mixer, inner_dim, norm_eps };
        Ok(Dims { block, n_prefix, n_positions })
    }
}

fn mixer_dims(block: &BlockConfig, n_positions: usize) -> Result<MixerDims, ConfigError> {
    let &BlockConfig { hidden_dim, n_heads, .. } = block;
    if block.mixer == Mixer::Mlp {
        let inner_dim = inner_dim(n_positions, block.expansion);
        return Ok(MixerDims::Mlp { n_positions, inner_dim });
    }
    if !hidden_dim.is_multiple_of(n_heads) {
        return Err(ConfigError::HeadsDoNotDivide { hidden_dim, n_heads });
    }
    let head_dim = hidden_dim / n_heads;
    if block.positions == Positions::Rope && !head_dim.is_multiple_of(2) {
        return Err(ConfigError::OddHeadDim { head_dim });
    }
    Ok(MixerDims::Attention { n_heads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_fit_together() {
        for config in
            [HrmConfig::paper(), HrmConfig::tiny_recursive(), HrmConfig::small(), HrmConfig::tiny()]
        {
            config.check().unwrap();
        }
    }

    #[test]
    fn errors_name_the_field() {
        let message = |change: fn(&mut HrmConfig)| {
            HrmConfig::tiny().with(change).check().unwrap_err().to_string()
        };
        assert_eq!(
            message(|c| c.recurrence.n_l_cycles = 0),
            "`recurrence.n_l_cycles` must be at least 1, found 0"
        );
        assert_eq!(
            message(|c| c.block.n_heads = 3),
            "`block.hidden_dim` must be a multiple of `block.n_heads`, found 64 and 3"
        );
        assert_eq!(
            message(|c| c.block.n_heads = 64),
            "`block.hidden_dim / block.n_heads` must be even with rope, found 1"
        );
        assert_eq!(
            message(|c| c.puzzle_embedding.n_positions = 0),
            "`puzzle_embedding.n_positions` must be positive if and only if \
             `puzzle_embedding.dim` is, found 0 and 64"
        );
        assert_eq!(
            message(|c| c.puzzle_embedding.dim = 65),
            "`puzzle_embedding.dim` must be at most `puzzle_embedding.n_positions * \
             block.hidden_dim`, or channels would be lost: found 65 and 1 * 64"
        );
        assert_eq!(
            message(|c| c.block.norm_eps = f64::NAN),
            "`block.norm_eps` must be in 0..=1, found NaN"
        );
        assert_eq!(
            message(|c| c.block.hidden_dim = usize::MAX),
            format!("`block.hidden_dim` must be at most 16384, found {}", usize::MAX)
        );
    }
}
