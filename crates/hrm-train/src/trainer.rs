//! One step of deep supervision.
//!
//! A step gives new puzzles to the rows that have halted, runs one segment, computes
//! its loss, and updates the weights. The carry passes to the next step detached:
//! each segment is supervised separately and starts from the states of the previous
//! one.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use hrm_core::halting::{Exploration, continue_target, halts};
use hrm_core::{HaltRule, Hrm, Network, Schedule, SegmentOutput, States, names};
use hrm_kernels::{blend, sum_of_squares};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::carry::Carry;
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::loss::{SegmentLoss, exact_rows};
use crate::optim::{Optimiser, StepSize, sign_sgd};

/// A model in training.
#[derive(Debug)]
pub struct Trainer {
    model: Hrm,
    /// The model with the EMA of the dense weights, if one is kept.
    average: Option<Hrm>,
    config: TrainConfig,
    optimiser: Optimiser,
    /// Independent carries, used round-robin.
    carries: Vec<Carry>,
    progress: Progress,
}

/// The progress of a trainer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Steps so far, including skipped ones.
    pub(crate) n_steps: u64,
    /// Consecutive skipped steps up to the last step.
    pub(crate) n_skipped: u64,
    /// Factor of the learning rates, from rollbacks.
    #[serde(rename = "slowdown")]
    pub(crate) lr_factor: f64,
}

/// The randomness of one step.
#[derive(Clone, Copy, Debug)]
pub struct StepRandomness<'a> {
    /// Random numbers for halting exploration, per row.
    pub exploration: &'a [Exploration],
    /// Seed of random initial states and of noise.
    pub seed: u64,
}

/// The outcome of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Steps so far, including this one.
    pub step: u64,
    /// Whether the update was skipped because the loss or a gradient is not finite.
    pub is_skipped: bool,
    /// Mean loss of a row.
    pub loss: f64,
    /// Mean cell loss of a row.
    pub cell_loss: f64,
    /// Norm of the gradients of all dense weights together, before clipping.
    pub gradient_norm: f64,
    /// Puzzles that halted in this step.
    pub n_halted: usize,
    /// Halted puzzles with every labelled cell correct.
    pub n_exact: usize,
    /// Total number of segments of the halted puzzles.
    pub n_segments: u64,
    /// Learning rate of dense weights.
    pub learning_rate: f64,
}

/// The forward pass of one segment with its loss.
#[derive(Debug)]
pub struct SegmentForward {
    /// Hidden states, logits and halting logits.
    pub out: SegmentOutput,
    /// The loss.
    pub loss: SegmentLoss,
    /// Whether the puzzle halts after this segment, per row.
    pub halted: Vec<bool>,
    /// Target of the continue logit, per row. Absent if puzzles have one segment only,
    /// or if the halting head does not learn to continue.
    pub continue_targets: Option<Vec<f32>>,
    puzzle_embeddings: Option<Var>,
    /// Index of the carry that was used.
    carry_idx: usize,
    /// Seed of the noise on the hidden states.
    seed: u64,
}

impl SegmentForward {
    /// The same results without their graph.
    fn detach(self) -> Self {
        let Self { out, loss, .. } = self;
        let (logits, q) = (out.logits.detach(), out.q.detach());
        let out = SegmentOutput { states: out.states.detach(), logits, q };
        let (total, cells) = (loss.total.detach(), loss.cells.detach());
        let loss = SegmentLoss { total, cells, exact: loss.exact };
        Self { out, loss, puzzle_embeddings: None, ..self }
    }

