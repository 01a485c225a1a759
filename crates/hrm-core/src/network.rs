//! The recurrence: one segment of updates, and the heads that read its states.
//!
//! Shapes: states and input `[B, P + S, D]`, logits `[B, S, vocab]`, halting logits
//! `[B, 2]` as `[halt, continue]`.

use candle_core::{D, DType, IndexOp, Result, Tensor};
use hrm_blocks::{Block, Tracking, WeightsView, embed};
use hrm_kernels::{Hidden, Rotary, in_chunks, linear};

use crate::config::{Dims, HrmConfig, Positions};
use crate::names;
use crate::schedule::{Schedule, Update};
use crate::variants::HaltRule;

/// The two recurrent states of a batch of puzzles.
#[derive(Clone, Debug)]
pub struct States {
    /// The slow state, `[B, P + S, D]`.
    pub z_h: Tensor,
    /// The fast state, `[B, P + S, D]`.
    pub z_l: Tensor,
}

impl States {
    /// The initial states of `n_puzzles` puzzles, given the values of one puzzle or
    /// position: `[P + S, D]` or `[D]`.
    pub(crate) fn broadcast(
        [z_h, z_l]: &[Tensor; 2],
        n_puzzles: usize,
        n_positions: usize,
    ) -> Result<Self> {
        let shape = (n_puzzles, n_positions, z_h.dim(D::Minus1)?);
        let broadcast = |state: &Tensor| state.broadcast_as(shape)?.contiguous();
        Ok(Self { z_h: broadcast(z_h)?, z_l: broadcast(z_l)? })
    }

    /// The same states, detached from the graph. Storage is shared.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self { z_h: self.z_h.detach(), z_l: self.z_l.detach() }
    }
}

/// The output of one segment.
#[derive(Clone, Debug)]
pub struct SegmentOutput {
    /// The states after the segment, with gradient through the last updates of the
    /// schedule.
    pub states: States,
    /// Logits of the token in each cell, `[B, S, vocab]`, in the model's dtype.
    pub logits: Tensor,
    /// Halting logits `[halt, continue]`, `[B, 2]`, f32.
    pub q: Tensor,
}

/// A model bound to its weights, with gradients recorded. For inference, see
/// [`FrozenNetwork`](crate::FrozenNetwork).
///
/// It is a snapshot: bind a new one after each optimiser step.
#[derive(Clone, Debug)]
pub struct Network {
    n_prefix: usize,
    n_positions: usize,
    hidden_dim: usize,
    schedule: Schedule,
    halt_rule: HaltRule,
    token_table: Tensor,
    position_table: Option<Tensor>,
    lm_head: Tensor,
    q_weight: Tensor,
    q_bias: Tensor,
    /// Initial slow and fast state, `[D]` or `[P + S, D]`.
    initial: [Tensor; 2],
    damping: f64,
    /// The modules for the updates with gradient.
    tracked: Blocks,
    /// The same weights, detached, so that the other updates keep no activations.
    detached: Blocks,
    /// Whether updates are recorded for the backward pass.
    records: bool,
    /// The dtype of activations.
    dtype: DType,
}

