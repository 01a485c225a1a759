//! The folder of a prepared data set.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hrm_base::paths::absolute;
use hrm_puzzles::text;
use hrm_train::task::{BLANK_PUZZLE, Examples};

use super::names::{self, BLANK_NAME, IDENTIFIERS, canonical, check_names};
use super::split::{METADATA, Metadata, Row, Split, sample};
use crate::error::TaskError;
use crate::same_rows::same_rows;

/// A folder of a third split, which only nano-trm has.
const VALIDATION: &str = "val";

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

/// The folders of a prepared data set in `data`; `None` if no path is one.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if there are other paths beside them.
pub(crate) fn find(data: &[PathBuf]) -> Result<Option<&[PathBuf]>, TaskError> {
    let Some(folder) = data.iter().find(|path| is_prepared(path)) else { return Ok(None) };
    match data.iter().find(|path| !is_prepared(path)) {
        None => Ok(Some(data)),
        Some(other) => {
            let place = folder.display().to_string();
            let expected = "only other prepared data sets beside this one";
            Err(TaskError::malformed(place, expected, other.display().to_string()))
        }
    }
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

/// The side whose folder `split` is, by its name.
pub(super) fn side_of(split: &Path) -> Side {
    let path = absolute(split).unwrap_or_else(|_| split.to_owned());
    let is_test = path.file_name().is_some_and(|name| name == Side::Test.folder());
    if is_test { Side::Test } else { Side::Train }
}

/// The sides that a folder holds, whole or damaged.
pub(super) fn sides_of(folder: &Path) -> Vec<Side> {
    if is_split(folder) {
        return vec![side_of(folder)];
    }
    let is_there = |side: &Side| folder.join(side.folder()).exists();
    [Side::Train, Side::Test].into_iter().filter(is_there).collect()
}

/// What the settings of a kind of puzzle follow in a prepared data set.
pub struct Sample {
    /// The folder, for messages.
    pub(crate) place: String,
    /// Cells per row.
    pub(crate) n_cells: usize,
    /// Some of its rows; none if they are very long. Their values have not been checked.
    pub(crate) rows: Vec<Row>,
}

impl Sample {
    /// Of the data set in `folder`.
    ///
    /// # Errors
    ///
    /// As [`Split::open`].
    pub(crate) fn of(folder: &Path) -> Result<Self, TaskError> {
        let train = split_of(folder, Side::Train);
        let split = if is_split(&train) { train } else { split_of(folder, Side::Test) };
        let place = folder.display().to_string();
        Ok(Self { place, n_cells: Metadata::read(&split)?.seq_len, rows: sample(&split)? })
    }
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
    /// What was passed over.
    pub(crate) notes: Vec<String>,
}

impl Layout {
    /// Opens those of `sides` that are in several folders, as one data set. Identifiers with
    /// the same name are the same. If only one side is wanted, any split is that side.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed)
    /// naming two folders whose sizes differ.
    pub(super) fn open_all(folders: &[PathBuf], sides: &[Side]) -> Result<Self, TaskError> {
        let open = |folder: &PathBuf| {
            let is_any = sides.len() == 1 && is_split(folder);
            let mut there = if is_any { sides.to_vec() } else { sides_of(folder) };
            there.retain(|side| sides.contains(side));
            Self::open(folder, if there.is_empty() { sides } else { &there })
        };
        let (first, others) = folders.split_first().expect("there is a folder");
        let mut layout = open(first)?;
        if others.is_empty() {
            return Ok(layout);
        }
        let mut numbers = HashMap::new();
        for (name, number) in layout.identifiers.iter().zip(0..).skip(1) {
            numbers.entry(canonical(name)).or_insert(number);
        }
        for folder in others {
            layout.add(open(folder)?, &mut numbers)?;
        }
        Ok(layout)
    }

    /// Adds another data set. `known` are the numbers of the names so far.
    fn add(&mut self, other: Self, known: &mut HashMap<String, u32>) -> Result<(), TaskError> {
        let sizes = |layout: &Self| {
            let Metadata { seq_len, vocab_size, .. } = layout.metadata();
            format!("seq_len {seq_len}, vocab_size {vocab_size}")
        };
        if sizes(self) != sizes(&other) {
            let expected = format!("{}, as in {}", sizes(self), self.place);
            return Err(TaskError::malformed(other.place.clone(), expected, sizes(&other)));
        }
        let mut other_notes = other.notes;
        let mut number = |name: String| {
            let next = self.identifiers.len() as u32;
            if name == BLANK_NAME {
                return BLANK_PUZZLE;
            }
            *known.entry(canonical(&name)).or_insert_with(|| {
                self.identifiers.push(name);
                next
            })
        };
        let sides =
            [(&self.train, &other.train, Side::Train), (&self.test, &other.test, Side::Test)];
        for (own, added, side) in sides {
            let (Some(own), Some(added)) = (own, added) else { continue };
            let n_same = same_rows(own, added, added.metadata().seq_len, 1).len();
            if n_same > 0 {
                let (place, side) = (&other.place, side.folder());
                other_notes.push(format!(
                    "{place}: {n_same} of the {} puzzles of its split `{side}` are in {} as well, \
                     and count twice",
                    added.n_groups(),
                    self.place
                ));
            }
        }
        let names = other.identifiers.into_iter().skip(1);
        let numbers: Vec<u32> =
            std::iter::once(BLANK_PUZZLE).chain(names.map(&mut number)).collect();
        for (own, other) in [(&mut self.train, other.train), (&mut self.test, other.test)] {
            let Some(mut other) = other else { continue };
            match own {
                Some(own) => own.append(other, &numbers),
                None => {
                    other.renumber_files(&numbers);
                    *own = Some(other);
                }
            }
        }
        let n_identifiers = self.identifiers.len();
        for split in [&mut self.train, &mut self.test].into_iter().flatten() {
            split.set_n_identifiers(n_identifiers);
        }
        self.place = format!("{}, {}", self.place, other.place);
        self.notes.extend(other_notes);
        Ok(())
    }

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
        let mut notes = Vec::new();
        if !is_split(folder) && is_split(&folder.join(VALIDATION)) {
            notes.push(format!(
                "{place}: the split `{VALIDATION}` is passed over: training holds back puzzles of \
                 its own for validation"
            ));
        }
        let mut layout = Self { place, train, test, identifiers: Vec::new(), notes };
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
                let advice = match field {
                    "seq_len" => {
                        format!(" (weights of another tool: `hrm import` with --cells {found})")
                    }
                    _ => String::new(),
                };
                return Err(TaskError::malformed(place, expected, format!("{found}{advice}")));
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
    if path.symlink_metadata().is_err() {
        let expected = format!(
            "the names of the {n_identifiers} puzzle identifiers (`num_puzzle_identifiers`), which \
             are part of the data set"
        );
        let found = "no such file: copy it from where the data set is from";
        return Err(TaskError::malformed(path.display().to_string(), expected, found));
    }
    let text = text::read_unpacked(&path, N_BYTES_MAX)?;
    let names = names::identifiers(&text, &path.display().to_string())?;
    if names.len() != n_identifiers {
        let place = path.display().to_string();
        let expected =
            format!("one name per puzzle identifier (`num_puzzle_identifiers` is {n_identifiers})");
        return Err(TaskError::malformed(place, expected, names.len().to_string()));
    }
    check_names(&names, &path.display().to_string())?;
    Ok(names)
}
