//! `cargo xtask tidy`: rules of the repository that no compiler checks.
//!
//! Each check is a function of a text, a dependency or a set of imports. This file
//! reads the workspace and collects the findings, one line each:
//! `path: what is wrong`.

mod circles;
mod files;
mod imports;
mod layers;
mod links;
mod manifests;
mod text;

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, Target};
use xshell::Shell;

pub(crate) use layers::LAYERS;

/// Prints all findings.
///
/// # Errors
///
/// If there are findings, or the workspace cannot be read.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let mut findings = crate_findings(&root, &metadata(&root)?)?;
    findings.extend(import_circle_findings(&root, &metadata(&root)?)?);
    findings.extend(file_findings(&root)?);
    for finding in &findings {
        println!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "tidy: problems to fix: {}", findings.len());
    Ok(())
}

fn metadata(root: &Path) -> anyhow::Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml")).no_deps();
    command.exec().context("cannot read the workspace's metadata")
}

/// Checks the layering and the manifests of the crates.
fn crate_findings(root: &Path, metadata: &Metadata) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let manifest = package.manifest_path.as_std_path();
        let text = std::fs::read_to_string(manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        let path = manifest.strip_prefix(root).unwrap_or(manifest);

        findings.extend(at(path, layers::unplaced(&package.name)));
        findings.extend(at(path, edges(package).filter_map(layers::violation)));
        findings
            .extend(at(path, manifests::problems(&text, LAYERS.contains(&package.name.as_str()))));
    }
    Ok(findings)
}

/// The dependencies of one crate, crates from outside the workspace included.
fn edges(package: &Package) -> impl Iterator<Item = layers::Edge<'_>> {
    package.dependencies.iter().map(|dependency| layers::Edge {
        user: &package.name,
        used: &dependency.name,
        is_dev: dependency.kind == DependencyKind::Development,
    })
}

/// Checks that no two source files of a crate import each other, directly or
/// through others.
fn import_circle_findings(root: &Path, metadata: &Metadata) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let has_modules = |target: &&Target| target.is_lib() || target.is_bin();
        for target in package.targets.iter().filter(has_modules) {
            let imports = imports::imports(target.src_path.as_std_path())?;
            findings.extend(circles::problems(root, &imports));
        }
    }
    Ok(findings)
}

/// Checks text and links of the committed files.
fn file_findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files::committed(root)? {
        let bytes = std::fs::read(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        // Pictures and tensors are not text.
        let Ok(content) = String::from_utf8(bytes) else { continue };

        if path != Path::new("Cargo.lock") {
            // Cargo generates that file, and names its registry in it.
            findings.extend(at(&path, text::problems(&content)));
        }
        if path.starts_with("crates") && path.extension().is_some_and(|name| name == "rs") {
            findings.extend(at(&path, text::problems_of_product(&content)));
        }
        if path.extension().is_some_and(|extension| extension == "md") {
            let exists = |target: &Path| root.join(target).exists();
            findings.extend(at(&path, links::problems(&path, &content, exists)));
        }
    }
    Ok(findings)
}

fn at(path: &Path, problems: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
    problems.into_iter().map(move |problem| format!("{}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_layers() {
        // Read when the test runs: checkouts may share a build folder.
        let own_folder = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
        let root = own_folder.parent().unwrap();
        let metadata = metadata(root).unwrap();
        assert!(metadata.workspace_packages().len() >= 8, "every crate is checked");
        assert_eq!(crate_findings(root, &metadata).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_upward_edge_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"low\", \"high\"]\n");
        let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        let edge = "[dev-dependencies]\nhrm-core = { path = \"../high\" }\n";
        write("low/Cargo.toml", &(package("hrm-kernels") + edge));
        write("high/Cargo.toml", &package("hrm-core"));
        write("low/src/lib.rs", "");
        write("high/src/lib.rs", "");
        let findings = crate_findings(root, &metadata(root).unwrap()).unwrap();
        let want =
            "low/Cargo.toml: `hrm-kernels` must not depend on `hrm-core`, which is not below it";
        assert!(findings.iter().any(|finding| finding == want), "{findings:?}");
    }
}
