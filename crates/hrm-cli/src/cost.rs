//! What a run will take: memory and time, stated before its first step.

use std::time::{Duration, Instant};

use hrm_base::progress::Stage;
use hrm_base::words::counted;
use hrm_core::halting::Exploration;
use hrm_train::{Batch, MemoryEstimate, StepRandomness, TrainConfig, Trainer};
use sysinfo::System;

use crate::duration::in_words;
use crate::error::usage;
use crate::record::RunRecord;

/// Share of the available memory that a run may take: the estimate leaves out threads,
/// data and evaluations.
const MEMORY_SHARE_MAX: f64 = 0.85;

/// Time spent on one measurement, as far as the sizes allow.
const MEASUREMENT: Duration = Duration::from_millis(400);

/// A step of one row that takes this long is not measured again: its rows share so little
/// work that a batch takes as many times as long.
const LONG: Duration = Duration::from_secs(10);

/// Memory that this process may still take, in bytes.
pub(crate) fn available_memory() -> f64 {
    let mut system = System::new();
    system.refresh_memory();
    let of_machine = system.available_memory();
    let of_group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    of_machine.min(of_group) as f64
}

/// Makes a run fit into `available` bytes of memory by processing each batch in parts.
/// Returns the memory it takes and a note of the change, if there is one. `is_fixed`: the
/// user has chosen the number of parts.
///
/// # Errors
///
/// If it does not fit.
pub(crate) fn fit_memory(
    train: &mut TrainConfig,
    estimate: impl Fn(&TrainConfig) -> anyhow::Result<f64>,
    available: f64,
    is_fixed: bool,
) -> anyhow::Result<(f64, Option<String>)> {
    let budget = available * MEMORY_SHARE_MAX;
    let (wanted, before) = (estimate(train)?, train.accumulate);
    while estimate(train)? > budget && !is_fixed && train.accumulate < train.batch_size {
        train.accumulate = (train.accumulate * 2).min(train.batch_size);
    }
    let needed = estimate(train)?;
    if needed > budget {
        let parts = if is_fixed { "or raise train.accumulate" } else { "or the model" };
        return Err(usage(format!(
            "training takes about {} of memory, and {} are available: reduce train.batch_size \
             (now {}) {parts}",
            gigabytes(needed),
            gigabytes(available),
            train.batch_size,
        )));
    }
    let note = (train.accumulate != before).then(|| {
        format!(
            "train.accumulate is {} instead of {before}: whole batches would take about {} of \
             memory, and {} are available",
            train.accumulate,
            gigabytes(wanted),
            gigabytes(available),
        )
    });
    Ok((needed, note))
}

/// The memory that `record` takes with other settings of its training, in bytes.
///
/// # Errors
///
/// If the model config is invalid.
pub(crate) fn memory(record: &RunRecord, train: &TrainConfig) -> anyhow::Result<f64> {
    let dtype = record.compute()?.dtype()?;
    Ok(MemoryEstimate::new(&record.config.model, train, dtype)?.total(train))
}

