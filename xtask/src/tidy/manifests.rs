//! Every crate takes what the workspace decides, and says what it is for.

use toml::{Table, Value};

/// Fields of `[package]` that the workspace decides.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// What a crate's `Cargo.toml` lacks.
pub(crate) fn problems(manifest: &str) -> Vec<String> {
    let manifest: Table = match manifest.parse() {
        Ok(manifest) => manifest,
        Err(err) => return vec![format!("is not TOML: {}", err.message())],
    };
    let package = manifest.get("package");

    let mut problems: Vec<String> = INHERITED
        .iter()
        .filter(|field| !is_inherited(package.and_then(|package| package.get(field))))
        .map(|field| format!("must say `{field}.workspace = true` in [package]"))
        .collect();
    if !is_inherited(manifest.get("lints")) {
        problems.push("must say `workspace = true` in [lints]".to_owned());
    }
    let description = package.and_then(|package| package.get("description")?.as_str());
    if description.is_none_or(|description| description.trim().is_empty()) {
        problems.push("must say what the crate is for in `description`".to_owned());
    }
    problems
}

fn is_inherited(field: Option<&Value>) -> bool {
    field.and_then(|field| field.get("workspace")?.as_bool()).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"
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
    fn a_sound_manifest_has_no_problem() {
        assert_eq!(problems(SOUND), Vec::<String>::new());
    }

    #[test]
    fn each_missing_field_is_named() {
        let own_edition = SOUND.replace("edition = { workspace = true }", "edition = \"2021\"");
        assert_eq!(problems(&own_edition), ["must say `edition.workspace = true` in [package]"]);

        let own_lints = SOUND.replace("[lints]\n        workspace = true", "");
        assert_eq!(problems(&own_lints), ["must say `workspace = true` in [lints]"]);

        let silent = SOUND.replace("An example", " ");
        assert_eq!(problems(&silent), ["must say what the crate is for in `description`"]);
    }

    #[test]
    fn an_empty_manifest_lacks_everything() {
        assert_eq!(problems("").len(), INHERITED.len() + 2);
    }

    #[test]
    fn broken_toml_is_one_problem() {
        let found = problems("[package");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("is not TOML: "), "{found:?}");
    }
}
