//! One side of a prepared data set: a folder with `dataset.json` and arrays.
//!
//! ```text
//! {set}__inputs.npy              [n_examples, seq_len]   token ids
//! {set}__labels.npy              [n_examples, seq_len]   token ids, or the ignored label
//! {set}__puzzle_identifiers.npy  [n_puzzles]
//! {set}__puzzle_indices.npy      [n_puzzles + 1]         first example of each puzzle
//! {set}__group_indices.npy       [n_groups + 1]          first puzzle of each group
//! ```
//!
//! A group is one base puzzle; its puzzles are versions of it. The data stay in the files:
//! opening a split checks every value once, and examples are read through a memory map when
//! they are needed.

use std::ffi::OsStr;
use std::path::Path;

use hrm_base::progress::Stage;
use hrm_train::task::{BLANK_PUZZLE, Examples, PADDING, RowId, RowMut};
use serde::{Deserialize, Serialize};

use super::npy::Array;
use crate::TaskError;
use crate::json::read_json;
use hrm_puzzles::clipped;

/// Longest name of a set, in bytes: file systems allow little more once the file ending is
/// added.
const N_BYTES_OF_NAME: usize = 200;

/// Name of the file that describes a split.
pub(crate) const METADATA: &str = "dataset.json";

/// The content of `dataset.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// Token id of padding.
    pub(crate) pad_id: i64,
    /// Label that carries no loss, if any.
    pub(crate) ignore_label_id: Option<i64>,
    /// Identifier shared by all puzzles that have no identifier.
    pub(crate) blank_identifier_id: i64,
    /// Distinct token ids, padding included.
    pub(crate) vocab_size: usize,
    /// Cells per example.
    pub(crate) seq_len: usize,
    /// Number of puzzle identifiers, the blank one included.
    pub(crate) num_puzzle_identifiers: usize,
    /// Number of groups in all sets.
    pub(crate) total_groups: usize,
    /// Mean number of examples per puzzle.
    pub(crate) mean_puzzle_examples: f64,
    /// Names of the sets; the file names of a set begin with its name.
    pub(crate) sets: Vec<String>,
    /// Number of puzzles in all sets, versions included; TRM needs it, HRM does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total_puzzles: Option<usize>,
    /// What the file lacks, in the data of nano-trm.
    #[serde(skip)]
    pub(crate) nano: Option<Nano>,
}

/// How data prepared by nano-trm differ: nothing in their `dataset.json` describes groups,
/// and the arrays of boards have no offsets. Its boards have a token of their own for the end
/// of a board, so their ids are one higher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Nano {
    /// What its ids exceed those of this crate by.
    shift: u32,
}

/// The content of a `dataset.json` that nano-trm wrote.
#[derive(Deserialize)]
struct NanoMetadata {
    num_puzzles: usize,
    seq_len: usize,
    vocab_size: usize,
    max_grid_size: usize,
    /// Boards have all one size, unless this is absent.
    grid_size: Option<usize>,
    /// Of boards, but not of mazes.
    min_givens: Option<usize>,
}

impl NanoMetadata {
    /// The same as metadata of the published code.
    fn into_metadata(self, path: &Path) -> Result<Metadata, TaskError> {
        if self.grid_size != Some(self.max_grid_size) {
            let place = format!("{}: `grid_size`", path.display());
            let expected = format!("{}, as `max_grid_size`", self.max_grid_size);
            let found =
                self.grid_size.map_or("boards of several sizes".to_owned(), |n| n.to_string());
            return Err(TaskError::malformed(place, expected, found));
        }
        let shift = u32::from(self.min_givens.is_some());
        Ok(Metadata {
            ignore_label_id: Some(NANO_IGNORED),
            vocab_size: self.vocab_size.saturating_sub(shift as usize),
            total_puzzles: Some(self.num_puzzles),
            nano: Some(Nano { shift }),
            ..Metadata::of_rows(self.seq_len, NANO_SET)
        })
    }
}

