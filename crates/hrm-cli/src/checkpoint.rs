//! A checkpoint folder that describes itself: model, puzzles, vocabulary.
//!
//! ```text
//! config.json  model.safetensors     the model
//! task.json                          kind of puzzle, settings, data files
//! tokenizer.json                     the vocabulary
//! identifiers.json                   names of the puzzle identifiers
//! ```

use std::path::{Path, PathBuf};

use hrm_core::Hrm;
use hrm_tasks::{TaskConfig, Vocabulary};
use hrm_train::run::{self, find_checkpoint, load_model, read_json, write_json};
use serde::{Deserialize, Serialize};

use crate::compute::Compute;
use crate::error::usage;
use crate::output;

const TASK: &str = "task.json";
const TOKENIZER: &str = "tokenizer.json";
const IDENTIFIERS: &str = "identifiers.json";

/// What `task.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Puzzles {
    /// Kind and settings.
    pub(crate) task: TaskConfig,
    /// Files it was trained on; none for built-in data.
    pub(crate) data: Vec<PathBuf>,
}

/// A checkpoint that has been read.
pub(crate) struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) model: Hrm,
    pub(crate) puzzles: Puzzles,
    pub(crate) identifiers: Vec<String>,
}

impl Checkpoint {
    /// Reads a checkpoint folder, or the one that a run folder stands for.
    ///
    /// # Errors
    ///
    /// For a folder that is neither, or files that do not fit together.
    pub(crate) fn open(run: &Path, compute: &Compute) -> anyhow::Result<Self> {
        let path = find_checkpoint(run)?;
        let model = load_model(&path, &compute.device()?)?.with_dtype(compute.dtype()?);
        let puzzles: Puzzles = read_json(&path.join(TASK))?;
        let identifiers: Vec<String> = read_json(&path.join(IDENTIFIERS))?;

        let config = model.config();
        let vocabulary = Vocabulary::load(&path.join(TOKENIZER))?;
        if vocabulary != puzzles.task.family().vocabulary() {
            let kind = puzzles.task.kind();
            return Err(usage(format!("{}: {TOKENIZER} is not that of {kind}", path.display())));
        }
        if vocabulary.len() != config.vocab_size || identifiers.len() != config.n_puzzle_ids {
            return Err(usage(format!(
                "{}: the model knows {} tokens and {} puzzles, its files {} and {}",
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

/// Writes a checkpoint folder of its own.
///
/// # Errors
///
/// If the folder exists and holds something, or cannot be written.
pub(crate) fn save_alone(
    folder: &Path,
    model: &Hrm,
    puzzles: &Puzzles,
    identifiers: &[String],
) -> anyhow::Result<()> {
    output::new_folder(folder, |folder| {
        run::save_model(model, folder)?;
        describe(folder, puzzles, identifiers)
    })
}

/// Writes what a checkpoint says about its puzzles.
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
