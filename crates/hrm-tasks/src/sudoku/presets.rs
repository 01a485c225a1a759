//! What a run on Sudoku consists of, at several sizes.

use hrm_core::{HrmConfig, Mixer, Positions};
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
            easier_share: 0.0,
            easier_max: 0,
            eval_givens: 0,
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
                let task = Self {
                    n_train: 20_000,
                    n_eval: 200,
                    easier_share: 0.96,
                    easier_max: 24,
                    eval_givens: 35,
                    ..paper
                };
                (task, over_cells(HrmConfig::small()), TrainConfig::small())
            }
            Preset::Paper => (paper, HrmConfig::paper(), paper_train),
            Preset::TinyRecursive => {
                (paper, over_cells(HrmConfig::tiny_recursive()), TrainConfig::tiny_recursive())
            }
        };
        let model = model.with(|model| {
            model.input.n_cells = task.board * task.board;
            model.input.vocab_size = task.board + 2;
        });
        RunConfig { task: TaskConfig::Sudoku(task), model, train }
    }
}

/// A model whose blocks mix cells by a weight for every pair of them. Which cells
/// see each other never changes in Sudoku, and it is far from their distance.
fn over_cells(model: HrmConfig) -> HrmConfig {
    model.with(|model| {
        model.block.mixer = Mixer::Mlp;
        model.block.positions = Positions::None;
    })
}
