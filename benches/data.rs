//! Rows as they are drawn for training, and the puzzles that they are made of.
//! Run: `cargo bench -p hrm-benches --bench data`.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrm_base::rng::stream;
use hrm_puzzles::maze::Generator;
use hrm_puzzles::sudoku::{Board, Shape, Solver, Symmetry, minimal_puzzle};
use hrm_tasks::{RunConfig, TaskConfig};
use hrm_train::Batch;
use hrm_train::task::RowId;

/// Things per iteration, always the same ones.
const N: u64 = 64;

/// The published sizes with few base puzzles: what a row costs does not depend
/// on how many there are.
fn task(kind: &str) -> TaskConfig {
    let mut task = RunConfig::preset(kind, "paper").expect("a kind that is listed").task;
    match &mut task {
        TaskConfig::Arc(config) => (config.n_train, config.n_eval) = (100, 10),
        TaskConfig::Maze(config) => {
            (config.n_train, config.n_eval, config.min_path) = (20, 5, 40);
        }
        TaskConfig::Sudoku(config) => (config.n_train, config.n_eval) = (100, 10),
        _ => {}
    }
    task
}

fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(N));
    for kind in ["arc", "maze", "sudoku"] {
        let task = task(kind).open(&[]).expect("built-in puzzles");
        let places: Vec<RowId> = task.train().row_ids().collect();
        // From everywhere, so that little is in a cache.
        let step = (places.len() / N as usize).max(1);
        let places: Vec<RowId> = places.into_iter().step_by(step).take(N as usize).collect();
        let mut batch = Batch::blank(N as usize, task.n_cells());
        group.bench_function(kind, |bencher| {
            bencher.iter(|| {
                for (row, at) in places.iter().enumerate() {
                    batch.write(row, task.train(), *at);
                }
                black_box(batch.puzzle_ids().len())
            });
        });
    }
    group.finish();
}

fn sudoku(c: &mut Criterion) {
    let shape = Shape::new(9).expect("boards of nine");
    let mut group = c.benchmark_group("sudoku");
    group.throughput(Throughput::Elements(N));

    const CLUES: &str =
        "000000010400000000020000000000050407008000300001090000300400200050100000000806000";
    let puzzle = Board::parse(shape, CLUES, "17 clues").expect("a board");
    let rng = &mut stream(1, "symmetries");
    let same: Vec<Board> =
        (0..N).map(|_| Symmetry::random(shape, rng).apply(shape, &puzzle)).collect();
    let solver = Solver::new(shape);
    group.bench_function("solve-17-clues", |bencher| {
        bencher.iter(|| same.iter().all(|puzzle| solver.is_unique(black_box(puzzle), u64::MAX)));
    });
    group.bench_function("generate-minimal", |bencher| {
        bencher.iter(|| {
            for number in 0..N {
                let rng = &mut stream(number, "minimal");
                black_box(minimal_puzzle(shape, 0, rng));
            }
        });
    });
    group.finish();
}

fn maze(c: &mut Criterion) {
    // As long as the published ones, on a side that takes less than a second.
    let generator = Generator::new(20, 60).expect("there are such mazes");
    let mut group = c.benchmark_group("maze");
    group.throughput(Throughput::Elements(4)).sample_size(10);
    group.bench_function("generate-20", |bencher| {
        bencher.iter(|| {
            for number in 0..4 {
                let maze = generator.maze(&mut stream(number, "maze"));
                black_box(maze.expect("there are such mazes"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, rows, sudoku, maze);
criterion_main!(benches);