/// The label that carries no loss in the data of nano-trm, which do not name it.
const NANO_IGNORED: i64 = -100;
/// The only set of the data of nano-trm, which do not name it.
const NANO_SET: &str = "all";

impl Metadata {
    /// Of a set without examples: rows of `seq_len` cells with the special ids of this crate.
    pub(crate) fn of_rows(seq_len: usize, set: &str) -> Self {
        Self {
            pad_id: PADDING.into(),
            ignore_label_id: Some(PADDING.into()),
            blank_identifier_id: BLANK_PUZZLE.into(),
            vocab_size: 2,
            seq_len,
            num_puzzle_identifiers: 1,
            total_groups: 0,
            mean_puzzle_examples: 1.0,
            sets: vec![set.to_owned()],
            total_puzzles: None,
            nano: None,
        }
    }

    /// Reads `dataset.json` of a split.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) if the file cannot be read, [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed)
    /// if it is not such metadata, or gives special ids other values than this crate does.
    pub(crate) fn read(folder: &Path) -> Result<Self, TaskError> {
        const N_BYTES_MAX: u64 = 1 << 20;
        let path = folder.join(METADATA);
        let metadata: Self = match read_json(&path, N_BYTES_MAX, "the metadata of a data set") {
            Ok(metadata) => metadata,
            Err(error) => match read_json::<NanoMetadata>(&path, N_BYTES_MAX, "metadata") {
                Ok(metadata) => metadata.into_metadata(&path)?,
                Err(_) => return Err(error),
            },
        };
        let refused = |field: &str, expected: &str, found: String| {
            let place = format!("{}: `{field}`", path.display());
            Err(TaskError::malformed(place, expected, found))
        };
        if metadata.pad_id != i64::from(PADDING) {
            return refused("pad_id", "0", metadata.pad_id.to_string());
        }
        if metadata.blank_identifier_id != i64::from(BLANK_PUZZLE) {
            return refused("blank_identifier_id", "0", metadata.blank_identifier_id.to_string());
        }
        if !(1..=u32::MAX as usize).contains(&metadata.num_puzzle_identifiers) {
            let found = metadata.num_puzzle_identifiers.to_string();
            return refused("num_puzzle_identifiers", "1 to 4294967295", found);
        }
        if metadata.vocab_size < 2 {
            let expected = "at least 2: padding and a token";
            return refused("vocab_size", expected, metadata.vocab_size.to_string());
        }
        if metadata.seq_len == 0 {
            return refused("seq_len", "a positive number", "0".to_owned());
        }
        if metadata.sets.is_empty() {
            return refused("sets", "at least one set", "none".to_owned());
        }
        // The files of a set must lie in the folder of the split.
        let is_plain = |name: &str| {
            name.len() <= N_BYTES_OF_NAME && Path::new(name).file_name() == Some(OsStr::new(name))
        };
        if let Some(name) = metadata.sets.iter().find(|name| !is_plain(name)) {
            let expected = format!("plain file names of at most {N_BYTES_OF_NAME} bytes");
            return refused("sets", &expected, format!("{:?}", clipped(name)));
        }
        Ok(metadata)
    }
}

/// The arrays of one set.
struct Set {
    inputs: Array,
    labels: Array,
    puzzle_identifiers: Array,
    puzzle_indices: Offsets,
    group_indices: Offsets,
    /// Distinct token ids, padding included.
    vocab_size: usize,
    /// Label that carries no loss, if any.
    ignored: Option<i64>,
    /// What the ids of the files exceed those of this crate by.
    shift: u32,
    /// The number of each identifier of the files in a data set of several folders.
    numbers: Option<Vec<u32>>,
}

/// Where the items of each part begin.
enum Offsets {
    File(Array),
    /// As many parts of one item each.
    OneEach(usize),
}

impl Offsets {
    /// Number of offsets, one more than parts.
    fn n_rows(&self) -> usize {
        match self {
            Self::File(array) => array.n_rows(),
            Self::OneEach(n) => n + 1,
        }
    }

