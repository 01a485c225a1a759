//! What a run on ARC consists of, at several sizes.

use hrm_core::{HrmConfig, Modules};
use hrm_train::TrainConfig;
use hrm_train::optim::OptimiserKind;

use super::ArcConfig;
use crate::{Preset, RunConfig, TaskConfig};

impl ArcConfig {
    /// A run on ARC: built-in tasks unless data are given.
    pub fn preset(preset: Preset) -> RunConfig {
        let paper = Self {
            canvas: 30,
            augmentations: 1000,
            translate: true,
            seed: 1,
            n_train: 400,
            n_eval: 400,
            held_out: 0.1,
            compose: 0.0,
        };
        // Each task has an embedding of its own to learn, hence its fast rate.
        let paper_train = TrainConfig::paper().with(|train| {
            train.batch_size = 768;
            // 100,000 epochs of the published set: 960 tasks of 3.7 rows each.
            train.steps = 462_000;
            train.optimiser.learning_rate = 1e-4;
            train.optimiser.weight_decay = 0.1;
            train.puzzle_embedding.learning_rate = 1e-2;
            train.puzzle_embedding.weight_decay = 0.1;
        });
        let (task, model, train) = match preset {
            Preset::Tiny => {
                let task = Self {
                    canvas: 3,
                    augmentations: 0,
                    translate: false,
                    n_train: 200,
                    n_eval: 66,
                    ..paper
                };
                let train = paper_train.with(|train| {
                    train.batch_size = 32;
                    train.steps = 2800;
                    train.optimiser.learning_rate = 2e-3;
                    train.optimiser.weight_decay = 1.0;
                    train.schedule.warmup_steps = 50;
                    train.schedule.lr_min_ratio = 0.1;
                    train.evaluation.interval = 1400;
                });
                (task, HrmConfig { n_h_cycles: 1, ..HrmConfig::tiny() }, train)
            }
            Preset::Small => {
                let task = Self {
                    canvas: 5,
                    augmentations: 0,
                    translate: false,
                    n_train: 800,
                    n_eval: 100,
                    ..paper
                };
                // A rule is learnt from many tasks that follow it: two segments
                // a task leave time for more of them.
                let model = HrmConfig {
                    modules: Modules::Two,
                    n_l_cycles: 2,
                    n_segments_max: 2,
                    ..HrmConfig::small()
                };
                let train = TrainConfig::small().with(|train| {
                    train.n_carries = 4;
                    train.steps = 4200;
                    train.optimiser.kind = OptimiserKind::AdamAtan2;
                    train.optimiser.weight_decay = 1.0;
                    train.puzzle_embedding.learning_rate = 2e-2;
                });
                (task, model, train)
            }
            Preset::Paper => (paper, HrmConfig::paper(), paper_train),
            Preset::TinyRecursive => {
                let train = TrainConfig::tiny_recursive().with(|train| {
                    train.steps = paper_train.steps;
                    train.optimiser.weight_decay = paper_train.optimiser.weight_decay;
                    train.puzzle_embedding = paper_train.puzzle_embedding;
                });
                let model = HrmConfig { n_l_cycles: 4, ..HrmConfig::tiny_recursive() };
                (paper, model, train)
            }
        };
        let model = HrmConfig { vocab_size: 12, n_cells: task.canvas * task.canvas, ..model };
        RunConfig { task: TaskConfig::Arc(task), model, train }
    }
}
