//! Hands a command line to the `hrm` binary, built in release mode.
//!
//! The folder, the terminal and the exit code are those of `hrm`: relative
//! paths mean what the user typed, Ctrl-C reaches the training loop.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::Context as _;

/// Runs `hrm` with `command_line`, verb first, and returns its exit code.
pub(crate) fn run(
    workspace_root: &Path,
    command_line: impl Iterator<Item = OsString>,
) -> anyhow::Result<ExitCode> {
    let cargo = |verb: &str| {
        // Cargo names itself to the programs it runs.
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([verb, "--release", "--package", "hrm-cli", "--bin", "hrm"]);
        cargo.arg("--manifest-path").arg(workspace_root.join("Cargo.toml"));
        cargo
    };

    // A first build takes minutes, so cargo shows its progress, on stderr;
    // the second call then has nothing to say.
    let built = cargo("build").status().context("cannot start cargo to build `hrm`")?;
    if !built.success() {
        return Ok(exit_code(built));
    }
    become_or_wait_for(cargo("run").arg("--quiet").arg("--").args(command_line))
        .context("cannot start cargo to run `hrm`")
}

/// Replaces this process, so that no parent dies of a Ctrl-C that the program
/// wants to outlive.
#[cfg(unix)]
fn become_or_wait_for(command: &mut Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_or_wait_for(command: &mut Command) -> std::io::Result<ExitCode> {
    command.status().map(exit_code)
}

/// A code that does not fit, or a death by signal, is a plain failure.
fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
