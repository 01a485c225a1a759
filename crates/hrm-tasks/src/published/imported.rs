//! Base puzzles of a prepared data set, as puzzle files of this crate.

use std::path::Path;

use hrm_base::durable;
use hrm_base::progress::Stage;
use hrm_puzzles::records::{self as files, Record};
use hrm_train::task::{Examples, RowId};

use super::layout::{Layout, Side};
use super::split::Split;
use crate::error::TaskError;
use crate::folder;

/// The base puzzles of a prepared data set, as files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Path of each file in the folder to write, and its content.
    pub files: Vec<(String, String)>,
    /// Number of puzzles in the files.
    pub n_puzzles: usize,
    /// Number of augmented versions that were left out.
    pub n_versions: usize,
    /// A message for each puzzle that could not be converted.
    pub refused: Vec<String>,
    /// What was passed over, one line each.
    pub notes: Vec<String>,
}

impl Imported {
    /// Writes the files into a new folder `out`. If `out` has the extension of such a file
    /// (`csv`, `json`), writes the only file to `out` itself.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Empty`](hrm_puzzles::PuzzleError::Empty) without files, [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed)
    /// for several files and an `out` with such an extension,
    /// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write), also if `out` exists.
    pub fn write(&self, out: &Path) -> Result<(), TaskError> {
        // Other dots belong to the name of a folder, e.g. `data.v2`.
        let has_extension_of = |(name, _): &(String, String)| {
            let extension = Path::new(name).extension();
            extension.is_some() && extension == out.extension()
        };
        let is_file = self.files.iter().any(has_extension_of);
        match self.files.as_slice() {
            [] => Err(TaskError::empty("the data", "puzzles to write")),
            [(_, text)] if is_file => std::fs::create_dir_all(durable::parent(out))
                .and_then(|()| durable::write_new(out, text.as_bytes()))
                .map_err(TaskError::write(out)),
            several if is_file => {
                let place = out.display().to_string();
                let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
                Err(TaskError::malformed(place, "a folder", format!("files {}", names.join(", "))))
            }
            files => folder::write_new(out, files),
        }
    }
}

/// Base puzzles as files of records, one per side. `read` converts the token ids of a
/// question and its answer; its third argument is their place, for messages.
pub(crate) fn records(
    layout: &Layout,
    read: impl Fn(&[u32], &[u32], &str) -> Result<Record, TaskError>,
) -> Imported {
    let mut imported = Imported::default();
    let mut n_others = 0;
    let n_examples = |split: &Option<Split>| split.as_ref().map_or(0, Split::n_examples);
    let n_total = n_examples(&layout.train) + n_examples(&layout.test);
    let stage = Stage::start("converting examples", n_total as u64);
    for (split, side) in [(&layout.train, Side::Train), (&layout.test, Side::Test)] {
        let Some(split) = split else { continue };
        let mut records = Vec::new();
        for at in split.row_ids() {
            stage.advance(1);
            let (inputs, labels) = split.example(at);
            if at.version > 0 && is_version(split, at, &inputs) {
                imported.n_versions += 1;
                continue;
            }
            let RowId { group, version, row } = at;
            let place = format!(
                "{}: {}, group {group}, version {version}, row {row}",
                layout.place,
                side.folder()
            );
            match read(&inputs, &labels, &place) {
                Ok(record) => {
                    n_others += usize::from(version > 0);
                    records.push(record);
                }
                Err(err) => imported.refused.push(err.to_string()),
            }
        }
        imported.n_puzzles += records.len();
        if !records.is_empty() {
            imported.files.push((format!("{}.csv", side.folder()), files::to_text(&records)));
        }
    }
    if n_others > 0 {
        imported.notes.push(format!(
            "{}: {n_others} of the puzzles are versions that give more or fewer cells than the \
             first of their group, which makes them puzzles of their own",
            layout.place
        ));
    }
    imported
}

/// Whether a puzzle may be a version of the first one of its group. Turning a board and
/// permuting its digits changes neither the number of blank cells nor the sorted counts of
/// the digits. A puzzle that differs in these is a base puzzle itself.
fn is_version(split: &Split, at: RowId, inputs: &[u32]) -> bool {
    if at.row >= split.n_rows(at.group, 0) {
        return false;
    }
    let (base, _) = split.example(RowId { version: 0, ..at });
    profile(&base) == profile(inputs)
}

/// The number of cells with id 1, which is a blank or a wall, and the sorted counts of all
/// other ids.
fn profile(ids: &[u32]) -> (usize, Vec<usize>) {
    let mut counts = vec![0; ids.iter().max().map_or(2, |id| (*id as usize + 1).max(2))];
    for id in ids {
        counts[*id as usize] += 1;
    }
    let n_first = std::mem::take(&mut counts[1]);
    counts.retain(|count| *count > 0);
    counts.sort_unstable();
    (n_first, counts)
}