    /// The results of a batch, from those of its parts.
    fn join(parts: Vec<Self>) -> candle_core::Result<Self> {
        let cat = |of: fn(&Self) -> &Tensor| {
            let tensors: Vec<&Tensor> = parts.iter().map(of).collect();
            Tensor::cat(&tensors, 0)
        };
        let sum = |of: fn(&Self) -> &Tensor| {
            let mut tensors = parts.iter().map(|part| Ok(of(part).clone()));
            let first = tensors.next().expect("a batch has at least one row");
            tensors.fold(first, |sum, next| sum? + next?)
        };
        let states = States {
            z_h: cat(|part| &part.out.states.z_h)?,
            z_l: cat(|part| &part.out.states.z_l)?,
        };
        let out = SegmentOutput {
            states,
            logits: cat(|part| &part.out.logits)?,
            q: cat(|part| &part.out.q)?,
        };
        let (total, cells) = (sum(|part| &part.loss.total)?, sum(|part| &part.loss.cells)?);
        let (carry_idx, seed) = (parts[0].carry_idx, parts[0].seed);
        let (mut exact, mut halted, mut continue_targets) = (Vec::new(), Vec::new(), None);
        for part in parts {
            exact.extend(part.loss.exact);
            halted.extend(part.halted);
            if let Some(targets) = part.continue_targets {
                continue_targets.get_or_insert_with(Vec::new).extend(targets);
            }
        }
        let loss = SegmentLoss { total, cells, exact };
        let puzzle_embeddings = None;
        Ok(Self { out, loss, halted, continue_targets, puzzle_embeddings, carry_idx, seed })
    }
}

/// Gradients of the mean loss of a row.
#[derive(Debug)]
pub struct Gradients {
    /// Gradients of all dense weights.
    pub dense: GradStore,
    /// Gradient of each row's puzzle embedding, `[B, E]`.
    pub puzzle_embeddings: Option<Tensor>,
    /// Norm of all dense gradients together.
    pub norm: f64,
    /// Whether all gradients are finite.
    pub are_finite: bool,
}

impl Trainer {
    /// A trainer of `model` before its first step.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if the config is out of range.
    pub fn new(model: Hrm, config: TrainConfig) -> Result<Self, TrainError> {
        config.check()?;
        let optimiser = Optimiser::named(model.weights().trained(), &config.optimiser)?;
        let average = if config.optimiser.ema > 0.0 { Some(model.fork()?) } else { None };
        let empty = |_| Carry::empty(&model, config.batch_size);
        let carries = (0..config.n_carries).map(empty).collect::<candle_core::Result<_>>()?;
        let progress = Progress { n_steps: 0, n_skipped: 0, lr_factor: 1.0 };
        Ok(Self { model, average, config, optimiser, carries, progress })
    }

    /// The model with the current weights.
    pub fn model(&self) -> &Hrm {
        &self.model
    }

