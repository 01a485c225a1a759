//! Python environments below `target/`, for tools that are Python packages.
//!
//! Packages are installed by pip, with the user's settings.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::{Shell, cmd};

/// File with the requirements that have been installed.
const STAMP: &str = "requirements-installed.txt";

/// The interpreter of an environment in `folder` with the packages of the file
/// `requirements`. The environment is created, or recreated after the file has
/// changed.
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
        // `--clear` removes the packages of an earlier list.
        cmd!(sh, "python3 -m venv --clear {folder}").run()?;
        cmd!(sh, "{python} -m pip install --quiet --requirement {requirements}").run()?;
        // Written last, so that an interrupted installation is repeated.
        sh.write_file(&stamp, &wanted)?;
        Ok(())
    };
    make().with_context(|| {
        let list = requirements.display();
        format!("cannot create a Python environment in {folder} from {list}")
    })?;
    Ok(python)
}
