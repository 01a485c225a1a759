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
        let paper_train = TrainConfig::paper().with(|train| {
            train.batch_size = 768;
            train.steps = 26_041;
            train.optimiser.learning_rate = 1e-4;
            train.puzzle_embedding.learning_rate = 1e-4;
        });
        let (task, model, train) = match preset {
            Preset::Tiny => {
                let task = Self {
                    side: 6,
                    min_path: 5,
                    augment: MazeAugment::Dihedral,
                    n_eval: 200,
                    ..paper
                };
                let train = paper_train.with(|train| {
                    train.batch_size = 32;
                    train.steps = 1200;
                    train.optimiser.learning_rate = 2e-3;
                    train.puzzle_embedding.learning_rate = 2e-3;
                    train.schedule.warmup_steps = 50;
                    train.schedule.lr_min_ratio = 0.1;
                    train.evaluation.interval = 600;
                });
                (task, HrmConfig { n_h_cycles: 1, ..HrmConfig::tiny() }, train)
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
                (task, HrmConfig { n_segments_max: 4, ..HrmConfig::small() }, TrainConfig::small())
            }
            Preset::Paper => (paper, HrmConfig::paper(), paper_train),
            Preset::TinyRecursive => {
                let model = HrmConfig { n_l_cycles: 4, ..HrmConfig::tiny_recursive() };
                (paper, model, TrainConfig::tiny_recursive())
            }
        };
        let model = HrmConfig { vocab_size: 6, n_cells: task.side * task.side, ..model };
        RunConfig { task: TaskConfig::Maze(task), model, train }
    }
}
