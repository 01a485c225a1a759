//! One training step: a segment, the target of its halting head, the backward
//! pass and the optimiser. Run: `cargo bench -p hrm-benches --bench step`.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrm_benches::CASES;
use hrm_train::{Batch, StepRandomness, TrainConfig, Trainer};

fn step(c: &mut Criterion) {
    for case in CASES {
        let config = TrainConfig { batch_size: case.batch_size, ..TrainConfig::paper() };
        let mut trainer = Trainer::new(case.model(), config).expect("the settings are in range");
        let (fresh, exploration) = (case.batch(), case.exploration());

        let mut group = c.benchmark_group("step");
        group.throughput(Throughput::Elements(case.batch_size as u64)).sample_size(10);
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| {
                let place = |row: usize, batch: &mut Batch| batch.copy_row(row, &fresh);
                let randomness = StepRandomness { exploration: &exploration, seed: 0 };
                black_box(trainer.step(place, randomness).expect("the loss stays finite"))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
