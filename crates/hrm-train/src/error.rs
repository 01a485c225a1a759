//! Why training or evaluation could not go on.

use std::path::PathBuf;

use hrm_core::SaveError;
use hrm_core::weight_file::WeightFileError;

/// Training or evaluation could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting outside its range.
    #[error("train.{field} must be {expected}, found {found}")]
    Setting {
        /// Field of the config.
        field: &'static str,
        /// The values accepted.
        expected: &'static str,
        /// The value given.
        found: String,
    },

    /// Model and task are of different sizes.
    #[error("the model has `{field}` {model}, but the task needs {task}")]
    Mismatch {
        /// Field of the model's config.
        field: &'static str,
        /// The model's.
        model: usize,
        /// The task's.
        task: usize,
    },

    /// There is nothing to learn from, or nothing to be judged by.
    #[error("the task has no {what} examples")]
    NoExamples {
        /// `training` or `evaluation`.
        what: &'static str,
    },

    /// Losses or gradients have not been finite for too many steps in a row.
    #[error("at step {step} the loss is {loss} and its gradient has length {gradient_norm}")]
    NotFinite {
        /// Steps so far, this one included.
        step: u64,
        /// The loss.
        loss: f64,
        /// The length of the gradients.
        gradient_norm: f64,
    },

    /// A run folder is there already.
    #[error("{} exists already", .path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },

    /// A folder that should be a run is something else.
    #[error("{} is not a run folder: it has no {missing}", .path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file it lacks.
        missing: &'static str,
    },

    /// Another process is at work on a run.
    #[error("another process is at work on {}", .path.display())]
    Busy {
        /// The run folder.
        path: PathBuf,
    },

    /// No checkpoint of a run is sound.
    #[error("{} has no sound checkpoint left to go on from", .path.display())]
    NoCheckpoint {
        /// The run folder.
        path: PathBuf,
    },

    /// A file of a checkpoint is not as it was written.
    #[error("{} is damaged", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },

    /// A file of a run could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    /// A file of a run could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    /// A JSON file of a run does not hold what it should.
    #[error("{} is not as expected", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column.
        #[source]
        source: serde_json::Error,
    },

    /// The state of a trainer is not that of this run.
    #[error("{}: `{what}` must be {expected}, found {found}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Tensor or entry.
        what: String,
        /// What the run needs.
        expected: String,
        /// What is there.
        found: String,
    },

    /// The weights of a checkpoint could not be read or written.
    #[error("cannot use the weights of a checkpoint")]
    Weights(#[from] WeightFileError),

    /// The task's score sheet failed, e.g. for want of disk space.
    #[error("the answers of an evaluation could not be kept")]
    Score(#[source] crate::task::ScoreError),

    /// The tensor backend failed.
    #[error("the tensor backend failed")]
    Backend(#[from] candle_core::Error),
}

impl From<SaveError> for TrainError {
    fn from(err: SaveError) -> Self {
        match err {
            SaveError::Config { path, source } => Self::Write { path, source },
            SaveError::Weights(err) => Self::Weights(err),
        }
    }
}
