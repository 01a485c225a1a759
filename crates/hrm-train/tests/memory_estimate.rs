//! The estimated memory of training is that which training takes.
//!
//! Every byte of a process is counted, and buffers are kept for reuse, so each
//! measurement is made by a process of its own: this test, started again.

// A panic in a test is the report.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::process::Command;

use candle_core::{DType, Device};
use hrm_core::{GradientSpan, Hrm, HrmConfig, Mixer, Modules};
use hrm_train::optim::OptimiserKind;
use hrm_train::{MemoryEstimate, StepRandomness, TrainConfig, Trainer};
use peak_alloc::PeakAlloc;

/// Environment variable that names the case to measure.
const CASE: &str = "MEMORY_ESTIMATE_CASE";

/// Text before a measurement.
const MEASURED: &str = "measured: ";

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The peak memory of a few training steps, in bytes.
fn measured(model: &HrmConfig, train: &TrainConfig, dtype: DType) -> f64 {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let model = Hrm::seeded(model.clone(), 1, &Device::Cpu).unwrap().with_dtype(dtype);
    let mut trainer = Trainer::new(model, train.clone()).unwrap();
    let (fresh, exploration) = common::unhalted(trainer.model().config(), train.batch_size);
    for _ in 0..train.n_carries + 1 {
        let randomness = StepRandomness { exploration: &exploration, seed: 0 };
        trainer.step(|row, batch| batch.copy_row(row, &fresh), randomness).unwrap();
    }
    (MEMORY.peak_usage() - before) as f64
}

#[test]
fn the_estimate_is_close_to_the_memory_that_training_takes() {
    type Change = fn(&mut HrmConfig, &mut TrainConfig);
    let cases: [(&str, Change); 6] = [
        ("two modules", |_, _| ()),
        ("one module, whole cycle, mixed by weights", |model, _| {
            model.block.mixer = Mixer::Mlp;
            model.recurrence.modules = Modules::Shared;
            model.recurrence.gradient_span = GradientSpan::LastCycle;
            model.recurrence.n_l_cycles = 4;
        }),
        ("wide, Muon and average", |model, train| {
            model.block.hidden_dim = 256;
            train.batch_size = 8;
            train.optimiser.kind = OptimiserKind::Muon;
            train.optimiser.ema = 0.9;
        }),
        ("many carries and identifiers, in parts", |model, train| {
            model.input.n_puzzle_ids = 20_000;
            train.n_carries = 8;
            train.accumulate = 4;
        }),
        ("large vocabulary, flat", |model, _| {
            model.input.vocab_size = 200;
            model.recurrence.modules = Modules::Flat;
        }),
        ("many cells", |model, train| {
            model.input.n_cells = 900;
            train.batch_size = 2;
        }),
    ];
    let wanted = std::env::var(CASE).ok();
    for (name, change) in cases {
        for dtype in [DType::F32, DType::BF16] {
            let mut model = HrmConfig::paper().with(|config| {
                config.block.hidden_dim = 128;
                config.puzzle_embedding.dim = 128;
                config.block.n_heads = 4;
                config.recurrence.n_h_layers = 2;
                config.recurrence.n_l_layers = 2;
            });
            let mut train = TrainConfig { batch_size: 32, ..TrainConfig::paper() };
            change(&mut model, &mut train);
            let case = format!("{name}, {dtype:?}");
            match &wanted {
                Some(wanted) if *wanted == case => {
                    println!("{MEASURED}{}", measured(&model, &train, dtype));
                    return;
                }
                Some(_) => {}
                None => {
                    let estimate = MemoryEstimate::new(&model, &train, dtype).unwrap();
                    let (expected, found) = (estimate.total(&train), measured_elsewhere(&case));
                    println!("{case}: {:.1} MB, estimated {:.1}", found / 1e6, expected / 1e6);
                    let ratio = found / expected;
                    assert!((0.9..1.1).contains(&ratio), "{case}: {ratio}, {estimate:?}");
                }
            }
        }
    }
}

/// The peak memory of `case`, measured by another process.
fn measured_elsewhere(case: &str) -> f64 {
    let test = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .output()
        .unwrap();
    let stdout = String::from_utf8(test.stdout).unwrap();
    let found = stdout.lines().find_map(|line| Some(line.split_once(MEASURED)?.1.trim()));
    found.unwrap_or_else(|| panic!("{case}: {stdout}")).parse().unwrap()
}
