//! The peak memory of a training step does not depend on the number of cycles and
//! segments, because only the last updates of a segment record a graph for gradients,
//! and no graph crosses to the next segment.
//!
//! Every byte of the process is counted, so this file holds only one test, and its
//! steps run on one thread: the number of buffers that a thread pool caches depends on
//! timing.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use candle_core::{DType, Device};
use hrm_core::{Hrm, HrmConfig};
use hrm_train::{StepRandomness, TrainConfig, Trainer};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Puzzles per batch, `B`.
const N_ROWS: usize = 8;

/// Steps until every cached buffer exists.
const N_WARM_UP: usize = 2;

/// Segments of one puzzle, which may have up to 16.
const N_STEPS: usize = 12;

/// Allowed difference of two peaks, relative to the memory of a step.
const TOLERANCE: f64 = 0.01;

#[test]
fn memory_grows_with_rows_but_not_with_cycles_or_segments() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| {
        for dtype in [DType::F32, DType::BF16] {
            check(dtype);
        }
    });
}

fn check(dtype: DType) {
    // Not 1 x 1: there, every update records a graph, so no memory is used for others.
    let reference = bytes_of_step(config(2, 2), dtype, N_ROWS);
    let tolerance = TOLERANCE * reference;

    // The measurement is sensitive enough: one more recorded update or more rows would
    // exceed the tolerance by far.
    let per_update = recorded_bytes(config(2, 2), dtype) / 2.0;
    assert!(per_update > 5.0 * tolerance, "an update takes {per_update} of {reference} bytes");
    let with_more_rows = bytes_of_step(config(2, 2), dtype, N_ROWS + 2);
    assert!(with_more_rows > reference + 5.0 * tolerance, "{with_more_rows}, {reference}");

    for n_cycles in [3, 4] {
        let found = bytes_of_step(config(n_cycles, n_cycles), dtype, N_ROWS);
        assert!(
            (found - reference).abs() < tolerance,
            "a step of {n_cycles} x {n_cycles} cycles in {dtype:?} takes {found} bytes, \
                 one of 2 x 2 takes {reference}"
        );
    }

    let mut trainer = trainer(config(2, 2), dtype, N_ROWS);
    let at_start = MEMORY.current_usage() as f64;
    let peaks = peaks_of_steps(&mut trainer, N_ROWS, N_STEPS);
    let (first, later) = (peaks[N_WARM_UP], &peaks[N_WARM_UP + 1..]);
    for (peak, step) in later.iter().zip(N_WARM_UP + 2..) {
        let rise = peak - first;
        assert!(rise < tolerance, "the peak of step {step} is {rise} bytes higher: {peaks:?}");
    }
    // A graph that is kept for one step too long might not raise the peaks.
    let kept = MEMORY.current_usage() as f64 - at_start;
    assert!(kept < tolerance, "{kept} bytes are held from one step to the next");
}

/// Two layers at the grid of 9 by 9 Sudoku: the states outweigh the weights.
fn config(n_h_cycles: usize, n_l_cycles: usize) -> HrmConfig {
    HrmConfig::paper().with(|config| {
        config.block.hidden_dim = 64;
        config.puzzle_embedding.dim = 64;
        config.block.n_heads = 2;
        config.recurrence.n_h_layers = 2;
        config.recurrence.n_l_layers = 2;
        config.recurrence.n_h_cycles = n_h_cycles;
        config.recurrence.n_l_cycles = n_l_cycles;
        // Every puzzle explores, so that none halts before its budget ends.
        config.halting.exploration = 1.0;
    })
}

fn trainer(config: HrmConfig, dtype: DType, n_rows: usize) -> Trainer {
    let train = TrainConfig { batch_size: n_rows, ..TrainConfig::paper() };
    let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap().with_dtype(dtype);
    Trainer::new(model, train).unwrap()
}

/// Peak memory of one step above the memory before it, in bytes.
fn bytes_of_step(config: HrmConfig, dtype: DType, n_rows: usize) -> f64 {
    let mut trainer = trainer(config, dtype, n_rows);
    peaks_of_steps(&mut trainer, n_rows, N_WARM_UP);
    let before = MEMORY.current_usage() as f64;
    peaks_of_steps(&mut trainer, n_rows, 1)[0] - before
}

/// Peak memory of the process during each of `n_steps` steps, in bytes.
fn peaks_of_steps(trainer: &mut Trainer, n_rows: usize, n_steps: usize) -> Vec<f64> {
    let (fresh, exploration) = common::unhalted(trainer.model().config(), n_rows);
    let mut peaks = Vec::with_capacity(n_steps);
    for _ in 0..n_steps {
        MEMORY.reset_peak_usage();
        let randomness = StepRandomness { exploration: &exploration, seed: 0 };
        let report = trainer.step(|row, batch| batch.copy_row(row, &fresh), randomness).unwrap();
        peaks.push(MEMORY.peak_usage() as f64);
        assert_eq!(
            report.n_halted, 0,
            "step {} must be another segment of all puzzles",
            report.step
        );
    }
    peaks
}

/// Memory that one segment keeps for its backward pass, in bytes.
fn recorded_bytes(config: HrmConfig, dtype: DType) -> f64 {
    let trainer = trainer(config, dtype, N_ROWS);
    let network = trainer.model().network().unwrap();
    let tokens = trainer.carries()[0].batch.input_tensor(&Device::Cpu).unwrap();
    let embeddings = trainer.model().puzzle_embeddings(&[0; N_ROWS]).unwrap();
    let input = network.encode(&tokens, embeddings.as_ref()).unwrap();
    let before = MEMORY.current_usage();
    let _states = network.advance(&trainer.carries()[0].states, &input).unwrap();
    (MEMORY.current_usage() - before) as f64
}
