//! Sizes of models and lengths of training for grids, whatever the puzzle.

use hrm_core::{HrmConfig, Mixer};
use hrm_train::TrainConfig;

use crate::Preset;

/// What a preset asks of the machine. It is made for the cells that the model
/// has here: 6 by 6, 12 by 12, and 9 by 9 as published.
pub(super) fn model_and_training(preset: Preset) -> (HrmConfig, TrainConfig) {
    let paper = TrainConfig::paper();
    match preset {
        Preset::Tiny => {
            let train = TrainConfig {
                batch_size: 32,
                steps: 1200,
                learning_rate: 2e-3,
                puzzle_learning_rate: 2e-3,
                warmup_steps: 50,
                lr_min_ratio: 0.1,
                eval_interval: 600,
                ..paper
            };
            // Cells that are mixed by weights of their own need no training to
            // find each other: small grids are learnt in far fewer steps.
            let model = HrmConfig::tiny().with(|model| {
                model.input.n_cells = 36;
                model.block.mixer = Mixer::Mlp;
            });
            (model, train)
        }
        Preset::Small => {
            let train = TrainConfig { batch_size: 32, n_validation: 0, ..TrainConfig::small() };
            (HrmConfig::small().with(|model| model.input.n_cells = 144), train)
        }
        Preset::Paper => (HrmConfig::paper(), paper),
        Preset::TinyRecursive => (HrmConfig::tiny_recursive(), TrainConfig::tiny_recursive()),
    }
}