impl Network {
    pub(crate) fn bind(
        view: &WeightsView<'_>,
        config: &HrmConfig,
        dims: Dims,
        (schedule, initial, rotary): (Schedule, [Tensor; 2], Option<Rotary>),
    ) -> Result<Self> {
        let position_table = match config.block.positions {
            Positions::Learned => Some(view.get(names::POSITIONS)?),
            Positions::Rope | Positions::None => None,
        };
        let blocks = |module: &str, n_layers: usize| -> Result<Vec<Block>> {
            let bind = |layer| Block::bind(&view.under(&names::layer(module, layer)), dims.block);
            (0..n_layers).map(bind).collect()
        };
        let mut bound = Vec::new();
        for (module, n_layers) in config.layers() {
            bound.push(blocks(module, n_layers)?);
        }
        // The fast module is last. It may also be the slow one.
        let low = bound.pop().unwrap_or_default();
        let high = bound.pop().unwrap_or_else(|| low.clone());
        let tracked = Blocks { high, low, rotary };
        Ok(Self {
            n_prefix: dims.n_prefix,
            n_positions: dims.n_positions,
            hidden_dim: dims.block.hidden_dim,
            schedule,
            halt_rule: config.halting.rule,
            token_table: view.get(names::TOKENS)?,
            position_table,
            lm_head: view.get(names::LM_HEAD)?,
            q_weight: view.get(names::Q_WEIGHT)?,
            q_bias: view.get(names::Q_BIAS)?,
            initial,
            damping: config.recurrence.damping,
            detached: tracked.detach(),
            tracked,
            records: view.tracking() == Tracking::Live,
            dtype: view.dtype(),
        })
    }

    /// The same network, detached: it records no gradients.
    pub(crate) fn detach(&self) -> Self {
        Self {
            token_table: self.token_table.detach(),
            position_table: self.position_table.as_ref().map(Tensor::detach),
            lm_head: self.lm_head.detach(),
            q_weight: self.q_weight.detach(),
            q_bias: self.q_bias.detach(),
            initial: self.initial.each_ref().map(Tensor::detach),
            tracked: self.detached.clone(),
            records: false,
            ..self.clone()
        }
    }

    /// How the halting logits are read.
    pub fn halt_rule(&self) -> HaltRule {
        self.halt_rule
    }

    /// The initial states of `n_puzzles` puzzles, `[B, P + S, D]` each.
    ///
    /// # Errors
    ///
    /// If the device cannot hold them.
    pub fn initial_states(&self, n_puzzles: usize) -> Result<States> {
        States::broadcast(&self.initial, n_puzzles, self.n_positions)
    }

    /// Encodes puzzles as the input of every update, `[B, P + S, D]`.
    ///
    /// `tokens: [B, S]` u32. `puzzle_embeddings: [B, E]` f32, if and only if the
    /// model has puzzle embeddings. Gradients reach both tables and
    /// `puzzle_embeddings`.
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary, the shapes do not fit, or puzzle
    /// embeddings are missing or unexpected.
    pub fn encode(&self, tokens: &Tensor, puzzle_embeddings: Option<&Tensor>) -> Result<Tensor> {
        let mut x = embed(&self.token_table, tokens)?;
        match puzzle_embeddings {
            Some(embeddings) if self.n_prefix > 0 => {
                x = Tensor::cat(&[self.prefix(embeddings)?, x], 1)?;
            }
            None if self.n_prefix == 0 => {}
            Some(_) => candle_core::bail!("this model has no puzzle embeddings, found some"),
            None => candle_core::bail!("this model needs puzzle embeddings, found none"),
        }
        if let Some(table) = &self.position_table {
            // The sum of two independent vectors has twice the variance of one.
            x = (x.broadcast_add(table)? * std::f64::consts::FRAC_1_SQRT_2)?;
        }
        x * (self.hidden_dim as f64).sqrt()
    }

