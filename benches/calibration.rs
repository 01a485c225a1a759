//! A fixed amount of arithmetic and memory traffic, independent of our code: the unit
//! in which `cargo xtask bench` measures the other benchmarks.
//!
//! Baselines from before a change to this file cannot be compared with later ones.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

/// Total size, 64 MiB: larger than the caches of most CPUs.
const N_VALUES: usize = 1 << 24;

/// Values per tile, 16 KiB: fits into the first-level cache.
const N_TILE: usize = 1 << 12;

/// Operations per value while its tile is in the first-level cache.
const N_ROUNDS: usize = 16;

fn calibration(c: &mut Criterion) {
    let mut values = vec![1.0f32; N_VALUES];
    // As many as the tensor library uses, so that other load on the machine affects
    // this and the other benchmarks alike.
    let n_threads = candle_core::utils::get_num_threads();
    let share = N_VALUES.div_ceil(n_threads);
    c.bench_function("calibration", |bencher| {
        bencher.iter(|| {
            std::thread::scope(|scope| {
                for part in values.chunks_mut(share) {
                    scope.spawn(|| work(part));
                }
            });
        });
    });
}

fn work(values: &mut [f32]) {
    for tile in values.chunks_mut(N_TILE) {
        for _ in 0..N_ROUNDS {
            for value in tile.iter_mut() {
                // Converges to 1, so that no value becomes subnormal.
                *value = *value * 0.75 + 0.25;
            }
            // Keeps the compiler from merging the rounds.
            black_box(&mut *tile);
        }
    }
}

criterion_group!(benches, calibration);
criterion_main!(benches);
