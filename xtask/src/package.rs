//! `cargo xtask package`: checks that every library crate can be published.
//!
//! The crates are packed as `cargo publish` would pack them. A new crate outside of
//! the workspace then depends on the unpacked packages and runs the examples in their
//! READMEs. This builds each package once; `cargo package` builds it once for itself
//! and again for every package that depends on it.

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;
use toml::{Table, Value};
use xshell::{Shell, cmd};

use crate::tidy::LAYERS;

/// Crates from outside that the examples use, in the version of the workspace.
const USED_IN_EXAMPLES: &[&str] = &["candle-core", "candle-nn", "rand"];

/// Files that every package holds. Cargo silently leaves out a missing one.
const FILES: &[&str] = &["README.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Packs all library crates and tests the packages.
///
/// # Errors
///
/// If a crate cannot be packed, a package lacks a file or does not compile, or an
/// example of a README fails.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec();
    let target = metadata.context("cannot read the workspace's metadata")?.target_directory;
    let target = target.into_std_path_buf();
    let workspace: Table = sh.read_file("Cargo.toml")?.parse()?;
    let version = field(&workspace, &["workspace", "package", "version"])?;
    let version = version.as_str().context("the version in Cargo.toml must be a string")?;

    let scope = LAYERS.iter().flat_map(|name| ["--package", name]);
    // The check includes changes that are not committed yet.
    cmd!(sh, "cargo package --quiet --no-verify --allow-dirty {scope...}").run()?;

    let folder = target.join("package-check");
    // Removes files of an earlier check.
    sh.remove_path(&folder)?;
    sh.create_dir(&folder)?;
    for name in LAYERS {
        let package = target.join(format!("package/{name}-{version}.crate"));
        // Packed files are dated 2006, so cargo would not notice a change: `-m` sets new times.
        cmd!(sh, "tar -xmzf {package} -C {folder}").quiet().run()?;
        for file in FILES {
            let path = folder.join(format!("{name}-{version}")).join(file);
            anyhow::ensure!(path.is_file(), "the package of {name} must contain {file}");
        }
    }

    let user = folder.join("user");
    sh.write_file(user.join("Cargo.toml"), toml::to_string(&manifest(&workspace, version)?)?)?;
    sh.write_file(user.join("src/lib.rs"), readmes(version))?;
    sh.copy_file("Cargo.lock", user.join("Cargo.lock"))?;
    test(sh, &user, &target)
}

/// Runs the examples in a fresh crate, with dependencies as built for the workspace.
fn test(sh: &Shell, user: &Path, target: &Path) -> anyhow::Result<()> {
    let manifest = user.join("Cargo.toml");
    cmd!(sh, "cargo test --doc --manifest-path {manifest} --target-dir {target}").run()?;
    Ok(())
}

/// The manifest of a crate that depends on all packages.
fn manifest(workspace: &Table, version: &str) -> anyhow::Result<Value> {
    let mut dependencies = Table::new();
    let mut patches = Table::new();
    let mut profile = field(workspace, &["profile"])?.clone();
    let levels = profile.get_mut("dev").and_then(|dev| dev.get_mut("package"));
    let levels =
        levels.and_then(Value::as_table_mut).context("Cargo.toml must have profile.dev.package")?;
    for name in LAYERS {
        dependencies.insert((*name).to_owned(), Value::from(version));
        // The packages depend on each other, and are not in the registry yet.
        let path = format!("../{name}-{version}");
        patches.insert((*name).to_owned(), table([("path", path.into())]));
        // Examples are small: compiling takes longer than running.
        levels.insert((*name).to_owned(), table([("opt-level", 0.into())]));
    }
    for name in USED_IN_EXAMPLES {
        let used = field(workspace, &["workspace", "dependencies", name])?;
        dependencies.insert((*name).to_owned(), used.clone());
    }
    let manifest = table([
        ("package", table([("name", "package-check".into()), ("edition", "2024".into())])),
        // Keeps cargo from looking for a workspace around it.
        ("workspace", table([])),
        ("dependencies", dependencies.into()),
        ("patch", table([("crates-io", patches.into())])),
        ("profile", profile),
    ]);
    Ok(manifest)
}

fn table<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Table>().into()
}

/// A library whose documentation is all READMEs.
fn readmes(version: &str) -> String {
    let module = |name: &&str| {
        let item = name.replace('-', "_");
        format!(
            "#[doc = include_str!(\"../../{name}-{version}/README.md\")]\npub mod {item} {{}}\n"
        )
    };
    LAYERS.iter().map(module).collect()
}

/// The value at `path` in the manifest of the workspace.
fn field<'a>(workspace: &'a Table, path: &[&str]) -> anyhow::Result<&'a Value> {
    let (first, rest) = path.split_first().expect("a path has a key");
    let value = rest
        .iter()
        .try_fold(workspace.get(*first), |value, key| value.map(|value| value.get(*key)));
    value.flatten().with_context(|| format!("Cargo.toml must have {}", path.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = r#"
        [workspace.package]
        version = "1.2.3"
        [workspace.dependencies]
        candle-core = "0.11"
        candle-nn = "0.11"
        rand = { version = "0.9", default-features = false }
        [profile.dev]
        opt-level = 1
        [profile.dev.package."*"]
        opt-level = 3
    "#;

    #[test]
    fn packages_are_used_in_place_of_the_registry() {
        let workspace: Table = WORKSPACE.parse().unwrap();
        let manifest = manifest(&workspace, "1.2.3").unwrap();
        let at = |path: &[&str]| field(manifest.as_table().unwrap(), path).unwrap().clone();
        for name in LAYERS {
            assert_eq!(at(&["dependencies", name]), Value::from("1.2.3"));
            let path = format!("../{name}-1.2.3");
            assert_eq!(at(&["patch", "crates-io", name, "path"]), Value::from(path));
        }
        assert_eq!(at(&["dependencies", "rand", "default-features"]), Value::from(false));
        assert_eq!(at(&["profile", "dev", "package", "*", "opt-level"]), Value::from(3));
    }

    #[test]
    fn a_missing_field_is_named() {
        let err = manifest(&Table::new(), "1.2.3").unwrap_err();
        assert_eq!(err.to_string(), "Cargo.toml must have profile");
    }

    #[test]
    fn every_readme_is_tested() {
        let text = readmes("1.2.3");
        assert!(text.contains("\"../../hrm-core-1.2.3/README.md\")]\npub mod hrm_core {}\n"));
        assert_eq!(text.matches("include_str!").count(), LAYERS.len());
    }
}
