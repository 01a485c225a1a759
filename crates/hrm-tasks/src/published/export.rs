//! Writes any task as a prepared data set.
//!
//! Token ids are `uint8`, as in the published ARC data, or `int32` for vocabularies of more
//! than 256 ids; the published loader widens them. Identifiers and offsets are `int32`, as
//! published.

use std::path::Path;

use hrm_base::durable;
use hrm_puzzles::arc::Dialect;
use hrm_train::task::{BLANK_PUZZLE, Examples, PADDING, RowId, RowMut};
use serde::Serialize;

use super::layout::Side;
use super::names::{IDENTIFIERS, TEST_PUZZLES, in_dialect};
use super::npy::{ArrayWriter, Dtype};
use super::split::{METADATA, Metadata, ends};
use crate::{PuzzleTask, TaskError, folder};

/// The name of the only set of each split.
const SET: &str = "all";

/// Counts of the data written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Training examples, of all versions.
    pub n_train: usize,
    /// Test examples, of all versions.
    pub n_test: usize,
    /// Puzzle identifiers, the blank one included.
    pub n_identifiers: usize,
}

/// Writes every version of every puzzle of `task` into the new folder `out`. Passes the
/// number of examples written so far to `progress`. A side without examples is left out. The
/// data are for the published code of `dialect`: TRM's has other names of versions, a count
/// of puzzles, and a file of the tasks that its evaluation scores.
///
/// Only one example is in memory at a time. The folder appears once it is complete.
///
/// # Errors
///
/// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write), also if `out` exists;
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if there are more puzzles or
/// examples than an `int32` can count.
pub fn export(
    task: &dyn PuzzleTask,
    dialect: Dialect,
    out: &Path,
    mut progress: impl FnMut(u64),
) -> Result<Exported, TaskError> {
    folder::new(out, |partial| {
        let mut n_done = 0;
        let mut n_written = [0; 2];
        let sides = [(Side::Train, task.train()), (Side::Test, task.eval())];
        for ((side, examples), n_written) in sides.into_iter().zip(&mut n_written) {
            let before = n_done;
            let path = partial.join(side.folder());
            *n_written = write_side((task, dialect), examples, &path, |n| {
                n_done = before + n as u64;
                progress(n_done);
            })?;
        }
        let names = task.identifiers().iter().map(|name| in_dialect(dialect, name));
        write_json(&partial.join(IDENTIFIERS), &names.collect::<Vec<_>>())?;
        let test_puzzles = task.test_puzzles().filter(|_| dialect == Dialect::Trm);
        if let Some(text) = &test_puzzles {
            let path = partial.join(TEST_PUZZLES);
            durable::write_new(&path, text.as_bytes()).map_err(TaskError::write(&path))?;
        }
        let [n_train, n_test] = n_written;
        Ok(Exported { n_train, n_test, n_identifiers: task.n_puzzle_ids() })
    })
}

/// Numbers of groups, puzzles and examples of one side.
struct Counts {
    n_groups: usize,
    n_puzzles: usize,
    n_examples: usize,
}

impl Counts {
    fn of(examples: &dyn Examples) -> Result<Self, TaskError> {
        let n_groups = examples.n_groups();
        let n_puzzles: usize = (0..n_groups).map(|group| examples.n_versions(group)).sum();
        let n_examples = examples.n_rows_total() as usize;
        let most = i32::MAX as usize;
        for (n, what) in [(n_puzzles, "puzzles, versions included"), (n_examples, "examples")] {
            if n > most {
                let expected = format!("at most {most} {what}");
                return Err(TaskError::malformed("the data to export", expected, n.to_string()));
            }
        }
        Ok(Self { n_groups, n_puzzles, n_examples })
    }
}

