//! Errors of training and evaluation.

use std::path::{Path, PathBuf};

use hrm_base::durable;
use hrm_base::file_kind::FileKind;
use hrm_core::SaveError;
use hrm_core::weight_file::WeightFileError;

use crate::run::files;

/// An error of training or evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is out of range.
    #[error("train.{field} must be {expected}, found {found}")]
    Setting {
        /// Dotted key of the setting, e.g. `optimiser.learning_rate`.
        field: &'static str,
        /// The accepted values.
        expected: &'static str,
        /// The value given.
        found: String,
    },

    /// Model and task differ in size.
    #[error("the model has `{field}` {model}, but the task needs {task}")]
    Mismatch {
        /// Field of the model's config.
        field: &'static str,
        /// The model's value.
        model: usize,
        /// The task's value.
        task: usize,
    },

    /// The task has no examples for training, or none for evaluation.
    #[error("the task has no {what} examples")]
    NoExamples {
        /// `training` or `evaluation`.
        what: &'static str,
    },

    /// Too many consecutive steps had a loss or gradients that are not finite.
    #[error("at step {step} the loss is {loss} and the gradient norm is {gradient_norm}")]
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// The loss.
        loss: f64,
        /// Norm of all gradients together.
        gradient_norm: f64,
    },

    /// The run folder already exists.
    #[error("{} already exists", .path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },

    /// The folder is not a run folder.
    #[error("{} is not a run folder: it has no {missing}", .path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file it lacks.
        missing: &'static str,
    },

    /// A run has no checkpoint.
    #[error(
        "{0} is a run without a checkpoint: expected one in {1}, found none. It has not written \
         its first one, or they were removed: name a checkpoint that is left, or train it again",
        .path.display(), .path.join(files::CHECKPOINTS).display()
    )]
    WithoutCheckpoint {
        /// The run folder.
        path: PathBuf,
    },

    /// Another process holds the lock of the run folder.
    #[error("another process is using {}", .path.display())]
    Busy {
        /// The run folder.
        path: PathBuf,
    },

    /// Every checkpoint of the run is damaged, or has been removed.
    #[error("{} has no intact checkpoint to resume from", .path.display())]
    NoCheckpoint {
        /// The run folder.
        path: PathBuf,
        /// The damage of the newest one, if there is any left.
        #[source]
        damage: Option<Box<TrainError>>,
    },

    /// A file of a checkpoint does not match its checksum.
    #[error("{} is damaged", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        damage: Damage,
    },

    /// A file of a run could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },

    /// A file of a run could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },

    /// A JSON file of a run does not have the expected content.
    #[error("{} does not have the expected content", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },

    /// The saved state of a trainer does not fit the model or the settings.
    #[error("{}: `{what}` must be {expected}, found {found}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The tensor or entry.
        what: String,
        /// What the run needs.
        expected: String,
        /// What the file holds.
        found: String,
    },

    /// The weights of a checkpoint could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightFileError),

    /// The task's scorer failed, e.g. because the disk is full.
    #[error("the answers of an evaluation could not be stored")]
    Score(#[source] crate::task::ScoreError),

    /// The tensor backend failed.
    #[error("the tensor backend failed")]
    Backend(#[from] candle_core::Error),
}

impl TrainError {
    /// The file that could not be read or written, for a caller that renames it.
    pub fn file_mut(&mut self) -> Option<&mut PathBuf> {
        use WeightFileError as Weights;
        match self {
            Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::Json { path, .. }
            | Self::Weights(Weights::Read { path, .. } | Weights::Write { path, .. }) => Some(path),
            _ => None,
        }
    }

    /// The same error of a file in `temporary`, which is to be renamed to `path`.
    pub(crate) fn with_final_name(mut self, temporary: &Path, path: &Path) -> Self {
        if let Some(file) = self.file_mut() {
            *file = durable::final_name(file, temporary, path);
        }
        self
    }
}

/// What is wrong with a file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It does not exist.
    #[error("it is missing")]
    Missing,

    /// Its content is not what was written.
    #[error("its content does not match its checksum")]
    Changed,

    /// Something else is in its place, such as a pointer of Git LFS.
    #[error("it is {found}")]
    Instead {
        /// What it is, and what to do.
        found: String,
    },
}

impl Damage {
    /// What is in place of the file, if it is a pointer of a version control system or the
    /// like.
    pub(crate) fn instead_of(path: &Path) -> Option<Self> {
        FileKind::instead_of(path).map(|found| Self::Instead { found })
    }
}

impl From<SaveError> for TrainError {
    fn from(err: SaveError) -> Self {
        match err {
            SaveError::Config { path, source } => Self::Write { path, source },
            SaveError::Weights(err) => Self::Weights(err),
        }
    }
}