    /// The model to evaluate and save: with the EMA of the weights if one is kept,
    /// else the same as [`model`](Self::model).
    pub fn averaged(&self) -> &Hrm {
        self.average.as_ref().unwrap_or(&self.model)
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The independent carries, used round-robin.
    pub fn carries(&self) -> &[Carry] {
        &self.carries
    }

    /// Index of the carry that the next step uses.
    fn carry_idx(&self) -> usize {
        (self.n_steps() % self.carries.len() as u64) as usize
    }

    /// Steps so far, including skipped ones.
    pub fn n_steps(&self) -> u64 {
        self.progress.n_steps
    }

    pub(crate) fn optimiser(&self) -> &Optimiser {
        &self.optimiser
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// A trainer with the given state.
    pub(crate) fn from_parts(
        (model, average): (Hrm, Option<Hrm>),
        config: TrainConfig,
        optimiser: Optimiser,
        carries: Vec<Carry>,
        progress: Progress,
    ) -> Self {
        Self { model, average, config, optimiser, carries, progress }
    }

    /// Factor of the learning rates, from rollbacks.
    pub fn lr_factor(&self) -> f64 {
        self.progress.lr_factor
    }

    /// Whether a checkpoint here is worth keeping: the last step was not skipped, and
    /// every weight is finite.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn is_finite(&self) -> candle_core::Result<bool> {
        if self.progress.n_skipped > 0 {
            return Ok(false);
        }
        for (_, weight) in self.model.weights().tensors() {
            if !sum_of_squares(&weight)?.is_finite() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Multiplies the learning rates of all further steps by `factor`.
    pub fn scale_learning_rates(&mut self, factor: f64) {
        self.progress.lr_factor *= factor;
    }

    /// Runs one segment, computes its loss, and updates the weights.
    ///
    /// `place` writes a new puzzle into a row whose puzzle has halted. If the loss or a
    /// gradient is not finite, the update is skipped, and every row of the carry takes
    /// a new puzzle next time.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotFinite`] after too many consecutive skipped steps;
    /// [`TrainError::Backend`] if the backend fails.
    pub fn step(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        randomness: StepRandomness<'_>,
    ) -> Result<StepReport, TrainError> {
        let (forward, gradients) = if self.config.accumulate == 1 {
            let forward = self.forward(place, randomness)?;
            let gradients = self.backward(&forward)?;
            (forward, gradients)
        } else {
            self.accumulate(place, randomness)?
        };
        let loss = forward.loss.total.to_scalar::<f64>()?;
        if !(loss.is_finite() && gradients.are_finite) {
            return self.skip(&forward, gradients.norm);
        }
        self.progress.n_skipped = 0;
        self.update(&gradients)?;
        Ok(self.advance(forward, gradients.norm)?)
    }

    /// Gives new puzzles to halted rows, runs one segment, and computes its loss.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn forward(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        randomness: StepRandomness<'_>,
    ) -> candle_core::Result<SegmentForward> {
        let carry_idx = self.carry_idx();
        self.carries[carry_idx].refill(&self.model, place, randomness.seed)?;
        self.segment(&self.carries[carry_idx], randomness)
    }

    /// Runs one segment of all rows of `carry`, or of a part of the current carry, and
    /// computes its loss.
    fn segment(
        &self,
        carry: &Carry,
        randomness: StepRandomness<'_>,
    ) -> candle_core::Result<SegmentForward> {
        let network = self.model.network_with_schedule(self.schedule())?;
        let batch = &carry.batch;

        let puzzle_embeddings = match self.model.puzzle_embeddings(batch.puzzle_ids())? {
            Some(embeddings) => Some(Var::from_tensor(&embeddings)?),
            None => None,
        };
        let tokens = batch.input_tensor(self.model.device())?;
        let input = network.encode(&tokens, puzzle_embeddings.as_ref().map(Var::as_tensor))?;
        let out = network.segment(&carry.states, &input)?;

        let halted = self.halted(carry, &out, randomness.exploration)?;
        let exact = exact_rows(&out.logits, batch)?;
        let continue_targets = self.continue_targets(carry, &network, &out, &input)?;
        let targets = continue_targets.as_deref();
        let loss = SegmentLoss::new(&out, batch, exact, targets, &self.config.loss)?;
        Ok(SegmentForward {
            out,
            loss,
            halted,
            continue_targets,
            puzzle_embeddings,
            carry_idx: self.carry_idx(),
            seed: randomness.seed,
        })
    }

    /// Forward and backward pass of a step, one part of the batch after another. Only the
    /// graph of one part is in memory.
    fn accumulate(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        randomness: StepRandomness<'_>,
    ) -> candle_core::Result<(SegmentForward, Gradients)> {
        let carry_idx = self.carry_idx();
        self.carries[carry_idx].refill(&self.model, place, randomness.seed)?;
        let (n_rows, carry) = (self.config.batch_size, &self.carries[carry_idx]);
        let n_per_part = n_rows.div_ceil(self.config.accumulate);
        let mut parts = Vec::new();
        // Gradients record a graph too, so only what is needed is kept, and detached.
        let mut of_weights: Vec<Option<Tensor>> = Vec::new();
        of_weights.resize(self.model.weights().trained().count(), None);
        let mut of_embeddings = Vec::new();
        for start in (0..n_rows).step_by(n_per_part) {
            let rows = start..(start + n_per_part).min(n_rows);
            let exploration = &randomness.exploration[rows.clone()];
            let randomness = StepRandomness { exploration, ..randomness };
            let forward = self.segment(&carry.part(rows)?, randomness)?;
            let (dense, embeddings) = self.gradients(&forward)?;
            of_embeddings.extend(embeddings.map(|gradient| gradient.detach()));
            for (sum, (_, weight)) in of_weights.iter_mut().zip(self.model.weights().trained()) {
                let Some(gradient) = dense.get(weight).map(Tensor::detach) else { continue };
                *sum = Some(match sum.take() {
                    None => gradient,
                    Some(sum) => (sum + gradient)?,
                });
            }
            parts.push(forward.detach());
        }
        // A loss without weights has no gradients yet.
        let mut dense = Tensor::zeros((), DType::F32, self.model.device())?.backward()?;
        for (sum, (_, weight)) in of_weights.into_iter().zip(self.model.weights().trained()) {
            if let Some(sum) = sum {
                dense.insert(weight, sum);
            }
        }
        let of_embeddings = match of_embeddings.is_empty() {
            true => None,
            false => Some(Tensor::cat(&of_embeddings, 0)?),
        };
        Ok((SegmentForward::join(parts)?, self.measure(dense, of_embeddings)?))
    }

    /// Computes the gradients of the mean loss of a row.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn backward(&self, forward: &SegmentForward) -> candle_core::Result<Gradients> {
        let (dense, puzzle_embeddings) = self.gradients(forward)?;
        self.measure(dense, puzzle_embeddings)
    }

    /// Gradients of the loss per row of the whole batch: of dense weights and of the
    /// puzzle embedding of each row.
    fn gradients(
        &self,
        forward: &SegmentForward,
    ) -> candle_core::Result<(GradStore, Option<Tensor>)> {
        let per_row = (&forward.loss.total / self.config.batch_size as f64)?;
        let dense = per_row.backward()?;
        let puzzle_embeddings =
            forward.puzzle_embeddings.as_ref().and_then(|var| dense.get(var)).cloned();
        Ok((dense, puzzle_embeddings))
    }

    /// Measures gradients.
    fn measure(
        &self,
        dense: GradStore,
        puzzle_embeddings: Option<Tensor>,
    ) -> candle_core::Result<Gradients> {
        let norm = self.optimiser.gradient_norm(&dense)?;
        let of_embeddings = puzzle_embeddings.as_ref().map_or(Ok(0.0), sum_of_squares)?;
        let are_finite = norm.is_finite() && of_embeddings.is_finite();
        Ok(Gradients { dense, puzzle_embeddings, norm, are_finite })
    }

    /// Updates the weights.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn update(&mut self, gradients: &Gradients) -> candle_core::Result<()> {
        let carry_idx = self.carry_idx();
        self.progress.n_steps += 1;
        let (config, lr_factor) = (&self.config, self.current_lr_factor());
        let size = StepSize::new(&config.optimiser, lr_factor, gradients.norm);
        self.optimiser.step_by(&gradients.dense, size)?;
        if let (Some(table), Some(grad)) =
            (self.model.weights().find(names::PUZZLES), &gradients.puzzle_embeddings)
        {
            let (ids, config) =
                (self.carries[carry_idx].batch.puzzle_ids(), &config.puzzle_embedding);
            sign_sgd(&table, ids, grad, config.learning_rate * lr_factor, config.weight_decay)?;
        }
        if let Some(average) = &self.average {
            let pairs = average.weights().trained().zip(self.model.weights().trained());
            for ((_, average), (_, value)) in pairs {
                blend(average, &value.as_detached_tensor(), config.optimiser.ema)?;
            }
        }
        Ok(())
    }

