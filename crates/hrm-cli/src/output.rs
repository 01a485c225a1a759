//! Files and folders that appear whole or not at all, and never in place of
//! others.
//!
//! What is written lies under a temporary name beside its place, is synced and
//! then renamed; a program that is killed leaves nothing under the final name.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use hrm_tasks::TaskError;

use crate::outcome::usage;

/// Refuses a path that is taken.
///
/// # Errors
///
/// If something is there already.
pub(crate) fn must_be_free(path: &Path) -> anyhow::Result<()> {
    // A dangling link is something, too.
    match path.symlink_metadata() {
        Ok(_) => Err(usage(format!("{} exists already", path.display()))),
        Err(_) => Ok(()),
    }
}

/// Writes a file that is not there yet.
///
/// # Errors
///
/// [`TaskError::Write`] if it is there, or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    let written = || {
        let mut temporary = temporary(0o666).tempfile_in(parent(path))?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist_noclobber(path)?;
        sync_folder(parent(path))
    };
    written().map_err(|source| TaskError::Write { path: path.to_owned(), source })
}

/// Makes a folder that is not there yet, filled by `fill`.
///
/// # Errors
///
/// If it is there or cannot be made, and whatever `fill` fails with: then there
/// is no folder.
pub(crate) fn new_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    must_be_free(path)?;
    let writing = |source| TaskError::Write { path: path.to_owned(), source };
    std::fs::create_dir_all(parent(path)).map_err(writing)?;
    let temporary = temporary(0o777).tempdir_in(parent(path)).map_err(writing)?;
    fill(temporary.path())?;
    sync_folder(temporary.path()).map_err(writing)?;
    must_be_free(path)?;
    std::fs::rename(temporary.path(), path).map_err(writing)?;
    // It has moved: there is nothing left to remove.
    let _ = temporary.keep();
    Ok(sync_folder(parent(path)).map_err(writing)?)
}

/// The folder that a path lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Temporary files and folders, with the rights of any other that a user makes.
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let _ = mode;
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_new(&path, b"one").unwrap();
        let err = write_new(&path, b"two").unwrap_err();
        assert!(err.to_string().starts_with("cannot write"), "{err}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert!(must_be_free(&path).is_err());
        // No temporary file stays behind.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_filled_does_not_appear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/place");
        let err = new_folder(&path, |folder| {
            write_new(&folder.join("a.txt"), b"half")?;
            anyhow::bail!("no more")
        });
        assert_eq!(err.unwrap_err().to_string(), "no more");
        assert!(!path.exists());
        let fill = |folder: &Path| Ok(write_new(&folder.join("a.txt"), b"whole")?);
        new_folder(&path, fill).unwrap();
        assert_eq!(std::fs::read(path.join("a.txt")).unwrap(), b"whole");
        assert!(new_folder(&path, fill).is_err());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_user_lets_them() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        write_new(&ours, b"").unwrap();
        std::fs::write(&theirs, b"").unwrap();
        let rights = |path: &Path| path.metadata().unwrap().permissions();
        assert_eq!(rights(&ours), rights(&theirs));
    }
}
