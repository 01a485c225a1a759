//! The prepared data sets of the published code: read, written, turned into
//! ours.
//!
//! ```text
//! folder/
//!   identifiers.json     names of the puzzle identifiers
//!   train/  test/        one split each: dataset.json and arrays
//! ```
//!
//! Such a folder holds every example of every version, so nothing is drawn or
//! augmented here. Arrays are memory-mapped: a data set of gigabytes takes no
//! more memory than the pages in use.
//!
//! # Where to start
//!
//! [`Layout`] opens a folder, `Split` is what the trainer draws from,
//! [`export()`] and [`import()`] go to and fro.

mod export;
mod import;
mod npy;
mod split;
mod task;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::{PuzzleTask, TaskConfig, TaskError, folder};
use hrm_puzzles::clipped;

pub use export::{Exported, export};
pub(crate) use import::records;
pub use import::{Imported, import};
pub(crate) use split::Split;
use split::{METADATA, Metadata};

/// Name of the file with the names of identifiers.
const IDENTIFIERS: &str = "identifiers.json";

/// Name of identifier 0.
pub(crate) const BLANK_NAME: &str = "<blank>";

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
/// [`TaskError::Malformed`] if it is not the only path.
pub(crate) fn find(data: &[PathBuf]) -> Result<Option<&Path>, TaskError> {
    folder::alone(data, "a prepared data set", is_prepared)
}

/// Whether a folder is a prepared data set, or one side of one.
fn is_prepared(path: &Path) -> bool {
    is_split(path)
        || [Side::Train, Side::Test].iter().any(|side| is_split(&path.join(side.folder())))
}

fn is_split(path: &Path) -> bool {
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
fn split_of(folder: &Path, side: Side) -> PathBuf {
    if is_split(folder) { folder.to_owned() } else { folder.join(side.folder()) }
}

/// Training and evaluation data from a prepared data set.
///
/// # Errors
///
/// As [`Layout::open`] and [`Layout::check`].
pub(crate) fn open(config: &TaskConfig, folder: &Path) -> Result<Box<dyn PuzzleTask>, TaskError> {
    let sides: &[Side] = match folder.join(Side::Test.folder()).exists() && !is_split(folder) {
        true => &[Side::Train, Side::Test],
        false => &[Side::Train],
    };
    let layout = Layout::open(folder, sides)?;
    layout.check(config)?;
    Ok(Box::new(task::Prepared::new(config, layout, None)?))
}

/// The test side of a prepared data set, for a model that knows `identifiers`.
///
/// # Errors
///
/// As [`Layout::open`] and [`Layout::check`].
pub(crate) fn open_for_eval(
    config: &TaskConfig,
    folder: &Path,
    identifiers: &[String],
) -> Result<Box<dyn PuzzleTask>, TaskError> {
    let layout = Layout::open(folder, &[Side::Test])?;
    layout.check(config)?;
    Ok(Box::new(task::Prepared::new(config, layout, Some(identifiers))?))
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
    /// [`TaskError::Read`] for a file that is missing or unreadable,
    /// [`TaskError::Malformed`] naming a file that is wrong.
    fn open(folder: &Path, sides: &[Side]) -> Result<Self, TaskError> {
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
    fn metadata(&self) -> &Metadata {
        let mut splits = [&self.train, &self.test].into_iter().flatten();
        splits.next().expect("a layout has at least one side").metadata()
    }

    /// Whether the data are of the size that the settings say.
    ///
    /// # Errors
    ///
    /// [`TaskError::Malformed`] with both sizes.
    fn check(&self, config: &TaskConfig) -> Result<(), TaskError> {
        let (kind, name) = (config.puzzle_kind(), config.name());
        let Metadata { vocab_size, seq_len, .. } = self.metadata();
        let sizes = [
            ("vocab_size", *vocab_size, kind.vocabulary().len()),
            ("seq_len", *seq_len, kind.n_cells()),
        ];
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

/// Reads a JSON file of limited size.
fn read_json<T: DeserializeOwned>(
    path: &Path,
    n_bytes_max: u64,
    expected: &str,
) -> Result<T, TaskError> {
    let place = path.display().to_string();
    let file = File::open(path).map_err(TaskError::read(path))?;
    let mut text = Vec::new();
    file.take(n_bytes_max + 1).read_to_end(&mut text).map_err(TaskError::read(path))?;
    if text.len() as u64 > n_bytes_max {
        return Err(TaskError::malformed(place, format!("at most {n_bytes_max} bytes"), "more"));
    }
    serde_json::from_slice(&text)
        .map_err(|err| TaskError::malformed(place, expected, clipped(&err.to_string())))
}

#[cfg(test)]
mod tests;
