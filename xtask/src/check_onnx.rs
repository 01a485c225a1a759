//! `cargo xtask check-onnx`: compares exported ONNX graphs with a runtime of that format.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::python;

/// The runtime.
const REQUIREMENTS: &str = "xtask/onnx-requirements.txt";

/// Runs the comparison, which is a test of `hrm-cli`.
///
/// # Errors
///
/// If the runtime cannot be installed, or the test fails.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let folder = root.join("target/onnx-env");
    let python = python::environment(sh, &folder, &root.join(Path::new(REQUIREMENTS)))?;
    let _python = sh.push_env("HRM_ONNX_PYTHON", python);
    // Of the whole workspace, whose dependencies have other features than those of a package alone
    // and would be built again.
    cmd!(sh, "cargo test --workspace --bin hrm onnx -- --nocapture").run()?;
    Ok(())
}
