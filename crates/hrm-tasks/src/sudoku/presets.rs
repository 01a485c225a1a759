//! What a run on Sudoku consists of, at three sizes.

use hrm_core::HrmConfig;
use hrm_train::TrainConfig;

use super::SudokuConfig;
use crate::{Preset, RunConfig, TaskConfig};

impl SudokuConfig {
    /// A run on Sudoku: built-in puzzles unless data are given.
    pub fn preset(preset: Preset) -> RunConfig {
        let paper = Self {
            board: 9,
            augmentations: 1000,
            seed: 1,
            n_train: 1000,
            n_eval: 1000,
            reveal: 0,
            min_rating: 0,
            held_out: 0.1,
        };
        let paper_train = TrainConfig::paper();
        let (task, model, train) = match preset {
            Preset::Tiny => {
                let task = Self { board: 4, augmentations: 0, n_eval: 200, reveal: 8, ..paper };
                let train = TrainConfig {
                    batch_size: 32,
                    steps: 1500,
                    learning_rate: 2e-3,
                    puzzle_learning_rate: 2e-3,
                    warmup_steps: 50,
                    lr_min_ratio: 0.1,
                    eval_interval: 500,
                    ..paper_train
                };
                (task, HrmConfig::tiny(), train)
            }
            Preset::Small => {
                let task = Self { n_train: 10_000, n_eval: 500, reveal: 24, ..paper };
                let train = TrainConfig {
                    batch_size: 64,
                    steps: 3_500,
                    learning_rate: 5e-4,
                    weight_decay: 0.1,
                    puzzle_learning_rate: 5e-4,
                    puzzle_weight_decay: 0.1,
                    warmup_steps: 200,
                    lr_min_ratio: 0.1,
                    eval_interval: 1000,
                    ..paper_train
                };
                (task, HrmConfig::small(), train)
            }
            Preset::Paper => (paper, HrmConfig::paper(), paper_train),
        };
        let (n_cells, vocab_size) = (task.board * task.board, task.board + 2);
        let model = HrmConfig { n_cells, vocab_size, ..model };
        RunConfig { task: TaskConfig::Sudoku(task), model, train }
    }
}
