//! A run folder that is being written.

use std::fs::{self, File, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hrm_base::durable;
use serde::Serialize;

use super::{Checkpoints, files, seal, to_json, write_json, writing};
use crate::TrainError;

/// A run folder that this process alone writes to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    n_metrics: u64,
    /// Released by the system when the process ends, however it ends.
    _lock: File,
}

/// A run that is gone on with.
#[derive(Debug)]
pub struct Resumed {
    /// The folder.
    pub folder: RunFolder,
    /// Its newest sound checkpoint; without any, the run has yet to begin.
    pub checkpoint: Option<PathBuf>,
    /// Newer checkpoints that are damaged, and why. They were renamed.
    pub damaged: Vec<(PathBuf, TrainError)>,
}

impl RunFolder {
    /// Creates the folder and writes `record`. An existing run is replaced only
    /// if `force` is set and nobody is at work on it; any other existing folder
    /// never is.
    ///
    /// # Errors
    ///
    /// [`TrainError::RunExists`], [`TrainError::NotARun`] for an existing
    /// folder that `force` would not replace, [`TrainError::Busy`],
    /// [`TrainError::Write`].
    pub fn create(path: &Path, record: &impl Serialize, force: bool) -> Result<Self, TrainError> {
        if path.exists() {
            let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            if !is_empty && !force {
                return Err(TrainError::RunExists { path: path.to_owned() });
            }
            if !is_empty && !path.join(files::RECORD).is_file() {
                return Err(TrainError::NotARun { path: path.to_owned(), missing: files::RECORD });
            }
            if !is_empty {
                drop(lock(path)?);
            }
            fs::remove_dir_all(path).map_err(writing(path))?;
        }
        durable::new_folder(path, writing(path), |folder| {
            write_json(&folder.join(files::RECORD), record)?;
            let checkpoints = folder.join(files::CHECKPOINTS);
            fs::create_dir(&checkpoints).map_err(writing(&checkpoints))
        })?;
        Self::open(path)
    }

    /// Opens a run to go on with it, at its newest checkpoint that is sound.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotARun`], [`TrainError::Busy`] while another process is at
    /// work on it, [`TrainError::NoCheckpoint`] if all are damaged.
    pub fn resume(path: &Path) -> Result<Resumed, TrainError> {
        if !path.join(files::RECORD).is_file() {
            return Err(TrainError::NotARun { path: path.to_owned(), missing: files::RECORD });
        }
        let folder = Self::open(path)?;
        let checkpoints = folder.checkpoints();
        checkpoints.sweep()?;
        let mut damaged = Vec::new();
        for checkpoint in checkpoints.all()?.into_iter().rev() {
            match seal::verify(&checkpoint) {
                Ok(()) => {
                    checkpoints.set_latest(&checkpoint)?;
                    return Ok(Resumed { folder, checkpoint: Some(checkpoint), damaged });
                }
                Err(err) => {
                    // Out of the way of the one that will be written again.
                    let aside = checkpoint.with_extension("damaged");
                    let _ = fs::remove_dir_all(&aside);
                    fs::rename(&checkpoint, &aside).map_err(writing(&aside))?;
                    damaged.push((aside, err));
                }
            }
        }
        if !damaged.is_empty() {
            return Err(TrainError::NoCheckpoint { path: path.to_owned() });
        }
        Ok(Resumed { folder, checkpoint: None, damaged })
    }

    fn open(path: &Path) -> Result<Self, TrainError> {
        let lock = lock(path)?;
        let at = path.join(files::METRICS);
        let mut options = File::options();
        let mut metrics = options.create(true).write(true).open(&at).map_err(writing(&at))?;
        let n_metrics = metrics.seek(SeekFrom::End(0)).map_err(writing(&at))?;
        Ok(Self { path: path.to_owned(), metrics, n_metrics, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of metrics so far.
    pub fn n_metrics(&self) -> u64 {
        self.n_metrics
    }

    /// Takes back metrics after the first `n_bytes`, of steps that will be made
    /// again.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`]; [`TrainError::State`] if there are fewer.
    pub fn rewind_metrics(&mut self, n_bytes: u64) -> Result<(), TrainError> {
        let path = self.path.join(files::METRICS);
        if self.n_metrics < n_bytes {
            let (expected, found) =
                (format!("at least {n_bytes} bytes"), self.n_metrics.to_string());
            return Err(TrainError::State { path, what: "length".to_owned(), expected, found });
        }
        let rewound = self.metrics.set_len(n_bytes);
        let rewound = rewound.and_then(|()| self.metrics.seek(SeekFrom::Start(n_bytes)));
        self.n_metrics = rewound.map_err(writing(&path))?;
        Ok(())
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.path)
    }

    /// Appends one line to the metrics.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub fn log(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let path = self.path.join(files::METRICS);
        let mut text = to_json(&path, line, false)?;
        text.push('\n');
        self.metrics.write_all(text.as_bytes()).map_err(writing(&path))?;
        self.n_metrics += text.len() as u64;
        Ok(())
    }

    /// Makes the metrics durable.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub fn sync_metrics(&self) -> Result<(), TrainError> {
        self.metrics.sync_all().map_err(writing(&self.path.join(files::METRICS)))
    }
}

/// Holds a run folder for this process.
fn lock(path: &Path) -> Result<File, TrainError> {
    let at = path.join(files::LOCK);
    let lock = File::create(&at).map_err(writing(&at))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(TrainError::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(writing(&at)(source)),
    }
}