    fn get(&self, idx: usize) -> i64 {
        match self {
            Self::File(array) => array.get(idx),
            Self::OneEach(n) => idx.min(*n) as i64,
        }
    }

    fn place(&self) -> String {
        match self {
            Self::File(array) => array.place(),
            Self::OneEach(_) => "the examples".to_owned(),
        }
    }
}

/// Endings of the file names of a set.
pub(crate) mod ends {
    pub(crate) const INPUTS: &str = "__inputs.npy";
    pub(crate) const LABELS: &str = "__labels.npy";
    pub(crate) const PUZZLE_IDENTIFIERS: &str = "__puzzle_identifiers.npy";
    pub(crate) const PUZZLE_INDICES: &str = "__puzzle_indices.npy";
    pub(crate) const GROUP_INDICES: &str = "__group_indices.npy";
}

impl Set {
    /// Opens the files of a set and checks every value in them.
    fn open(folder: &Path, name: &str, metadata: &Metadata) -> Result<Self, TaskError> {
        let set = Self::open_unchecked(folder, name, metadata)?;
        set.check(metadata)?;
        Ok(set)
    }

    /// Opens the files of a set, whose sizes and values may be wrong.
    fn open_unchecked(folder: &Path, name: &str, metadata: &Metadata) -> Result<Self, TaskError> {
        let open = |end: &str, n_dims| Array::open(&folder.join(format!("{name}{end}")), n_dims);
        let (inputs, labels) = (open(ends::INPUTS, 2)?, open(ends::LABELS, 2)?);
        let n_examples = inputs.n_rows();
        let offsets = |end: &str| {
            let is_missing = || !folder.join(format!("{name}{end}")).exists();
            if metadata.nano.is_some() && is_missing() {
                return Ok(Offsets::OneEach(n_examples));
            }
            open(end, 1).map(Offsets::File)
        };
        Ok(Self {
            inputs,
            labels,
            puzzle_identifiers: open(ends::PUZZLE_IDENTIFIERS, 1)?,
            puzzle_indices: offsets(ends::PUZZLE_INDICES)?,
            group_indices: offsets(ends::GROUP_INDICES)?,
            vocab_size: metadata.vocab_size,
            ignored: metadata.ignore_label_id,
            shift: metadata.nano.map_or(0, |nano| nano.shift),
            numbers: None,
        })
    }

    /// Makes sure that the arrays have matching sizes and valid values.
    fn check(&self, metadata: &Metadata) -> Result<(), TaskError> {
        let n_examples = self.inputs.n_rows();
        for cells in [&self.inputs, &self.labels] {
            if (cells.n_rows(), cells.n_cols()) != (n_examples, metadata.seq_len) {
                let expected = format!("shape [{n_examples}, {}]", metadata.seq_len);
                let found = format!("[{}, {}]", cells.n_rows(), cells.n_cols());
                return Err(TaskError::malformed(cells.place(), expected, found));
            }
        }
        let n_puzzles = self.puzzle_identifiers.n_rows();
        let n_offsets = self.puzzle_indices.n_rows();
        if n_offsets != n_puzzles + 1 {
            let expected =
                format!("{} as the number of offsets, one more than puzzles", n_puzzles + 1);
            let place = self.puzzle_indices.place();
            return Err(TaskError::malformed(place, expected, n_offsets.to_string()));
        }
        check_offsets(&self.puzzle_indices, n_examples, 0)?;
        // A puzzle without examples is skipped, but a group without puzzles has none that
        // could be sampled.
        check_offsets(&self.group_indices, n_puzzles, 1)?;

        let stage = Stage::start("checking examples", (n_puzzles + 2 * n_examples) as u64);
        let n_identifiers = metadata.num_puzzle_identifiers as i64;
        check_values(
            &stage,
            &self.puzzle_identifiers,
            |id| (0..n_identifiers).contains(&id),
            || format!("identifiers below {n_identifiers}"),
        )?;
        let vocab_size = metadata.vocab_size as i64;
        let shift = i64::from(self.shift);
        let end = vocab_size + shift;
        check_values(
            &stage,
            &self.inputs,
            |id| id == 0 || (1 + shift..end).contains(&id),
            || match shift {
                0 => format!("token ids below {end}"),
                _ => format!("token ids {} to {}, or 0", 1 + shift, end - 1),
            },
        )?;
        // Label 0 carries no loss in this crate, so it cannot be an answer.
        let ignored = metadata.ignore_label_id;
        check_values(
            &stage,
            &self.labels,
            |id| Some(id) == ignored || (1 + shift..end).contains(&id),
            || match ignored {
                Some(ignored) => {
                    format!("token ids {} to {}, or {ignored}", 1 + shift, end - 1)
                }
                None => format!("token ids {} to {}", 1 + shift, end - 1),
            },
        )
    }

