//! Every crate inherits the settings of the workspace, and has a description.

use toml::{Table, Value};

/// Fields of `[package]` that are inherited.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// What is missing in the `Cargo.toml` of a crate.
pub(crate) fn problems(manifest: &str) -> Vec<String> {
    let manifest: Table = match manifest.parse() {
        Ok(manifest) => manifest,
        Err(err) => return vec![format!("is not TOML: {}", err.message())],
    };
    let package = manifest.get("package");

    let mut problems: Vec<String> = INHERITED
        .iter()
        .filter(|field| !is_inherited(package.and_then(|package| package.get(field))))
        .map(|field| format!("must have `{field}.workspace = true` in [package]"))
        .collect();
    if !is_inherited(manifest.get("lints")) {
        problems.push("must have `workspace = true` in [lints]".to_owned());
    }
    let description = package.and_then(|package| package.get("description")?.as_str());
    if description.is_none_or(|description| description.trim().is_empty()) {
        problems.push("must have a `description`".to_owned());
    }
    problems
}

fn is_inherited(field: Option<&Value>) -> bool {
    field.and_then(|field| field.get("workspace")?.as_bool()).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"
        [package]
        name = "hrm-example"
        description = "An example"
        version.workspace = true
        edition = { workspace = true }
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        [lints]
        workspace = true
    "#;

    #[test]
    fn a_valid_manifest_has_no_problems() {
        assert_eq!(problems(VALID), Vec::<String>::new());
    }

    #[test]
    fn each_missing_field_is_named() {
        let own_edition = VALID.replace("edition = { workspace = true }", "edition = \"2021\"");
        assert_eq!(problems(&own_edition), ["must have `edition.workspace = true` in [package]"]);

        let own_lints = VALID.replace("[lints]\n        workspace = true", "");
        assert_eq!(problems(&own_lints), ["must have `workspace = true` in [lints]"]);

        let silent = VALID.replace("An example", " ");
        assert_eq!(problems(&silent), ["must have a `description`"]);
    }

    #[test]
    fn an_empty_manifest_has_all_problems() {
        assert_eq!(problems("").len(), INHERITED.len() + 2);
    }

    #[test]
    fn broken_toml_is_one_problem() {
        let found = problems("[package");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("is not TOML: "), "{found:?}");
    }
}
