//! A network for inference.

use candle_core::{Result, Tensor};

use crate::network::{Network, SegmentOutput, States};
use crate::variants::HaltRule;

/// A model bound to its weights that records no gradients, whatever its arguments
/// record: memory does not grow with the number of segments.
///
/// It is a snapshot of the weights. [`Hrm::frozen`](crate::Hrm::frozen) makes one, and
/// all functions for inference take one. Passing a [`Network`] instead, which would
/// record gradients by mistake, does not compile:
///
/// ```compile_fail,E0308
/// # use hrm_core::{Budget, Hrm, HrmConfig, RollingBatch, candle_core::Device};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = Hrm::seeded(HrmConfig::tiny(), 0, &Device::Cpu)?;
/// # let budget = Budget::Fixed(model.n_segments_max());
/// let network = model.network()?;
/// let batch = RollingBatch::new(&network, budget);
/// # Ok(())
/// # }
/// ```
///
/// ```
/// # use hrm_core::{Budget, Hrm, HrmConfig, RollingBatch, candle_core::Device};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = Hrm::seeded(HrmConfig::tiny(), 0, &Device::Cpu)?;
/// # let budget = Budget::Fixed(model.n_segments_max());
/// let network = model.frozen()?;
/// let batch = RollingBatch::new(&network, budget);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FrozenNetwork(Network);

impl Network {
    /// The same network without gradients. Storage is shared.
    #[must_use]
    pub fn freeze(&self) -> FrozenNetwork {
        FrozenNetwork(self.detach())
    }
}

impl FrozenNetwork {
    /// As [`Network::halt_rule`].
    pub fn halt_rule(&self) -> HaltRule {
        self.0.halt_rule()
    }

    /// As [`Network::initial_states`].
    ///
    /// # Errors
    ///
    /// If the device cannot hold them.
    pub fn initial_states(&self, n_puzzles: usize) -> Result<States> {
        self.0.initial_states(n_puzzles)
    }

    /// As [`Network::encode`].
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary, the shapes do not fit, or puzzle
    /// embeddings are missing or unexpected.
    pub fn encode(&self, tokens: &Tensor, puzzle_embeddings: Option<&Tensor>) -> Result<Tensor> {
        self.0.encode(tokens, puzzle_embeddings.map(Tensor::detach).as_ref())
    }

    /// As [`Network::segment`].
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn segment(&self, states: &States, input: &Tensor) -> Result<SegmentOutput> {
        self.0.segment(&states.detach(), &input.detach())
    }

    /// As [`Network::advance`].
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn advance(&self, states: &States, input: &Tensor) -> Result<States> {
        self.0.advance(&states.detach(), &input.detach())
    }

    /// As [`Network::read_cells`].
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn read_cells(&self, states: &States) -> Result<Tensor> {
        self.0.read_cells(&states.detach())
    }

    /// As [`Network::read_halting`].
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn read_halting(&self, states: &States) -> Result<Tensor> {
        self.0.read_halting(&states.detach())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HrmConfig;
    use crate::model::Hrm;
    use candle_core::{DType, Device, Var};

    #[test]
    fn nothing_is_recorded_even_for_arguments_with_gradient() -> Result<()> {
        let model = Hrm::seeded(HrmConfig::tiny(), 1, &Device::Cpu).unwrap();
        let tokens = Tensor::ones((2, 16), DType::U32, &Device::Cpu)?;
        let embeddings = Var::from_tensor(&model.puzzle_embeddings(&[0, 0])?.unwrap())?;
        let live = model.network()?;
        let input = live.encode(&tokens, Some(embeddings.as_tensor()))?;
        let states = live.segment(&live.initial_states(2)?, &input)?.states;
        assert!(input.track_op() && states.z_h.track_op() && states.z_l.track_op());

        for network in [model.frozen()?, live.freeze()] {
            let out = network.segment(&states, &input)?;
            let advanced = network.advance(&states, &input)?;
            let all = [
                network.encode(&tokens, Some(embeddings.as_tensor()))?,
                out.logits,
                out.q,
                out.states.z_h,
                out.states.z_l,
                advanced.z_h,
                advanced.z_l,
                network.read_cells(&states)?,
                network.read_halting(&states)?,
                network.initial_states(2)?.z_h,
            ];
            assert!(all.iter().all(|tensor| !tensor.track_op()));
        }
        Ok(())
    }
}
