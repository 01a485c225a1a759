//! A self-contained checkpoint folder: model, task and vocabulary.
//!
//! ```text
//! config.json  model.safetensors     the model
//! task.json                          task, its settings, data files
//! tokenizer.json                     the vocabulary
//! identifiers.json                   names of the puzzle identifiers
//! ```

use std::path::{Path, PathBuf};

use hrm_core::Hrm;
use hrm_tasks::{TaskConfig, Vocabulary};
use hrm_train::run::{find_checkpoint, read_json, write_json};
use serde::{Deserialize, Serialize};

use crate::compute::Compute;
use crate::error::usage;
use crate::output;

const TASK: &str = "task.json";
const TOKENIZER: &str = "tokenizer.json";
const IDENTIFIERS: &str = "identifiers.json";

/// The content of `task.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Puzzles {
    /// The task and its settings.
    pub(crate) task: TaskConfig,
    /// Training data; empty for built-in puzzles.
    pub(crate) data: Vec<PathBuf>,
}

/// A loaded checkpoint.
pub(crate) struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) model: Hrm,
    pub(crate) puzzles: Puzzles,
    pub(crate) identifiers: Vec<String>,
}

impl Checkpoint {
    /// Loads a checkpoint folder, or the best or newest checkpoint of a run folder.
    ///
    /// # Errors
    ///
    /// If the folder is neither, or its files do not fit together.
    pub(crate) fn open(run: &Path, compute: &Compute) -> anyhow::Result<Self> {
        let path = find_checkpoint(run)?;
        let model = Hrm::load(&path, &compute.device()?)?.with_dtype(compute.dtype()?);
        let puzzles: Puzzles = read_json(&path.join(TASK))?;
        let identifiers: Vec<String> = read_json(&path.join(IDENTIFIERS))?;

        let config = &model.config().input;
        let vocabulary = Vocabulary::load(&path.join(TOKENIZER))?;
        if vocabulary != puzzles.task.family().vocabulary() {
            let kind = puzzles.task.kind();
            return Err(usage(format!(
                "{}: {TOKENIZER} is not the vocabulary of {kind}",
                path.display()
            )));
        }
        if vocabulary.len() != config.vocab_size || identifiers.len() != config.n_puzzle_ids {
            return Err(usage(format!(
                "{}: the model has {} tokens and {} puzzle identifiers, the files beside it {} and {}",
                path.display(),
                config.vocab_size,
                config.n_puzzle_ids,
                vocabulary.len(),
                identifiers.len(),
            )));
        }
        Ok(Self { path, model, puzzles, identifiers })
    }
}

/// Writes a checkpoint folder that belongs to no run.
///
/// # Errors
///
/// If the folder exists or cannot be written.
pub(crate) fn save_new(
    folder: &Path,
    model: &Hrm,
    puzzles: &Puzzles,
    identifiers: &[String],
) -> anyhow::Result<()> {
    output::new_folder(folder, |folder| {
        model.save(folder)?;
        describe(folder, puzzles, identifiers)
    })
}

/// Writes the files of a checkpoint about its puzzles.
///
/// # Errors
///
/// If a file cannot be written.
pub(crate) fn describe(
    folder: &Path,
    puzzles: &Puzzles,
    identifiers: &[String],
) -> anyhow::Result<()> {
    write_json(&folder.join(TASK), puzzles)?;
    write_json(&folder.join(IDENTIFIERS), &identifiers)?;
    puzzles.task.family().vocabulary().save(&folder.join(TOKENIZER))?;
    Ok(())
}
