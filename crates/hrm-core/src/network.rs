//! Hierarchical convergence: one segment of reasoning.
//!
//! Shapes: states `[B, P + S, D]`, input the same, logits `[B, S, vocab]`,
//! halting logits `[B, 2]` as `[halt, continue]`.

use candle_core::{D, DType, IndexOp, Result, Tensor};
use hrm_blocks::{Block, Tracking, WeightsView, embed};
use hrm_kernels::{Hidden, Rotary, in_chunks, linear};

use crate::schedule::{Schedule, Update};
use crate::{Dims, Halting, HrmConfig, Positions, names};

/// The two recurrent states of a batch of puzzles.
#[derive(Clone, Debug)]
pub struct States {
    /// The slow state, `[B, P + S, D]`.
    pub z_h: Tensor,
    /// The fast state, `[B, P + S, D]`.
    pub z_l: Tensor,
}

impl States {
    /// `n_rows` puzzles of `n_positions` that start from these values, `[D]` or
    /// `[P + S, D]`.
    pub(crate) fn starting_from(
        [h_start, l_start]: &[Tensor; 2],
        n_rows: usize,
        n_positions: usize,
    ) -> Result<Self> {
        let shape = (n_rows, n_positions, h_start.dim(D::Minus1)?);
        let broadcast = |start: &Tensor| start.broadcast_as(shape)?.contiguous();
        Ok(Self { z_h: broadcast(h_start)?, z_l: broadcast(l_start)? })
    }

    /// The same values, cut off from what computed them. Storage is shared.
    pub fn detach(&self) -> Self {
        Self { z_h: self.z_h.detach(), z_l: self.z_l.detach() }
    }
}

/// What one segment leaves behind.
#[derive(Clone, Debug)]
pub struct SegmentOutput {
    /// The states, tracked through the last updates of the schedule.
    pub states: States,
    /// What each cell should hold, `[B, S, vocab]`, in the model's dtype.
    pub logits: Tensor,
    /// Preference to halt and to continue, `[B, 2]`, f32.
    pub q: Tensor,
}

/// A model bound to its weights.
#[derive(Clone, Debug)]
pub struct Network {
    n_prefix: usize,
    n_positions: usize,
    hidden_dim: usize,
    schedule: Schedule,
    halting: Halting,
    token_table: Tensor,
    position_table: Option<Tensor>,
    lm_head: Tensor,
    q_weight: Tensor,
    q_bias: Tensor,
    /// What the states start from: slow, fast.
    starts: [Tensor; 2],
    damping: f64,
    /// The modules as the last updates see them.
    live: Blocks,
    /// The same weights without their variables, so that warm-up holds no
    /// activations for a backward pass that ignores them.
    frozen: Blocks,
    /// Whether results can be differentiated at all.
    tracking: Tracking,
    /// What modules compute in.
    dtype: DType,
}

