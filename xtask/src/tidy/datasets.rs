//! Dataset manifests: what a data set is, where it comes from, what it holds.
//!
//! The fields are explained in `datasets/README.md`.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;

use serde::Deserialize;

/// Puzzles that a data set can be for.
const TASKS: &[&str] = &["sudoku", "maze", "arc"];

/// Sites by name: an address is the reader's setting, mirrors included.
const HOSTS: &[&str] = &["GitHub", "Hugging Face"];

/// Folders that tasks are put into.
const SIDES: &[&str] = &["training", "evaluation"];

/// One file of `datasets/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// As the file is called.
    name: String,
    task: String,
    /// Repository, `owner/name`, on `hosted_on`.
    source: String,
    hosted_on: String,
    /// Branch, tag or commit.
    revision: String,
    licence: String,
    files: Vec<File>,
    /// What a complete copy holds, by name.
    counts: BTreeMap<String, NonZeroU64>,
    /// One per file, in their order.
    sha256: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Path in the repository; `*` stands for any name.
    name: String,
    format: Format,
    /// Folder of the set that it is put into.
    into: Option<String>,
    /// Size in bytes.
    size: Option<NonZeroU64>,
}

/// How a file is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    /// `source,question,answer,rating`, a puzzle per line.
    PuzzleCsv,
    /// ARC's own form, a task per file.
    ArcJson,
}

/// What is wrong with the manifest at `path`.
pub(crate) fn problems(path: &Path, text: &str) -> Vec<String> {
    let manifest: Manifest = match toml::from_str(text) {
        Ok(manifest) => manifest,
        Err(err) => {
            let before = err.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line_number = before.split('\n').count();
            return vec![format!("line {line_number}: {}", one_line(err.message()))];
        }
    };

    let mut problems = Vec::new();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if manifest.name != stem {
        problems.push(format!("name must be `{stem}`, as the file, found `{}`", manifest.name));
    }
    for (field, value, known) in
        [("task", &manifest.task, TASKS), ("hosted_on", &manifest.hosted_on, HOSTS)]
    {
        if !known.contains(&value.as_str()) {
            let known = known.join(", ");
            problems.push(format!("{field} must be one of {known}, found `{value}`"));
        }
    }
    if !is_repository(&manifest.source) {
        problems.push(format!("source must be `owner/name`, found `{}`", manifest.source));
    }
    if manifest.revision.trim().is_empty() {
        problems.push("revision must name a branch, tag or commit".to_owned());
    }
    if manifest.licence.trim().is_empty() {
        problems.push("licence must be named, or \"not stated\"".to_owned());
    }
    if manifest.files.is_empty() {
        problems.push("files must name at least one".to_owned());
    }
    for file in manifest.files.iter().filter(|file| file.name.trim().is_empty()) {
        problems.push(format!("a file of format {:?} has no name", file.format));
    }
    let is_pattern = |file: &&File| file.name.contains(['*', '?', '[']);
    let has_hashes = manifest.sha256.is_some();
    for file in manifest.files.iter().filter(is_pattern) {
        if file.size.is_some() || has_hashes {
            problems.push(format!("`{}` is many files: no size or hash can be theirs", file.name));
        }
    }
    for into in manifest.files.iter().filter_map(|file| file.into.as_ref()) {
        if !SIDES.contains(&into.as_str()) {
            let known = SIDES.join(", ");
            problems.push(format!("into must be one of {known}, found `{into}`"));
        }
    }
    if manifest.counts.is_empty() {
        problems.push("counts must say what a complete copy holds".to_owned());
    }
    problems.extend(hash_problems(manifest.sha256.as_deref(), manifest.files.len()));
    problems
}

fn hash_problems(hashes: Option<&[String]>, n_files: usize) -> Vec<String> {
    let Some(hashes) = hashes else { return Vec::new() };
    let mut problems = Vec::new();
    if hashes.len() != n_files {
        let n_hashes = hashes.len();
        problems.push(format!("sha256 must have one hash per file, {n_files}, found {n_hashes}"));
    }
    let is_hash = |hash: &str| {
        hash.len() == 64 && hash.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'))
    };
    for hash in hashes.iter().filter(|hash| !is_hash(hash)) {
        problems.push(format!("sha256 must be 64 lower-case hexadecimal digits, found `{hash}`"));
    }
    problems
}

