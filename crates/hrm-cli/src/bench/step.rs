//! `hrm bench step`: times training steps or inference segments.
//!
//! Flags, defaults and report fields are the same as those of `bench` in
//! `benches/peer/torch_hrm.py`, so that one script can run both.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use hrm_base::progress::Stage;
use hrm_base::rng::{self, ChaCha8Rng};
use hrm_core::halting::Exploration;
use hrm_core::{Hrm, HrmConfig, Positions};
use hrm_kernels::{Isa, profile};
use hrm_train::{Batch, StepRandomness, TrainConfig, Trainer};
use rand::Rng as _;
use serde::Serialize;

use super::flops::Flops;
use crate::compute::{Compute, cpu_isa};
use crate::error::usage;
use crate::term::result;

#[derive(Args)]
pub(crate) struct Step {
    /// Time inference segments instead of training steps.
    #[arg(long)]
    eval: bool,
    #[command(flatten)]
    sizes: Sizes,
    /// Batch size.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Number of timed steps.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Number of untimed steps before the timed ones.
    #[arg(long, default_value_t = 3)]
    warmup: u32,
    /// Seed for weights, tokens and halting exploration.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of compute threads.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Print the report as one line of JSON, which `bench step` always does.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    compute: Compute,
}

/// Dimensions and schedule of the model.
#[derive(Args)]
struct Sizes {
    /// Hidden dimension.
    #[arg(long, default_value_t = 512)]
    hidden: usize,
    /// Number of attention heads.
    #[arg(long, default_value_t = 8)]
    heads: usize,
    /// Number of blocks in the L module.
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Number of blocks in the H module; 0 means as many as in the L module.
    #[arg(long, default_value_t = 0)]
    layers_h: usize,
    /// Number of cells per puzzle.
    #[arg(long, default_value_t = 81)]
    seq: usize,
    /// Vocabulary size, padding included; at least 2.
    #[arg(long, default_value_t = 11)]
    vocab: usize,
    /// Number of puzzle identifiers.
    #[arg(long, default_value_t = 1)]
    ids: usize,
    /// Dimension of a puzzle embedding; 0 for none. Default: the hidden dimension.
    #[arg(long)]
    emb_dim: Option<usize>,
    /// Number of H cycles per segment.
    #[arg(long, default_value_t = 2)]
    h_cycles: usize,
    /// Number of L cycles per H cycle.
    #[arg(long, default_value_t = 2)]
    l_cycles: usize,
    /// Maximum number of segments per puzzle.
    #[arg(long, default_value_t = 16)]
    halt: usize,
    /// Position encoding.
    #[arg(long, value_enum, default_value_t = Pos::Rope)]
    pos: Pos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pos {
    Rope,
    Learned,
    None,
}

/// The printed report.
#[derive(Serialize)]
pub(super) struct Report {
    /// The measured program and its version.
    peer: String,
    /// `train` or `eval`.
    pub(super) mode: &'static str,
    /// Data type of activations.
    pub(super) dtype: &'static str,
    /// Instruction set in use.
    pub(super) cpu: &'static str,
    hidden: usize,
    layers: usize,
    seq: usize,
    batch: usize,
    /// Number of trained parameters, without puzzle embeddings.
    params: usize,
    pub(super) threads: u16,
    /// Median over the timed steps.
    pub(super) ms_per_step: f64,
    pub(super) examples_per_s: f64,
    /// Time from before the model is built to the end of the first step.
    first_step_s: f64,
    /// Peak memory in MiB; unknown on some systems.
    pub(super) peak_rss_mb: Option<u64>,
}

impl Step {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let report = self.measure()?.0;
        Ok(result(format!("{}\n", serde_json::to_string(&report)?))?)
    }

    /// Times the steps, in total and by part of the model.
    pub(super) fn measure(&self) -> anyhow::Result<(Report, Spent)> {
        let model_config = self.sizes.config();
        let params = model_config.n_parameters()?;
        if model_config.input.vocab_size < 2 {
            // Id 0 is padding, which carries no loss.
            return Err(usage(format!("--vocab must be at least 2, found {}", self.sizes.vocab)));
        }
        let train_config = self.train_config();
        train_config.check()?;
        let (device, dtype) = (self.compute.device()?, self.compute.dtype()?);

        let started = Instant::now();
        let model = Hrm::seeded(model_config, self.seed, &device)?.with_dtype(dtype);
        let batch = random_batch(model.config(), self.batch, self.seed);
        let timing = if self.eval {
            self.time(started, &device, inference(&model, &batch)?)?
        } else {
            self.time(started, &device, training(model, train_config, &batch, self.seed)?)?
        };
        Ok((self.report(params, dtype, cpu_isa()?, &timing), timing.spent))
    }