    /// Runs one segment from `states`, given the encoded `input`, and reads the
    /// logits.
    ///
    /// Gradients reach `input` and the weights of the modules only through the
    /// [`tracked`](Schedule::tracked) updates.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn segment(&self, states: &States, input: &Tensor) -> Result<SegmentOutput> {
        let states = self.advance(states, input)?;
        let logits = self.read_cells(&states)?;
        let q = self.read_halting(&states)?;
        Ok(SegmentOutput { states, logits, q })
    }

    /// Runs one segment without reading its logits: see [`segment`](Self::segment).
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn advance(&self, states: &States, input: &Tensor) -> Result<States> {
        let (warm_up, tracked) = if self.records {
            (self.schedule.warm_up(), self.schedule.tracked())
        } else {
            (self.schedule.updates(), &[][..])
        };
        let States { z_h, z_l } = self.without_gradient(warm_up, states, input)?;
        let [mut z_h, mut z_l] = [z_h, z_l].map(Hidden::from);
        self.tracked.run(tracked, &mut z_h, &mut z_l, &Hidden::from(input.clone()))?;
        Ok(States {
            z_h: self.damped(z_h.into_tensor()?, &states.z_h)?,
            z_l: self.damped(z_l.into_tensor()?, &states.z_l)?,
        })
    }

    /// The halting logits after one more segment, without gradient: `[B, 2]`, f32.
    ///
    /// They depend on the first position only, so the last block computes no other.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn halting_after(&self, states: &States, input: &Tensor) -> Result<Tensor> {
        let batch = [&states.z_h, &states.z_l, input];
        let [z_h, z_l, _] = in_chunks(batch, self.dtype, |[z_h, z_l, x]| {
            self.detached.run_to_first(self.schedule.updates(), z_h, z_l, x)
        })?;
        // The slow state may have been reduced to its first position.
        let before = states.z_h.narrow(1, 0, z_h.dim(1)?)?;
        let z_h = self.damped(z_h, &before)?;
        Ok(self.read_halting(&States { z_h, z_l })?.detach())
    }

    /// A state after a segment, mixed with the state before it.
    fn damped(&self, after: Tensor, before: &Tensor) -> Result<Tensor> {
        match self.damping {
            0.0 => Ok(after),
            damping => (after * (1.0 - damping))? + (before * damping)?,
        }
    }

    /// Runs updates without gradient. As no graph is recorded, a few puzzles at a time
    /// go through all updates.
    fn without_gradient(
        &self,
        updates: &[Update],
        states: &States,
        input: &Tensor,
    ) -> Result<States> {
        if updates.is_empty() {
            return Ok(states.detach());
        }
        let batch = [&states.z_h, &states.z_l, input];
        let [z_h, z_l, _] =
            in_chunks(batch, self.dtype, |[z_h, z_l, x]| self.detached.run(updates, z_h, z_l, x))?;
        Ok(States { z_h, z_l })
    }

    /// Logits of the token in each cell, `[B, S, vocab]`.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn read_cells(&self, states: &States) -> Result<Tensor> {
        let n_cells = states.z_h.dim(1)? - self.n_prefix;
        linear(&states.z_h.narrow(1, self.n_prefix, n_cells)?.contiguous()?, &self.lm_head)
    }

    /// Halting logits `[halt, continue]`, `[B, 2]`, always f32.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn read_halting(&self, states: &States) -> Result<Tensor> {
        // With puzzle embeddings, position 0 attends to every cell but predicts
        // none, which leaves it free to summarise.
        let summary = states.z_h.i((.., 0))?.contiguous()?;
        // Projected in the model's dtype, as the published code does; the loss
        // and the comparison that follow are f32.
        linear(&summary, &self.q_weight)?.broadcast_add(&self.q_bias)?.to_dtype(DType::F32)
    }

    /// Puzzle embeddings as prefix positions, `[B, P, D]`.
    fn prefix(&self, puzzle_embeddings: &Tensor) -> Result<Tensor> {
        let (n_puzzles, dim) = puzzle_embeddings.dims2()?;
        let width = self.n_prefix * self.hidden_dim;
        let prefix = puzzle_embeddings.to_dtype(self.token_table.dtype())?;
        let prefix = if dim <= width {
            prefix.pad_with_zeros(1, 0, width - dim)?
        } else {
            prefix.narrow(1, 0, width)?
        };
        prefix.reshape((n_puzzles, self.n_prefix, self.hidden_dim))
    }
}

/// The slow and the fast module.
#[derive(Clone, Debug)]
struct Blocks {
    high: Vec<Block>,
    low: Vec<Block>,
    rotary: Option<Rotary>,
}

