//! The files of the repository: those under version control.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Folders without source files, for trees without version control.
const NOT_SOURCE: &[&str] = &[".git", "runs", "target"];

/// Committed files that exist, relative to `root`, sorted. Without version control,
/// for example in an unpacked archive, all files.
pub(crate) fn committed(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = match tracked(root) {
        Some(files) => files,
        None => walked(root)?,
    };
    files.retain(|file| root.join(file).is_file());
    files.sort();
    Ok(files)
}

/// The files under version control; `None` if there is none.
fn tracked(root: &Path) -> Option<Vec<PathBuf>> {
    // A checkout may belong to another user, e.g. in a container.
    let listing = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root)
        .output()
        .ok()?;
    let names = String::from_utf8(listing.stdout).ok()?;
    let files: Vec<PathBuf> = names.split_terminator('\0').map(PathBuf::from).collect();
    // An archive unpacked inside another repository has no files there.
    (listing.status.success() && !files.is_empty()).then_some(files)
}

/// All files below `root`, without following links.
fn walked(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = root.join(&folder);
        let entries = full.read_dir().with_context(|| format!("cannot list {}", full.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", full.display()))?;
            let kind = entry.file_type().context("cannot read the type of an entry")?;
            let is_source = |name: &OsStr| !NOT_SOURCE.iter().any(|other| name == *other);
            let path = folder.join(entry.file_name());
            if kind.is_file() {
                files.push(path);
            } else if kind.is_dir() && is_source(&entry.file_name()) {
                folders.push(path);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_version_control_every_source_file_counts() {
        let root = tempfile::tempdir().unwrap();
        for file in ["b.md", "docs/a.md", "target/debug/x", "runs/1/run.json", ".git/HEAD"] {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let files = committed(root.path()).unwrap();
        assert_eq!(files, [PathBuf::from("b.md"), PathBuf::from("docs/a.md")]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let err = committed(Path::new("/no/such/folder")).unwrap_err();
        assert!(err.to_string().contains("/no/such/folder"), "{err}");
    }
}
