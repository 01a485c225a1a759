//! The checkpoints of a run.

use std::fs;
use std::path::{Path, PathBuf};

use hrm_base::durable;

use super::{files, name_of, number_of, reading, seal, writing};
use crate::TrainError;

/// The folder of a run's checkpoints. One thread at a time may change it.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    path: PathBuf,
}

impl Checkpoints {
    /// Those of the run folder `run`.
    pub(super) fn of(run: &Path) -> Self {
        Self { path: run.join(files::CHECKPOINTS) }
    }

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
            remove(old)?;
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
        match name {
            Some(name) => durable::replace(&best, name.as_bytes()).map_err(writing(&best)),
            None => self.forget(files::BEST),
        }
    }

    /// Removes a file that names a checkpoint, if it is there.
    fn forget(&self, name: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        if path.exists() { fs::remove_file(&path).map_err(writing(&path)) } else { Ok(()) }
    }

    /// The best checkpoint, if one is named.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`].
    pub fn best(&self) -> Result<Option<PathBuf>, TrainError> {
        self.named(files::BEST)
    }

    /// The checkpoint that a file names, if that file is there.
    pub(super) fn named(&self, file: &str) -> Result<Option<PathBuf>, TrainError> {
        let file = self.path.join(file);
        if !file.is_file() {
            return Ok(None);
        }
        let name = fs::read_to_string(&file).map_err(reading(&file))?;
        Ok(Some(self.path.join(name.trim())))
    }

    /// The newest sound checkpoint but `n_before`, or the oldest if there are no
    /// more; none if none is sound. Newer ones are removed.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`] or [`TrainError::Write`].
    pub fn go_back(&self, n_before: usize) -> Result<Option<PathBuf>, TrainError> {
        let all = self.all()?;
        let is_sound = |checkpoint: &&PathBuf| seal::verify(checkpoint).is_ok();
        let sound: Vec<&PathBuf> = all.iter().filter(is_sound).collect();
        let there = sound.iter().rev().nth(n_before).or(sound.first()).copied();
        for newer in all.iter().filter(|checkpoint| there.is_none_or(|there| *checkpoint > there)) {
            remove(newer)?;
        }
        match there {
            Some(there) => self.set_latest(there)?,
            None => self.forget(files::LATEST)?,
        }
        if self.best()?.is_some_and(|best| !best.exists()) {
            self.forget(files::BEST)?;
        }
        Ok(there.cloned())
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

/// Removes a checkpoint, which is never there in part.
fn remove(checkpoint: &Path) -> Result<(), TrainError> {
    let gone = checkpoint.with_extension("tmp");
    fs::rename(checkpoint, &gone).map_err(writing(checkpoint))?;
    fs::remove_dir_all(&gone).map_err(writing(&gone))
}
