//! Folders and files that appear whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::TaskError;

/// Makes a new folder: `fill` writes into one of another name beside it, which
/// then takes its place. If `fill` fails, nothing is left.
///
/// # Errors
///
/// [`TaskError::Write`] if there is something at `path`, or nothing can be
/// written there; what `fill` returns.
pub(crate) fn create<T>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<T, TaskError>,
) -> Result<T, TaskError> {
    in_place_of(path, |partial| {
        fs::create_dir(partial).map_err(TaskError::write(partial))?;
        let filled = fill(partial)?;
        sync(partial)?;
        Ok(filled)
    })
}

/// Lets `make` make something under another name, and gives it its name.
fn in_place_of<T>(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<T, TaskError>,
) -> Result<T, TaskError> {
    if path.symlink_metadata().is_ok() {
        return Err(TaskError::write(path)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(TaskError::write(parent))?;
    // `new/` and `new` are the same folder.
    let mut partial = path.components().as_path().as_os_str().to_owned();
    partial.push(format!(".{}.tmp", std::process::id()));
    let partial = Partial(PathBuf::from(partial));
    let made = make(&partial.0)?;
    fs::rename(&partial.0, path).map_err(TaskError::write(path))?;
    sync(parent)?;
    Ok(made)
}

/// Removed again unless it has got its name.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After the renaming there is nothing of this name.
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_file(&self.0));
    }
}

/// Makes a new file, written under another name beside it.
///
/// # Errors
///
/// [`TaskError::Write`], also if there is something at `path`.
pub(crate) fn create_file(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    in_place_of(path, |partial| write_file(partial, bytes))
}

/// Writes a new file and makes it durable.
///
/// # Errors
///
/// [`TaskError::Write`], also if there is such a file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(TaskError::write(path))
}

/// Makes the entries of a folder durable, where the platform can.
pub(crate) fn sync(folder: &Path) -> Result<(), TaskError> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(TaskError::write(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("new/data");
        let failed = create(&path, |partial| {
            write_file(&partial.join("a"), b"1")?;
            write_file(&partial.join("a"), b"2")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);

        create(&path, |partial| write_file(&partial.join("a"), b"1")).unwrap();
        assert_eq!(fs::read(path.join("a")).unwrap(), b"1");
        assert!(create(&path, |_| Ok(())).is_err());
        assert_eq!(fs::read(path.join("a")).unwrap(), b"1");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
