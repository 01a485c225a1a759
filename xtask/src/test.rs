//! `cargo xtask test`: `cargo test` for the workspace, or for selected packages.

use std::ffi::OsString;

use xshell::{Shell, cmd};

/// Runs `cargo test` with `arguments`.
///
/// # Errors
///
/// If a test fails.
pub(crate) fn run(sh: &Shell, arguments: &[OsString]) -> anyhow::Result<()> {
    // `--workspace` would silently override a package named beside it.
    let scope = if names_packages(arguments) { None } else { Some("--workspace") };
    cmd!(sh, "cargo test {scope...} {arguments...}").run()?;
    Ok(())
}

/// Whether the arguments select packages.
fn names_packages(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        // Arguments after `--` are for the test programs.
        .take_while(|argument| *argument != "--")
        .filter_map(|argument| argument.to_str())
        .any(|argument| argument.starts_with("--package") || argument.starts_with("-p"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &str, want: bool) {
        let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
        assert_eq!(names_packages(&arguments), want, "{arguments:?}");
    }

    #[test]
    fn a_selected_package_replaces_the_workspace() {
        check("-p hrm-core", true);
        check("-phrm-core", true);
        check("schedule --package=hrm-core", true);
        check("--package hrm-core -- --nocapture", true);
    }

    #[test]
    fn anything_else_keeps_the_workspace() {
        check("", false);
        check("schedule --release --profile dev", false);
        check("--exclude hrm-cli", false);
        check("-- -p", false);
    }
}
