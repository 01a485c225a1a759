//! Keeps the promises that no compiler checks.
//!
//! Each check is a pure function of a text or an edge; this file reads the
//! workspace and gathers findings, one line each: `path: what is wrong`.

mod datasets;
mod files;
mod layers;
mod links;
mod manifests;
mod text;

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use xshell::Shell;

/// Prints every finding and fails if there is one.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the workspace's metadata")?;

    let mut findings = crate_findings(&root, &metadata)?;
    findings.extend(file_findings(&root)?);
    for finding in &findings {
        println!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "tidy: {} to put right", findings.len());
    Ok(())
}

/// Layering and manifests of the workspace's crates.
fn crate_findings(root: &Path, metadata: &Metadata) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let manifest = package.manifest_path.as_std_path();
        let text = std::fs::read_to_string(manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        let path = manifest.strip_prefix(root).unwrap_or(manifest);

        findings.extend(at(path, layers::unplaced(&package.name)));
        findings.extend(at(path, edges(package).filter_map(layers::violation)));
        findings.extend(at(path, manifests::problems(&text)));
    }
    Ok(findings)
}

/// What one crate depends on, other workspaces' crates included.
fn edges(package: &Package) -> impl Iterator<Item = layers::Edge<'_>> {
    package.dependencies.iter().map(|dependency| layers::Edge {
        user: &package.name,
        used: &dependency.name,
        is_dev: dependency.kind == DependencyKind::Development,
    })
}

/// Text, links and dataset manifests among the committed files.
fn file_findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files::committed(root)? {
        let bytes = std::fs::read(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        // Pictures and tensors are not ours to proofread.
        let Ok(content) = String::from_utf8(bytes) else { continue };

        if path != Path::new("Cargo.lock") {
            // Cargo writes that one, and names its registry throughout.
            findings.extend(at(&path, text::problems(&content)));
        }
        if path.extension().is_some_and(|extension| extension == "md") {
            let exists = |target: &Path| root.join(target).exists();
            findings.extend(at(&path, links::problems(&path, &content, exists)));
        }
        if path.parent() == Some(Path::new("datasets"))
            && path.extension().is_some_and(|extension| extension == "toml")
        {
            findings.extend(at(&path, datasets::problems(&path, &content)));
        }
    }
    Ok(findings)
}

fn at(path: &Path, problems: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
    problems.into_iter().map(move |problem| format!("{}: {problem}", path.display()))
}
