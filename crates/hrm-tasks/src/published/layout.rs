//! A prepared data set as it lies in its folder.

use std::path::{Path, PathBuf};

use super::json::read_json;
use super::names::{BLANK_NAME, IDENTIFIERS};
use super::split::{METADATA, Metadata, Split};
use crate::error::TaskError;
use crate::folder;

/// The sides of a data set, and the folders they lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Train,
    Test,
}

impl Side {
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// The prepared data set among paths; `None` if they are files of another kind.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if it is not the only path.
pub(crate) fn find(data: &[PathBuf]) -> Result<Option<&Path>, TaskError> {
    folder::alone(data, "a prepared data set", is_prepared)
}

/// Whether a folder is a prepared data set, or one side of one.
fn is_prepared(path: &Path) -> bool {
    is_split(path)
        || [Side::Train, Side::Test].iter().any(|side| is_split(&path.join(side.folder())))
}

pub(super) fn is_split(path: &Path) -> bool {
    path.join(METADATA).is_file()
}

/// Cells per example of a prepared data set.
///
/// # Errors
///
/// As [`Layout::open`], for what is wrong with the metadata.
pub(crate) fn n_cells(folder: &Path) -> Result<usize, TaskError> {
    let train = split_of(folder, Side::Train);
    let split = if is_split(&train) { train } else { split_of(folder, Side::Test) };
    Ok(Metadata::read(&split)?.seq_len)
}

/// Where a side lies; a folder that is a split itself stands for either.
pub(super) fn split_of(folder: &Path, side: Side) -> PathBuf {
    if is_split(folder) { folder.to_owned() } else { folder.join(side.folder()) }
}

/// A prepared data set, checked.
pub struct Layout {
    /// What messages call it.
    pub(crate) place: String,
    pub(crate) train: Option<Split>,
    pub(crate) test: Option<Split>,
    /// Names of the identifiers.
    pub(crate) identifiers: Vec<String>,
}

impl Layout {
    /// Opens some sides of a data set; all of `sides` must be there.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) for a file that is missing or unreadable,
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) naming a file that is wrong.
    pub(super) fn open(folder: &Path, sides: &[Side]) -> Result<Self, TaskError> {
        let open = |side: Side| {
            sides.contains(&side).then(|| Split::open(&split_of(folder, side))).transpose()
        };
        let (train, test) = (open(Side::Train)?, open(Side::Test)?);
        let place = folder.display().to_string();
        let mut layout = Self { place, train, test, identifiers: Vec::new() };
        if let (Some(train), Some(test)) = (&layout.train, &layout.test) {
            let sizes = |split: &Split| {
                let Metadata { seq_len, vocab_size, num_puzzle_identifiers, .. } = split.metadata();
                format!("{seq_len} cells, {vocab_size} ids, {num_puzzle_identifiers} identifiers")
            };
            if sizes(train) != sizes(test) {
                let place = split_of(folder, Side::Test).join(METADATA).display().to_string();
                let expected = format!("{} as in the training split", sizes(train));
                return Err(TaskError::malformed(place, expected, sizes(test)));
            }
        }
        let n_identifiers = layout.metadata().num_puzzle_identifiers;
        layout.identifiers = identifiers(folder, n_identifiers)?;
        Ok(layout)
    }

    /// Sizes that all splits have in common.
    pub(super) fn metadata(&self) -> &Metadata {
        let mut splits = [&self.train, &self.test].into_iter().flatten();
        splits.next().expect("a layout has at least one side").metadata()
    }

    /// Makes sure that the data have the vocabulary size and the number of cells of the
    /// task `name` with its settings.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) with both sizes.
    pub(super) fn check(
        &self,
        name: &str,
        (n_tokens, n_cells): (usize, usize),
    ) -> Result<(), TaskError> {
        let Metadata { vocab_size, seq_len, .. } = self.metadata();
        let sizes = [("vocab_size", *vocab_size, n_tokens), ("seq_len", *seq_len, n_cells)];
        for (field, found, expected) in sizes {
            if found != expected {
                let place = format!("{}: `{field}`", self.place);
                let expected = format!("{expected} as in `{name}` with these settings");
                return Err(TaskError::malformed(place, expected, found.to_string()));
            }
        }
        Ok(())
    }
}

/// Names of identifiers: in the folder, or beside a folder that is a split.
fn identifiers(folder: &Path, n_identifiers: usize) -> Result<Vec<String>, TaskError> {
    // Two million names of versions.
    const N_BYTES_MAX: u64 = 256 << 20;

    let mut path = folder.join(IDENTIFIERS);
    if is_split(folder) && !path.exists() {
        path = folder.join("..").join(IDENTIFIERS);
    }
    if n_identifiers == 1 && !path.exists() {
        return Ok(vec![BLANK_NAME.to_owned()]);
    }
    let names: Vec<String> = read_json(&path, N_BYTES_MAX, "a list of names")?;
    if names.len() != n_identifiers {
        let place = path.display().to_string();
        let expected = format!("{n_identifiers} names");
        return Err(TaskError::malformed(place, expected, names.len().to_string()));
    }
    Ok(names)
}