/// Writes one side into the new folder `path`, unless it has no examples. Returns their
/// number.
fn write_side(
    (task, dialect): (&dyn PuzzleTask, Dialect),
    examples: &dyn Examples,
    path: &Path,
    mut progress: impl FnMut(usize),
) -> Result<usize, TaskError> {
    let Counts { n_groups, n_puzzles, n_examples } = Counts::of(examples)?;
    if n_examples == 0 {
        return Ok(0);
    }
    std::fs::create_dir(path).map_err(TaskError::write(path))?;
    let n_cells = task.n_cells();
    let ids = if task.vocab_size() <= 256 { Dtype::U8 } else { Dtype::I32 };
    let create = |end, dtype, n_rows, n_cols| {
        ArrayWriter::create(&path.join(format!("{SET}{end}")), dtype, n_rows, n_cols)
    };
    let mut inputs_file = create(ends::INPUTS, ids, n_examples, Some(n_cells))?;
    let mut labels_file = create(ends::LABELS, ids, n_examples, Some(n_cells))?;
    let mut identifiers = create(ends::PUZZLE_IDENTIFIERS, Dtype::I32, n_puzzles, None)?;
    let mut puzzles = create(ends::PUZZLE_INDICES, Dtype::I32, n_puzzles + 1, None)?;
    let mut groups = create(ends::GROUP_INDICES, Dtype::I32, n_groups + 1, None)?;

    let (mut inputs, mut labels) = (vec![PADDING; n_cells], vec![PADDING; n_cells]);
    let (mut n_puzzles_done, mut n_done) = (0, 0);
    groups.push(&[0])?;
    puzzles.push(&[0])?;
    for group in 0..n_groups {
        for version in 0..examples.n_versions(group) {
            let mut puzzle_id = BLANK_PUZZLE;
            for row in 0..examples.n_rows(group, version) {
                let (inputs, labels) = (&mut inputs[..], &mut labels[..]);
                let at = RowId { group, version, row };
                examples.write(at, RowMut { inputs, labels, puzzle_id: &mut puzzle_id });
                inputs_file.push(inputs)?;
                labels_file.push(labels)?;
                n_done += 1;
                progress(n_done as usize);
            }
            identifiers.push(&[puzzle_id])?;
            puzzles.push(&[n_done])?;
            n_puzzles_done += 1;
        }
        groups.push(&[n_puzzles_done])?;
    }
    for file in [inputs_file, labels_file, identifiers, puzzles, groups] {
        file.finish()?;
    }

    let metadata = Metadata {
        vocab_size: task.vocab_size(),
        num_puzzle_identifiers: task.n_puzzle_ids(),
        total_groups: n_groups,
        mean_puzzle_examples: n_examples as f64 / n_puzzles as f64,
        total_puzzles: (dialect == Dialect::Trm).then_some(n_puzzles),
        ..Metadata::of_rows(n_cells, SET)
    };
    write_json(&path.join(METADATA), &metadata)?;
    durable::sync_folder(path).map_err(TaskError::write(path))?;
    Ok(n_examples)
}

fn write_json(path: &Path, value: &(impl Serialize + ?Sized)) -> Result<(), TaskError> {
    let text = serde_json::to_string(value).expect("names and numbers are always JSON");
    durable::write_new(path, text.as_bytes()).map_err(TaskError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One group of many versions, with examples in the first of them only.
    struct Many {
        n_versions: usize,
        n_examples: u64,
    }

    impl Examples for Many {
        fn n_groups(&self) -> usize {
            1
        }
        fn n_versions(&self, _: usize) -> usize {
            self.n_versions
        }
        fn n_rows(&self, _: usize, version: usize) -> usize {
            if version == 0 { self.n_examples as usize } else { 0 }
        }
        fn n_rows_total(&self) -> u64 {
            self.n_examples
        }
        fn write(&self, _: RowId, _: RowMut<'_>) {}
    }

    #[test]
    fn the_count_that_is_too_large_is_named() {
        let message = |n_versions, n_examples| {
            Counts::of(&Many { n_versions, n_examples }).err().map(|err| err.to_string())
        };
        assert_eq!(message(2, 3), None);
        let want = "the data to export: expected at most 2147483647 puzzles, versions included, \
                    found 3000000000";
        assert_eq!(message(3_000_000_000, 7).as_deref(), Some(want));
        let want = "the data to export: expected at most 2147483647 examples, found 4000000000";
        assert_eq!(message(7, 4_000_000_000).as_deref(), Some(want));
    }
}
