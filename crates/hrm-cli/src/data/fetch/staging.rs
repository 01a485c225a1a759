//! A folder that appears complete or not at all.
//!
//! ```text
//! data/NAME.part/lock        held by the fetch in progress
//! data/NAME.part/purpose     what is being fetched
//! data/NAME.part/download/   partial files and archives
//! data/NAME.part/data/       files of the data set
//! data/NAME                  `data`, renamed after it has been verified
//! ```
//!
//! A fetch that was killed is resumed from `NAME.part`.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use hrm_base::durable;

use super::error::FetchError;

/// The folder that is renamed to its final place when it is complete.
pub(super) struct Staging {
    out: PathBuf,
    folder: PathBuf,
    /// Released by the system when the program ends, however it ends.
    _lock: File,
}

impl Staging {
    /// Opens the staging folder of `out`. Files of an earlier fetch with the same
    /// purpose are kept.
    ///
    /// # Errors
    ///
    /// [`FetchError::Busy`] if another process uses it, or a failed write.
    pub(super) fn open(out: &Path, purpose: &str) -> Result<Self, FetchError> {
        let mut folder = OsString::from(out);
        folder.push(".part");
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).map_err(FetchError::write(&folder))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(FetchError::write(&path))?;
        lock.try_lock().map_err(|err| match err {
            TryLockError::WouldBlock => FetchError::Busy { path: folder.clone() },
            TryLockError::Error(source) => FetchError::write(&path)(source),
        })?;

        let staging = Self { out: out.to_owned(), folder, _lock: lock };
        let path = staging.folder.join("purpose");
        if fs::read(&path).ok().as_deref() != Some(purpose.as_bytes()) {
            // Written last: until then, the content belongs to no purpose.
            empty(&staging.download())?;
            empty(&staging.data())?;
            fs::write(&path, purpose).map_err(FetchError::write(&path))?;
        }
        Ok(staging)
    }

    /// The folder of incomplete downloads.
    pub(super) fn download(&self) -> PathBuf {
        self.folder.join("download")
    }

    /// The folder of the files of the data set.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Whether there is nothing to resume from.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |folder: PathBuf| {
            fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
        };
        is_empty(self.download()) && is_empty(self.data())
    }

    /// Empties the folder of the files of the data set.
    ///
    /// # Errors
    ///
    /// A failed write.
    pub(super) fn clear_data(&self) -> Result<(), FetchError> {
        empty(&self.data())
    }

    /// Makes the files durable and moves them to their final place.
    ///
    /// # Errors
    ///
    /// A failed write. Then the final place is unchanged.
    pub(super) fn place(self) -> Result<(), FetchError> {
        let data = self.data();
        sync(&data)?;
        fs::rename(&data, &self.out).map_err(FetchError::write(&self.out))?;
        let parent = durable::parent(&self.out);
        durable::sync_folder(parent).map_err(FetchError::write(parent))?;
        self.discard();
        Ok(())
    }

    /// Removes the staging folder.
    pub(super) fn discard(self) {
        // A folder that cannot be removed does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Creates an empty folder, or empties an existing one.
fn empty(folder: &Path) -> Result<(), FetchError> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(err),
        _ => fs::create_dir(folder),
    }
    .map_err(FetchError::write(folder))
}

/// Makes a folder and its content durable.
fn sync(folder: &Path) -> Result<(), FetchError> {
    for entry in fs::read_dir(folder).map_err(FetchError::read(folder))? {
        let path = entry.map_err(FetchError::read(folder))?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            // Some systems only sync files that are open for writing.
            let file = File::options().append(true).open(&path);
            file.and_then(|file| file.sync_all()).map_err(FetchError::write(&path))?;
        }
    }
    durable::sync_folder(folder).map_err(FetchError::write(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_when_it_is_placed_and_leaves_nothing_beside_it() {
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("deep/set");
        let staging = Staging::open(&out, "a").unwrap();
        fs::create_dir(staging.data().join("training")).unwrap();
        fs::write(staging.data().join("training/a.json"), "a").unwrap();
        fs::write(staging.download().join("a.zip"), "b").unwrap();
        assert!(!out.exists());
        staging.place().unwrap();
        assert_eq!(fs::read(out.join("training/a.json")).unwrap(), b"a");
        let names = fs::read_dir(here.path().join("deep")).unwrap();
        assert_eq!(names.map(|name| name.unwrap().file_name()).collect::<Vec<_>>(), ["set"]);
    }

    #[test]
    fn a_fetch_is_resumed_and_only_one_runs_at_a_time() {
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("set");
        let staging = Staging::open(&out, "a").unwrap();
        assert!(staging.is_empty());
        fs::write(staging.download().join("a.part"), "half").unwrap();
        assert!(!staging.is_empty());
        assert!(matches!(Staging::open(&out, "a"), Err(FetchError::Busy { .. })));
        drop(staging);
        let staging = Staging::open(&out, "a").unwrap();
        assert_eq!(fs::read(staging.download().join("a.part")).unwrap(), b"half");
        drop(staging);
        let staging = Staging::open(&out, "b").unwrap();
        assert!(!staging.download().join("a.part").exists(), "that was for another purpose");
        staging.discard();
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_appeared_meanwhile_is_not_replaced() {
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("set");
        let staging = Staging::open(&out, "a").unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("mine.txt"), "years of work").unwrap();
        assert!(staging.place().is_err());
        assert_eq!(fs::read(out.join("mine.txt")).unwrap(), b"years of work");
    }
}