    /// Number of compute threads.
    pub(super) fn n_threads(&self) -> usize {
        self.threads.into()
    }

    /// Number of timed steps.
    pub(super) fn n_timed(&self) -> u32 {
        self.steps
    }

    /// Data type of activations.
    pub(super) fn dtype(&self) -> anyhow::Result<DType> {
        self.compute.dtype()
    }

    /// Floating-point operations of one step: all updates of the schedule, and in
    /// training also those of the next segment and the backward pass through the
    /// last two updates.
    pub(super) fn flops(&self) -> Flops {
        let config = self.sizes.config();
        let (block, recurrence) = (&config.block, &config.recurrence);
        let d = block.hidden_dim as f64;
        let inner = hrm_blocks::inner_dim(block.hidden_dim, block.expansion) as f64;
        let n_positions = (config.input.n_cells + config.puzzle_embedding.n_positions) as f64;
        let positions = self.batch as f64 * n_positions;
        let [weights, heads] =
            [2.0 * positions * (4.0 * d * d + 3.0 * d * inner), 4.0 * positions * n_positions * d];

        let (low, high) = (recurrence.n_l_layers as f64, recurrence.n_h_layers as f64);
        let cycles = recurrence.n_h_cycles as f64;
        let segment = cycles * (recurrence.n_l_cycles as f64 * low + high);
        if self.eval {
            return Flops {
                matmul: segment * weights,
                weight_gradient: 0.0,
                attention: segment * heads,
            };
        }
        let tracked = low + high;
        let mut flops = Flops {
            matmul: (segment + tracked) * weights,
            weight_gradient: tracked * weights,
            // The backward pass recomputes the scores, and has twice the products.
            attention: (segment + 2.5 * tracked) * heads,
        };
        if config.halting.n_segments_max > 1 {
            // Only one position of the next segment is read: its last block computes
            // queries for that one, and keys and values for the others.
            let others = positions - self.batch as f64;
            flops.matmul += segment * weights - 2.0 * others * (d * d + 3.0 * d * inner);
            flops.attention += (segment - others / positions) * heads;
        }
        flops
    }

    /// The optimiser of the peer, at constant learning rates.
    fn train_config(&self) -> TrainConfig {
        TrainConfig::paper().with(|train| {
            train.batch_size = self.batch;
            train.steps = u64::from(self.warmup) + u64::from(self.steps);
            train.optimiser.learning_rate = 1e-4;
            train.optimiser.weight_decay = 0.1;
            train.puzzle_embedding.learning_rate = 1e-4;
            train.puzzle_embedding.weight_decay = 0.1;
            train.schedule.warmup_steps = 0;
        })
    }

