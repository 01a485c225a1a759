//! Why a model could not be built.

use hrm_blocks::WeightsError;

use crate::ConfigError;

/// A model could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Its sizes do not fit together.
    #[error("the model config is not usable")]
    Config(#[from] ConfigError),

    /// Its weights do not fit its config.
    #[error("the weights do not fit the model config")]
    Weights(#[from] WeightsError),

    /// The tensor backend failed.
    #[error("the tensor backend failed")]
    Backend(#[from] candle_core::Error),
}
