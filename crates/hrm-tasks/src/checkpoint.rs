//! Checkpoint folders that describe themselves: model, task, vocabulary.
//!
//! ```text
//! config.json  model.safetensors     the model
//! task.json                          task, settings, data files
//! tokenizer.json                     the vocabulary
//! identifiers.json                   names of the puzzle identifiers
//! ```

use std::path::{Path, PathBuf};

use hrm_core::candle_core::Device;
use hrm_core::{Hrm, LoadError};
use hrm_train::TrainError;
use hrm_train::run::{find_checkpoint, read_json, write_json};
use serde::{Deserialize, Serialize};

use crate::{TaskConfig, TaskError, Vocabulary};

const TASK: &str = "task.json";
const TOKENIZER: &str = "tokenizer.json";
const IDENTIFIERS: &str = "identifiers.json";

/// The task of a model, and the data it was trained on; stored as `task.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskRecord {
    /// The task and its settings.
    pub task: TaskConfig,
    /// Training data; empty for built-in puzzles.
    pub data: Vec<PathBuf>,
}

/// A loaded checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    /// The checkpoint folder.
    pub path: PathBuf,
    /// The model.
    pub model: Hrm,
    /// The task and its data.
    pub record: TaskRecord,
    /// Name of every puzzle identifier, the blank one first.
    pub identifiers: Vec<String>,
}

/// A checkpoint could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file of the folder could not be read.
    #[error(transparent)]
    Folder(#[from] TrainError),

    /// The model could not be loaded.
    #[error(transparent)]
    Model(#[from] LoadError),

    /// The vocabulary could not be read.
    #[error(transparent)]
    Vocabulary(#[from] TaskError),

    /// The vocabulary does not belong to the task.
    #[error("{}: {TOKENIZER} is not the vocabulary of {task}", .path.display())]
    OtherVocabulary {
        /// The checkpoint folder.
        path: PathBuf,
        /// The task.
        task: &'static str,
    },

    /// The sizes of the model are not those of its vocabulary and identifiers.
    #[error(
        "{}: vocabulary size and number of puzzle identifiers are {} and {} in the model, {} \
         and {} in the files beside it",
        .path.display(), .model.0, .model.1, .files.0, .files.1
    )]
    Sizes {
        /// The checkpoint folder.
        path: PathBuf,
        /// Vocabulary size and number of puzzle identifiers of the model.
        model: (usize, usize),
        /// Vocabulary size and number of puzzle identifiers in the files.
        files: (usize, usize),
    },
}

impl Checkpoint {
    /// Loads a checkpoint folder. For a run folder, loads the checkpoint with the best
    /// validation score, or the newest one if there was no validation. The model computes in
    /// f32.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if `path` is neither of them, or its files are missing, malformed or
    /// inconsistent.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        let path = find_checkpoint(path.as_ref())?;
        let model = Hrm::load(&path, device)?;
        let record: TaskRecord = read_json(&path.join(TASK))?;
        let identifiers: Vec<String> = read_json(&path.join(IDENTIFIERS))?;
        let vocabulary = Vocabulary::load(&path.join(TOKENIZER))?;
        if vocabulary != record.task.puzzle_kind().vocabulary() {
            let task = record.task.name();
            return Err(CheckpointError::OtherVocabulary { path, task });
        }
        let input = &model.config().input;
        let of_model = (input.vocab_size, input.n_puzzle_ids);
        let files = (vocabulary.len(), identifiers.len());
        if of_model != files {
            return Err(CheckpointError::Sizes { path, model: of_model, files });
        }
        Ok(Self { path, model, record, identifiers })
    }
}

impl TaskRecord {
    /// Writes `task.json`, `identifiers.json` and `tokenizer.json` into an existing folder.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] naming the file that cannot be written.
    pub fn write(&self, folder: &Path, identifiers: &[String]) -> Result<(), CheckpointError> {
        write_json(&folder.join(TASK), self)?;
        write_json(&folder.join(IDENTIFIERS), &identifiers)?;
        Ok(self.task.puzzle_kind().vocabulary().save(&folder.join(TOKENIZER))?)
    }
}
