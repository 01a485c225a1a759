//! Paths from the root on, as people spell them.

use std::path::{Component, Path, PathBuf};

/// `path` from the root on, without `.` and `..`. A symbolic link keeps the name by which it is
/// given, unless `..` comes after it: that is the folder around what the link leads to.
///
/// # Errors
///
/// For an empty path, or without a working folder.
pub fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let parts: Vec<Component<'_>> = path.components().collect();
    let Some(last) = parts.iter().rposition(|part| *part == Component::ParentDir) else {
        return Ok(parts.into_iter().collect());
    };
    let (before, after) = parts.split_at(last + 1);
    let before: PathBuf = before.iter().collect();
    let mut path = before.canonicalize().unwrap_or(before);
    path.extend(after);
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_dots_are_not() {
        let here = std::env::current_dir().unwrap();
        for (path, want) in [("src", "src"), (".", ""), ("./src/.", "src"), ("src/../src", "src")] {
            assert_eq!(absolute(Path::new(path)).unwrap(), here.join(want), "{path}");
        }
        assert!(absolute(Path::new("")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("store/v1/deep")).unwrap();
        std::fs::create_dir(real.join("data")).unwrap();
        std::os::unix::fs::symlink(real.join("store/v1"), real.join("data/named")).unwrap();
        for (path, want) in [
            ("data/named", "data/named"),
            ("store/../data/named/deep", "data/named/deep"),
            ("data/named/..", "store"),
            ("no/such/../x", "no/such/../x"),
        ] {
            assert_eq!(absolute(&real.join(path)).unwrap(), real.join(want), "{path}");
        }
    }
}
