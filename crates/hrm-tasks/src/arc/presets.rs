//! What a run on ARC consists of, at several sizes.

use hrm_core::{HrmConfig, Modules};
use hrm_train::TrainConfig;
use hrm_train::optim::Rule;

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
        let paper_train = TrainConfig {
            batch_size: 768,
            // 100,000 epochs of the published set: 960 tasks of 3.7 rows each.
            steps: 462_000,
            learning_rate: 1e-4,
            weight_decay: 0.1,
            puzzle_learning_rate: 1e-2,
            puzzle_weight_decay: 0.1,
            ..TrainConfig::paper()
        };
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
                let train = TrainConfig {
                    batch_size: 32,
                    steps: 2800,
                    learning_rate: 2e-3,
                    weight_decay: 1.0,
                    warmup_steps: 50,
                    lr_min_ratio: 0.1,
                    eval_interval: 1400,
                    ..paper_train
                };
                (task, HrmConfig::tiny().with(|model| model.recurrence.n_h_cycles = 1), train)
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
                let model = HrmConfig::small().with(|model| {
                    model.recurrence.modules = Modules::Two;
                    model.recurrence.n_l_cycles = 2;
                    model.halting.n_segments_max = 2;
                });
                let train = TrainConfig {
                    n_carries: 4,
                    steps: 4200,
                    optimiser: Rule::AdamAtan2,
                    weight_decay: 1.0,
                    puzzle_learning_rate: 2e-2,
                    ..TrainConfig::small()
                };
                (task, model, train)
            }
            Preset::Paper => (paper, HrmConfig::paper(), paper_train),
            Preset::TinyRecursive => {
                let train = TrainConfig {
                    steps: paper_train.steps,
                    weight_decay: paper_train.weight_decay,
                    puzzle_learning_rate: paper_train.puzzle_learning_rate,
                    puzzle_weight_decay: paper_train.puzzle_weight_decay,
                    ..TrainConfig::tiny_recursive()
                };
                let model =
                    HrmConfig::tiny_recursive().with(|model| model.recurrence.n_l_cycles = 4);
                (paper, model, train)
            }
        };
        let model = model.with(|model| {
            model.input.vocab_size = 12;
            model.input.n_cells = task.canvas * task.canvas;
        });
        RunConfig { task: TaskConfig::Arc(task), model, train }
    }
}
