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
    /// The path of the program, which is installed if it is missing or another version.
    ///
    /// # Errors
    ///
    /// If it cannot be built.
    pub(crate) fn installed(&self, sh: &Shell) -> anyhow::Result<PathBuf> {
        let Self { name, version } = self;
        let root = sh.current_dir().join("target/tools");
        let program = root.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION);
        let stamp = root.join(name).with_extension("version");
        if !program.is_file() || !sh.read_file(&stamp).is_ok_and(|found| found == *version) {
            cmd!(sh, "cargo install {name} --version {version} --locked --root {root}").run()?;
            // Written last, so that an interrupted installation is repeated.
            sh.write_file(&stamp, version)?;
        }
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_version_is_not_used() {
        let folder = std::env::temp_dir().join(format!("xtask-tools-{}", std::process::id()));
        let sh = Shell::new().unwrap();
        sh.create_dir(folder.join("target/tools/bin")).unwrap();
        sh.change_dir(&folder);
        let program = folder
            .join("target/tools/bin/xtask-no-such-tool")
            .with_extension(std::env::consts::EXE_EXTENSION);
        sh.write_file(&program, "").unwrap();
        sh.write_file("target/tools/xtask-no-such-tool.version", "^1.0").unwrap();
        // A version that no registry is asked for: cargo refuses it at once.
        let tool = |version| Tool { name: "xtask-no-such-tool", version };
        assert_eq!(tool("^1.0").installed(&sh).unwrap(), program);
        assert!(tool("no version").installed(&sh).is_err());
        sh.remove_path(&folder).unwrap();
    }
}
