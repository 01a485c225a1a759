//! What a run on mazes consists of, at several sizes.

use hrm_core::HrmConfig;
use hrm_train::TrainConfig;

use super::{MazeAugment, MazeConfig};
use crate::{Preset, RunConfig, TaskConfig};

impl MazeConfig {
    /// A run on mazes: built-in ones unless data are given.
    pub fn preset(preset: Preset) -> RunConfig {
        let paper = Self {
            side: 30,
            min_path: 110,
            augment: MazeAugment::None,
            seed: 1,
            n_train: 1000,
            n_eval: 1000,
            held_out: 0.1,
        };
        // The published run on eight devices: 20,000 epochs of 1000 mazes.
        let paper_train = TrainConfig {
            batch_size: 768,
            steps: 26_041,
            learning_rate: 1e-4,
            puzzle_learning_rate: 1e-4,
            ..TrainConfig::paper()
        };
        let (task, model, train) = match preset {
            Preset::Tiny => {
                let task = Self {
                    side: 6,
                    min_path: 5,
                    augment: MazeAugment::Dihedral,
                    n_eval: 200,
                    ..paper
                };
                let train = TrainConfig {
                    batch_size: 32,
                    steps: 1200,
                    learning_rate: 2e-3,
                    puzzle_learning_rate: 2e-3,
                    warmup_steps: 50,
                    lr_min_ratio: 0.1,
                    eval_interval: 600,
                    ..paper_train
                };
                (task, HrmConfig::tiny().with(|model| model.recurrence.n_h_cycles = 1), train)
            }
            Preset::Small => {
                let task = Self {
                    side: 8,
                    min_path: 10,
                    augment: MazeAugment::Dihedral,
                    n_train: 20_000,
                    n_eval: 500,
                    ..paper
                };
                // Worked at for fewer segments each, more mazes come in as many steps.
                let model = HrmConfig::small().with(|model| model.halting.n_segments_max = 4);
                (task, model, TrainConfig::small())
            }
            Preset::Paper => (paper, HrmConfig::paper(), paper_train),
            Preset::TinyRecursive => {
                let model =
                    HrmConfig::tiny_recursive().with(|model| model.recurrence.n_l_cycles = 4);
                (paper, model, TrainConfig::tiny_recursive())
            }
        };
        let model = model.with(|model| {
            model.input.vocab_size = 6;
            model.input.n_cells = task.side * task.side;
        });
        RunConfig { task: TaskConfig::Maze(task), model, train }
    }
}
