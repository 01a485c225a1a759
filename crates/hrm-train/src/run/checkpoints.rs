//! The checkpoints of a run.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hrm_base::durable;

use super::checksums;
use super::files::{self, checkpoint_name, checkpoint_step};
use super::json::{reading, writing};
use crate::error::TrainError;

/// The checkpoints of a run. Only one thread at a time may change them.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    path: PathBuf,
}

impl Checkpoints {
    /// The checkpoints of the run folder `run`.
    pub(super) fn of(run: &Path) -> Self {
        Self { path: run.join(files::CHECKPOINTS) }
    }

    /// Writes the checkpoint after `step` steps and makes it the latest; `step` must
    /// exceed those of all other checkpoints. `write` writes the files into the folder
    /// that it receives, which has a temporary name; their checksums are added.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`], also if a checkpoint of this step exists, or an error of
    /// `write`. Other checkpoints are then unchanged, and nothing is left of this one.
    pub fn write<E: From<TrainError>>(
        &self,
        step: u64,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let checkpoints = &self.path;
        let done = self.folder(step);
        let partial = done.with_added_extension("tmp");
        // Left by a failed attempt; nothing refers to it.
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(writing(&partial))?;
        }
        let written = || -> Result<(), E> {
            fs::create_dir_all(&partial).map_err(writing(&done))?;
            write(&partial)?;
            checksums::write_checksums(&partial)
                .map_err(|err| err.with_final_name(&partial, &done))?;
            durable::sync_folder(&partial).map_err(writing(&done))?;
            Ok(fs::rename(&partial, &done).map_err(writing(&done))?)
        };
        if let Err(err) = written() {
            // It may be what fills the disk.
            let _ = fs::remove_dir_all(&partial);
            return Err(err);
        }
        durable::sync_folder(checkpoints).map_err(writing(checkpoints))?;
        self.set_latest(&done)?;
        Ok(done)
    }

    /// The folder of the checkpoint after `step` steps, whether it exists or not.
    pub fn folder(&self, step: u64) -> PathBuf {
        self.path.join(checkpoint_name(step))
    }

    /// Removes all checkpoints except the `n` newest (at least one) and the best.
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

    /// Makes the checkpoint of `step` the best one. If it does not exist, no checkpoint
    /// is the best.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub fn set_best(&self, step: Option<u64>) -> Result<(), TrainError> {
        let best = self.path.join(files::BEST);
        let name = step.map(checkpoint_name).filter(|name| self.path.join(name).is_dir());
        match name {
            Some(name) => durable::replace(&best, name.as_bytes()).map_err(writing(&best)),
            None => self.remove_name(files::BEST),
        }
    }

    /// Removes a file that names a checkpoint, if it exists.
    fn remove_name(&self, name: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        if path.exists() { fs::remove_file(&path).map_err(writing(&path)) } else { Ok(()) }
    }

    /// The best checkpoint by validation, if any and if it exists.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`].
    pub fn best(&self) -> Result<Option<PathBuf>, TrainError> {
        self.named(files::BEST)
    }

    /// The checkpoint that a file names, if both exist.
    pub(super) fn named(&self, file: &str) -> Result<Option<PathBuf>, TrainError> {
        let mut before = None;
        loop {
            let Some(name) = self.name_in(file)? else { return Ok(None) };
            let named = self.path.join(name);
            if checkpoint_step(&named).is_some() && named.is_dir() {
                return Ok(Some(named));
            }
            // A run that trains names another checkpoint before it removes this one.
            if before.as_ref() == Some(&named) {
                return Ok(None);
            }
            before = Some(named);
        }
    }

    /// What a file gives as the name of a checkpoint, if there is one.
    pub(super) fn name_in(&self, file: &str) -> Result<Option<String>, TrainError> {
        let file = self.path.join(file);
        match fs::read(&file) {
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
            name => {
                let name = name.map_err(reading(&file))?;
                Ok(Some(String::from_utf8_lossy(&name).trim().to_owned()))
            }
        }
    }

    /// Whether there is a file that names the latest checkpoint, or no folder for it.
    pub(super) fn had_one(&self) -> bool {
        self.path.join(files::LATEST).exists() || !self.path.is_dir()
    }

    /// Returns to an earlier checkpoint: skips the `n_skipped` newest intact checkpoints
    /// and returns the next one, or the oldest if there are fewer, or `None` if no
    /// checkpoint is intact. Removes all newer checkpoints.
    ///
    /// # Errors
    ///
    /// [`TrainError::Read`] or [`TrainError::Write`].
    pub fn roll_back(&self, n_skipped: usize) -> Result<Option<PathBuf>, TrainError> {
        let all = self.all()?;
        let mut intact = Vec::new();
        for checkpoint in &all {
            match checksums::verify(checkpoint) {
                Ok(()) => intact.push(checkpoint),
                Err(TrainError::Damaged { .. }) => {}
                Err(err) => return Err(err),
            }
        }
        let target = intact.iter().rev().nth(n_skipped).or(intact.first()).copied();
        // By position, because names sort differently beyond six digits.
        let n_older = all.iter().position(|checkpoint| Some(checkpoint) == target);
        let newer = &all[n_older.map_or(0, |n_older| n_older + 1)..];
        // Names first: others may be about to read the checkpoint that a name refers to.
        match target {
            Some(target) => self.set_latest(target)?,
            None => self.remove_name(files::LATEST)?,
        }
        if self.best()?.is_none_or(|best| newer.contains(&best)) {
            self.remove_name(files::BEST)?;
        }
        for newer in newer {
            remove(newer)?;
        }
        Ok(target.cloned())
    }

    /// Removes incomplete checkpoints and files, left by a killed process.
    pub(super) fn remove_incomplete(&self) -> Result<(), TrainError> {
        for path in self.entries()? {
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
        for path in self.entries()? {
            found.extend(checkpoint_step(&path).map(|step| (step, path)));
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Everything in the folder of the checkpoints, if it exists.
    fn entries(&self) -> Result<Vec<PathBuf>, TrainError> {
        let entries = match fs::read_dir(&self.path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(reading(&self.path))?,
        };
        let paths: std::io::Result<_> = entries.map(|entry| Ok(entry?.path())).collect();
        paths.map_err(reading(&self.path))
    }

    /// Gives a damaged checkpoint another name, so that its name is free for the checkpoint
    /// that replaces it. Returns the new name.
    pub(super) fn set_aside(damaged: &Path) -> Result<PathBuf, TrainError> {
        let renamed = damaged.with_extension("damaged");
        let _ = fs::remove_dir_all(&renamed);
        fs::rename(damaged, &renamed).map_err(writing(&renamed))?;
        Ok(renamed)
    }

    pub(super) fn set_latest(&self, checkpoint: &Path) -> Result<(), TrainError> {
        let latest = self.path.join(files::LATEST);
        let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
        durable::replace(&latest, name.as_bytes()).map_err(writing(&latest))
    }
}

/// Removes a checkpoint. It is renamed first, so that it is never incomplete.
fn remove(checkpoint: &Path) -> Result<(), TrainError> {
    let gone = checkpoint.with_extension("tmp");
    fs::rename(checkpoint, &gone).map_err(writing(checkpoint))?;
    fs::remove_dir_all(&gone).map_err(writing(&gone))
}
