//! One step of deep supervision.
//!
//! A step gives fresh puzzles to the rows that have finished, runs one segment,
//! judges it, and moves the weights. The carry crosses to the next step
//! detached: each segment is supervised on its own, starting from where the
//! previous one arrived.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use hrm_core::halting::{Exploration, continue_target, halts};
use hrm_core::{HaltRule, Hrm, Network, Schedule, SegmentOutput, names};
use hrm_kernels::{blend, sum_of_squares};
use serde::{Deserialize, Serialize};

use crate::loss::exact_rows;
use crate::optim::{Optimiser, Stride, sign_sgd};
use crate::{Batch, Carry, SegmentLoss, TrainConfig, TrainError};

/// A model in training.
#[derive(Debug)]
pub struct Trainer {
    model: Hrm,
    /// The running average of the model's dense weights, if one is kept.
    average: Option<Hrm>,
    config: TrainConfig,
    optimiser: Optimiser,
    /// The batches at work, which take turns.
    carries: Vec<Carry>,
    progress: Progress,
}

/// How far a trainer has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Steps so far, skipped ones included.
    pub(crate) n_steps: u64,
    /// Steps in a row that were skipped just now.
    pub(crate) n_skipped: u64,
    /// Factor of the learning rates.
    pub(crate) slowdown: f64,
}

/// The random draws of one step.
#[derive(Clone, Copy, Debug)]
pub struct Draws<'a> {
    /// About halting, one per row.
    pub exploration: &'a [Exploration],
    /// Decides the states that are drawn and the noise, where there are such.
    pub seed: u64,
}

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Steps so far, this one included.
    pub step: u64,
    /// Whether the weights stayed, because loss or gradient are not finite.
    pub is_skipped: bool,
    /// Loss per row.
    pub loss: f64,
    /// Its part about cells, per row.
    pub cell_loss: f64,
    /// Length of the gradients of all dense weights together, before clipping.
    pub gradient_norm: f64,
    /// Rows whose puzzle finished in this step.
    pub n_halted: usize,
    /// Those of them that are answered exactly.
    pub n_exact: usize,
    /// Segments that the finished puzzles took, in total.
    pub n_segments: u64,
    /// Step size of dense weights.
    pub learning_rate: f64,
}

/// A segment that has been run and judged, before the weights move.
#[derive(Debug)]
pub struct Forward {
    /// States, logits and halting logits.
    pub out: SegmentOutput,
    /// The judgement.
    pub loss: SegmentLoss,
    /// Rows whose puzzle is finished after this segment.
    pub halted: Vec<bool>,
    /// What continuing is worth, per row; absent with a budget of one segment,
    /// and where nothing learns it.
    pub continue_targets: Option<Vec<f32>>,
    puzzle_rows: Option<Var>,
    /// The batch whose turn it is.
    turn: usize,
    /// Decides the noise on the states.
    seed: u64,
}

/// Gradients of the loss per row.
#[derive(Debug)]
pub struct Gradients {
    /// Of every trained parameter.
    pub dense: GradStore,
    /// Of the puzzle embedding of each row, `[B, E]`.
    pub puzzle_rows: Option<Tensor>,
    /// Length of the dense ones, all together.
    pub norm: f64,
    /// Whether every number of all of them is finite.
    pub are_finite: bool,
}

impl Trainer {
    /// Starts training `model`. Every row waits for its first puzzle.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if the config is out of range.
    pub fn new(model: Hrm, config: TrainConfig) -> Result<Self, TrainError> {
        config.check()?;
        let optimiser = Optimiser::new(model.weights().trained(), &config)?;
        let average = if config.ema > 0.0 { Some(model.fork()?) } else { None };
        let waiting = |_| Carry::waiting(&model, config.batch_size);
        let carries = (0..config.n_carries).map(waiting).collect::<candle_core::Result<_>>()?;
        let progress = Progress { n_steps: 0, n_skipped: 0, slowdown: 1.0 };
        Ok(Self { model, average, config, optimiser, carries, progress })
    }

