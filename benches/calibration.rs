//! A fixed amount of arithmetic and memory traffic that knows none of our code:
//! the unit in which `cargo xtask bench` counts the others.
//!
//! Baselines made before a change here cannot be compared with those made after.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

/// Numbers in all, 64 MiB: more than the caches of most processors hold.
const N_VALUES: usize = 1 << 24;

/// Numbers at a time, 16 KiB: fewer than the innermost cache holds.
const N_TILE: usize = 1 << 12;

/// Operations on each number while its tile is in that cache.
const N_ROUNDS: usize = 16;

fn calibration(c: &mut Criterion) {
    let mut values = vec![1.0f32; N_VALUES];
    // As many as the tensor library uses: what else runs on the machine then
    // disturbs both alike.
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
                // Tends to 1, so that no number becomes slow to compute with.
                *value = *value * 0.75 + 0.25;
            }
            // Keeps the rounds from being merged into one.
            black_box(&mut *tile);
        }
    }
}

criterion_group!(benches, calibration);
criterion_main!(benches);
