//! The error of building a model.

use hrm_blocks::WeightsError;

use crate::config::ConfigError;

/// A model could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The sizes of its config do not fit together.
    #[error("the model config is invalid")]
    Config(#[from] ConfigError),

    /// Its weights do not fit its config.
    #[error("the weights do not fit the model config")]
    Weights(#[from] WeightsError),

    /// A variable cannot be shared with the model.
    #[error("variable `{name}` must have dtype f32, found {}", .found.as_str())]
    Variable {
        /// The variable.
        name: String,
        /// Its dtype.
        found: candle_core::DType,
    },

    /// The tensor backend failed.
    #[error("the tensor backend failed")]
    Backend(#[from] candle_core::Error),
}