/// The time of a training step, from measured steps of smaller batches: it grows linearly
/// with the batch.
///
/// # Errors
///
/// If the backend fails.
pub(crate) fn step_time(record: &RunRecord) -> anyhow::Result<Duration> {
    let TrainConfig { batch_size, accumulate, .. } = record.config.train;
    let n_rows = batch_size.div_ceil(accumulate);
    let stage = Stage::start("measuring training steps", 4);
    let of_one = measure(record, 1, &stage)?;
    if of_one > LONG {
        let seconds = of_one.as_secs_f64() * batch_size as f64;
        return Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let n_affordable = (MEASUREMENT.as_secs_f64() / of_one.as_secs_f64()) as usize;
    let n_measured = n_affordable.clamp(2, n_rows.max(2));
    let of_some = measure(record, n_measured, &stage)?;
    let per_row = of_some.saturating_sub(of_one).as_secs_f64() / (n_measured - 1) as f64;
    let of_part = of_one.as_secs_f64() + per_row * (n_rows - 1) as f64;
    let seconds = of_part * batch_size as f64 / n_rows as f64;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// The time of a training step of `n_rows` rows: the fastest of a few steps after the
/// first. Counts two parts of `stage`.
fn measure(record: &RunRecord, n_rows: usize, stage: &Stage) -> anyhow::Result<Duration> {
    let config = record.config.train.clone().with(|train| {
        (train.batch_size, train.accumulate, train.n_carries) = (n_rows, 1, 1);
        // The model must not diverge, whatever the settings of the run do.
        train.optimiser.learning_rate = 1e-9;
        train.puzzle_embedding.learning_rate = 1e-9;
        train.optimiser.weight_decay = 0.0;
        train.puzzle_embedding.weight_decay = 0.0;
    });
    let mut trainer = Trainer::new(record.fresh_model()?, config)?;
    let n_cells = record.config.model.input.n_cells;
    let puzzles =
        Batch::new(n_cells, vec![1; n_rows * n_cells], vec![1; n_rows * n_cells], vec![0; n_rows]);
    let exploration = vec![Exploration { u: 1.0, min_segments: 1 }; n_rows];
    let mut step = || -> anyhow::Result<Duration> {
        let started = Instant::now();
        let randomness = StepRandomness { exploration: &exploration, seed: 0 };
        trainer.step(|row, batch| batch.copy_row(row, &puzzles), randomness)?;
        Ok(started.elapsed())
    };
    // Only the first step makes buffers.
    let first = step()?;
    stage.advance(1);
    if first > LONG {
        return Ok(first);
    }
    let (started, mut fastest) = (Instant::now(), step()?);
    stage.advance(1);
    while started.elapsed() < MEASUREMENT / 8 {
        fastest = fastest.min(step()?);
    }
    Ok(fastest)
}

/// Memory, as far as it is known, and time of a run, as a sentence.
pub(crate) fn describe(record: &RunRecord, memory: Option<f64>, step_time: Duration) -> String {
    let TrainConfig { steps, batch_size, .. } = record.config.train;
    let per_step = match step_time.as_secs_f64() {
        seconds if seconds < 10.0 => format!("{:.0} ms", seconds * 1e3),
        _ => in_words(step_time),
    };
    let total = match record.minutes {
        Some(_) => String::new(),
        None => {
            let seconds = step_time.as_secs_f64() * steps as f64;
            let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            format!(", {} for {}", in_words(time), counted(steps as usize, "step", "steps"))
        }
    };
    let memory = memory.map(|memory| format!("{} of memory and ", gigabytes(memory)));
    let memory = memory.unwrap_or_default();
    let puzzles = counted(batch_size, "puzzle", "puzzles");
    format!("Training will take about {memory}{per_step} per step of {puzzles}{total}.")
}

/// An amount of memory in GB, or in MB if it is small.
fn gigabytes(bytes: f64) -> String {
    if bytes < 1e9 { format!("{:.0} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(batch_size: usize, is_fixed: bool) -> Result<(usize, f64, Option<String>), String> {
        let mut train = TrainConfig { batch_size, ..TrainConfig::paper() };
        // A gigabyte for the model, and a tenth per row.
        let estimate = |train: &TrainConfig| {
            Ok(1e9 + 1e8 * train.batch_size.div_ceil(train.accumulate) as f64)
        };
        let fitted = fit_memory(&mut train, estimate, 4e9, is_fixed);
        let (needed, note) = fitted.map_err(|err| err.to_string())?;
        Ok((train.accumulate, needed, note))
    }

    #[test]
    fn a_batch_that_does_not_fit_is_processed_in_parts() {
        assert_eq!(fit(20, false), Ok((1, 3e9, None)));
        let note = "train.accumulate is 4 instead of 1: whole batches would take about 7.4 GB \
                    of memory, and 4.0 GB are available";
        assert_eq!(fit(64, false), Ok((4, 2.6e9, Some(note.to_owned()))));
    }

    #[test]
    fn a_run_that_does_not_fit_is_refused() {
        let want = "training takes about 7.4 GB of memory, and 4.0 GB are available: reduce \
                    train.batch_size (now 64) or raise train.accumulate";
        assert_eq!(fit(64, true), Err(want.to_owned()));
        let mut train = TrainConfig::paper();
        let fitted = fit_memory(&mut train, |_| Ok(1e13), 4e9, false).unwrap_err().to_string();
        assert!(fitted.starts_with("training takes about 10000.0 GB"), "{fitted}");
        assert!(fitted.ends_with("(now 384) or the model"), "{fitted}");
    }

    #[test]
    fn the_available_memory_is_known() {
        assert!(available_memory() > 1e6);
    }
}
