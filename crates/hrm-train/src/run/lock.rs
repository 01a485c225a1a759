//! The lock of a run folder: one process at a time writes to it.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::files::LOCK;
use super::json::writing;
use crate::error::TrainError;

/// The exclusive right to write to a run folder. The operating system releases it
/// when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks a run folder.
    ///
    /// # Errors
    ///
    /// [`TrainError::Busy`] if another process holds the lock, or has replaced the
    /// folder meanwhile; [`TrainError::Write`].
    pub(super) fn acquire(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(LOCK);
        let file = File::create(&path).map_err(writing(&path))?;
        match file.try_lock() {
            // Between opening and locking, another process may have renamed the folder.
            Ok(()) if is_at(&file, &path) => Ok(Self { _file: file }),
            Ok(()) | Err(TryLockError::WouldBlock) => {
                Err(TrainError::Busy { path: folder.to_owned() })
            }
            Err(TryLockError::Error(source)) => Err(writing(&path)(source)),
        }
    }
}

/// Whether `file` is the file at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (open, named) = (file.metadata(), std::fs::metadata(path));
    open.is_ok_and(|open| named.is_ok_and(|named| id(open) == id(named)))
}

/// Whether `file` is the file at `path`: always true, since other systems do not rename
/// a folder with an open file.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
