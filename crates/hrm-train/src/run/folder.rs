//! A run folder that is being written.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hrm_base::durable;
use serde::Serialize;

use super::checkpoints::Checkpoints;
use super::checksums;
use super::files;
use super::json::{to_json, write_json, writing};
use super::lock::Lock;
use crate::error::TrainError;

/// A run folder that only this process writes to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    metrics_len: u64,
    _lock: Lock,
}

/// A resumed run.
#[derive(Debug)]
pub struct Resumed {
    /// The folder.
    pub folder: RunFolder,
    /// Its newest intact checkpoint. `None` if the run has no checkpoint yet.
    pub checkpoint: Option<PathBuf>,
    /// Checkpoints that are damaged, under their new names, with the damage: newer ones, and
    /// the best one.
    pub damaged: Vec<(PathBuf, TrainError)>,
}

impl RunFolder {
    /// Creates the folder and writes `record`. With `force`, replaces an existing run
    /// that no process is using; any other non-empty folder is never replaced.
    ///
    /// The existing run is deleted only after the new one exists, and no other process
    /// can resume either of them meanwhile.
    ///
    /// # Errors
    ///
    /// [`TrainError::RunExists`]; [`TrainError::NotARun`] for an existing folder that
    /// `force` would not replace; [`TrainError::Busy`]; [`TrainError::Write`].
    pub fn create(path: &Path, record: &impl Serialize, force: bool) -> Result<Self, TrainError> {
        Self::create_with(path, record, force, |_| Ok(()))
    }

    /// As [`create`](Self::create). `fill` writes further files into the folder before
    /// others can see it; it must sync them and its subfolders.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and errors of `fill`.
    pub fn create_with<E: From<TrainError>>(
        path: &Path,
        record: &impl Serialize,
        force: bool,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Self, E> {
        if !path.exists() {
            return Self::create_new(path, record, fill);
        }
        if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
            fs::remove_dir(path).map_err(writing(path))?;
            return Self::create_new(path, record, fill);
        }
        if !force {
            return Err(TrainError::RunExists { path: path.to_owned() }.into());
        }
        if !path.join(files::RECORD).is_file() {
            let missing = files::RECORD;
            return Err(TrainError::NotARun { path: path.to_owned(), missing }.into());
        }
        // Held until the existing run is deleted.
        let _lock = Lock::acquire(path)?;
        let replaced = unused_sibling(path).map_err(writing(path))?;
        fs::rename(path, &replaced).map_err(writing(path))?;
        let created = Self::create_new(path, record, fill);
        match &created {
            Ok(_) => fs::remove_dir_all(&replaced).map_err(writing(&replaced))?,
            // An error of restoring the old run must not hide the first one.
            Err(_) => drop(fs::rename(&replaced, path)),
        }
        created
    }