    /// Number of groups of this set.
    fn n_groups(&self) -> usize {
        self.group_indices.n_rows().saturating_sub(1)
    }
}

/// Makes sure that offsets begin at 0, end at `n_items` and increase by at least `step_min`.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) naming the first offset that is wrong.
fn check_offsets(offsets: &Offsets, n_items: usize, step_min: i64) -> Result<(), TaskError> {
    let refused = |expected: String, found: String| {
        Err(TaskError::malformed(offsets.place(), expected, found))
    };
    let n_rows = offsets.n_rows();
    if n_rows == 0 {
        return refused("at least one offset".to_owned(), "none".to_owned());
    }
    if offsets.get(0) != 0 {
        return refused("0 as the first offset".to_owned(), offsets.get(0).to_string());
    }
    for row in 1..n_rows {
        let (before, offset) = (offsets.get(row - 1), offsets.get(row));
        if offset.saturating_sub(before) < step_min {
            let least = before.saturating_add(step_min);
            let expected = format!("an offset of at least {least} at index {row}");
            return refused(expected, offset.to_string());
        }
    }
    let last = offsets.get(n_rows - 1);
    if usize::try_from(last) != Ok(n_items) {
        return refused(format!("{n_items} as the last offset"), last.to_string());
    }
    Ok(())
}

/// Makes sure that `is_sound` holds for every value. Each row is a part of `stage`.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) naming the first value for which it
/// does not.
fn check_values(
    stage: &Stage,
    array: &Array,
    is_sound: impl Fn(i64) -> bool,
    expected: impl Fn() -> String,
) -> Result<(), TaskError> {
    for row in 0..array.n_rows() {
        stage.advance(1);
        let mut all_sound = true;
        array.row(row, |value| all_sound &= is_sound(value));
        if !all_sound {
            let mut wrong = None;
            array.row(row, |value| wrong = wrong.or((!is_sound(value)).then_some(value)));
            let found = format!("{} in row {row}", wrong.unwrap_or_default());
            return Err(TaskError::malformed(array.place(), expected(), found));
        }
    }
    Ok(())
}

/// Question and answer of a row, `[seq_len]` token ids each.
pub(crate) type Row = (Vec<u32>, Vec<u32>);

/// Some rows of the split in `folder`, from all parts of it, before its values are checked.
/// None of them if rows are very long.
///
/// # Errors
///
/// As [`Split::open`].
pub(super) fn sample(folder: &Path) -> Result<Vec<Row>, TaskError> {
    /// Most rows of a set.
    const N_ROWS_MAX: usize = 64;
    /// Most cells of all rows of a set.
    const N_CELLS_MAX: usize = 1 << 19;
    let metadata = Metadata::read(folder)?;
    let n_cells = metadata.seq_len;
    let n_rows_max = N_ROWS_MAX.min(N_CELLS_MAX / n_cells / metadata.sets.len());
    let mut rows = Vec::new();
    for name in metadata.sets.iter().filter(|_| n_rows_max > 0) {
        let set = Set::open_unchecked(folder, name, &metadata)?;
        let n_rows = set.inputs.n_rows().min(set.labels.n_rows());
        for row in (0..n_rows).step_by(n_rows.div_ceil(n_rows_max).max(1)) {
            let (mut inputs, mut labels) = (vec![PADDING; n_cells], vec![PADDING; n_cells]);
            Split::copy(&set, &set.inputs, row, None, &mut inputs);
            Split::copy(&set, &set.labels, row, set.ignored, &mut labels);
            rows.push((inputs, labels));
        }
    }
    Ok(rows)
}

