//! The checkpoints of a run.

use std::fs;
use std::path::{Path, PathBuf};

use hrm_core::durable;

use super::{files, name_of, number_of, reading, seal, writing};
use crate::TrainError;

/// The folder of a run's checkpoints. One thread at a time may change it.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub(super) path: PathBuf,
}

impl Checkpoints {
    /// Writes a checkpoint after `step` steps, more than any before, and makes it
    /// the latest. `write` writes what belongs to it into the folder that it is
    /// given. Every file is hashed.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`], also if there is a checkpoint of this step, or
    /// whatever comes from `write`; the checkpoints written before are then
    /// untouched.
    pub fn write<E: From<TrainError>>(
        &self,
        step: u64,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let checkpoints = &self.path;
        let name = name_of(step);
        let (partial, done) = (checkpoints.join(format!("{name}.tmp")), checkpoints.join(&name));
        // What a failed attempt left half written; nothing names it.
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(writing(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(writing(&partial))?;
        write(&partial)?;
        seal::seal(&partial)?;
        durable::sync_folder(&partial).map_err(writing(&partial))?;
        fs::rename(&partial, &done).map_err(writing(&done))?;
        durable::sync_folder(checkpoints).map_err(writing(checkpoints))?;
        self.set_latest(&done)?;
        Ok(done)
    }

    /// Removes all checkpoints but the `n` newest, at least one, and the best.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub fn keep_newest(&self, n: usize) -> Result<(), TrainError> {
        let checkpoints = self.all()?;
        let n_old = checkpoints.len().saturating_sub(n.max(1));
        let best = self.best()?;
        for old in checkpoints[..n_old].iter().filter(|old| best.as_ref() != Some(old)) {
            // No checkpoint is ever there in part.
            let gone = old.with_extension("tmp");
            fs::rename(old, &gone).map_err(writing(old))?;
            fs::remove_dir_all(&gone).map_err(writing(&gone))?;
        }
        Ok(())
    }

    /// Names the checkpoint of `step` the best, if it is there; else none is.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub fn set_best(&self, step: Option<u64>) -> Result<(), TrainError> {
        let best = self.path.join(files::BEST);
        let name = step.map(name_of).filter(|name| self.path.join(name).is_dir());
        let done = match name {
            Some(name) => durable::replace(&best, name.as_bytes()),
            None if best.exists() => fs::remove_file(&best),
            None => Ok(()),
        };
        done.map_err(writing(&best))
    }

    /// The best checkpoint, if one is named.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`].
    pub fn best(&self) -> Result<Option<PathBuf>, TrainError> {
        let best = self.path.join(files::BEST);
        if !best.is_file() {
            return Ok(None);
        }
        let name = fs::read_to_string(&best).map_err(reading(&best))?;
        Ok(Some(self.path.join(name.trim())))
    }

    /// The newest checkpoint, if there is one.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`].
    pub fn newest(&self) -> Result<Option<PathBuf>, TrainError> {
        Ok(self.all()?.pop())
    }

    /// Removes what a killed process left half written or half removed.
    pub(super) fn sweep(&self) -> Result<(), TrainError> {
        for entry in fs::read_dir(&self.path).map_err(reading(&self.path))? {
            let path = entry.map_err(reading(&self.path))?.path();
            if path.extension().is_some_and(|extension| extension == "tmp") {
                let is_folder = path.is_dir();
                let removed =
                    if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(writing(&path))?;
            }
        }
        Ok(())
    }

    /// Complete checkpoints, oldest first.
    pub(super) fn all(&self) -> Result<Vec<PathBuf>, TrainError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(reading(&self.path))? {
            let path = entry.map_err(reading(&self.path))?.path();
            found.extend(number_of(&path).map(|step| (step, path)));
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    pub(super) fn set_latest(&self, checkpoint: &Path) -> Result<(), TrainError> {
        let latest = self.path.join(files::LATEST);
        let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
        durable::replace(&latest, name.as_bytes()).map_err(writing(&latest))
    }
}