/// Whether `source` is `owner/name`, with no room for a host or a deeper path.
fn is_repository(source: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    source
        .split_once('/')
        .is_some_and(|(owner, name)| is_name(owner) && !owner.contains('.') && is_name(name))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"
name = "example"
task = "maze"
source = "owner/name.x"
hosted_on = "GitHub"
revision = "main"
licence = "MIT"
files = [{ name = "train.csv", format = "puzzle-csv" }]
counts = { train_puzzles = 3 }
"#;

    #[track_caller]
    fn check(from: &str, to: &str, want: &[&str]) {
        assert!(SOUND.contains(from), "nothing to replace: {from}");
        let found = problems(Path::new("datasets/example.toml"), &SOUND.replace(from, to));
        assert_eq!(found, want);
    }

    #[test]
    fn a_sound_manifest_has_no_problem() {
        check("", "", &[]);
        check("MIT", "not stated", &[]);
        let hashed = format!("licence = \"MIT\"\nsha256 = [\"{}\"]", "0f".repeat(32));
        check("licence = \"MIT\"", &hashed, &[]);
    }

    #[test]
    fn values_say_what_was_expected_and_found() {
        check("\"example\"", "\"other\"", &["name must be `example`, as the file, found `other`"]);
        check("maze", "chess", &["task must be one of sudoku, maze, arc, found `chess`"]);
        check("GitHub", "Forge", &["hosted_on must be one of GitHub, Hugging Face, found `Forge`"]);
        check("MIT", " ", &["licence must be named, or \"not stated\""]);
        check("{ train_puzzles = 3 }", "{}", &["counts must say what a complete copy holds"]);
        check(
            "[{ name = \"train.csv\", format = \"puzzle-csv\" }]",
            "[]",
            &["files must name at least one"],
        );
        check("train.csv", "", &["a file of format PuzzleCsv has no name"]);
    }

    #[test]
    fn a_source_is_a_repository_and_no_address() {
        for source in
            ["name", "https://a.example/owner/name", "a.example/name", "a/b/c", "/b", "a/"]
        {
            let want = format!("source must be `owner/name`, found `{source}`");
            check("owner/name.x", source, &[&want]);
        }
    }

    #[test]
    fn promises_are_about_one_file_and_folders_have_names() {
        let want = "`*.csv` is many files: no size or hash can be theirs";
        check("\"train.csv\"", "\"*.csv\", size = 3", &[want]);
        check("\"train.csv\"", "\"train.csv\", size = 3, into = \"training\"", &[]);
        check(
            "\"train.csv\"",
            "\"train.csv\", into = \"../a\"",
            &["into must be one of training, evaluation, found `../a`"],
        );
        check("\"main\"", "\"\"", &["revision must name a branch, tag or commit"]);
    }

    #[test]
    fn hashes_match_their_files() {
        check(
            "licence = \"MIT\"",
            "licence = \"MIT\"\nsha256 = []",
            &["sha256 must have one hash per file, 1, found 0"],
        );
        check(
            "licence = \"MIT\"",
            "licence = \"MIT\"\nsha256 = [\"XY\"]",
            &["sha256 must be 64 lower-case hexadecimal digits, found `XY`"],
        );
    }

    #[test]
    fn what_does_not_parse_is_one_line_with_its_place() {
        check("task = \"maze\"\n", "", &["line 1: missing field `task`"]);
        check(
            "task = \"maze\"",
            "task = ",
            &["line 3: string values must be quoted, expected literal string"],
        );
        let unknown = "line 7: unknown field `license`, expected one of `name`, `task`, `source`, \
                       `hosted_on`, `revision`, `licence`, `files`, `counts`, `sha256`";
        check("licence", "license", &[unknown]);
        for nothing in ["= 0", "= -1"] {
            let text = SOUND.replace("= 3", nothing);
            let found = problems(Path::new("datasets/example.toml"), &text);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with("line 9: invalid value"), "{found:?}");
        }
    }
}