impl Blocks {
    fn run(
        &self,
        updates: &[Update],
        z_h: &mut Hidden<'_>,
        z_l: &mut Hidden<'_>,
        x: &Hidden<'_>,
    ) -> Result<()> {
        for update in updates {
            match update {
                Update::Low => {
                    z_l.inject(&[z_h, x])?;
                    self.apply(&self.low, z_l)?;
                }
                Update::High => {
                    z_h.inject(&[z_l])?;
                    self.apply(&self.high, z_h)?;
                }
                Update::Flat => {
                    z_h.inject(&[x])?;
                    self.apply(&self.low, z_h)?;
                }
            }
        }
        Ok(())
    }

    /// As [`run`](Self::run), but keeps only the first position of the slow state:
    /// `z_h` becomes `[B, 1, D]`.
    fn run_to_first(
        &self,
        updates: &[Update],
        z_h: &mut Hidden<'_>,
        z_l: &mut Hidden<'_>,
        x: &Hidden<'_>,
    ) -> Result<()> {
        let (Some((Update::High, updates)), Some((block, blocks))) =
            (updates.split_last(), self.high.split_last())
        else {
            self.run(updates, z_h, z_l, x)?;
            return z_h.keep_first();
        };
        self.run(updates, z_h, z_l, x)?;
        z_h.inject(&[z_l])?;
        self.apply(blocks, z_h)?;
        block.forward_first(z_h, self.rotary.as_ref())
    }

    fn apply(&self, blocks: &[Block], z: &mut Hidden<'_>) -> Result<()> {
        blocks.iter().try_for_each(|block| block.forward(z, self.rotary.as_ref()))
    }