/// One side of a prepared data set; its sets are concatenated.
pub(crate) struct Split {
    metadata: Metadata,
    sets: Vec<Set>,
    /// First group of each set.
    first_groups: Vec<usize>,
    /// The model's number for each identifier of the files, if the numberings differ.
    renumbered: Option<Vec<u32>>,
}

impl Split {
    /// Opens a folder and checks every value in it.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) naming a file that is missing or unreadable,
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) naming a file with invalid content.
    pub(crate) fn open(folder: &Path) -> Result<Self, TaskError> {
        let metadata = Metadata::read(folder)?;
        let mut split =
            Self { sets: Vec::new(), first_groups: Vec::new(), renumbered: None, metadata };
        let mut n_groups = 0;
        for name in &split.metadata.sets {
            let set = Set::open(folder, name, &split.metadata)?;
            split.first_groups.push(n_groups);
            n_groups += set.n_groups();
            split.sets.push(set);
        }
        if split.metadata.nano.is_some() {
            split.metadata.total_groups = n_groups;
        }
        if let Some(n_puzzles) = split.metadata.total_puzzles.filter(|n| *n != split.n_puzzles()) {
            let field = if split.metadata.nano.is_some() { "num_puzzles" } else { "total_puzzles" };
            let place = format!("{}: `{field}`", folder.join(METADATA).display());
            let expected = format!("{}, the number of puzzles in the arrays", split.n_puzzles());
            return Err(TaskError::malformed(place, expected, n_puzzles.to_string()));
        }
        if n_groups != split.metadata.total_groups {
            let place = format!("{}: `total_groups`", folder.join(METADATA).display());
            let found = split.metadata.total_groups.to_string();
            return Err(TaskError::malformed(
                place,
                format!("{n_groups}, the number of groups in the arrays"),
                found,
            ));
        }
        Ok(split)
    }

    /// A split with the given metadata and without examples.
    pub(crate) fn empty(metadata: Metadata) -> Self {
        Self { metadata, sets: Vec::new(), first_groups: Vec::new(), renumbered: None }
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Adds the sets of another split of the same sizes. `numbers` are the identifiers of
    /// the other files in the numbering of this split.
    pub(crate) fn append(&mut self, mut other: Self, numbers: &[u32]) {
        let n_groups = self.n_groups();
        other.renumber_files(numbers);
        self.first_groups.extend(other.first_groups.iter().map(|first| first + n_groups));
        self.sets.append(&mut other.sets);
        self.metadata.total_groups += other.metadata.total_groups;
        self.metadata.sets.append(&mut other.metadata.sets);
    }

    /// Gives the identifiers of the files other numbers.
    pub(crate) fn renumber_files(&mut self, numbers: &[u32]) {
        self.sets.iter_mut().for_each(|set| set.numbers = Some(numbers.to_vec()));
    }

    /// Sets the number of identifiers that rows may carry.
    pub(crate) fn set_n_identifiers(&mut self, n: usize) {
        self.metadata.num_puzzle_identifiers = n;
    }

    /// Makes rows carry the identifiers `theirs`, indexed by the identifiers of the files.
    pub(crate) fn renumber(&mut self, theirs: Vec<u32>) {
        self.renumbered = Some(theirs);
    }

    /// The identifier of a version in the numbering of the files.
    pub(crate) fn identifier(&self, group: usize, version: usize) -> u32 {
        let (set, puzzle) = self.puzzle(group, version);
        let id = u32::try_from(set.puzzle_identifiers.get(puzzle)).unwrap_or(BLANK_PUZZLE);
        let id = match &set.numbers {
            Some(numbers) => numbers.get(id as usize).copied().unwrap_or(BLANK_PUZZLE),
            None => id,
        };
        if (id as usize) < self.metadata.num_puzzle_identifiers { id } else { BLANK_PUZZLE }
    }

    /// Number of puzzles in all groups.
    pub(crate) fn n_puzzles(&self) -> usize {
        self.sets.iter().map(|set| set.puzzle_identifiers.n_rows()).sum()
    }

    /// Number of examples in all groups.
    pub(crate) fn n_examples(&self) -> usize {
        self.sets.iter().map(|set| set.inputs.n_rows()).sum()
    }

    /// Question and answer of one example, `[seq_len]` each; labels without a loss are
    /// [`PADDING`].
    pub(crate) fn example(&self, at: RowId) -> (Vec<u32>, Vec<u32>) {
        let n_cells = self.metadata.seq_len;
        let (mut inputs, mut labels) = (vec![PADDING; n_cells], vec![PADDING; n_cells]);
        let puzzle_id = &mut BLANK_PUZZLE.clone();
        self.write(at, RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id });
        (inputs, labels)
    }

    /// The set of a group, and the group's number in it.
    fn group(&self, group: usize) -> (&Set, usize) {
        let set_idx = self.first_groups.partition_point(|first| *first <= group) - 1;
        (&self.sets[set_idx], group - self.first_groups[set_idx])
    }

    /// The set of a version, and the puzzle's number in it.
    fn puzzle(&self, group: usize, version: usize) -> (&Set, usize) {
        let (set, group) = self.group(group);
        (set, offset(&set.group_indices, group) + version)
    }

    /// Copies the cells of a row; values that are not token ids, or are `ignored`, become
    /// padding.
    fn copy(set: &Set, cells: &Array, row: usize, ignored: Option<i64>, to: &mut [u32]) {
        to.fill(PADDING);
        let mut to = to.iter_mut();
        cells.row(row, |value| {
            let id = u32::try_from(value).unwrap_or(PADDING).saturating_sub(set.shift);
            let is_kept = (id as usize) < set.vocab_size && Some(value) != ignored;
            if let Some(cell) = to.next() {
                *cell = if is_kept { id } else { PADDING };
            }
        });
    }
}

