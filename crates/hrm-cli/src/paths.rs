//! Paths in the record of a run: relative to the run folder where a project can be moved as
//! a whole, else absolute.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

pub(crate) use hrm_base::paths::absolute;
use serde_json::Value;

/// `path` in JSON output. What is no Unicode in it becomes replacement characters, since JSON
/// holds nothing else.
pub(crate) fn to_json(path: &Path) -> Value {
    path.to_string_lossy().into()
}

/// `path` as the record in the folder `run` states it: relative to that folder if both lie
/// in the working folder, else absolute.
pub(crate) fn recorded(path: &Path, run: &Path) -> PathBuf {
    relative(path, run).or_else(|| absolute(path).ok()).unwrap_or_else(|| path.to_owned())
}

/// `path` seen from the folder `run`, if both lie in the working folder.
fn relative(path: &Path, run: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    // The names that the user gave are kept: a link in the working folder moves with it.
    let path = absolute(path).ok()?;
    let is_here = |folder: &&Path| folder.canonicalize().is_ok_and(|folder| folder == here);
    let path = path.strip_prefix(path.ancestors().filter(is_here).last()?).ok()?;
    // Links on the way to the run are followed, since `..` does so too.
    let run = canonical(run)?;
    let run = run.strip_prefix(&here).ok()?;
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
    fn links_to_data_keep_their_names() {
        // A name of its own in the working folder, which is that of the crate.
        let folder = tempfile::tempdir_in(".").unwrap();
        let name = Path::new(folder.path().file_name().unwrap());
        std::fs::create_dir_all(folder.path().join("store/v1")).unwrap();
        std::os::unix::fs::symlink("store/v1", folder.path().join("evaluation")).unwrap();
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        for path in ["evaluation", "evaluation/x.json", "store/../evaluation"] {
            let want = Path::new("..").join(name).join(path.trim_start_matches("store/../"));
            let found = recorded(&name.join(path), Path::new("run"));
            assert_eq!(found, want, "{path}");
            let want = here.join(name).join(path.trim_start_matches("store/../"));
            assert_eq!(resolved(&found, &here.join("run")), want, "{path}");
        }
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
