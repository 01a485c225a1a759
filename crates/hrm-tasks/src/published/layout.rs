//! The folder of a prepared data set.

use std::path::{Path, PathBuf};

use super::json::read_json;
use super::names::{BLANK_NAME, IDENTIFIERS};
use super::split::{METADATA, Metadata, Split};
use crate::error::TaskError;
use crate::folder;

/// The sides of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Train,
    Test,
}

impl Side {
    /// Name of the folder of this side.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// The prepared data set in `data`; `None` if no path is one.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if there are other paths beside it.
pub(crate) fn find(data: &[PathBuf]) -> Result<Option<&Path>, TaskError> {
    folder::alone(data, "a prepared data set", is_prepared)
}

/// Whether a folder is a prepared data set, or one side of such a data set.
fn is_prepared(path: &Path) -> bool {
    is_split(path)
        || [Side::Train, Side::Test].iter().any(|side| is_split(&path.join(side.folder())))
}

/// Whether a folder is one side of a prepared data set.
pub(super) fn is_split(path: &Path) -> bool {
    path.join(METADATA).is_file()
}

/// Cells per example of a prepared data set.
///
/// # Errors
///
/// As [`Metadata::read`].
pub(crate) fn n_cells(folder: &Path) -> Result<usize, TaskError> {
    let train = split_of(folder, Side::Train);
    let split = if is_split(&train) { train } else { split_of(folder, Side::Test) };
    Ok(Metadata::read(&split)?.seq_len)
}

/// The folder of a side: `folder` itself if it is a split, otherwise a folder in it.
pub(super) fn split_of(folder: &Path, side: Side) -> PathBuf {
    if is_split(folder) { folder.to_owned() } else { folder.join(side.folder()) }
}

/// An opened prepared data set, whose files have been checked.
pub struct Layout {
    /// The folder, for messages.
    pub(crate) place: String,
    pub(crate) train: Option<Split>,
    pub(crate) test: Option<Split>,
    /// Names of the puzzle identifiers.
    pub(crate) identifiers: Vec<String>,
}

impl Layout {
    /// Opens `sides` of a data set, all of which must exist.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) naming a file that is missing or unreadable,
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) naming a file with invalid content.
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
                format!(
                    "seq_len {seq_len}, vocab_size {vocab_size}, num_puzzle_identifiers \
                     {num_puzzle_identifiers}"
                )
            };
            if sizes(train) != sizes(test) {
                let place = split_of(folder, Side::Test).join(METADATA).display().to_string();
                let expected = format!("{}, as in the training split", sizes(train));
                return Err(TaskError::malformed(place, expected, sizes(test)));
            }
        }
        let n_identifiers = layout.metadata().num_puzzle_identifiers;
        layout.identifiers = identifiers(folder, n_identifiers)?;
        Ok(layout)
    }

    /// The metadata of the first split. The sizes in it are the same in all splits.
    pub(super) fn metadata(&self) -> &Metadata {
        let mut splits = [&self.train, &self.test].into_iter().flatten();
        splits.next().expect("a layout has at least one side").metadata()
    }

    /// Makes sure that the data have the vocabulary size and the number of cells of the
    /// task `name` with its settings.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) with the expected size and
    /// the size found.
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

/// Names of the puzzle identifiers, from a file in the folder, or beside it if the folder is
/// a split. A data set with only the blank identifier may lack the file.
fn identifiers(folder: &Path, n_identifiers: usize) -> Result<Vec<String>, TaskError> {
    // Enough for two million names of versions.
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
        let expected =
            format!("one name per puzzle identifier (`num_puzzle_identifiers` is {n_identifiers})");
        return Err(TaskError::malformed(place, expected, names.len().to_string()));
    }
    Ok(names)
}
