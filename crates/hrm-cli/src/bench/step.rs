//! `hrm bench step`: training steps or segments of inference, one by one.
//!
//! Flags, defaults and fields of the report are those of `bench` in
//! `benches/peer/torch_hrm.py`, so that one script can drive both.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use hrm_base::rng::{self, ChaCha8Rng};
use hrm_core::halting::Exploration;
use hrm_core::{Hrm, HrmConfig, Positions, Tracking};
use hrm_kernels::{Path, profile};
use hrm_train::{Batch, Draws, TrainConfig, Trainer};
use rand::Rng as _;
use serde::Serialize;

use super::flops::Flops;
use crate::compute::{Compute, cpu_path};
use crate::error::usage;
use crate::term::result;

#[derive(Args)]
pub(crate) struct Step {
    /// Time segments of inference instead of training steps.
    #[arg(long)]
    eval: bool,
    #[command(flatten)]
    sizes: Sizes,
    /// Puzzles side by side.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Steps that are timed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Steps before them, which are not.
    #[arg(long, default_value_t = 3)]
    warmup: u32,
    /// Decides weights, tokens and halting draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads that compute.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    #[command(flatten)]
    compute: Compute,
}

/// Sizes and schedule of the model.
#[derive(Args)]
struct Sizes {
    /// Channels per position.
    #[arg(long, default_value_t = 512)]
    hidden: usize,
    /// Attention heads.
    #[arg(long, default_value_t = 8)]
    heads: usize,
    /// Blocks of the fast module.
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Blocks of the slow module; 0: as many as of the fast one.
    #[arg(long, default_value_t = 0)]
    layers_h: usize,
    /// Cells per puzzle.
    #[arg(long, default_value_t = 81)]
    seq: usize,
    /// Distinct token ids, padding included; at least 2.
    #[arg(long, default_value_t = 11)]
    vocab: usize,
    /// Puzzle identifiers.
    #[arg(long, default_value_t = 1)]
    ids: usize,
    /// Channels of a puzzle embedding; 0: none. Default: those of a position.
    #[arg(long)]
    emb_dim: Option<usize>,
    /// Slow updates per segment.
    #[arg(long, default_value_t = 2)]
    h_cycles: usize,
    /// Fast updates per slow update.
    #[arg(long, default_value_t = 2)]
    l_cycles: usize,
    /// Segments after which a puzzle is stopped.
    #[arg(long, default_value_t = 16)]
    halt: usize,
    /// How positions are told apart.
    #[arg(long, value_enum, default_value_t = Pos::Rope)]
    pos: Pos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pos {
    Rope,
    Learned,
    None,
}

/// What is printed.
#[derive(Serialize)]
pub(super) struct Report {
    /// Who was measured, with its version.
    peer: String,
    /// `train` or `eval`.
    pub(super) mode: &'static str,
    /// Precision of activations.
    pub(super) dtype: &'static str,
    /// Instruction sets in force.
    pub(super) cpu: &'static str,
    hidden: usize,
    layers: usize,
    seq: usize,
    batch: usize,
    /// Trained parameters, puzzle embeddings not counted.
    params: usize,
    pub(super) threads: u16,
    /// Median over the timed steps.
    pub(super) ms_per_step: f64,
    pub(super) examples_per_s: f64,
    /// From before the model is built to the end of the first step.
    first_step_s: f64,
    /// The most memory held at once, in MiB; unknown on some systems.
    pub(super) peak_rss_mb: Option<u64>,
}

impl Step {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let report = self.measure()?.0;
        Ok(result(format!("{}\n", serde_json::to_string(&report)?))?)
    }

    /// Times the steps, and what the timed ones spent on each part.
    pub(super) fn measure(&self) -> anyhow::Result<(Report, Spent)> {
        let model_config = self.sizes.config();
        let params = model_config.n_parameters()?;
        if model_config.vocab_size < 2 {
            // Id 0 is padding, which asks for nothing.
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
        Ok((self.report(params, dtype, cpu_path()?, &timing), timing.spent))
    }

    /// Threads that compute.
    pub(super) fn n_threads(&self) -> usize {
        self.threads.into()
    }

    /// Steps that are timed.
    pub(super) fn n_timed(&self) -> u32 {
        self.steps
    }

    /// Precision of activations.
    pub(super) fn dtype(&self) -> anyhow::Result<DType> {
        self.compute.dtype()
    }

    /// Operations of one step: every update of the schedule, and in training
    /// the updates of the next segment and the backward pass of the last two.
    pub(super) fn flops(&self) -> Flops {
        let config = self.sizes.config();
        let d = config.hidden_dim as f64;
        let inner = hrm_blocks::inner_dim(config.hidden_dim, config.expansion) as f64;
        let n_positions = (config.n_cells + config.n_prefix) as f64;
        let rows = self.batch as f64 * n_positions;
        let [weights, heads] =
            [2.0 * rows * (4.0 * d * d + 3.0 * d * inner), 4.0 * rows * n_positions * d];

        let (low, high) = (config.n_l_layers as f64, config.n_h_layers as f64);
        let cycles = config.n_h_cycles as f64;
        let segment = cycles * (config.n_l_cycles as f64 * low + high);
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
            // Backward forms the scores again, and has twice the products.
            attention: (segment + 2.5 * tracked) * heads,
        };
        if config.n_segments_max > 1 {
            // Of the next segment one position is read: the last block attends from
            // there alone, and leaves the others after their projection.
            let others = rows - self.batch as f64;
            flops.matmul += segment * weights - 2.0 * others * (d * d + 3.0 * d * inner);
            flops.attention += (segment - others / rows) * heads;
        }
        flops
    }

