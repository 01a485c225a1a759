//! Manifests describe data sets: source, licence, files and numbers of puzzles.
//!
//! The fields are explained in `datasets/README.md`. The manifests there are
//! compiled into the program, so that it needs no other files.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;

use hrm_puzzles::text;
use hrm_tasks::TaskConfig;
use serde::Deserialize;

use super::error::FetchError;

/// Embeds manifests, by name.
macro_rules! known {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../../datasets/", $name, ".toml")))),+]
    };
}

const KNOWN: &[(&str, &str)] =
    known!["arc-1", "arc-2", "conceptarc", "maze-hard", "sudoku-extreme"];

/// The names of the built-in manifests.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// A data set that can be fetched. Created by [`Manifest::parse`] only.
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
    /// Numbers of puzzles in a complete copy, by name.
    pub(super) counts: BTreeMap<String, NonZeroU64>,
    /// One hash per file, in their order, or none at all.
    #[serde(default)]
    pub(super) sha256: Vec<String>,
}

/// The host of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Host {
    /// Fetched as an archive of the repository.
    GitHub,
    /// Fetched file by file.
    #[serde(rename = "Hugging Face")]
    HuggingFace,
}

/// One file of the data set, or all files that match a pattern.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Path in the repository; may contain wildcards.
    pub(super) name: String,
    pub(super) format: Format,
    /// The subfolder for tasks. Without one they are in the folder of the set.
    pub(super) into: Option<Side>,
    /// Size in bytes.
    pub(super) size: Option<u64>,
}

/// The folders of a set of tasks with a given split.
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

/// File format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// `source,question,answer,rating`, one puzzle per line.
    PuzzleCsv,
    /// The format of ARC, one task per file.
    ArcJson,
}

