//! Python environments below `target/`, for programs that come as packages.
//!
//! Packages come from wherever the user's pip is set to fetch them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::{Shell, cmd};

/// Holds the requirements that an environment was completed with.
const STAMP: &str = "requirements-installed.txt";

/// The interpreter of the environment in `folder`, which holds what the file
/// `requirements` lists. Made, or made anew, if it is not there as listed.
pub(crate) fn environment(
    sh: &Shell,
    folder: &Path,
    requirements: &Path,
) -> anyhow::Result<PathBuf> {
    let wanted = sh.read_file(requirements)?;
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join(STAMP);
    if sh.path_exists(&python) && sh.read_file(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }

    let folder = folder.display().to_string();
    let make = || -> anyhow::Result<()> {
        // `--clear`: what is left of another list must not be found.
        cmd!(sh, "python3 -m venv --clear {folder}").run()?;
        cmd!(sh, "{python} -m pip install --quiet --requirement {requirements}").run()?;
        // Last, so that an interrupted installation is not taken for a whole one.
        sh.write_file(&stamp, &wanted)?;
        Ok(())
    };
    make().with_context(|| {
        let list = requirements.display();
        format!("cannot make a Python environment in {folder} with python3 and {list}")
    })?;
    Ok(python)
}
