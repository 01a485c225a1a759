//! What a data set is, where it comes from, what it holds.
//!
//! The fields are explained in `datasets/README.md`. The manifests there are
//! part of the program, so that it needs no other file once it is installed.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;

use hrm_tasks::{TaskConfig, TaskError};
use serde::Deserialize;

use super::error::FetchError;

/// Manifests that come with the program, by name.
macro_rules! known {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../../datasets/", $name, ".toml")))),+]
    };
}

const KNOWN: &[(&str, &str)] =
    known!["arc-1", "arc-2", "conceptarc", "maze-hard", "sudoku-extreme"];

/// The names of the manifests that come with the program.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// A data set that can be fetched. Only [`Manifest::parse`] makes one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) name: String,
    /// Kind of puzzle.
    pub(super) task: String,
    /// Repository, `owner/name`, on `hosted_on`.
    pub(super) source: String,
    pub(super) hosted_on: Host,
    /// Branch, tag or commit.
    pub(super) revision: String,
    pub(super) licence: String,
    pub(super) files: Vec<File>,
    /// What a complete copy holds, by name.
    pub(super) counts: BTreeMap<String, NonZeroU64>,
    /// One per file, in their order, if there is any.
    #[serde(default)]
    pub(super) sha256: Vec<String>,
}

/// Where a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Host {
    /// Fetched as an archive of the repository.
    GitHub,
    /// Fetched file by file.
    #[serde(rename = "Hugging Face")]
    HuggingFace,
}

/// One file of the set, or all files that a pattern names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Path in the repository, maybe with wildcards.
    pub(super) name: String,
    pub(super) format: Format,
    /// What tasks are for; with none, they lie in the set's own folder.
    pub(super) into: Option<Side>,
    /// Size in bytes.
    pub(super) size: Option<u64>,
}

/// The folders of a set of tasks whose sides are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Training,
    Evaluation,
}

impl Side {
    fn folder(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Evaluation => "evaluation",
        }
    }
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// `source,question,answer,rating`, a puzzle per line.
    PuzzleCsv,
    /// ARC's own form, a task per file.
    ArcJson,
}