    fn detach(&self) -> Self {
        let detach = |blocks: &[Block]| blocks.iter().map(Block::detach).collect();
        Self { high: detach(&self.high), low: detach(&self.low), rotary: self.rotary.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mixer;
    use crate::model::Hrm;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, ramp};

    fn tiny(mixer: Mixer, positions: Positions) -> Hrm {
        let config = HrmConfig::tiny().with(|config| {
            config.input.vocab_size = 5;
            config.input.n_cells = 4;
            config.input.n_puzzle_ids = 2;
            config.puzzle_embedding.dim = 12;
            config.puzzle_embedding.n_positions = 2;
            config.block.hidden_dim = 8;
            config.block.mixer = mixer;
            config.block.n_heads = 2;
            config.block.positions = positions;
        });
        Hrm::seeded(config, 7, &Device::Cpu).unwrap()
    }

    fn tokens() -> Tensor {
        Tensor::new(&[[1u32, 2, 3, 4], [4, 0, 1, 1]], &Device::Cpu).unwrap()
    }

    /// A loss that depends on every output.
    fn loss(out: &SegmentOutput) -> Result<Tensor> {
        let cells = (&out.logits * ramp(out.logits.shape())?)?.sum_all()?;
        cells + (&out.q * ramp(out.q.shape())?)?.sum_all()?
    }

    #[test]
    fn one_segment_reaches_every_parameter() -> Result<()> {
        let kinds = [
            (Mixer::Attention, Positions::Rope),
            (Mixer::Attention, Positions::Learned),
            (Mixer::Attention, Positions::None),
            (Mixer::Mlp, Positions::Learned),
            (Mixer::Mlp, Positions::None),
        ];
        for (mixer, positions) in kinds {
            let model = tiny(mixer, positions);
            let network = model.network()?;
            let embeddings = candle_core::Var::from_tensor(&ramp((2, 12))?)?;
            let input = network.encode(&tokens(), Some(embeddings.as_tensor()))?;
            let out = network.segment(&network.initial_states(2)?, &input)?;
            let grads = loss(&out)?.backward()?;

            let trained = model.weights().trained().chain([("puzzle embeddings", &embeddings)]);
            for (name, var) in trained {
                let norm = match grads.get(var) {
                    Some(grad) => grad.sqr()?.sum_all()?.to_scalar::<f32>()?,
                    None => 0.0,
                };
                // Written so that NaN fails as well.
                assert!(
                    norm.is_finite() && norm > 0.0,
                    "{name} ({norm}) with {mixer:?}, {positions:?}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn warm_up_records_no_gradient() -> Result<()> {
        let model = tiny(Mixer::Attention, Positions::Rope);
        let network = model.network()?;
        let input = network.encode(&tokens(), Some(&ramp((2, 12))?))?;
        let states = network.initial_states(2)?;
        let warm = network.without_gradient(&[Update::Low, Update::High], &states, &input)?;
        assert!(!warm.z_l.track_op() && !warm.z_h.track_op());
        assert!(network.segment(&states, &input)?.states.z_h.track_op());
        Ok(())
    }

    #[test]
    fn gradients_stop_at_the_boundary() -> Result<()> {
        // The gradient of a segment must equal that of its tracked updates, run
        // from the states that the warm-up updates give.
        let model = tiny(Mixer::Attention, Positions::Rope);
        let network = model.network()?;
        let embeddings = ramp((2, 12))?;
        let grads_of = |out: &SegmentOutput| loss(out)?.backward();

        let input = network.encode(&tokens(), Some(&embeddings))?;
        let start = network.initial_states(2)?;
        let whole = grads_of(&network.segment(&start, &input)?)?;

        let warm_up = network.schedule.warm_up();
        let states = network.without_gradient(warm_up, &start, &input)?;
        let half = Schedule::with_cycles(model.config(), 1, 1);
        let half = Network { schedule: half, ..network.clone() };
        let input = network.encode(&tokens(), Some(&embeddings))?;
        let tracked = grads_of(&half.segment(&states, &input)?)?;
        for (name, var) in model.weights().trained() {
            let (whole, tracked) = (whole.get(var).unwrap(), tracked.get(var).unwrap());
            assert_close(name, whole, tracked, Tol::EXACT);
        }
        Ok(())
    }

    #[test]
    fn puzzle_embeddings_are_required_if_and_only_if_the_model_has_them() -> Result<()> {
        let network = tiny(Mixer::Attention, Positions::Rope).frozen()?;
        assert!(network.encode(&tokens(), None).is_err());
        let config = HrmConfig::tiny().with(|config| {
            config.puzzle_embedding.dim = 0;
            config.puzzle_embedding.n_positions = 0;
        });
        let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap();
        assert!(model.puzzle_embeddings(&[0])?.is_none());
        let network = model.frozen()?;
        assert!(network.encode(&tokens(), Some(&ramp((2, 12))?)).is_err());
        assert!(network.encode(&tokens(), None).is_ok());
        Ok(())
    }

    #[test]
    fn halting_after_equals_the_logits_of_a_whole_segment() -> Result<()> {
        // More puzzles than fit into one chunk.
        let n_puzzles = 150;
        let ids: Vec<u32> = (0..n_puzzles * 4).map(|i| (i * 7 + i / 4) as u32 % 5).collect();
        let tokens = Tensor::from_vec(ids, (n_puzzles, 4), &Device::Cpu)?;
        for (mixer, positions) in
            [(Mixer::Attention, Positions::Rope), (Mixer::Mlp, Positions::Learned)]
        {
            for dtype in [DType::F32, DType::BF16] {
                let network = tiny(mixer, positions).with_dtype(dtype).network()?.detach();
                let input = network.encode(&tokens, Some(&ramp((n_puzzles, 12))?))?;
                let states = network.initial_states(n_puzzles)?;
                let want = network.read_halting(&network.advance(&states, &input)?)?;
                let found = network.halting_after(&states, &input)?;
                assert_close(&format!("{mixer:?}, {dtype:?}"), &found, &want, Tol::F32_KERNEL);
            }
        }
        Ok(())
    }

    #[test]
    fn damping_mixes_in_the_previous_states() -> Result<()> {
        let model = tiny(Mixer::Attention, Positions::Rope);
        let damped = model.config().clone().with(|config| config.recurrence.damping = 0.25);
        let damped_model = Hrm::seeded(damped, 7, &Device::Cpu).unwrap();
        let [plain, damped] = [&model, &damped_model].map(|m| m.network().unwrap());
        let input = plain.encode(&tokens(), Some(&ramp((2, 12))?))?;
        let before = plain.initial_states(2)?;
        let (after, found) = (plain.advance(&before, &input)?, damped.advance(&before, &input)?);
        for (name, before, after, found) in [
            ("z_h", &before.z_h, &after.z_h, &found.z_h),
            ("z_l", &before.z_l, &after.z_l, &found.z_l),
        ] {
            let want = ((after * 0.75)? + (before * 0.25)?)?;
            assert_close(name, found, &want, Tol::F32_KERNEL);
        }
        let want = damped.read_halting(&found)?;
        assert_close("halting", &damped.halting_after(&before, &input)?, &want, Tol::F32_KERNEL);
        // Mixing scales the gradient.
        let [whole, scaled] = [after, found]
            .map(|s| (&s.z_h * ramp(s.z_h.shape()).unwrap()).unwrap().sum_all().unwrap())
            .map(|loss| loss.backward().unwrap());
        let pairs = model.weights().trained().zip(damped_model.weights().trained());
        let mut n_reached = 0;
        for ((name, var), (_, damped_var)) in pairs {
            let (Some(whole), Some(scaled)) = (whole.get(var), scaled.get(damped_var)) else {
                continue;
            };
            assert_close(name, scaled, &(whole * 0.75)?, Tol::F32_SEGMENT);
            n_reached += 1;
        }
        assert!(n_reached > 4, "{n_reached} parameters");
        Ok(())
    }

    #[test]
    fn random_initial_states_differ_by_position_and_are_fixed_in_inference() -> Result<()> {
        let config = HrmConfig::tiny().with(|config| {
            config.recurrence.initial_states = crate::variants::InitialStates::Random;
        });
        let model = Hrm::seeded(config, 7, &Device::Cpu).unwrap();
        let network = model.frozen()?;
        let states = network.initial_states(2)?;
        let [first, second] = [0, 1].map(|puzzle| states.z_h.get(puzzle).unwrap());
        assert_close("every puzzle", &first, &second, Tol::EXACT);
        assert_close("every network", &first, &model.initial_states(1)?.z_h.get(0)?, Tol::EXACT);
        let positions = first.to_vec2::<f32>()?;
        assert_ne!(positions[0], positions[1]);
        assert_ne!(positions, states.z_l.get(0)?.to_vec2::<f32>()?);
        let sampled = model.sample_initial_states(&mut hrm_base::rng::stream(1, "test"))?;
        assert_eq!(sampled.z_h.dims(), model.initial_states(1)?.z_h.dims());
        assert_ne!(sampled.z_h.get(0)?.to_vec2::<f32>()?, positions);
        Ok(())
    }

    #[test]
    fn puzzles_of_a_batch_are_independent() -> Result<()> {
        let network = tiny(Mixer::Attention, Positions::Rope).frozen()?;
        let embeddings = ramp((2, 12))?;
        let both = network.encode(&tokens(), Some(&embeddings))?;
        let both = network.segment(&network.initial_states(2)?, &both)?;
        let first =
            network.encode(&tokens().narrow(0, 0, 1)?, Some(&embeddings.narrow(0, 0, 1)?))?;
        let first = network.segment(&network.initial_states(1)?, &first)?;
        assert_close("logits", &both.logits.narrow(0, 0, 1)?, &first.logits, Tol::F32_SEGMENT);
        assert_close("q", &both.q.narrow(0, 0, 1)?, &first.q, Tol::F32_SEGMENT);
        Ok(())
    }
}
