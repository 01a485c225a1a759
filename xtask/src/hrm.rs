//! Passes a command line on to the `hrm` binary, built in release mode.
//!
//! `hrm` runs in the user's folder and terminal, and its exit code is returned:
//! relative paths keep their meaning, and Ctrl-C reaches the training loop.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::Context as _;

/// Builds `hrm`, runs it with `arguments`, and returns its exit code.
///
/// # Errors
///
/// If cargo cannot be started.
pub(crate) fn run(workspace_root: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let cargo = |verb: &str| {
        // Cargo names itself to the programs it runs.
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([verb, "--release", "--package", "hrm-cli", "--bin", "hrm"]);
        cargo.arg("--manifest-path").arg(workspace_root.join("Cargo.toml"));
        cargo
    };

    // The first build takes minutes, so cargo shows its progress on standard
    // error. `cargo run` then has nothing to build, and stays quiet.
    let built = cargo("build").status().context("cannot start cargo to build `hrm`")?;
    if !built.success() {
        return Ok(exit_code(built));
    }
    eprintln!("{}", notice(arguments));
    become_or_wait_for(cargo("run").arg("--quiet").arg("--").args(arguments))
        .context("cannot start cargo to run `hrm`")
}

/// Tells the user which program runs, and how to run it without cargo.
fn notice(arguments: &[OsString]) -> String {
    let words = std::iter::once(OsStr::new("hrm")).chain(arguments.iter().map(OsString::as_os_str));
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    format!(
        "Running `{}` (release build). Install it with: cargo install --path crates/hrm-cli",
        words.join(" ")
    )
}

/// A word of a command line, in quotes if a shell would read something else in it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        // A quote ends the quotes, stands by itself, and begins new ones.
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Replaces this process, so that Ctrl-C does not end a parent of the program.
#[cfg(unix)]
fn become_or_wait_for(command: &mut Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_or_wait_for(command: &mut Command) -> std::io::Result<ExitCode> {
    command.status().map(exit_code)
}

/// The exit code, or 1 for one that does not fit or after a signal.
fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_shows_a_command_that_can_be_copied() {
        let arguments = ["solve", "grid", "a b"].map(OsString::from);
        let want = "Running `hrm solve grid 'a b'` (release build). \
                    Install it with: cargo install --path crates/hrm-cli";
        assert_eq!(notice(&arguments), want);
    }

    #[test]
    fn a_shell_reads_quoted_words_as_they_were_typed() {
        for (word, want) in [
            ("--set=train.steps=5", "--set=train.steps=5"),
            ("runs/größe-1", "runs/größe-1"),
            ("", "''"),
            (r#"--set=a=[{"until":0.5}]"#, r#"'--set=a=[{"until":0.5}]'"#),
            ("$HOME;ls", "'$HOME;ls'"),
            ("it's", r"'it'\''s'"),
            ("1...#", "'1...#'"),
        ] {
            assert_eq!(quoted(word), want);
        }
    }
}