impl Manifest {
    /// The manifest of this name that comes with the program.
    pub(super) fn known(name: &str) -> Option<Result<Self, FetchError>> {
        let (name, text) = KNOWN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(text, &format!("datasets/{name}.toml")))
    }

    /// Reads a manifest of the user's own.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or as [`parse`](Self::parse).
    pub(super) fn read(path: &Path) -> Result<Self, FetchError> {
        let text = std::fs::read_to_string(path).map_err(TaskError::read(path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses a manifest; messages call it `place`.
    ///
    /// # Errors
    ///
    /// [`FetchError::Manifest`] or [`FetchError::Field`].
    pub(super) fn parse(text: &str, place: &str) -> Result<Self, FetchError> {
        let manifest: Self = toml::from_str(text)
            .map_err(|source| FetchError::Manifest { place: place.to_owned(), source })?;
        match manifest.complaint() {
            None => Ok(manifest),
            Some((field, expected, found)) => {
                Err(FetchError::Field { place: place.to_owned(), field, expected, found })
            }
        }
    }

    /// A field that is wrong, what it must be, and what it is. Names become
    /// parts of addresses and of paths, so they must not lead elsewhere.
    fn complaint(&self) -> Option<(&'static str, &'static str, String)> {
        if !is_name(&self.name) {
            return Some(("name", "letters, digits and any of -_.", self.name.clone()));
        }
        if !TaskConfig::KINDS.contains(&self.task.as_str()) {
            return Some(("task", "a kind of puzzle", self.task.clone()));
        }
        let is_repository = self
            .source
            .split_once('/')
            // An owner has no dot, a host has.
            .is_some_and(|(owner, name)| is_name(owner) && !owner.contains('.') && is_name(name));
        if !is_repository {
            return Some(("source", "`owner/name`", self.source.clone()));
        }
        if !self.revision.split('/').all(is_name) {
            return Some(("revision", "a branch, tag or commit", self.revision.clone()));
        }
        if self.licence.trim().is_empty() {
            return Some(("licence", "named, or \"not stated\"", self.licence.clone()));
        }
        if self.counts.is_empty() {
            return Some(("counts", "what a complete copy holds", "nothing".to_owned()));
        }
        for file in &self.files {
            let is_plain = file.name.split('/').all(is_name);
            let is_pattern =
                file.name.split('/').all(is_pattern) && glob::Pattern::new(&file.name).is_ok();
            if !is_plain && (!is_pattern || self.hosted_on == Host::HuggingFace) {
                let expected = match self.hosted_on {
                    Host::HuggingFace => "a path in the repository",
                    Host::GitHub => "a path in the repository or a pattern",
                };
                return Some(("files.name", expected, file.name.clone()));
            }
            let is_one =
                file.size.is_some() || !self.sha256.is_empty() || file.format == Format::PuzzleCsv;
            if is_one && !is_plain {
                let expected = "one file if it is CSV or its size or hash is given";
                return Some(("files.name", expected, file.name.clone()));
            }
            // Training reads either the two folders or the set's own.
            let is_odd = file.into.is_some() != self.files[0].into.is_some();
            if is_odd || (file.into.is_some() && file.format == Format::PuzzleCsv) {
                let expected = "given for all files, which are tasks, or for none";
                return Some(("files.into", expected, file.name.clone()));
            }
        }
        if self.files.is_empty() {
            return Some(("files", "at least one", "none".to_owned()));
        }
        let mut places: Vec<_> = self.files.iter().map(|file| file.place(&file.name)).collect();
        places.sort();
        if let Some(pair) = places.windows(2).find(|pair| pair[0] == pair[1] && is_name(&pair[0])) {
            return Some(("files.name", "different in each folder", pair[0].clone()));
        }
        let countable: Vec<String> = self.files.iter().flat_map(File::countable).collect();
        if let Some(name) = self.counts.keys().find(|name| !countable.contains(name)) {
            return Some(("counts", "of what the files hold", name.clone()));
        }
        if !self.sha256.is_empty() && self.sha256.len() != self.files.len() {
            return Some(("sha256", "one hash per file", format!("{} hashes", self.sha256.len())));
        }
        let is_digit = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
        let is_hash = |hash: &&String| hash.len() == 64 && hash.chars().all(is_digit);
        if let Some(hash) = self.sha256.iter().find(|hash| !is_hash(hash)) {
            return Some(("sha256", "64 lower-case hexadecimal digits", hash.clone()));
        }
        None
    }
}

impl File {
    /// Path of `name` (the file itself, or one that matches it) in the set.
    pub(super) fn place(&self, name: &str) -> String {
        let base = name.rsplit('/').next().unwrap_or(name);
        match self.into {
            Some(side) => format!("{}/{base}", side.folder()),
            None => base.to_owned(),
        }
    }

    /// What can be counted, by the names that manifests use: `train_puzzles` in
    /// `train.csv`; `training_tasks`, `training_train_pairs` and
    /// `training_test_pairs` in the folder `training`; `tasks` and so on in the
    /// set's own folder.
    pub(super) fn countable(&self) -> Vec<String> {
        match self.format {
            Format::PuzzleCsv => {
                let place = self.place(&self.name);
                let stem = Path::new(&place).file_stem().unwrap_or_default().to_string_lossy();
                vec![format!("{stem}_puzzles")]
            }
            Format::ArcJson => {
                let prefix = self.into.map_or(String::new(), |side| format!("{}_", side.folder()));
                ["tasks", "train_pairs", "test_pairs"].map(|what| format!("{prefix}{what}")).into()
            }
        }
    }
}

/// Whether `part` names a file or folder on every system, and nothing else.
fn is_name(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    part.chars().all(is_plain) && part.chars().any(|c| c != '.')
}

/// As [`is_name`], with wildcards.
fn is_pattern(part: &str) -> bool {
    is_name(&part.replace(['*', '?', '[', ']', '!'], "x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"
name = "example"
task = "arc"
source = "owner/name.x"
hosted_on = "GitHub"
revision = "feature/a"
licence = "MIT"
files = [{ name = "a/*.json", format = "arc-json", into = "training" }]
counts = { training_tasks = 3 }
"#;

    #[track_caller]
    fn refused(from: &str, to: &str, want: &str) {
        assert!(SOUND.contains(from), "nothing to replace: {from}");
        let err = Manifest::parse(&SOUND.replace(from, to), "x.toml").unwrap_err();
        assert_eq!(err.to_string(), want);
    }

    #[test]
    fn every_manifest_of_the_repository_is_known_and_sound() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut stems: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        stems.sort();
        assert_eq!(stems, names().collect::<Vec<_>>());
        for name in names() {
            let manifest = Manifest::known(name).unwrap().unwrap();
            assert_eq!(manifest.name, name);
        }
        assert!(Manifest::known("chess").is_none());
    }

    #[test]
    fn a_file_keeps_its_name_and_changes_its_folder() {
        let manifest = Manifest::parse(SOUND, "x.toml").unwrap();
        assert_eq!(manifest.files[0].place("a/x.json"), "training/x.json");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        refused(
            "\"example\"",
            "\"..\"",
            "x.toml: name must be letters, digits and any of -_., found `..`",
        );
        for source in ["a@b/c", "name", "a.example/name", "a/b/c", "/b", "a/"] {
            let want = format!("x.toml: source must be `owner/name`, found `{source}`");
            refused("owner/name.x", source, &want);
        }
        refused(
            "feature/a",
            "a/../b",
            "x.toml: revision must be a branch, tag or commit, found `a/../b`",
        );
        refused("\"training\"", "\"../b\"", "x.toml is not a manifest");
        for name in ["/etc/passwd", "../*.json", "a//b", "a?b=c&d", ""] {
            let want = format!(
                "x.toml: files.name must be a path in the repository or a pattern, found `{name}`"
            );
            refused("a/*.json", name, &want);
        }
        refused(
            "\"GitHub\"",
            "\"Hugging Face\"",
            "x.toml: files.name must be a path in the repository, found `a/*.json`",
        );
    }

    #[test]
    fn promises_about_many_files_are_refused() {
        let want = "x.toml: files.name must be one file if it is CSV or its size or hash is given, found `a/*.json`";
        refused("into = \"training\"", "size = 3", want);
        refused("licence", "sha256 = [\"ab\"]\nlicence", want);
        refused("arc-json", "puzzle-csv", want);
        let one = SOUND.replace("*", "b").replace("licence", "sha256 = [\"AB\"]\nlicence");
        let err = Manifest::parse(&one, "x.toml").unwrap_err();
        let want = "x.toml: sha256 must be 64 lower-case hexadecimal digits, found `AB`";
        assert_eq!(err.to_string(), want);
    }

    #[test]
    fn counts_are_of_what_the_files_hold() {
        refused(
            "training_tasks",
            "tasks",
            "x.toml: counts must be of what the files hold, found `tasks`",
        );
        refused(
            "arc-json\", into = \"training\"",
            "arc-json\"",
            "x.toml: counts must be of what the files hold, found `training_tasks`",
        );
    }

    #[test]
    fn what_users_must_know_is_there() {
        let want = "x.toml: licence must be named, or \"not stated\", found ` `";
        refused("MIT", " ", want);
        let want = "x.toml: counts must be what a complete copy holds, found `nothing`";
        refused("{ training_tasks = 3 }", "{}", want);
        refused("= 3", "= 0", "x.toml is not a manifest");
        let want = "x.toml: files.name must be a path in the repository or a pattern, found ``";
        refused("a/*.json", "", want);
    }

    #[test]
    fn files_do_not_take_each_others_place() {
        let two = r#"[{ name = "a/x.json", format = "arc-json" }, { name = "training/x.json", format = "arc-json" }]"#;
        let from = r#"[{ name = "a/*.json", format = "arc-json", into = "training" }]"#;
        refused(from, two, "x.toml: files.name must be different in each folder, found `x.json`");
    }

    #[test]
    fn what_does_not_parse_names_the_file() {
        refused("licence", "license", "x.toml is not a manifest");
        refused("\"GitHub\"", "\"elsewhere\"", "x.toml is not a manifest");
    }
}
