//! Files and folders that appear complete or not at all.
//!
//! Contents are written under a temporary name in the same folder, synced, and then
//! renamed. So a crash or a power cut leaves nothing incomplete under the final name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Creates a file with these contents.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if `path` exists, or any error of writing.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    new_file(path, |err| err, |file| file.write_all(bytes))
}

/// Creates a file whose contents `fill` writes, and returns the result of `fill`.
///
/// # Errors
///
/// Errors of `fill`, and errors of writing converted by `failed`, such as
/// [`io::ErrorKind::AlreadyExists`] if `path` exists. No file is created then.
pub fn new_file<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let temporary = temporary(0o666).tempfile_in(parent(path)).map_err(&failed)?;
    let mut buffered = io::BufWriter::new(temporary);
    let filled = fill(&mut buffered)?;
    let temporary = buffered.into_inner().map_err(|err| failed(err.into_error()))?;
    temporary.as_file().sync_all().map_err(&failed)?;
    temporary.persist_noclobber(path).map_err(|err| failed(err.error))?;
    sync_folder(parent(path)).map_err(&failed)?;
    Ok(filled)
}

/// Writes a file, or replaces it if it exists.
///
/// # Errors
///
/// Any error of writing; an existing file is then unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(0o666).tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(parent(path))
}

/// Creates a folder, with its parents, and returns the result of `fill`.
///
/// `fill` receives a temporary folder, which is renamed once it returns. It must sync the
/// files and subfolders that it writes; the folder itself is synced here.
///
/// # Errors
///
/// Errors of `fill`, and errors of writing converted by `failed`, such as
/// [`io::ErrorKind::AlreadyExists`] if `path` exists. The folder is not created then.
pub fn new_folder<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let must_be_free = || match path.symlink_metadata() {
        // A dangling link counts as existing.
        Ok(_) => Err(failed(io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    };
    must_be_free()?;
    fs::create_dir_all(parent(path)).map_err(&failed)?;
    let temporary = temporary(0o777).tempdir_in(parent(path)).map_err(&failed)?;
    let filled = fill(temporary.path())?;
    sync_folder(temporary.path()).map_err(&failed)?;
    must_be_free()?;
    fs::rename(temporary.path(), path).map_err(&failed)?;
    // The folder was renamed, so there is nothing to remove.
    let _ = temporary.keep();
    sync_folder(parent(path)).map_err(&failed)?;
    Ok(filled)
}

/// Syncs the entries of a folder to disk. Does nothing on platforms other than Unix.
///
/// # Errors
///
/// If the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // On other platforms, a folder cannot be opened as a file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder that contains `path`; `.` if the path is a bare name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A builder of temporary files and folders with the permissions `mode`, less the umask, as
/// for any new file. On platforms other than Unix, `mode` is ignored.
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let _ = mode;
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replace_overwrites_an_existing_file() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("a.txt");
        write_new(&path, b"one").unwrap();
        let err = write_new(&path, b"two").unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        // No temporary file is left.
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_target_unchanged() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine.txt"), b"years of work").unwrap();
        assert!(replace(&path, b"").is_err());
        assert_eq!(fs::read(path.join("mine.txt")).unwrap(), b"years of work");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_created_only_if_filling_it_succeeds() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("new/place/");
        let text = |err: io::Error| err.to_string();
        let failed = new_folder(&path, text, |folder| {
            write_new(&folder.join("a.txt"), b"half").map_err(text)?;
            Err::<(), _>("no more".to_owned())
        });
        assert_eq!(failed.unwrap_err(), "no more");
        assert!(!path.exists());

        let fill = |folder: &Path| write_new(&folder.join("a.txt"), b"whole").map_err(text);
        new_folder(&path, text, fill).unwrap();
        assert_eq!(fs::read(path.join("a.txt")).unwrap(), b"whole");
        assert!(new_folder(&path, text, fill).is_err());
        assert_eq!(fs::read_dir(here.path().join("new")).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_not_overwritten() {
        let here = tempfile::tempdir().unwrap();
        let link = here.path().join("link");
        std::os::unix::fs::symlink(here.path().join("nowhere"), &link).unwrap();
        assert!(write_new(&link, b"").is_err());
        assert!(new_folder(&link, |err| err, |_| Ok(())).is_err());
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn new_files_have_default_permissions() {
        let here = tempfile::tempdir().unwrap();
        let (ours, theirs) = (here.path().join("ours"), here.path().join("theirs"));
        write_new(&ours, b"").unwrap();
        fs::write(&theirs, b"").unwrap();
        let rights = |path: &Path| path.metadata().unwrap().permissions();
        assert_eq!(rights(&ours), rights(&theirs));
    }
}