    /// The model as it is now.
    pub fn model(&self) -> &Hrm {
        &self.model
    }

    /// The model to be judged and kept: with the running average of its weights,
    /// if one is kept.
    pub fn averaged(&self) -> &Hrm {
        self.average.as_ref().unwrap_or(&self.model)
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The puzzles at work, in the batches that take turns.
    pub fn carries(&self) -> &[Carry] {
        &self.carries
    }

    /// The batch whose turn the next step is.
    fn turn(&self) -> usize {
        (self.n_steps() % self.carries.len() as u64) as usize
    }

    /// Steps so far, skipped ones included.
    pub fn n_steps(&self) -> u64 {
        self.progress.n_steps
    }

    pub(crate) fn optimiser(&self) -> &Optimiser {
        &self.optimiser
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// A trainer in the middle of a run.
    pub(crate) fn from_parts(
        (model, average): (Hrm, Option<Hrm>),
        config: TrainConfig,
        optimiser: Optimiser,
        carries: Vec<Carry>,
        progress: Progress,
    ) -> Self {
        Self { model, average, config, optimiser, carries, progress }
    }

    /// Factor of the learning rates.
    pub fn slowdown(&self) -> f64 {
        self.progress.slowdown
    }

    /// Whether it is worth to go on from here: the last step was not skipped, and
    /// every weight is finite.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn is_sound(&self) -> candle_core::Result<bool> {
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

    /// Makes the learning rates of all further steps smaller by `factor`.
    pub fn slow_down(&mut self, factor: f64) {
        self.progress.slowdown *= factor;
    }

    /// One segment, one judgement, one optimiser step.
    ///
    /// `place` writes a fresh puzzle into a row that waits for one. Where loss
    /// or gradient are not finite, the weights stay as they are and every row
    /// takes a fresh puzzle.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotFinite`] after too many such steps in a row;
    /// [`TrainError::Backend`] if the backend fails.
    pub fn step(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        draws: Draws<'_>,
    ) -> Result<StepReport, TrainError> {
        let forward = self.forward(place, draws)?;
        let gradients = self.backward(&forward)?;
        let loss = forward.loss.total.to_scalar::<f64>()?;
        if !(loss.is_finite() && gradients.are_finite) {
            return self.skip(&forward, gradients.norm);
        }
        self.progress.n_skipped = 0;
        self.update(&gradients)?;
        Ok(self.advance(forward, gradients.norm)?)
    }

    /// Refills the rows that wait, runs one segment and judges it.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn forward(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        draws: Draws<'_>,
    ) -> candle_core::Result<Forward> {
        let network = self.model.network_with_schedule(self.schedule())?;
        let turn = self.turn();
        self.carries[turn].refill(&self.model, place, draws.seed)?;
        let carry = &self.carries[turn];
        let batch = &carry.batch;

        let puzzle_rows = match self.model.puzzle_embeddings(batch.puzzle_ids())? {
            Some(rows) => Some(Var::from_tensor(&rows)?),
            None => None,
        };
        let tokens = batch.input_tensor(self.model.device())?;
        let input = network.encode(&tokens, puzzle_rows.as_ref().map(Var::as_tensor))?;
        let out = network.segment(&carry.states, &input)?;

        let halted = self.halted(carry, &out, draws.exploration)?;
        let exact = exact_rows(&out.logits, batch)?;
        let targets = self.continue_targets(carry, &network, &out, &input)?;
        let loss = SegmentLoss::new(&out, batch, exact, targets.as_deref(), &self.config)?;
        let seed = draws.seed;
        Ok(Forward { out, loss, halted, continue_targets: targets, puzzle_rows, turn, seed })
    }

    /// Differentiates the loss per row.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn backward(&self, forward: &Forward) -> candle_core::Result<Gradients> {
        let per_row = (&forward.loss.total / self.config.batch_size as f64)?;
        let dense = per_row.backward()?;
        let puzzle_rows = forward.puzzle_rows.as_ref().and_then(|rows| dense.get(rows)).cloned();
        let norm = self.optimiser.gradient_norm(&dense)?;
        let norm_of_rows = puzzle_rows.as_ref().map_or(Ok(0.0), sum_of_squares)?;
        let are_finite = norm.is_finite() && norm_of_rows.is_finite();
        Ok(Gradients { dense, puzzle_rows, norm, are_finite })
    }

