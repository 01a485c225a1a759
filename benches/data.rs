//! Writing training rows, solving Sudoku, and generating puzzles.
//! Run: `cargo bench -p hrm-benches --bench data`.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrm_base::rng::stream;
use hrm_puzzles::maze::{Generator, Size};
use hrm_puzzles::sudoku::{Board, Shape, Solver, Symmetry, minimal_puzzle};
use hrm_tasks::{RunConfig, TaskConfig};
use hrm_train::Batch;
use hrm_train::task::RowId;

/// Rows or boards per iteration; each iteration uses the same ones.
const N: u64 = 64;

/// The published sizes with few base puzzles: the cost of a row does not depend on
/// their number.
fn task(name: &str) -> TaskConfig {
    let mut task = RunConfig::preset(name, "paper").expect("a known task").task;
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
    for name in ["arc", "maze", "sudoku"] {
        let task = task(name).open(&[]).expect("built-in puzzles");
        let row_ids: Vec<RowId> = task.train().row_ids().collect();
        // Spread over the whole set, so that little of it is in a cache.
        let step = (row_ids.len() / N as usize).max(1);
        let row_ids: Vec<RowId> = row_ids.into_iter().step_by(step).take(N as usize).collect();
        let mut batch = Batch::blank(N as usize, task.n_cells());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (row, at) in row_ids.iter().enumerate() {
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
    // Paths as in a published data set, on a grid small enough to take less than a second.
    let size = Size::new(20, 20).expect("the side is in range");
    let generator = Generator::new(size, 60).expect("the side allows this path length");
    let mut group = c.benchmark_group("maze");
    group.throughput(Throughput::Elements(4)).sample_size(10);
    group.bench_function("generate-20", |bencher| {
        bencher.iter(|| {
            for number in 0..4 {
                let maze = generator.maze(&mut stream(number, "maze"));
                black_box(maze.expect("such a maze is found"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, rows, sudoku, maze);
criterion_main!(benches);
