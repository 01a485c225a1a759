//! Paths in the record of a run: relative to the run folder where a project can be moved as
//! a whole, else absolute.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

/// `path` in JSON output. What is no Unicode in it becomes replacement characters, since JSON
/// holds nothing else.
pub(crate) fn to_json(path: &Path) -> Value {
    path.to_string_lossy().into()
}

/// `path` independent of the working folder, without `..`.
pub(crate) fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    match absolute.components().any(|part| part == Component::ParentDir) {
        true => Ok(absolute.canonicalize().unwrap_or(absolute)),
        false => Ok(absolute),
    }
}

/// `path` as the record in the folder `run` states it: relative to that folder if both lie
/// in the working folder, else absolute.
pub(crate) fn recorded(path: &Path, run: &Path) -> PathBuf {
    relative(path, run).or_else(|| absolute(path).ok()).unwrap_or_else(|| path.to_owned())
}

/// `path` seen from the folder `run`, if both lie in the working folder.
fn relative(path: &Path, run: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    // Symbolic links are followed, since `..` does so too.
    let inside = |path: &Path| Some(canonical(path)?.strip_prefix(&here).ok()?.to_owned());
    let (path, run) = (inside(path)?, inside(run)?);
    let n_shared = path.components().zip(run.components()).take_while(|(a, b)| a == b).count();
    let up = run.components().skip(n_shared).map(|_| OsStr::new(".."));
    let down = path.components().skip(n_shared).map(|part| part.as_os_str());
    Some(up.chain(down).collect())
}

/// The path without symbolic links; its last parts need not exist.
fn canonical(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let known = path.ancestors().find_map(|known| Some((known, known.canonicalize().ok()?)))?;
    let rest = path.strip_prefix(known.0).ok()?;
    let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    is_plain.then(|| known.1.join(rest))
}

/// The path that a record in the folder `run` states as `path`.
pub(crate) fn resolved(path: &Path, run: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    let run = canonical(run).unwrap_or_else(|| run.to_owned());
    let mut resolved = run;
    for part in path.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            part => resolved.push(part),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_if_it_and_the_run_are_in_the_working_folder() {
        // The working folder of tests is that of the crate.
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        for (path, run, want) in [
            ("src/main.rs", "runs/a", "../../src/main.rs"),
            ("src/main.rs", "src/a", "../main.rs"),
            ("src", "a", "../src"),
        ] {
            let found = recorded(Path::new(path), Path::new(run));
            assert_eq!(found, Path::new(want));
            assert_eq!(resolved(&found, &here.join(run)), here.join(path));
        }
        let outside = std::env::temp_dir();
        assert_eq!(recorded(&outside, Path::new("runs/a")), outside);
        assert_eq!(recorded(Path::new("src"), &outside.join("run")), here.join("src"));
        assert_eq!(resolved(&outside, Path::new("runs/a")), outside);
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real");
        std::fs::create_dir_all(real.join("a")).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(real.join("a"), &link).unwrap();
        assert_eq!(resolved(Path::new("../data.csv"), &link), real.join("data.csv"));
    }
}
