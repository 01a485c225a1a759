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
use hrm_train::run::{files, find_checkpoint, read_json, verify_files, write_json};
use serde::{Deserialize, Serialize};

use crate::{TaskConfig, TaskError, Vocabulary};

const TOKENIZER: &str = "tokenizer.json";
const IDENTIFIERS: &str = "identifiers.json";

/// Most checkpoints of a run that are tried, one after another, while the run that trains
/// removes them.
const N_READS_MAX: usize = 1000;

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
    /// [`CheckpointError`] if `path` is neither of them, or its files are missing, malformed,
    /// inconsistent, or not those that were written.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        Self::open_with(path.as_ref(), |checkpoint| Self::read(checkpoint, device))
    }

    /// Reads the checkpoint that `path` refers to, as [`open`](Self::open) does, with `read`.
    ///
    /// A run that is being trained removes old checkpoints. If the one that is being read is
    /// removed, `read` is called again with the checkpoint that has replaced it.
    ///
    /// # Errors
    ///
    /// If `path` is neither a checkpoint nor a run with one, or an error of `read`.
    pub fn open_with<T, E: From<TrainError>>(
        path: &Path,
        mut read: impl FnMut(&Path) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut n_left = N_READS_MAX;
        loop {
            let checkpoint = find_checkpoint(path)?;
            n_left -= 1;
            match read(&checkpoint) {
                // `path` still refers to a checkpoint that exists: something else is wrong.
                Err(err) if n_left == 0 || checkpoint == path || checkpoint.exists() => {
                    return Err(err);
                }
                Err(err) => match find_checkpoint(path) {
                    // It was deleted, not replaced.
                    Ok(newest) if newest == checkpoint => return Err(err),
                    _ => {}
                },
                read => return read,
            }
        }
    }

    /// Loads the checkpoint folder `path`.
    fn read(path: &Path, device: &Device) -> Result<Self, CheckpointError> {
        // The other files are text that people may edit, and damage to them is noticed.
        verify_files(path, &[files::WEIGHTS])?;
        // The weights last: a file that is open can be read even if it is removed.
        let path = path.to_owned();
        let record: Result<TaskRecord, _> = read_json(&path.join(TaskRecord::FILE));
        let identifiers: Result<Vec<String>, _> = read_json(&path.join(IDENTIFIERS));
        let vocabulary = Vocabulary::load(&path.join(TOKENIZER));
        let model = Hrm::load(&path, device)?;
        let (record, identifiers, vocabulary) = (record?, identifiers?, vocabulary?);
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
    /// Its file name in a checkpoint folder.
    pub const FILE: &str = "task.json";

    /// Writes `task.json`, `identifiers.json` and `tokenizer.json` into an existing folder.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] naming the file that cannot be written.
    pub fn write(&self, folder: &Path, identifiers: &[String]) -> Result<(), CheckpointError> {
        write_json(&folder.join(Self::FILE), self)?;
        write_json(&folder.join(IDENTIFIERS), &identifiers)?;
        Ok(self.task.puzzle_kind().vocabulary().save(&folder.join(TOKENIZER))?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use hrm_core::HrmConfig;
    use hrm_train::run::RunFolder;

    use super::*;
    use crate::RunConfig;

    /// A run that writes and removes checkpoints as fast as it can; a thread stands for its
    /// process.
    #[test]
    fn a_checkpoint_that_is_removed_meanwhile_is_replaced_by_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let created = RunFolder::create(&run, &serde_json::json!({}), false).unwrap();
        let checkpoints = created.checkpoints();
        let config = HrmConfig::tiny().with(|config| {
            (config.block.hidden_dim, config.puzzle_embedding.dim) = (16, 16);
        });
        let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap();
        let task = RunConfig::preset("sudoku", "tiny").unwrap().task;
        let record = TaskRecord { task, data: Vec::new() };
        let write = |step: u64| {
            let written = checkpoints.write(step, |folder| {
                model.save(folder).map_err(TrainError::from)?;
                record.write(folder, &["<blank>".to_owned()])
            });
            written.unwrap();
            if step.is_multiple_of(3) {
                checkpoints.set_best(Some(step)).unwrap();
            }
            checkpoints.keep_newest(1).unwrap();
        };
        write(1);
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| (2..).take_while(|_| !is_done.load(Ordering::SeqCst)).for_each(write));
            let opened: Result<Vec<Checkpoint>, _> =
                (0..300).map(|_| Checkpoint::open(&run, &Device::Cpu)).collect();
            is_done.store(true, Ordering::SeqCst);
            assert_eq!(opened.map(|opened| opened.len()).unwrap(), 300);
        });

        // What is really gone is an error, and so is what cannot be read.
        std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
        assert!(Checkpoint::open(&run, &Device::Cpu).is_err());
        let mut n_read = 0;
        std::fs::create_dir(run.join("checkpoints")).unwrap();
        std::fs::write(run.join("checkpoints/latest"), "step-000001").unwrap();
        assert!(Checkpoint::open(&run, &Device::Cpu).is_err());
        std::fs::create_dir(run.join("checkpoints/step-000001")).unwrap();
        let read = Checkpoint::open_with(&run, |path| {
            n_read += 1;
            read_json::<TaskRecord>(&path.join(TaskRecord::FILE))
        });
        assert!(read.is_err() && n_read == 1);
    }

    #[test]
    fn a_checkpoint_whose_files_were_changed_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let created = RunFolder::create(&run, &serde_json::json!({}), false).unwrap();
        let config = HrmConfig::tiny().with(|config| {
            (config.block.hidden_dim, config.puzzle_embedding.dim) = (16, 16);
        });
        let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap();
        let task = RunConfig::preset("sudoku", "tiny").unwrap().task;
        let record = TaskRecord { task, data: Vec::new() };
        let written = created.checkpoints().write(3, |folder| {
            model.save(folder).map_err(TrainError::from)?;
            record.write(folder, &["<blank>".to_owned()])
        });
        let checkpoint = written.unwrap();
        // Files of others, and of the trainer, do not matter.
        std::fs::write(checkpoint.join(".DS_Store"), "").unwrap();
        Checkpoint::open(&run, &Device::Cpu).unwrap();
        // One bit of a weight: the file is as valid as before.
        let weights = checkpoint.join(files::WEIGHTS);
        let mut bytes = std::fs::read(&weights).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&weights, bytes).unwrap();
        for path in [&run, &checkpoint] {
            let err = Checkpoint::open(path, &Device::Cpu).unwrap_err();
            assert_eq!(err.to_string(), format!("{} is damaged", weights.display()));
        }
        // A copy without checksums is what it is.
        std::fs::remove_file(checkpoint.join("sha256.json")).unwrap();
        Checkpoint::open(&run, &Device::Cpu).unwrap();
    }
}
