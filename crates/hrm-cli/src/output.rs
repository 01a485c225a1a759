//! New files and folders, which appear complete or not at all and never replace
//! others.

use std::io;
use std::path::Path;

use hrm_base::durable;
use hrm_tasks::TaskError;
use tempfile::TempPath;

use crate::error::usage;

/// Refuses a path that exists.
///
/// # Errors
///
/// If there is anything at `path`, even a dangling link.
pub(crate) fn must_be_free(path: &Path) -> anyhow::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

fn exists(path: &Path) -> anyhow::Error {
    usage(format!("{} already exists", path.display()))
}

/// Writes a new file.
///
/// # Errors
///
/// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write) if it exists or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    durable::write_new(path, bytes).map_err(TaskError::write(path))
}

/// Writes a new file. `write` gets the path of a temporary file beside it, and
/// makes its content durable.
///
/// # Errors
///
/// If the file exists, cannot be written, or `write` fails. An existing file is
/// unchanged.
pub(crate) fn new_file(
    path: &Path,
    write: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let failed = |err: io::Error| match err.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => TaskError::write(path)(err).into(),
    };
    let parent = durable::parent(path);
    let folder = durable::TemporaryFolder::in_folder(parent).map_err(failed)?;
    let temporary = folder.path().join("file");
    write(&temporary)?;
    let temporary = TempPath::try_from_path(temporary).map_err(failed)?;
    temporary.persist_noclobber(path).map_err(|err| failed(err.error))?;
    durable::sync_folder(parent).map_err(failed)
}

/// Creates a new folder with the content that `fill` writes.
///
/// # Errors
///
/// If the folder exists, cannot be created, or `fill` fails. Then no folder is
/// created.
pub(crate) fn new_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    must_be_free(path)?;
    durable::new_folder(path, |source| TaskError::write(path)(source).into(), fill)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_appears_meanwhile_is_kept() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("model.bin");
        let write = |text: &'static str| move |temporary: &Path| Ok(fs::write(temporary, text)?);
        new_file(&path, write("ours")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");

        let other = here.path().join("other.bin");
        let err = new_file(&other, |temporary| {
            fs::write(&other, "years of work")?;
            Ok(fs::write(temporary, "ours")?)
        });
        assert!(err.unwrap_err().to_string().ends_with("other.bin already exists"));
        assert_eq!(fs::read_to_string(&other).unwrap(), "years of work");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("model.bin");
        let err = new_file(&path, |_| anyhow::bail!("the disk is full")).unwrap_err();
        assert_eq!(err.to_string(), "the disk is full");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    }
}
