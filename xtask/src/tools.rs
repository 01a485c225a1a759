//! Programs that a check needs, installed below `target/` if they are missing.

use std::path::PathBuf;

use xshell::{Shell, cmd};

/// A program in the package of the same name.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The versions that are accepted, as cargo writes them.
    pub(crate) version: &'static str,
}

impl Tool {
    /// The path of the program, which is installed if it is missing.
    ///
    /// # Errors
    ///
    /// If it cannot be built.
    pub(crate) fn installed(&self, sh: &Shell) -> anyhow::Result<PathBuf> {
        let Self { name, version } = self;
        let root = sh.current_dir().join("target/tools");
        let program = root.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION);
        if !program.is_file() {
            cmd!(sh, "cargo install {name} --version {version} --locked --root {root}").run()?;
        }
        Ok(program)
    }
}
