//! Every crate inherits the settings of the workspace, and has a description. A
//! library is ready to be published; any other crate never is.

use toml::{Table, Value};

/// Fields of `[package]` that are inherited.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

/// Fields of `[package]` that a published crate has in addition.
const PUBLISHED: &[&str] = &["readme", "keywords", "categories", "include"];

/// What is wrong in the `Cargo.toml` of a crate.
pub(crate) fn problems(manifest: &str, is_library: bool) -> Vec<String> {
    let manifest: Table = match manifest.parse() {
        Ok(manifest) => manifest,
        Err(err) => return vec![format!("is not TOML: {}", err.message())],
    };
    let package = manifest.get("package");
    let field = |name: &str| package.and_then(|package| package.get(name));

    let mut problems: Vec<String> = INHERITED
        .iter()
        .filter(|name| !is_inherited(field(name)))
        .map(|name| format!("must have `{name}.workspace = true` in [package]"))
        .collect();
    if is_library {
        let missing = PUBLISHED.iter().filter(|name| field(name).is_none());
        problems.extend(missing.map(|name| format!("must have `{name}` to be published")));
        if field("publish").is_some() {
            problems.push("must have no `publish`: it is a library".to_owned());
        }
    } else if !is_inherited(field("publish")) {
        problems.push("must have `publish.workspace = true`: it is not a library".to_owned());
    }
    if !is_inherited(manifest.get("lints")) {
        problems.push("must have `workspace = true` in [lints]".to_owned());
    }
    let description = field("description").and_then(Value::as_str);
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

    const LIBRARY: &str = r#"
        [package]
        name = "hrm-example"
        description = "An example"
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        readme = "README.md"
        keywords = ["puzzle"]
        categories = ["science"]
        include = ["/src/**/*.rs"]
        [lints]
        workspace = true
    "#;

    #[test]
    fn a_valid_manifest_has_no_problems() {
        assert_eq!(problems(VALID, false), Vec::<String>::new());
        assert_eq!(problems(LIBRARY, true), Vec::<String>::new());
    }

    #[test]
    fn each_missing_field_is_named() {
        let own_edition = VALID.replace("edition = { workspace = true }", "edition = \"2021\"");
        let want = ["must have `edition.workspace = true` in [package]"];
        assert_eq!(problems(&own_edition, false), want);

        let own_lints = VALID.replace("[lints]\n        workspace = true", "");
        assert_eq!(problems(&own_lints, false), ["must have `workspace = true` in [lints]"]);

        let silent = VALID.replace("An example", " ");
        assert_eq!(problems(&silent, false), ["must have a `description`"]);

        let unsorted = LIBRARY.replace("categories = [\"science\"]", "");
        assert_eq!(problems(&unsorted, true), ["must have `categories` to be published"]);
    }

    #[test]
    fn only_libraries_are_published() {
        let want = ["must have `publish.workspace = true`: it is not a library"];
        assert_eq!(problems(LIBRARY, false), want);

        let private = LIBRARY.replace("readme =", "publish = false\nreadme =");
        assert_eq!(problems(&private, true), ["must have no `publish`: it is a library"]);
    }

    #[test]
    fn an_empty_manifest_has_all_problems() {
        assert_eq!(problems("", false).len(), INHERITED.len() + 3);
        assert_eq!(problems("", true).len(), INHERITED.len() + PUBLISHED.len() + 2);
    }

    #[test]
    fn broken_toml_is_one_problem() {
        let found = problems("[package", true);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("is not TOML: "), "{found:?}");
    }
}