impl Network {
    pub(crate) fn bind(
        view: &WeightsView<'_>,
        config: &HrmConfig,
        dims: Dims,
        (schedule, starts, rotary): (Schedule, [Tensor; 2], Option<Rotary>),
    ) -> Result<Self> {
        let position_table = match config.positions {
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
        // The last is the fast one; the slow one may be the same.
        let low = bound.pop().unwrap_or_default();
        let high = bound.pop().unwrap_or_else(|| low.clone());
        let live = Blocks { high, low, rotary };
        Ok(Self {
            n_prefix: dims.n_prefix,
            n_positions: dims.n_positions,
            hidden_dim: dims.block.hidden_dim,
            schedule,
            halting: config.halting,
            token_table: view.get(names::TOKENS)?,
            position_table,
            lm_head: view.get(names::LM_HEAD)?,
            q_weight: view.get(names::Q_WEIGHT)?,
            q_bias: view.get(names::Q_BIAS)?,
            starts,
            damping: config.damping,
            frozen: live.detach(),
            live,
            tracking: view.tracking(),
            dtype: view.dtype(),
        })
    }

    /// The same network with nothing tracked.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            token_table: self.token_table.detach(),
            position_table: self.position_table.as_ref().map(Tensor::detach),
            lm_head: self.lm_head.detach(),
            q_weight: self.q_weight.detach(),
            q_bias: self.q_bias.detach(),
            live: self.frozen.clone(),
            tracking: Tracking::Frozen,
            ..self.clone()
        }
    }

    /// When a puzzle is finished.
    pub fn halting(&self) -> Halting {
        self.halting
    }

    /// The states every puzzle starts from, `[B, P + S, D]` each.
    ///
    /// # Errors
    ///
    /// If the device cannot hold them.
    pub fn initial_states(&self, n_rows: usize) -> Result<States> {
        States::starting_from(&self.starts, n_rows, self.n_positions)
    }

    /// The input that every fast update sees, `[B, P + S, D]`.
    ///
    /// `tokens: [B, S]` u32; `puzzle_rows: [B, E]` f32 exactly if the model has
    /// puzzle embeddings. Tracked to both tables and to `puzzle_rows`.
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary, the shapes do not fit, or puzzle
    /// rows are missing or superfluous.
    pub fn encode(&self, tokens: &Tensor, puzzle_rows: Option<&Tensor>) -> Result<Tensor> {
        let mut x = embed(&self.token_table, tokens)?;
        match puzzle_rows {
            Some(rows) if self.n_prefix > 0 => {
                x = Tensor::cat(&[self.prefix(rows)?, x], 1)?;
            }
            None if self.n_prefix == 0 => {}
            Some(_) => candle_core::bail!("this model has no puzzle embeddings, found some"),
            None => candle_core::bail!("this model needs puzzle embeddings, found none"),
        }
        if let Some(table) = &self.position_table {
            // The sum of two independent vectors keeps the variance of one.
            x = (x.broadcast_add(table)? * std::f64::consts::FRAC_1_SQRT_2)?;
        }
        x * (self.hidden_dim as f64).sqrt()
    }

    /// Runs one segment from `states` under the encoded `input`.
    ///
    /// The result is tracked to `input` and to the weights through the
    /// [`tracked`](Schedule::tracked) updates only.
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

    /// The states after one segment, unread; see [`segment`](Self::segment).
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn advance(&self, states: &States, input: &Tensor) -> Result<States> {
        let (alone, tracked) = match self.tracking {
            Tracking::Live => (self.schedule.warm_up(), self.schedule.tracked()),
            Tracking::Frozen => (self.schedule.updates(), &[][..]),
        };
        let States { z_h, z_l } = self.unrecorded(alone, states, input)?;
        let [mut z_h, mut z_l] = [z_h, z_l].map(Hidden::from);
        self.live.run(tracked, &mut z_h, &mut z_l, &Hidden::from(input.clone()))?;
        Ok(States {
            z_h: self.damped(z_h.into_tensor()?, &states.z_h)?,
            z_l: self.damped(z_l.into_tensor()?, &states.z_l)?,
        })
    }

    /// What [`read_halting`](Self::read_halting) would say of the states after one
    /// segment, without a record: `[B, 2]`, f32.
    ///
    /// It reads one position, so the last block has little to do for the others.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn halting_after(&self, states: &States, input: &Tensor) -> Result<Tensor> {
        let batch = [&states.z_h, &states.z_l, input];
        let [z_h, z_l, _] = in_chunks(batch, self.dtype, |[z_h, z_l, x]| {
            self.frozen.run_to_first(self.schedule.updates(), z_h, z_l, x)
        })?;
        // Of the slow state there may be the first position only.
        let before = states.z_h.narrow(1, 0, z_h.dim(1)?)?;
        let z_h = self.damped(z_h, &before)?;
        Ok(self.read_halting(&States { z_h, z_l })?.detach())
    }

    /// A state after a segment, with its share of what it was before.
    fn damped(&self, after: Tensor, before: &Tensor) -> Result<Tensor> {
        match self.damping {
            0.0 => Ok(after),
            share => (after * (1.0 - share))? + (before * share)?,
        }
    }

    /// Some updates of which nothing is recorded, so that a few puzzles at a
    /// time can go through all of them.
    fn unrecorded(&self, updates: &[Update], states: &States, input: &Tensor) -> Result<States> {
        if updates.is_empty() {
            return Ok(states.detach());
        }
        let batch = [&states.z_h, &states.z_l, input];
        let [z_h, z_l, _] =
            in_chunks(batch, self.dtype, |[z_h, z_l, x]| self.frozen.run(updates, z_h, z_l, x))?;
        Ok(States { z_h, z_l })
    }

    /// What each cell should hold, `[B, S, vocab]`.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn read_cells(&self, states: &States) -> Result<Tensor> {
        let n_cells = states.z_h.dim(1)? - self.n_prefix;
        linear(&states.z_h.narrow(1, self.n_prefix, n_cells)?.contiguous()?, &self.lm_head)
    }

    /// Preference to halt and to continue, `[B, 2]`, always f32.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn read_halting(&self, states: &States) -> Result<Tensor> {
        // With puzzle embeddings on, position 0 attends to every cell but is
        // never asked to predict one, which leaves it free to summarise.
        let summary = states.z_h.i((.., 0))?.contiguous()?;
        // Projected in the model's dtype, as the published code does; the loss
        // and the comparison that follow are f32.
        linear(&summary, &self.q_weight)?.broadcast_add(&self.q_bias)?.to_dtype(DType::F32)
    }

    /// Puzzle embeddings as leading positions, `[B, P, D]`.
    fn prefix(&self, rows: &Tensor) -> Result<Tensor> {
        let (n_rows, puzzle_dim) = rows.dims2()?;
        let width = self.n_prefix * self.hidden_dim;
        let rows = rows.to_dtype(self.token_table.dtype())?;
        let rows = if puzzle_dim <= width {
            rows.pad_with_zeros(1, 0, width - puzzle_dim)?
        } else {
            rows.narrow(1, 0, width)?
        };
        rows.reshape((n_rows, self.n_prefix, self.hidden_dim))
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

    /// [`run`](Self::run) to a final slow update of which only the first position
    /// is wanted: `z_h` becomes `[B, 1, D]`.
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
    use crate::{Hrm, Mixer, Tracking};
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, ramp};

    fn tiny(mixer: Mixer, positions: Positions) -> Hrm {
        let config = HrmConfig {
            vocab_size: 5,
            n_cells: 4,
            n_puzzle_ids: 2,
            puzzle_dim: 12,
            n_prefix: 2,
            hidden_dim: 8,
            mixer,
            n_heads: 2,
            positions,
            ..HrmConfig::tiny()
        };
        Hrm::seeded(config, 7, &Device::Cpu).unwrap()
    }

    fn tokens() -> Tensor {
        Tensor::new(&[[1u32, 2, 3, 4], [4, 0, 1, 1]], &Device::Cpu).unwrap()
    }

    /// A loss that every output contributes to.
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
            let network = model.network(Tracking::Live)?;
            let rows = candle_core::Var::from_tensor(&ramp((2, 12))?)?;
            let input = network.encode(&tokens(), Some(rows.as_tensor()))?;
            let out = network.segment(&network.initial_states(2)?, &input)?;
            let grads = loss(&out)?.backward()?;

            let trained = model.weights().trained().chain([("puzzle rows", &rows)]);
            for (name, var) in trained {
                let norm = match grads.get(var) {
                    Some(grad) => grad.sqr()?.sum_all()?.to_scalar::<f32>()?,
                    None => 0.0,
                };
                // Written so that NaN is reported rather than slipping past `== 0`.
                assert!(
                    norm.is_finite() && norm > 0.0,
                    "{name} ({norm}) with {mixer:?}, {positions:?}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn warm_up_leaves_nothing_to_differentiate() -> Result<()> {
        let model = tiny(Mixer::Attention, Positions::Rope);
        let network = model.network(Tracking::Live)?;
        let input = network.encode(&tokens(), Some(&ramp((2, 12))?))?;
        let states = network.initial_states(2)?;
        let warm = network.unrecorded(&[Update::Low, Update::High], &states, &input)?;
        assert!(!warm.z_l.track_op() && !warm.z_h.track_op());
        assert!(network.segment(&states, &input)?.states.z_h.track_op());
        let out = network.detach().segment(&states, &input.detach())?;
        assert!(!out.logits.track_op() && !out.q.track_op());
        Ok(())
    }

    #[test]
    fn gradients_stop_at_the_boundary() -> Result<()> {
        // A segment is two warm-up updates and two tracked ones. Its gradient
        // must equal that of the tracked half alone, started where the
        // warm-up arrived.
        let model = tiny(Mixer::Attention, Positions::Rope);
        let network = model.network(Tracking::Live)?;
        let rows = ramp((2, 12))?;
        let grads_of = |out: &SegmentOutput| loss(out)?.backward();

        let input = network.encode(&tokens(), Some(&rows))?;
        let start = network.initial_states(2)?;
        let whole = grads_of(&network.segment(&start, &input)?)?;

        let warm_up = network.schedule.warm_up();
        let states = network.unrecorded(warm_up, &start, &input)?;
        let once = HrmConfig { n_h_cycles: 1, n_l_cycles: 1, ..model.config().clone() };
        let half = Network { schedule: Schedule::new(&once), ..network.clone() };
        let input = network.encode(&tokens(), Some(&rows))?;
        let tracked = grads_of(&half.segment(&states, &input)?)?;
        for (name, var) in model.weights().trained() {
            let (whole, tracked) = (whole.get(var).unwrap(), tracked.get(var).unwrap());
            assert_close(name, whole, tracked, Tol::EXACT);
        }
        Ok(())
    }

    #[test]
    fn puzzle_rows_are_asked_for_exactly_when_needed() -> Result<()> {
        let network = tiny(Mixer::Attention, Positions::Rope).network(Tracking::Frozen)?;
        assert!(network.encode(&tokens(), None).is_err());
        let config = HrmConfig { puzzle_dim: 0, n_prefix: 0, ..HrmConfig::tiny() };
        let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap();
        assert!(model.puzzle_rows(&[0])?.is_none());
        let network = model.network(Tracking::Frozen)?;
        assert!(network.encode(&tokens(), Some(&ramp((2, 12))?)).is_err());
        assert!(network.encode(&tokens(), None).is_ok());
        Ok(())
    }

    #[test]
    fn halting_is_foreseen_as_the_whole_segment_would_have_it() -> Result<()> {
        // More puzzles than go through the updates together.
        let n_puzzles = 150;
        let ids: Vec<u32> = (0..n_puzzles * 4).map(|i| (i * 7 + i / 4) as u32 % 5).collect();
        let tokens = Tensor::from_vec(ids, (n_puzzles, 4), &Device::Cpu)?;
        for (mixer, positions) in
            [(Mixer::Attention, Positions::Rope), (Mixer::Mlp, Positions::Learned)]
        {
            for dtype in [DType::F32, DType::BF16] {
                let network = tiny(mixer, positions).with_dtype(dtype).network(Tracking::Frozen)?;
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
    fn damping_keeps_a_share_of_the_states_before() -> Result<()> {
        let model = tiny(Mixer::Attention, Positions::Rope);
        let damped = HrmConfig { damping: 0.25, ..model.config().clone() };
        let damped_model = Hrm::seeded(damped, 7, &Device::Cpu).unwrap();
        let [plain, damped] = [&model, &damped_model].map(|m| m.network(Tracking::Live).unwrap());
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
        // The gradient goes through what is mixed in, scaled.
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
    fn random_starts_differ_by_position_and_stay_the_same() -> Result<()> {
        let config = HrmConfig { starts: crate::Starts::Random, ..HrmConfig::tiny() };
        let model = Hrm::seeded(config, 7, &Device::Cpu).unwrap();
        let network = model.network(Tracking::Frozen)?;
        let states = network.initial_states(2)?;
        let [first, second] = [0, 1].map(|row| states.z_h.get(row).unwrap());
        assert_close("puzzles start alike", &first, &second, Tol::EXACT);
        assert_close("in every network", &first, &model.initial_states(1)?.z_h.get(0)?, Tol::EXACT);
        let rows = first.to_vec2::<f32>()?;
        assert_ne!(rows[0], rows[1]);
        assert_ne!(rows, states.z_l.get(0)?.to_vec2::<f32>()?);
        let drawn = model.draw_states(&mut hrm_base::rng::stream(1, "test"))?;
        assert_eq!(drawn.z_h.dims(), model.initial_states(1)?.z_h.dims());
        assert_ne!(drawn.z_h.get(0)?.to_vec2::<f32>()?, rows);
        Ok(())
    }

    #[test]
    fn rows_do_not_see_each_other() -> Result<()> {
        let network = tiny(Mixer::Attention, Positions::Rope).network(Tracking::Frozen)?;
        let rows = ramp((2, 12))?;
        let both = network.encode(&tokens(), Some(&rows))?;
        let both = network.segment(&network.initial_states(2)?, &both)?;
        let first = network.encode(&tokens().narrow(0, 0, 1)?, Some(&rows.narrow(0, 0, 1)?))?;
        let first = network.segment(&network.initial_states(1)?, &first)?;
        assert_close("logits", &both.logits.narrow(0, 0, 1)?, &first.logits, Tol::F32_SEGMENT);
        assert_close("q", &both.q.narrow(0, 0, 1)?, &first.q, Tol::F32_SEGMENT);
        Ok(())
    }
}
