//! Names in prepared data sets.

use hrm_puzzles::arc::{Augmentation, Dialect};

/// Name of the file with the names of the puzzle identifiers.
pub(super) const IDENTIFIERS: &str = "identifiers.json";

/// Name of the file with the tasks that TRM's evaluation scores.
pub(super) const TEST_PUZZLES: &str = "test_puzzles.json";

/// The name of a version in this crate, whichever project wrote it.
pub(super) fn canonical(name: &str) -> String {
    Augmentation::parse(name).map_or_else(|| name.to_owned(), |(task, version)| version.name(task))
}

/// The name of a version in a dialect.
pub(super) fn in_dialect(dialect: Dialect, name: &str) -> String {
    let version = Augmentation::parse(name);
    version.map_or_else(|| name.to_owned(), |(task, version)| version.name_in(dialect, task))
}

/// Name of puzzle identifier 0.
pub(crate) const BLANK_NAME: &str = "<blank>";