    /// Times repeated calls of `step`.
    fn time(
        &self,
        started: Instant,
        device: &Device,
        mut step: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Timing> {
        let mut timed_step = || -> anyhow::Result<f64> {
            let start = Instant::now();
            step()?;
            // A device may only have queued the work.
            device.synchronize()?;
            Ok(start.elapsed().as_secs_f64())
        };
        let n_steps = u64::from(self.warmup) + u64::from(self.steps);
        let stage = Stage::start("timing steps", n_steps);
        let mut first_step_s = None;
        let mut seconds_of = |n_steps: u32| -> anyhow::Result<Vec<f64>> {
            let timed = |_| {
                let seconds = timed_step()?;
                stage.advance(1);
                first_step_s.get_or_insert_with(|| started.elapsed().as_secs_f64());
                Ok(seconds)
            };
            (0..n_steps).map(timed).collect()
        };
        seconds_of(self.warmup)?;
        profile::start();
        let wall = Instant::now();
        let seconds = seconds_of(self.steps)?;
        let spent = Spent { wall: wall.elapsed(), parts: profile::stop() };
        let first_step_s = first_step_s.context("at least one step is timed")?;
        Ok(Timing { step_s: median(seconds), first_step_s, spent })
    }

    fn report(&self, params: usize, dtype: DType, cpu: Isa, timing: &Timing) -> Report {
        let Timing { step_s, first_step_s, .. } = *timing;
        Report {
            peer: format!("hrm {}", env!("CARGO_PKG_VERSION")),
            mode: if self.eval { "eval" } else { "train" },
            dtype: dtype.as_str(),
            cpu: cpu.name(),
            hidden: self.sizes.hidden,
            layers: self.sizes.layers,
            seq: self.sizes.seq,
            batch: self.batch,
            params,
            threads: self.threads,
            ms_per_step: rounded(step_s * 1e3),
            examples_per_s: rounded(self.batch as f64 / step_s),
            first_step_s: rounded(first_step_s),
            peak_rss_mb: peak_rss_mb(),
        }
    }
}

impl Sizes {
    fn config(&self) -> HrmConfig {
        let puzzle_dim = self.emb_dim.unwrap_or(self.hidden);
        HrmConfig::paper().with(|config| {
            config.input.vocab_size = self.vocab;
            config.input.n_cells = self.seq;
            config.input.n_puzzle_ids = self.ids;
            config.puzzle_embedding.dim = puzzle_dim;
            config.puzzle_embedding.n_positions = puzzle_dim.div_ceil(self.hidden.max(1));
            config.block.hidden_dim = self.hidden;
            config.block.n_heads = self.heads;
            config.block.positions = match self.pos {
                Pos::Rope => Positions::Rope,
                Pos::Learned => Positions::Learned,
                Pos::None => Positions::None,
            };
            config.recurrence.n_h_layers =
                if self.layers_h == 0 { self.layers } else { self.layers_h };
            config.recurrence.n_l_layers = self.layers;
            config.recurrence.n_h_cycles = self.h_cycles;
            config.recurrence.n_l_cycles = self.l_cycles;
            config.halting.n_segments_max = self.halt;
        })
    }
}

/// One optimiser step per call. A puzzle that halts starts again.
fn training(
    model: Hrm,
    config: TrainConfig,
    fresh: &Batch,
    seed: u64,
) -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let n_segments_max = model.config().halting.n_segments_max as u32;
    let mut trainer = Trainer::new(model, config)?;
    let mut rng = rng::stream(seed, "bench halting");
    Ok(move || {
        let exploration: Vec<_> =
            (0..fresh.n_rows()).map(|_| sample_exploration(&mut rng, n_segments_max)).collect();
        let randomness = StepRandomness { exploration: &exploration, seed };
        trainer.step(|row, batch| batch.copy_row(row, fresh), randomness)?;
        Ok(())
    })
}

fn sample_exploration(rng: &mut ChaCha8Rng, n_segments_max: u32) -> Exploration {
    // With a single segment, exploration has no effect.
    Exploration { u: rng.random(), min_segments: rng.random_range(2..=n_segments_max.max(2)) }
}

/// One segment per call, from the states of the previous one.
fn inference(model: &Hrm, batch: &Batch) -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let network = model.frozen()?;
    let embeddings = model.puzzle_embeddings(batch.puzzle_ids())?;
    let tokens = batch.input_tensor(model.device())?;
    let mut states = network.initial_states(batch.n_rows())?;
    Ok(move || {
        let input = network.encode(&tokens, embeddings.as_ref())?;
        states = network.segment(&states, &input)?.states;
        Ok(())
    })
}

/// A batch with random tokens and labels in all cells.
fn random_batch(config: &HrmConfig, n_rows: usize, seed: u64) -> Batch {
    let mut rng = rng::stream(seed, "bench tokens");
    let n_tokens = n_rows * config.input.n_cells;
    let (vocab_size, n_puzzle_ids) =
        (config.input.vocab_size as u32, config.input.n_puzzle_ids as u32);
    let inputs = (0..n_tokens).map(|_| rng.random_range(1..vocab_size)).collect();
    let labels = (0..n_tokens).map(|_| i64::from(rng.random_range(1..vocab_size))).collect();
    let puzzle_ids = (0..n_rows).map(|_| rng.random_range(0..n_puzzle_ids)).collect();
    Batch::new(config.input.n_cells, inputs, labels, puzzle_ids)
}

/// Times of a measurement.
struct Timing {
    /// Median over the timed steps.
    step_s: f64,
    /// Time from before the model is built to the end of the first step.
    first_step_s: f64,
    spent: Spent,
}

/// Time of all timed steps together.
pub(super) struct Spent {
    /// Elapsed time.
    pub(super) wall: Duration,
    /// Time by part of the model, summed over threads.
    pub(super) parts: Vec<(profile::Part, Duration)>,
}

/// The median; for an even number of values, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// Three decimals: the clock is not more precise.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// Peak memory of this process in MiB, if the system reports it.
fn peak_rss_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 100.0, 2.0]), 3.0);
        assert_eq!(median(vec![7.0]), 7.0);
    }

    #[test]
    fn the_default_sizes_are_those_of_the_published_model() {
        use clap::Parser;

        #[derive(Parser)]
        struct CommandLine {
            #[command(flatten)]
            sizes: Sizes,
        }
        let line = CommandLine::try_parse_from(["step"]).unwrap();
        assert_eq!(line.sizes.config(), HrmConfig::paper());
    }
}
