//! Records the git revision that the program is built from, for `run.json`.

// Cargo reads instructions from standard output.
#![allow(clippy::print_stdout)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(package);
    println!("cargo::rustc-env=HRM_REVISION={}", revision(package, &sources));
    // The sources decide whether there are changes; the other files name the commit.
    for path in sources.into_iter().chain(head_files(package)).filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// Files and folders that the program is built from. Tests are left out, so that a
/// change to them causes no rebuild.
fn sources(package: &Path) -> Vec<PathBuf> {
    let root = package.join("../..");
    let packages = std::fs::read_dir(package.join("..")).into_iter().flatten().flatten();
    let of_package = |package: PathBuf| ["Cargo.toml", "src"].map(|name| package.join(name));
    let mut sources: Vec<PathBuf> =
        packages.flat_map(|entry| of_package(entry.path())).filter(|path| path.exists()).collect();
    sources.push(package.join("build.rs"));
    sources.extend(["Cargo.lock", "Cargo.toml", "datasets"].map(|name| root.join(name)));
    sources
}

/// The commit of the repository that `package` belongs to, with `-dirty` appended
/// if a file among `sources` differs from it. `unknown` outside a repository, or
/// without git.
pub(crate) fn revision(package: &Path, sources: &[PathBuf]) -> String {
    // An unpacked archive may lie in the repository of another project.
    let is_tracked = git(package, ["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let Some(commit) = git(package, ["rev-parse", "HEAD"]).filter(|_| is_tracked) else {
        return "unknown".to_owned();
    };
    let status = ["status", "--porcelain", "--"].map(OsStr::new).into_iter();
    let changes = git(package, status.chain(sources.iter().map(|path| path.as_os_str())));
    let is_clean = changes.is_some_and(|changes| changes.is_empty());
    if is_clean { commit } else { format!("{commit}-dirty") }
}

/// Files that change when another commit is checked out or made.
fn head_files(package: &Path) -> Vec<PathBuf> {
    let branch = git(package, ["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned).into_iter().chain(branch);
    names
        .filter_map(|name| git(package, ["rev-parse", "--git-path", &name]))
        .map(|path| package.join(path))
        .collect()
}

/// What git prints, if it is installed and succeeds.
fn git<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Option<String> {
    // A checkout may belong to another user, e.g. in a container.
    let command = &mut Command::new("git");
    let command = command.current_dir(folder).args(["-c", "safe.directory=*"]).args(arguments);
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
