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
            let train = paper.with(|train| {
                train.batch_size = 32;
                train.steps = 1200;
                train.optimiser.learning_rate = 2e-3;
                train.puzzle_embedding.learning_rate = 2e-3;
                train.schedule.warmup_steps = 50;
                train.schedule.lr_min_ratio = 0.1;
                train.evaluation.interval = 600;
            });
            // Cells that are mixed by weights of their own need no training to
            // find each other: small grids are learnt in far fewer steps.
            (HrmConfig { n_cells: 36, mixer: Mixer::Mlp, ..HrmConfig::tiny() }, train)
        }
        Preset::Small => {
            let train = TrainConfig::small().with(|train| {
                train.batch_size = 32;
                train.evaluation.n_validation = 0;
            });
            (HrmConfig { n_cells: 144, ..HrmConfig::small() }, train)
        }
        Preset::Paper => (HrmConfig::paper(), paper),
        Preset::TinyRecursive => (HrmConfig::tiny_recursive(), TrainConfig::tiny_recursive()),
    }
}
