//! Files that are not there yet, written whole or not at all.

use std::io::Write;
use std::path::Path;

use hrm_tasks::TaskError;
use tempfile::Builder;

use crate::outcome::usage;

/// Refuses a file that is there, before any work is done for it.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Err(usage(format!("{} exists already", path.display())));
    }
    Ok(())
}

/// Writes a file under another name, syncs it and renames it into place. A file
/// that has appeared there meanwhile is kept, and an error.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut file = builder().tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        Ok(())
    };
    write().map_err(|source| TaskError::Write { path: path.to_owned(), source })
}

/// Temporary files are private to their owner, but results are not.
fn builder() -> Builder<'static, 'static> {
    #[allow(unused_mut)] // Where there are no modes.
    let mut builder = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        check(&path).unwrap();
        write(&path, b"one").unwrap();
        assert!(check(&path).unwrap_err().to_string().ends_with("a.txt exists already"));
        write(&path, b"two").unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
        write(&folder.path().join("none/a.txt"), b"x").unwrap_err();
    }
}