    /// Moves the weights.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn update(&mut self, gradients: &Gradients) -> candle_core::Result<()> {
        let turn = self.turn();
        self.progress.n_steps += 1;
        let (config, rate) = (&self.config, self.rate());
        let stride = Stride {
            learning_rate: config.learning_rate * rate,
            weight_decay: config.weight_decay,
            gradient_scale: gradient_scale(config.clip_norm, gradients.norm),
        };
        self.optimiser.step(&gradients.dense, stride)?;
        if let (Some(table), Some(grad)) =
            (self.model.weights().find(names::PUZZLES), &gradients.puzzle_rows)
        {
            let (rate, decay) = (config.puzzle_learning_rate * rate, config.puzzle_weight_decay);
            sign_sgd(&table, self.carries[turn].batch.puzzle_ids(), grad, rate, decay)?;
        }
        if let Some(average) = &self.average {
            let pairs = average.weights().trained().zip(self.model.weights().trained());
            for ((_, average), (_, value)) in pairs {
                blend(average, &value.as_detached_tensor(), config.ema)?;
            }
        }
        Ok(())
    }

    /// Carries the states over to the next step, detached.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn advance(
        &mut self,
        forward: Forward,
        gradient_norm: f64,
    ) -> candle_core::Result<StepReport> {
        let Forward { out, loss, halted, turn, seed, .. } = forward;
        let (n_rows, learning_rate) =
            (self.config.batch_size as f64, self.config.learning_rate * self.rate());
        let step = self.n_steps();
        let carry = &mut self.carries[turn];
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
            carry.disturb(self.config.state_noise, seed)?;
        }
        carry.halted = halted;
        Ok(report)
    }

    /// Leaves the weights as they are, and every puzzle, whose states may be no
    /// numbers any more.
    fn skip(&mut self, forward: &Forward, gradient_norm: f64) -> Result<StepReport, TrainError> {
        self.progress.n_steps += 1;
        self.progress.n_skipped += 1;
        self.carries[forward.turn].halted.fill(true);
        let n_rows = self.config.batch_size as f64;
        let loss = forward.loss.total.to_scalar::<f64>()? / n_rows;
        let step = self.n_steps();
        if self.progress.n_skipped > self.config.n_skipped_max {
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
            learning_rate: self.config.learning_rate * self.rate(),
        })
    }

    /// Share of the learning rates that the step just begun has.
    fn rate(&self) -> f64 {
        self.config.rate_at(self.n_steps()) * self.progress.slowdown
    }

    /// The updates of the next segment.
    fn schedule(&self) -> Schedule {
        let config = self.model.config();
        match self.config.stage_at(self.n_steps() + 1) {
            Some(stage) => Schedule::with_cycles(config, stage.n_h_cycles, stage.n_l_cycles),
            None => Schedule::new(config),
        }
    }

    /// Which rows stop after this segment.
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
            .map(|((q, n_done), draw)| {
                halts(rule, n_done + 1, n_max, [q[0], q[1]], draw.min_segments(probability))
            })
            .collect())
    }

    /// What continuing is worth, by one more segment without gradient.
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
        // Bounded by the config's own check.
        self.model.config().halting.n_segments_max as u32
    }
}

/// Factor that shortens gradients of length `norm` to `clip_norm`, if that is
/// positive and they are longer.
fn gradient_scale(clip_norm: f64, norm: f64) -> f64 {
    if clip_norm > 0.0 && norm > clip_norm { clip_norm / norm } else { 1.0 }
}