    /// Stores the hidden states for the next step, detached, and reports on this one.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn advance(
        &mut self,
        forward: SegmentForward,
        gradient_norm: f64,
    ) -> candle_core::Result<StepReport> {
        let SegmentForward { out, loss, halted, carry_idx, seed, .. } = forward;
        let (n_rows, learning_rate) = (
            self.config.batch_size as f64,
            self.config.optimiser.learning_rate * self.current_lr_factor(),
        );
        let step = self.n_steps();
        let carry = &mut self.carries[carry_idx];
        carry.n_done.iter_mut().for_each(|n| *n += 1);
        let finished = || (0..halted.len()).filter(|row| halted[*row]);
        let report = StepReport {
            step,
            is_skipped: false,
            loss: loss.total.to_scalar::<f64>()? / n_rows,
            cell_loss: loss.cells.to_scalar::<f64>()? / n_rows,
            gradient_norm,
            n_halted: finished().count(),
            n_exact: finished().filter(|row| loss.exact[*row]).count(),
            n_segments: finished().map(|row| u64::from(carry.n_done[row])).sum(),
            learning_rate,
        };
        carry.states = out.states.detach();
        if self.config.state_noise > 0.0 {
            carry.add_noise(self.config.state_noise, seed)?;
        }
        carry.halted = halted;
        Ok(report)
    }

    /// Skips the update. Every row takes a new puzzle next time, because the hidden
    /// states may not be finite.
    fn skip(
        &mut self,
        forward: &SegmentForward,
        gradient_norm: f64,
    ) -> Result<StepReport, TrainError> {
        self.progress.n_steps += 1;
        self.progress.n_skipped += 1;
        self.carries[forward.carry_idx].halted.fill(true);
        let n_rows = self.config.batch_size as f64;
        let loss = forward.loss.total.to_scalar::<f64>()? / n_rows;
        let step = self.n_steps();
        if self.progress.n_skipped > self.config.recovery.n_skipped_max {
            return Err(TrainError::NotFinite { step, loss, gradient_norm });
        }
        Ok(StepReport {
            step,
            is_skipped: true,
            loss,
            cell_loss: forward.loss.cells.to_scalar::<f64>()? / n_rows,
            gradient_norm,
            n_halted: 0,
            n_exact: 0,
            n_segments: 0,
            learning_rate: self.config.optimiser.learning_rate * self.current_lr_factor(),
        })
    }

    /// Factor of the learning rates in the current step.
    fn current_lr_factor(&self) -> f64 {
        let config = &self.config;
        config.schedule.lr_factor_at(self.n_steps(), config.steps) * self.progress.lr_factor
    }

    /// The schedule of the next segment.
    fn schedule(&self) -> Schedule {
        let config = self.model.config();
        match self.config.schedule.stage_at(self.n_steps() + 1, self.config.steps) {
            Some(stage) => Schedule::with_cycles(config, stage.n_h_cycles, stage.n_l_cycles),
            None => Schedule::new(config),
        }
    }

    /// Whether each row halts after this segment, `[B]`.
    fn halted(
        &self,
        carry: &Carry,
        out: &SegmentOutput,
        exploration: &[Exploration],
    ) -> candle_core::Result<Vec<bool>> {
        let n_max = self.n_segments_max();
        let halting = &self.model.config().halting;
        let (rule, probability) = (halting.rule, halting.exploration);
        let rows = out.q.to_vec2::<f32>()?.into_iter().zip(&carry.n_done).zip(exploration);
        Ok(rows
            .map(|((q, n_done), exploration)| {
                halts(rule, n_done + 1, n_max, [q[0], q[1]], exploration.min_segments(probability))
            })
            .collect())
    }

    /// Targets of the continue logit, per row, from one more segment without gradient.
    /// `None` if they are not trained.
    fn continue_targets(
        &self,
        carry: &Carry,
        network: &Network,
        out: &SegmentOutput,
        input: &Tensor,
    ) -> candle_core::Result<Option<Vec<f32>>> {
        let n_max = self.n_segments_max();
        if n_max <= 1 || self.model.config().halting.rule != HaltRule::QLearning {
            return Ok(None);
        }
        let next_q = network.halting_after(&out.states, input)?.to_vec2::<f32>()?;
        let rows = next_q.into_iter().zip(&carry.n_done);
        let target =
            |(q, n_done): (Vec<f32>, &u32)| continue_target([q[0], q[1]], n_done + 1 >= n_max);
        Ok(Some(rows.map(target).collect()))
    }

    fn n_segments_max(&self) -> u32 {
        // `HrmConfig::check` limits it, so it fits.
        self.model.config().halting.n_segments_max as u32
    }
}
