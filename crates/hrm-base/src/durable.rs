//! Files and folders that appear complete or not at all.
//!
//! Contents are written under a temporary name in the same folder, synced, and then
//! renamed. So a crash or a power cut leaves nothing incomplete under the final name. Where
//! the system allows it, a new file has no name at all until it is complete, so that
//! nothing is left even of a process that is killed. A process that is asked to end can
//! call [`remove_temporaries`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
/// [`io::ErrorKind::AlreadyExists`] if `path` exists. No file is created then, unless only
/// the last step fails, syncing its folder: the file is then complete, but a power cut may
/// still remove it.
pub fn new_file<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let new = NewFile::create(parent(path)).map_err(&failed)?;
    let mut buffered = io::BufWriter::new(new.file());
    let filled = fill(&mut buffered)?;
    buffered.into_inner().map_err(|err| failed(err.into_error()))?;
    new.file().sync_all().map_err(&failed)?;
    new.persist(path).map_err(&failed)?;
    sync_folder(parent(path)).map_err(&failed)?;
    Ok(filled)
}

/// A new file that has no final name yet.
enum NewFile {
    /// Vanishes by itself unless it gets a name.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    Temporary(tempfile::NamedTempFile, Listed),
}

impl NewFile {
    fn create(folder: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed::create(folder) {
            return Ok(Self::Unnamed(file));
        }
        let file = temporary(0o666).tempfile_in(folder).map_err(unnamed_error)?;
        let listed = Listed::new(file.path());
        Ok(Self::Temporary(file, listed))
    }

    fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => file,
            Self::Temporary(file, _) => file.as_file(),
        }
    }

    /// Names the file; fails if the name exists.
    fn persist(self, path: &Path) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => unnamed::persist(&file, path),
            Self::Temporary(file, _listed) => {
                file.persist_noclobber(path).map(drop).map_err(|err| err.error)
            }
        }
    }
}