/// An offset, or 0 if the file was changed after it was checked and the offset is invalid.
fn offset(offsets: &Offsets, idx: usize) -> usize {
    usize::try_from(offsets.get(idx)).unwrap_or(0)
}

/// Number of items in a part, from the offsets of the parts.
fn length(offsets: &Offsets, part: usize) -> usize {
    offset(offsets, part.saturating_add(1)).saturating_sub(offset(offsets, part))
}

impl Examples for Split {
    fn n_groups(&self) -> usize {
        self.sets.iter().map(Set::n_groups).sum()
    }

    fn n_versions(&self, group: usize) -> usize {
        let (set, group) = self.group(group);
        length(&set.group_indices, group).max(1)
    }

    fn n_rows(&self, group: usize, version: usize) -> usize {
        let (set, puzzle) = self.puzzle(group, version);
        length(&set.puzzle_indices, puzzle)
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let (set, puzzle) = self.puzzle(at.group, at.version);
        let example = offset(&set.puzzle_indices, puzzle).saturating_add(at.row);
        Self::copy(set, &set.inputs, example, None, row.inputs);
        Self::copy(set, &set.labels, example, set.ignored, row.labels);
        let ours = self.identifier(at.group, at.version);
        let theirs = |numbers: &Vec<u32>| numbers.get(ours as usize).copied();
        *row.puzzle_id = match &self.renumbered {
            None => ours,
            Some(numbers) => theirs(numbers).unwrap_or(BLANK_PUZZLE),
        };
    }
}
