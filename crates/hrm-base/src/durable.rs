//! Files and folders that appear whole or not at all.
//!
//! What is written lies under a temporary name beside its place, is synced and
//! then renamed. A program that is killed, or a power cut, leaves nothing half
//! written under the final name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file that is not there yet.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if there is something at `path`, or a
/// failed write.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    new_file(path, |err| err, |file| file.write_all(bytes))
}

/// Writes a file that is not there yet, as its bytes come.
///
/// # Errors
///
/// What `fill` returns, or what `failed` makes of
/// [`io::ErrorKind::AlreadyExists`] if there is something at `path`, or of a
/// failed write. Then there is no file.
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

/// Writes a file, in place of what is there.
///
/// # Errors
///
/// A failed write; then what was there still is.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(0o666).tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(parent(path))
}

/// Makes a folder that is not there yet, with the folders above it. `fill`
/// writes into one of another name beside it, which then takes its place; what
/// it writes, it makes durable, except for the folder itself.
///
/// # Errors
///
/// What `fill` returns, or what `failed` makes of
/// [`io::ErrorKind::AlreadyExists`] if there is something at `path`, or of a
/// failed write. Then no folder was made.
pub fn new_folder<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let must_be_free = || match path.symlink_metadata() {
        // A dangling link is something, too.
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
    // It has moved: there is nothing left to remove.
    let _ = temporary.keep();
    sync_folder(parent(path)).map_err(&failed)?;
    Ok(filled)
}

/// Makes the entries of a folder durable, where the platform can.
///
/// # Errors
///
/// If the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder that a path lies in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Temporary files and folders, with the rights of any other that a user makes.
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
    fn a_file_is_written_over_only_when_that_is_meant() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("a.txt");
        write_new(&path, b"one").unwrap();
        let err = write_new(&path, b"two").unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        // No temporary file stays behind.
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine.txt"), b"years of work").unwrap();
        assert!(replace(&path, b"").is_err());
        assert_eq!(fs::read(path.join("mine.txt")).unwrap(), b"years of work");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_filled_does_not_appear() {
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
    fn nothing_is_put_over_a_dangling_link() {
        let here = tempfile::tempdir().unwrap();
        let link = here.path().join("link");
        std::os::unix::fs::symlink(here.path().join("nowhere"), &link).unwrap();
        assert!(write_new(&link, b"").is_err());
        assert!(new_folder(&link, |err| err, |_| Ok(())).is_err());
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_user_lets_them() {
        let here = tempfile::tempdir().unwrap();
        let (ours, theirs) = (here.path().join("ours"), here.path().join("theirs"));
        write_new(&ours, b"").unwrap();
        fs::write(&theirs, b"").unwrap();
        let rights = |path: &Path| path.metadata().unwrap().permissions();
        assert_eq!(rights(&ours), rights(&theirs));
    }
}
