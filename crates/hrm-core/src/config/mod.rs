//! The config of a model: plain data in groups, checked once into [`Dims`].

mod check;
mod flat;
mod groups;
mod hrm_config;
mod params;

pub use check::{ConfigError, Dims};
pub use groups::{
    BlockConfig, HaltingConfig, InputConfig, Mixer, Positions, PuzzleEmbeddingConfig,
    RecurrenceConfig,
};
pub use hrm_config::HrmConfig;
