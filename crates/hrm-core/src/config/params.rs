//! The parameters that a config implies.

use hrm_blocks::{Block, Init, ParamSpec, Role};

use super::check::ConfigError;
use super::groups::Positions;
use super::hrm_config::HrmConfig;
use crate::names;
use crate::variants::Modules;

impl HrmConfig {
    /// Every parameter of the model, by its name in weight files.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn params(&self) -> Result<Vec<ParamSpec>, ConfigError> {
        let dims = self.check()?;
        let (d, vocab_size) = (self.block.hidden_dim, self.input.vocab_size);
        let per_channel = Init::lecun(d);
        let unit = Init::TruncatedNormal { std: 1.0 };
        let fixed =
            |name: &str| ParamSpec { role: Role::Fixed, ..ParamSpec::trained(name, [d], unit) };
        let mut params = vec![
            ParamSpec::trained(names::TOKENS, [vocab_size, d], per_channel),
            ParamSpec::trained(names::LM_HEAD, [vocab_size, d], per_channel),
            // At first, halting is unlikely, and equally so for every puzzle.
            ParamSpec::trained(names::Q_WEIGHT, [2, d], Init::Constant(0.0)),
            ParamSpec::trained(names::Q_BIAS, [2], Init::Constant(-5.0)),
            fixed(names::H_INIT),
            fixed(names::L_INIT),
        ];
        if self.block.positions == Positions::Learned {
            params.push(ParamSpec::trained(names::POSITIONS, [dims.n_positions, d], per_channel));
        }
        if self.puzzle_embedding.dim > 0 {
            let shape = [self.input.n_puzzle_ids, self.puzzle_embedding.dim];
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

    /// The name prefix and the number of blocks of each module.
    pub(crate) fn layers(&self) -> Vec<(&'static str, usize)> {
        let (high, low) = (self.recurrence.n_h_layers, self.recurrence.n_l_layers);
        match self.recurrence.modules {
            Modules::Two => vec![(names::H_MODULE, high), (names::L_MODULE, low)],
            Modules::Shared => vec![(names::L_MODULE, low)],
            Modules::Flat => vec![(names::L_MODULE, high + low)],
        }
    }

    /// Number of trained parameters, without puzzle embeddings: the model size
    /// stated in the literature.
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
}
