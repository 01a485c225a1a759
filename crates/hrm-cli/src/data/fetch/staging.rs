//! A folder that appears whole or not at all.
//!
//! ```text
//! data/NAME.part/lock        held while a fetch is at work
//! data/NAME.part/purpose     what is being fetched
//! data/NAME.part/download/   files that have come in part, archives
//! data/NAME.part/data/       files of the set, as they will be
//! data/NAME                  `data`, renamed when all is there and checked
//! ```
//!
//! What a killed fetch leaves in `NAME.part` is where the next one goes on.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use hrm_base::durable;

use super::error::FetchError;

/// The folder in the making.
pub(super) struct Staging {
    out: PathBuf,
    folder: PathBuf,
    /// Released by the system when the program ends, however it ends.
    _lock: File,
}

impl Staging {
    /// Prepares to make the folder `out`, going on with what was left behind by
    /// somebody with the same purpose.
    ///
    /// # Errors
    ///
    /// [`FetchError::Busy`] if somebody else does, or a failed write.
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
            // Noted last: until then, whatever is there is nobody's.
            empty(&staging.download())?;
            empty(&staging.data())?;
            fs::write(&path, purpose).map_err(FetchError::write(&path))?;
        }
        Ok(staging)
    }

    /// Where downloads are kept until they are complete.
    pub(super) fn download(&self) -> PathBuf {
        self.folder.join("download")
    }

    /// Where the files of the set are put.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Whether there is anything to go on from.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |folder: PathBuf| {
            fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
        };
        is_empty(self.download()) && is_empty(self.data())
    }

    /// Empties the folder of files of the set.
    ///
    /// # Errors
    ///
    /// A failed write.
    pub(super) fn clear_data(&self) -> Result<(), FetchError> {
        empty(&self.data())
    }

    /// Makes the files durable and gives them their final place.
    ///
    /// # Errors
    ///
    /// A failed write; then nothing is in the final place.
    pub(super) fn place(self) -> Result<(), FetchError> {
        let data = self.data();
        sync(&data)?;
        fs::rename(&data, &self.out).map_err(FetchError::write(&self.out))?;
        let parent = durable::parent(&self.out);
        durable::sync_folder(parent).map_err(FetchError::write(parent))?;
        self.discard();
        Ok(())
    }

    /// Throws away what is there.
    pub(super) fn discard(self) {
        // What cannot be removed now is in nobody's way.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes sure that there is a folder, with nothing in it.
fn empty(folder: &Path) -> Result<(), FetchError> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(err),
        _ => fs::create_dir(folder),
    }
    .map_err(FetchError::write(folder))
}

/// Makes a folder and everything in it durable.
fn sync(folder: &Path) -> Result<(), FetchError> {
    for entry in fs::read_dir(folder).map_err(FetchError::read(folder))? {
        let path = entry.map_err(FetchError::read(folder))?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            // Some systems flush only what may be written.
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
    fn what_was_left_behind_is_found_again_and_one_fetch_works_at_a_time() {
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
    fn nothing_is_put_over_a_folder_that_appeared_meanwhile() {
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("set");
        let staging = Staging::open(&out, "a").unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("mine.txt"), "years of work").unwrap();
        assert!(staging.place().is_err());
        assert_eq!(fs::read(out.join("mine.txt")).unwrap(), b"years of work");
    }
}
