//! One step of deep supervision.
//!
//! A step gives fresh puzzles to the rows that have finished, runs one segment,
//! judges it, and moves the weights. The carry crosses to the next step
//! detached: each segment is supervised on its own, starting from where the
//! previous one arrived.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use hrm_core::halting::{Exploration, continue_target, halts};
use hrm_core::{Halting, Hrm, Network, SegmentOutput, Tracking, names};

use crate::loss::exact_rows;
use crate::optim::{AdamAtan2, sign_sgd};
use crate::{Batch, Carry, SegmentLoss, TrainConfig, TrainError};

/// A model in training.
#[derive(Debug)]
pub struct Trainer {
    model: Hrm,
    config: TrainConfig,
    optimiser: AdamAtan2,
    carry: Carry,
    n_steps: u64,
}

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Optimiser steps so far, this one included.
    pub step: u64,
    /// Loss per row.
    pub loss: f64,
    /// Its part about cells, per row.
    pub cell_loss: f64,
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
}

/// Gradients of the loss per row.
#[derive(Debug)]
pub struct Gradients {
    /// Of every trained parameter.
    pub dense: GradStore,
    /// Of the puzzle embedding of each row, `[B, E]`.
    pub puzzle_rows: Option<Tensor>,
}

impl Trainer {
    /// Starts training `model`. Every row waits for its first puzzle.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if the config is out of range.
    pub fn new(model: Hrm, config: TrainConfig) -> Result<Self, TrainError> {
        config.check()?;
        let params = model.weights().trained().map(|(_, var)| var);
        let optimiser = AdamAtan2::new(params, config.beta1, config.beta2)?;
        let carry = Carry::waiting(&model, config.batch_size)?;
        Ok(Self { model, config, optimiser, carry, n_steps: 0 })
    }

    /// The model as it is now.
    pub fn model(&self) -> &Hrm {
        &self.model
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The puzzles at work.
    pub fn carry(&self) -> &Carry {
        &self.carry
    }

    /// Optimiser steps so far.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    pub(crate) fn optimiser(&self) -> &AdamAtan2 {
        &self.optimiser
    }

    /// A trainer in the middle of a run.
    pub(crate) fn from_parts(
        model: Hrm,
        config: TrainConfig,
        optimiser: AdamAtan2,
        carry: Carry,
        n_steps: u64,
    ) -> Self {
        Self { model, config, optimiser, carry, n_steps }
    }

    /// One segment, one judgement, one optimiser step.
    ///
    /// `place` writes a fresh puzzle into a row that waits for one;
    /// `exploration` holds the halting draws, one per row.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotFinite`] if the loss is no finite number; the weights
    /// are then as before. [`TrainError::Backend`] if the backend fails.
    pub fn step(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        exploration: &[Exploration],
    ) -> Result<StepReport, TrainError> {
        let forward = self.forward(place, exploration)?;
        let gradients = self.backward(&forward)?;
        let loss = forward.loss.total.to_scalar::<f64>()? / self.config.batch_size as f64;
        if !loss.is_finite() {
            return Err(TrainError::NotFinite { step: self.n_steps + 1, loss });
        }
        self.update(&gradients)?;
        Ok(self.advance(forward)?)
    }

    /// Refills the rows that wait, runs one segment and judges it.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn forward(
        &mut self,
        place: impl FnMut(usize, &mut Batch),
        exploration: &[Exploration],
    ) -> candle_core::Result<Forward> {
        let network = self.model.network(Tracking::Live)?;
        self.carry.refill(&network, place)?;
        let batch = &self.carry.batch;

        let puzzle_rows = match self.model.puzzle_rows(batch.puzzle_ids())? {
            Some(rows) => Some(Var::from_tensor(&rows)?),
            None => None,
        };
        let tokens = batch.input_tensor(self.model.device())?;
        let input = network.encode(&tokens, puzzle_rows.as_ref().map(Var::as_tensor))?;
        let out = network.segment(&self.carry.states, &input)?;

        let halted = self.halted(&out, exploration)?;
        let exact = exact_rows(&out.logits, batch)?;
        let continue_targets = self.continue_targets(&network, &out, &input)?;
        let loss = SegmentLoss::new(&out, batch, exact, continue_targets.as_deref())?;
        Ok(Forward { out, loss, halted, continue_targets, puzzle_rows })
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
        Ok(Gradients { dense, puzzle_rows })
    }

    /// Moves the weights.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn update(&mut self, gradients: &Gradients) -> candle_core::Result<()> {
        self.n_steps += 1;
        let config = &self.config;
        let rate = config.rate_at(self.n_steps);
        self.optimiser.step(&gradients.dense, config.learning_rate * rate, config.weight_decay)?;
        if let (Some(table), Some(grad)) =
            (self.model.weights().find(names::PUZZLES), &gradients.puzzle_rows)
        {
            let (rate, decay) = (config.puzzle_learning_rate * rate, config.puzzle_weight_decay);
            sign_sgd(&table, self.carry.batch.puzzle_ids(), grad, rate, decay)?;
        }
        Ok(())
    }

    /// Carries the states over to the next step, detached.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn advance(&mut self, forward: Forward) -> candle_core::Result<StepReport> {
        let Forward { out, loss, halted, .. } = forward;
        let n_rows = self.config.batch_size as f64;
        self.carry.n_done.iter_mut().for_each(|n| *n += 1);
        let finished = || (0..halted.len()).filter(|row| halted[*row]);
        let report = StepReport {
            step: self.n_steps,
            loss: loss.total.to_scalar::<f64>()? / n_rows,
            cell_loss: loss.cells.to_scalar::<f64>()? / n_rows,
            n_halted: finished().count(),
            n_exact: finished().filter(|row| loss.exact[*row]).count(),
            n_segments: finished().map(|row| u64::from(self.carry.n_done[row])).sum(),
            learning_rate: self.config.learning_rate * self.config.rate_at(self.n_steps),
        };
        self.carry.states = out.states.detach();
        self.carry.halted = halted;
        Ok(report)
    }

    /// Which rows stop after this segment.
    fn halted(
        &self,
        out: &SegmentOutput,
        exploration: &[Exploration],
    ) -> candle_core::Result<Vec<bool>> {
        let n_max = self.n_segments_max();
        let (rule, probability) =
            (self.model.config().halting, self.model.config().halt_exploration);
        let rows = out.q.to_vec2::<f32>()?.into_iter().zip(&self.carry.n_done).zip(exploration);
        Ok(rows
            .map(|((q, n_done), draw)| {
                halts(rule, n_done + 1, n_max, [q[0], q[1]], draw.min_segments(probability))
            })
            .collect())
    }

    /// What continuing is worth, by one more segment without gradient.
    fn continue_targets(
        &self,
        network: &Network,
        out: &SegmentOutput,
        input: &Tensor,
    ) -> candle_core::Result<Option<Vec<f32>>> {
        let n_max = self.n_segments_max();
        if n_max <= 1 || self.model.config().halting != Halting::QLearning {
            return Ok(None);
        }
        let next_q = network.halting_after(&out.states, input)?.to_vec2::<f32>()?;
        let rows = next_q.into_iter().zip(&self.carry.n_done);
        let target =
            |(q, n_done): (Vec<f32>, &u32)| continue_target([q[0], q[1]], n_done + 1 >= n_max);
        Ok(Some(rows.map(target).collect()))
    }

    fn n_segments_max(&self) -> u32 {
        // Bounded by the config's own check.
        self.model.config().n_segments_max as u32
    }
}