/// Files without a name, which only Linux has, and not on every file system.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, OFlags, linkat};

    /// The open files of this process, by number.
    const OPEN_FILES: &str = "/proc/self/fd";

    /// A file in `folder`; `None` if the system has no unnamed files there.
    pub(super) fn create(folder: &Path) -> Option<File> {
        if !Path::new(OPEN_FILES).is_dir() {
            return None;
        }
        let flags = OFlags::TMPFILE.bits() as i32;
        File::options().write(true).mode(0o666).custom_flags(flags).open(folder).ok()
    }

    /// Names the file; fails if the name exists.
    pub(super) fn persist(file: &File, path: &Path) -> io::Result<()> {
        let open_file = format!("{OPEN_FILES}/{}", file.as_raw_fd());
        Ok(linkat(CWD, &open_file, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

/// Writes a file, or replaces it if it exists.
///
/// # Errors
///
/// Any error of writing; an existing file is then unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = temporary(0o666).tempfile_in(parent(path)).map_err(unnamed_error)?;
    let _listed = Listed::new(file.path());
    // An error of the file itself does not name it.
    file.as_file().write_all(bytes)?;
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
/// [`io::ErrorKind::AlreadyExists`] if `path` exists. The folder is not created then, unless
/// only the last step fails, syncing its parent: the folder is then complete.
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
    let temporary = TemporaryFolder::in_folder(parent(path)).map_err(&failed)?;
    let filled = fill(temporary.path())?;
    sync_folder(temporary.path()).map_err(&failed)?;
    must_be_free()?;
    fs::rename(temporary.path(), path).map_err(&failed)?;
    // The folder was renamed, so there is nothing to remove.
    temporary.keep();
    sync_folder(parent(path)).map_err(&failed)?;
    Ok(filled)
}

/// A folder with a temporary name, which is removed with its contents when it is dropped,
/// and by [`remove_temporaries`].
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: tempfile::TempDir,
    _listed: Listed,
}

impl TemporaryFolder {
    /// Creates a temporary folder in `folder`.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        let folder = temporary(0o777).tempdir_in(folder).map_err(unnamed_error)?;
        let listed = Listed::new(folder.path());
        Ok(Self { folder, _listed: listed })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder where it is.
    fn keep(self) {
        let _ = self.folder.keep();
    }
}

/// The temporary files and folders in use.
static TEMPORARIES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A temporary file or folder, listed in [`TEMPORARIES`] until it is dropped.
#[derive(Debug)]
struct Listed(PathBuf);

impl Listed {
    fn new(path: &Path) -> Self {
        // The process may change its folder.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        temporaries().insert(path.clone());
        Self(path)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        temporaries().remove(&self.0);
    }
}

fn temporaries() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files and folders that this process is writing: the last thing to
/// do before it ends early. Nothing is written under a final name afterwards: functions of
/// this module that create or replace files wait for ever.
pub fn remove_temporaries() {
    let mut temporaries = temporaries();
    for path in std::mem::take(&mut *temporaries) {
        // Another thread may be writing into a folder while it is removed.
        let is_gone = || match path.is_dir() {
            true => fs::remove_dir_all(&path).is_ok(),
            false => fs::remove_file(&path).is_ok() || !path.exists(),
        };
        let _ = (0..10).any(|_| is_gone());
    }
    std::mem::forget(temporaries);
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

/// The name of `file` once `temporary`, which is the same or a folder that holds it, has been
/// renamed to `path`: the only name that messages should use. Other files keep their names.
pub fn final_name(file: &Path, temporary: &Path, path: &Path) -> PathBuf {
    match file.strip_prefix(temporary) {
        Ok(rest) if rest.as_os_str().is_empty() => path.to_owned(),
        Ok(rest) => path.join(rest),
        Err(_) => file.to_owned(),
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

/// An error of creating a temporary file, without its name: callers name the file that they
/// were asked for.
fn unnamed_error(err: io::Error) -> io::Error {
    let text = err.to_string();
    let without_name = text.split(" at path ").next().unwrap_or_default();
    io::Error::new(err.kind(), without_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_do_not_name_temporary_files() {
        let here = tempfile::tempdir().unwrap();
        let nowhere = here.path().join("nowhere");
        let errors = [
            replace(&nowhere.join("a"), b"").unwrap_err(),
            write_new(&nowhere.join("a"), b"").unwrap_err(),
            TemporaryFolder::in_folder(&nowhere).unwrap_err(),
        ];
        for err in errors {
            assert_eq!(err.kind(), io::ErrorKind::NotFound);
            assert!(!err.to_string().contains("nowhere"), "{err}");
        }
    }

    #[test]
    fn files_of_a_temporary_folder_have_final_names() {
        let name = |file| final_name(Path::new(file), Path::new("a/.x.tmp"), Path::new("a/b"));
        assert_eq!(name("a/.x.tmp/c/d"), Path::new("a/b/c/d"));
        assert_eq!(name("a/.x.tmp"), Path::new("a/b"));
        assert_eq!(name("a/.x.tmpc"), Path::new("a/.x.tmpc"));
        assert_eq!(name("a/c"), Path::new("a/c"));
    }

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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_file_has_no_name_until_it_is_complete() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("a.txt");
        if unnamed::create(here.path()).is_none() {
            return; // The file system has no unnamed files.
        }
        let filled = new_file(
            &path,
            |err| err,
            |file| {
                file.write_all(b"whole")?;
                Ok(fs::read_dir(here.path())?.count())
            },
        );
        assert_eq!(filled.unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let again = new_file(&path, |err| err, |_| Ok(()));
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn temporaries_are_listed_while_they_are_in_use() {
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        let n_listed = || temporaries().iter().filter(|path| path.starts_with(here)).count();
        let file = NewFile::Temporary(
            temporary(0o666).tempfile_in(here).unwrap(),
            Listed::new(&here.join("x.tmp")),
        );
        let folder = TemporaryFolder::in_folder(here).unwrap();
        assert_eq!(n_listed(), 2);
        file.persist(&here.join("a.txt")).unwrap();
        drop(folder);
        assert_eq!((n_listed(), fs::read_dir(here).unwrap().count()), (0, 1));
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