    /// Creates a folder that does not exist.
    fn create_new<E: From<TrainError>>(
        path: &Path,
        record: &impl Serialize,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Self, E> {
        let failed = |err| writing(path)(err).into();
        let lock = durable::new_folder(path, failed, |folder| {
            // Messages name the files as they will be called.
            let named = |err: TrainError| err.with_final_name(folder, path);
            write_json(&folder.join(files::RECORD), record).map_err(named)?;
            let checkpoints = folder.join(files::CHECKPOINTS);
            fs::create_dir(checkpoints).map_err(writing(&path.join(files::CHECKPOINTS)))?;
            fill(folder)?;
            // Locked before others can see it. Where a folder with an open file cannot
            // be renamed, it is locked afterwards.
            let lock = if cfg!(unix) { Some(Lock::acquire(folder).map_err(named)?) } else { None };
            Ok::<_, E>(lock)
        })?;
        let opened = match lock {
            Some(lock) => Self::open(path, lock),
            None => Self::open(path, Lock::acquire(path)?),
        };
        Ok(opened?)
    }

    /// Replaces the record of the run.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`] or [`TrainError::Json`]; the record is then unchanged.
    pub fn set_record(&self, record: &impl Serialize) -> Result<(), TrainError> {
        write_json(&self.path.join(files::RECORD), record)
    }

    /// Resumes a run from its newest intact checkpoint. Newer ones, and the best one, are
    /// renamed if they are damaged.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotARun`]; [`TrainError::Busy`] while another process is using the
    /// run; [`TrainError::NoCheckpoint`] if all checkpoints are damaged or have been removed,
    /// which then stay as they are; [`TrainError::Read`] if one cannot be read.
    pub fn resume(path: &Path) -> Result<Resumed, TrainError> {
        if !path.join(files::RECORD).is_file() {
            return Err(TrainError::NotARun { path: path.to_owned(), missing: files::RECORD });
        }
        let folder = Self::open(path, Lock::acquire(path)?)?;
        let checkpoints = folder.checkpoints();
        checkpoints.remove_incomplete()?;
        let (mut intact, mut found) = (None, Vec::new());
        let best = checkpoints.best()?;
        for checkpoint in checkpoints.all()?.into_iter().rev() {
            if intact.is_some() && best.as_ref() != Some(&checkpoint) {
                continue;
            }
            match checksums::verify(&checkpoint) {
                Ok(()) => intact = intact.or(Some(checkpoint)),
                Err(damage @ TrainError::Damaged { .. }) => found.push((checkpoint, damage)),
                Err(err) => return Err(err),
            }
        }
        let Some(intact) = intact else {
            if found.is_empty() && !checkpoints.had_one() {
                return Ok(Resumed { folder, checkpoint: None, damaged: Vec::new() });
            }
            let damage = found.into_iter().next().map(|(_, damage)| Box::new(damage));
            return Err(TrainError::NoCheckpoint { path: path.to_owned(), damage });
        };
        let mut damaged = Vec::new();
        for (checkpoint, damage) in found {
            damaged.push((Checkpoints::set_aside(&checkpoint)?, damage));
        }
        checkpoints.set_latest(&intact)?;
        Ok(Resumed { folder, checkpoint: Some(intact), damaged })
    }

    fn open(path: &Path, lock: Lock) -> Result<Self, TrainError> {
        let at = path.join(files::METRICS);
        let mut options = File::options();
        let mut metrics = options.create(true).write(true).open(&at).map_err(writing(&at))?;
        let metrics_len = metrics.seek(SeekFrom::End(0)).map_err(writing(&at))?;
        Ok(Self { path: path.to_owned(), metrics, metrics_len, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the metrics, in bytes.
    pub fn metrics_len(&self) -> u64 {
        self.metrics_len
    }

    /// Removes metrics after the first `n_bytes`: those of steps that will be repeated.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`]; [`TrainError::State`] if the metrics are shorter.
    pub fn truncate_metrics(&mut self, n_bytes: u64) -> Result<(), TrainError> {
        let path = self.path.join(files::METRICS);
        if self.metrics_len < n_bytes {
            let (expected, found) =
                (format!("at least {n_bytes} bytes"), self.metrics_len.to_string());
            return Err(TrainError::State { path, what: "length".to_owned(), expected, found });
        }
        let truncated = self.metrics.set_len(n_bytes);
        let truncated = truncated.and_then(|()| self.metrics.seek(SeekFrom::Start(n_bytes)));
        self.metrics_len = truncated.map_err(writing(&path))?;
        Ok(())
    }

    /// The checkpoints of the run.
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
        self.metrics_len += text.len() as u64;
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

/// A path beside `path` that does not exist, for a run that is being replaced.
fn unused_sibling(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let sibling = |n: u32| path.with_file_name(format!("{}.replaced-{n}", name.to_string_lossy()));
    let mut unused = (1..=u32::MAX).map(sibling).filter(|path| path.symlink_metadata().is_err());
    unused.next().ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    /// A run folder whose record has the seed `seed`, in a temporary folder.
    fn run(seed: u32) -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        RunFolder::create(&path, &json!({"seed": seed}), false).unwrap();
        (parent, path)
    }

    fn record(path: &Path) -> String {
        let text = fs::read_to_string(path.join(files::RECORD)).unwrap();
        text.split_whitespace().collect()
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn force_replaces_the_whole_run() {
        let (parent, path) = run(1);
        fs::write(path.join("checkpoints/old"), "").unwrap();
        let mut folder = RunFolder::create(&path, &json!({"seed": 2}), true).unwrap();
        assert_eq!(record(&path), r#"{"seed":2}"#);
        assert_eq!(names_in(&path.join("checkpoints")), [""; 0]);
        // The new run is locked from the start, and nothing else is left.
        assert!(matches!(RunFolder::resume(&path), Err(TrainError::Busy { .. })));
        assert_eq!(names_in(parent.path()), ["run"]);
        folder.log(&1).unwrap();
        assert_eq!(fs::read_to_string(path.join(files::METRICS)).unwrap(), "1\n");
    }

    #[test]
    fn force_does_not_replace_a_run_in_use() {
        let (parent, path) = run(1);
        let resumed = RunFolder::resume(&path).unwrap();
        let replaced = RunFolder::create(&path, &json!({"seed": 2}), true);
        assert!(matches!(replaced, Err(TrainError::Busy { .. })));
        assert_eq!(record(&path), r#"{"seed":1}"#);
        assert_eq!(names_in(parent.path()), ["run"]);
        drop(resumed);
        RunFolder::create(&path, &json!({"seed": 2}), true).unwrap();
    }

    #[test]
    fn the_old_run_is_kept_if_the_new_one_cannot_be_created() {
        let (parent, path) = run(1);
        fs::write(path.join("checkpoints/old"), "").unwrap();
        // JSON does not allow lists as keys.
        let no_json = BTreeMap::from([([1, 2], 3)]);
        assert!(matches!(RunFolder::create(&path, &no_json, true), Err(TrainError::Json { .. })));
        assert_eq!(record(&path), r#"{"seed":1}"#);
        assert_eq!(names_in(&path.join("checkpoints")), ["old"]);
        assert_eq!(names_in(parent.path()), ["run"]);
        RunFolder::resume(&path).unwrap();
    }

    #[test]
    fn the_name_of_an_interrupted_replacement_is_not_reused() {
        let (parent, path) = run(1);
        let left = parent.path().join("run.replaced-1");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(files::RECORD), "old").unwrap();
        RunFolder::create(&path, &json!({"seed": 2}), true).unwrap();
        assert_eq!(fs::read_to_string(left.join(files::RECORD)).unwrap(), "old");
        assert!(RunFolder::create(Path::new(".."), &json!({}), true).is_err());
    }

    /// Threads simulate processes: each opens the lock file itself.
    #[test]
    fn no_two_processes_hold_a_run_that_is_being_replaced() {
        let (_parent, path) = run(0);
        let (n_holders, is_done) = (AtomicU32::new(0), AtomicBool::new(false));
        let hold = |folder: &mut RunFolder| {
            assert_eq!(n_holders.fetch_add(1, Ordering::SeqCst), 0, "two hold the run");
            // A run that has been deleted has no record.
            record(folder.path());
            folder.log(&1).unwrap();
            n_holders.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_done.load(Ordering::SeqCst) {
                        match RunFolder::resume(&path) {
                            Ok(mut resumed) => hold(&mut resumed.folder),
                            // While it is replaced, there is no folder.
                            Err(TrainError::Busy { .. } | TrainError::NotARun { .. }) => {}
                            Err(TrainError::Write { source, .. })
                                if source.kind() == io::ErrorKind::NotFound => {}
                            Err(err) => panic!("{err}: {err:?}"),
                        }
                    }
                });
            }
            // Ends the other threads, even if an assertion fails.
            let _done = SetOnDrop(&is_done);
            let mut n_replaced = 0;
            while n_replaced < 50 {
                match RunFolder::create(&path, &json!({"seed": n_replaced}), true) {
                    Ok(mut folder) => {
                        hold(&mut folder);
                        n_replaced += 1;
                    }
                    Err(TrainError::Busy { .. }) => std::thread::yield_now(),
                    Err(err) => panic!("{err}: {err:?}"),
                }
            }
        });
    }

    struct SetOnDrop<'a>(&'a AtomicBool);

    impl Drop for SetOnDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
