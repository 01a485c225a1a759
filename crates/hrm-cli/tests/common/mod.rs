//! Runs the program as a user would.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The output of the program.
pub(crate) struct Ran {
    pub(crate) code: i32,
    #[allow(dead_code)] // Not every test reads it.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `hrm` with arguments in a folder.
pub(crate) fn hrm(folder: &Path, args: &[&str]) -> Ran {
    hrm_with_input(folder, args, "")
}

/// Runs `hrm` with standard input.
pub(crate) fn hrm_with_input(folder: &Path, args: &[&str], input: &str) -> Ran {
    hrm_in(folder, args, input, &[])
}

/// Runs `hrm` with additional environment variables.
pub(crate) fn hrm_in(folder: &Path, args: &[&str], input: &str, vars: &[(&str, &str)]) -> Ran {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_hrm"))
        .current_dir(folder)
        .args(args)
        // Messages must not contain backtraces, even if they are enabled.
        .env("RUST_BACKTRACE", "1")
        .envs(vars.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The program may end without reading its input.
    let _ = child.stdin.take().expect("standard input is piped").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}
