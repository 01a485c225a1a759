//! `cargo xtask check-cuda`: the workspace compiles for CUDA, on a machine with
//! neither a card nor a toolkit.
//!
//! The compiler and the headers come as Python packages. Nothing is linked or
//! run, so this finds what does not compile, and no more.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::python;

/// The parts of the toolkit, pinned to versions that belong together.
const REQUIREMENTS: &str = "xtask/cuda-requirements.txt";

/// The toolkit's version, as the bindings of the tensor library write it.
const VERSION: &str = "13020";

/// The oldest card that the tensor library's bf16 kernels are written for: 8.0.
const COMPUTE_CAPABILITY: &str = "80";

/// Checks the workspace with the feature `cuda`, in a target folder of its own.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    anyhow::ensure!(cfg!(target_os = "linux"), "check-cuda needs Linux, as its packages do");
    let root = sh.current_dir();
    let environment = root.join("target/cuda-env");
    let python = python::environment(sh, &environment, &root.join(REQUIREMENTS))?;
    let toolkit = toolkit(sh, &python)?;

    let _home = sh.push_env("CUDA_HOME", &toolkit);
    let _path = sh.push_env("PATH", first_in_path(&toolkit.join("bin"))?);
    let _version = sh.push_env("CUDARC_CUDA_VERSION", VERSION);
    let _capability = sh.push_env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY);
    cmd!(sh, "nvcc --version").run()?;
    cmd!(sh, "cargo check --workspace --features cuda --target-dir target/cuda").run()?;
    Ok(())
}

/// The folder that holds `bin`, `include`, `nvvm` and `lib64`.
fn toolkit(sh: &Shell, python: &Path) -> anyhow::Result<PathBuf> {
    let script = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = PathBuf::from(cmd!(sh, "{python} -c {script}").quiet().read()?);
    let toolkit = packages.join("nvidia/cu13");
    for part in ["bin/nvcc", "include/cuda.h", "nvvm/bin/cicc", "lib"] {
        let part = toolkit.join(part);
        anyhow::ensure!(part.exists(), "the CUDA packages must hold {}", part.display());
    }
    // An installer names it so on 64-bit Linux, the packages do not.
    let lib64 = toolkit.join("lib64");
    if !lib64.exists() {
        link("lib", &lib64).with_context(|| format!("cannot make {}", lib64.display()))?;
    }
    Ok(toolkit)
}

#[cfg(unix)]
fn link(target: &str, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn link(_target: &str, _link: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The search path with `folder` before everything else.
fn first_in_path(folder: &Path) -> anyhow::Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("a folder of PATH cannot be joined")
}
