//! `cargo xtask check-cuda`: checks that the workspace compiles for CUDA, on a
//! machine with neither GPU nor toolkit.
//!
//! The compiler and the headers are installed as Python packages. Nothing is linked
//! or run.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::python;

/// The parts of the toolkit, with versions that fit together.
const REQUIREMENTS: &str = "xtask/cuda-requirements.txt";

/// Version of the toolkit, as the bindings of the tensor library write it.
const VERSION: &str = "13020";

/// Compute capability 8.0: the lowest that the bf16 kernels of the tensor library
/// support.
const COMPUTE_CAPABILITY: &str = "80";

/// Checks the workspace with the feature `cuda`, in a separate target folder.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    anyhow::ensure!(
        cfg!(target_os = "linux"),
        "check-cuda needs Linux: its packages exist for no other system"
    );
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

/// The folder with `bin`, `include`, `nvvm` and `lib64`.
fn toolkit(sh: &Shell, python: &Path) -> anyhow::Result<PathBuf> {
    let script = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = PathBuf::from(cmd!(sh, "{python} -c {script}").quiet().read()?);
    let toolkit = packages.join("nvidia/cu13");
    for part in ["bin/nvcc", "include/cuda.h", "nvvm/bin/cicc", "lib"] {
        let part = toolkit.join(part);
        anyhow::ensure!(part.exists(), "the CUDA packages must contain {}", part.display());
    }
    // The name that builds expect on 64-bit Linux; the packages use `lib`.
    let lib64 = toolkit.join("lib64");
    if !lib64.exists() {
        link("lib", &lib64).with_context(|| format!("cannot create {}", lib64.display()))?;
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

/// The search path with `folder` in front.
fn first_in_path(folder: &Path) -> anyhow::Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("PATH contains a folder that cannot be part of it")
}