impl Manifest {
    /// The built-in manifest of this name.
    pub(super) fn known(name: &str) -> Option<Result<Self, FetchError>> {
        let (name, text) = KNOWN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(text, &format!("datasets/{name}.toml")))
    }

    /// Reads a manifest from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or parsed.
    pub(super) fn read(path: &Path) -> Result<Self, FetchError> {
        const N_BYTES_MAX: u64 = 1 << 20;
        let text = text::read_unpacked(path, N_BYTES_MAX)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses a manifest. Messages call it `place`.
    ///
    /// # Errors
    ///
    /// [`FetchError::Manifest`] or [`FetchError::Field`].
    pub(super) fn parse(text: &str, place: &str) -> Result<Self, FetchError> {
        let manifest: Self = toml::from_str(text)
            .map_err(|source| FetchError::Manifest { place: place.to_owned(), source })?;
        match manifest.problem() {
            None => Ok(manifest),
            Some((field, expected, found)) => {
                Err(FetchError::Field { place: place.to_owned(), field, expected, found })
            }
        }
    }

    /// The first invalid field, what it must be, and its value. Names become parts
    /// of addresses and paths, so they must not lead elsewhere.
    fn problem(&self) -> Option<(&'static str, &'static str, String)> {
        if !is_name(&self.name) {
            return Some(("name", "made of letters, digits and `-_.`", self.name.clone()));
        }
        if !TaskConfig::NAMES.contains(&self.task.as_str()) {
            return Some(("task", "the name of a task", self.task.clone()));
        }
        let is_repository = self
            .source
            .split_once('/')
            // The name of an owner has no dot, that of a host has.
            .is_some_and(|(owner, name)| is_name(owner) && !owner.contains('.') && is_name(name));
        if !is_repository {
            return Some(("source", "`owner/name`", self.source.clone()));
        }
        if !self.revision.split('/').all(is_name) {
            return Some(("revision", "a branch, tag or commit", self.revision.clone()));
        }
        if self.licence.trim().is_empty() {
            return Some(("licence", "a name, or \"not stated\"", self.licence.clone()));
        }
        if self.counts.is_empty() {
            return Some(("counts", "a table with at least one number", "none".to_owned()));
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
                let expected = "a single file if it is CSV or has a size or hash";
                return Some(("files.name", expected, file.name.clone()));
            }
            // Training reads either the two subfolders or the folder of the set.
            let is_odd = file.into.is_some() != self.files[0].into.is_some();
            if is_odd || (file.into.is_some() && file.format == Format::PuzzleCsv) {
                let expected = "given for all files or for none, and not for CSV";
                return Some(("files.into", expected, file.name.clone()));
            }
        }
        if self.files.is_empty() {
            return Some(("files", "a list of at least one file", "none".to_owned()));
        }
        let mut places: Vec<_> = self.files.iter().map(|file| file.place(&file.name)).collect();
        places.sort();
        if let Some(pair) = places.windows(2).find(|pair| pair[0] == pair[1] && is_name(&pair[0])) {
            return Some(("files.name", "unique in its folder", pair[0].clone()));
        }
        let countable: Vec<String> = self.files.iter().flat_map(File::countable).collect();
        if let Some(name) = self.counts.keys().find(|name| !countable.contains(name)) {
            return Some(("counts", "limited to items in the files", name.clone()));
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
    /// The path in the data set of `name`, which is this file or matches its pattern.
    pub(super) fn place(&self, name: &str) -> String {
        let base = name.rsplit('/').next().unwrap_or(name);
        match self.into {
            Some(side) => format!("{}/{base}", side.folder()),
            None => base.to_owned(),
        }
    }

    /// The names of the numbers that can be counted in this file: `train_puzzles`
    /// for `train.csv`; `training_tasks`, `training_train_pairs` and
    /// `training_test_pairs` for the folder `training`; `tasks` etc. for the folder
    /// of the set.
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

/// Whether `part` is a plain file name on every system.
fn is_name(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    part.chars().all(is_plain) && part.chars().any(|c| c != '.')
}

/// The same as [`is_name`], with wildcards.
fn is_pattern(part: &str) -> bool {
    is_name(&part.replace(['*', '?', '[', ']', '!'], "x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"
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
        assert!(VALID.contains(from), "nothing to replace: {from}");
        let err = Manifest::parse(&VALID.replace(from, to), "x.toml").unwrap_err();
        assert_eq!(err.to_string(), want);
    }

    #[test]
    fn every_manifest_of_the_repository_is_built_in_and_valid() {
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
        let manifest = Manifest::parse(VALID, "x.toml").unwrap();
        assert_eq!(manifest.files[0].place("a/x.json"), "training/x.json");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        refused(
            "\"example\"",
            "\"..\"",
            "x.toml: name must be made of letters, digits and `-_.`, found `..`",
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
    fn sizes_and_hashes_of_patterns_are_refused() {
        let want = "x.toml: files.name must be a single file if it is CSV or has a size or hash, found `a/*.json`";
        refused("into = \"training\"", "size = 3", want);
        refused("licence", "sha256 = [\"ab\"]\nlicence", want);
        refused("arc-json", "puzzle-csv", want);
        let one = VALID.replace("*", "b").replace("licence", "sha256 = [\"AB\"]\nlicence");
        let err = Manifest::parse(&one, "x.toml").unwrap_err();
        let want = "x.toml: sha256 must be 64 lower-case hexadecimal digits, found `AB`";
        assert_eq!(err.to_string(), want);
    }

    #[test]
    fn counts_of_items_that_are_not_in_the_files_are_refused() {
        refused(
            "training_tasks",
            "tasks",
            "x.toml: counts must be limited to items in the files, found `tasks`",
        );
        refused(
            "arc-json\", into = \"training\"",
            "arc-json\"",
            "x.toml: counts must be limited to items in the files, found `training_tasks`",
        );
    }

    #[test]
    fn required_fields_are_not_empty() {
        let want = "x.toml: licence must be a name, or \"not stated\", found ` `";
        refused("MIT", " ", want);
        let want = "x.toml: counts must be a table with at least one number, found `none`";
        refused("{ training_tasks = 3 }", "{}", want);
        refused("= 3", "= 0", "x.toml is not a manifest");
        let want = "x.toml: files.name must be a path in the repository or a pattern, found ``";
        refused("a/*.json", "", want);
    }

    #[test]
    fn files_have_different_places() {
        let two = r#"[{ name = "a/x.json", format = "arc-json" }, { name = "training/x.json", format = "arc-json" }]"#;
        let from = r#"[{ name = "a/*.json", format = "arc-json", into = "training" }]"#;
        refused(from, two, "x.toml: files.name must be unique in its folder, found `x.json`");
    }

    #[test]
    fn a_manifest_that_does_not_parse_is_named() {
        refused("licence", "license", "x.toml is not a manifest");
        refused("\"GitHub\"", "\"elsewhere\"", "x.toml is not a manifest");
    }
}