    /// The peer's optimiser, at constant rates.
    fn train_config(&self) -> TrainConfig {
        TrainConfig {
            batch_size: self.batch,
            steps: u64::from(self.warmup) + u64::from(self.steps),
            learning_rate: 1e-4,
            weight_decay: 0.1,
            puzzle_learning_rate: 1e-4,
            puzzle_weight_decay: 0.1,
            warmup_steps: 0,
            ..TrainConfig::paper()
        }
    }

    /// Repeats `step`, with a clock on each.
    fn time(
        &self,
        started: Instant,
        device: &Device,
        mut step: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Timing> {
        let mut timed_step = || -> anyhow::Result<f64> {
            let start = Instant::now();
            step()?;
            // A device may have queued the work and not done it.
            device.synchronize()?;
            Ok(start.elapsed().as_secs_f64())
        };
        let mut first_step_s = None;
        let mut seconds_of = |n_steps: u32| -> anyhow::Result<Vec<f64>> {
            let timed = |_| {
                let seconds = timed_step()?;
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

    fn report(&self, params: usize, dtype: DType, cpu: Path, timing: &Timing) -> Report {
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
        HrmConfig {
            vocab_size: self.vocab,
            n_cells: self.seq,
            n_puzzle_ids: self.ids,
            puzzle_dim,
            n_prefix: puzzle_dim.div_ceil(self.hidden.max(1)),
            hidden_dim: self.hidden,
            n_heads: self.heads,
            n_h_layers: if self.layers_h == 0 { self.layers } else { self.layers_h },
            n_l_layers: self.layers,
            n_h_cycles: self.h_cycles,
            n_l_cycles: self.l_cycles,
            n_segments_max: self.halt,
            positions: match self.pos {
                Pos::Rope => Positions::Rope,
                Pos::Learned => Positions::Learned,
                Pos::None => Positions::None,
            },
            ..HrmConfig::paper()
        }
    }
}

/// One optimiser step per call; a puzzle that halts starts again.
fn training(
    model: Hrm,
    config: TrainConfig,
    fresh: &Batch,
    seed: u64,
) -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let n_segments_max = model.config().n_segments_max as u32;
    let mut trainer = Trainer::new(model, config)?;
    let mut rng = rng::stream(seed, "bench halting");
    Ok(move || {
        let exploration: Vec<_> =
            (0..fresh.n_rows()).map(|_| draw(&mut rng, n_segments_max)).collect();
        let draws = Draws { exploration: &exploration, seed };
        trainer.step(|row, batch| batch.copy_row(row, fresh), draws)?;
        Ok(())
    })
}

fn draw(rng: &mut ChaCha8Rng, n_segments_max: u32) -> Exploration {
    // With a budget of one segment there is no choice, and no draw is looked at.
    Exploration { u: rng.random(), min_segments: rng.random_range(2..=n_segments_max.max(2)) }
}

/// One segment per call, from where the last one arrived.
fn inference(model: &Hrm, batch: &Batch) -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let network = model.network(Tracking::Frozen)?;
    let rows = model.puzzle_rows(batch.puzzle_ids())?;
    let tokens = batch.input_tensor(model.device())?;
    let mut states = network.initial_states(batch.n_rows())?;
    Ok(move || {
        let input = network.encode(&tokens, rows.as_ref())?;
        states = network.segment(&states, &input)?.states;
        Ok(())
    })
}

/// A token and a label in every cell.
fn random_batch(config: &HrmConfig, n_rows: usize, seed: u64) -> Batch {
    let mut rng = rng::stream(seed, "bench tokens");
    let n_tokens = n_rows * config.n_cells;
    let (vocab_size, n_puzzle_ids) = (config.vocab_size as u32, config.n_puzzle_ids as u32);
    let inputs = (0..n_tokens).map(|_| rng.random_range(1..vocab_size)).collect();
    let labels = (0..n_tokens).map(|_| i64::from(rng.random_range(1..vocab_size))).collect();
    let puzzle_ids = (0..n_rows).map(|_| rng.random_range(0..n_puzzle_ids)).collect();
    Batch::new(config.n_cells, inputs, labels, puzzle_ids)
}

/// Seconds, by what they were spent on.
struct Timing {
    /// Median over the timed steps.
    step_s: f64,
    /// From before the model is built to the end of the first step.
    first_step_s: f64,
    spent: Spent,
}

/// Time of all timed steps.
pub(super) struct Spent {
    /// On the clock.
    pub(super) wall: Duration,
    /// By part, summed over threads.
    pub(super) parts: Vec<(profile::Part, Duration)>,
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// Three decimals: the clock knows no more.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The most memory this process has held at once, in MiB, where the system
/// keeps count of it.
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
    fn the_default_sizes_are_the_published_ones() {
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
