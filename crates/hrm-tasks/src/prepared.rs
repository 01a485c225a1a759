//! A prepared set: base puzzles, and the settings of their versions.
//!
//! ```text
//! folder/
//!   recipe.json              kind and settings: number of versions, seed, size
//!   train.csv   test.csv     the base puzzles of most kinds
//!   training/   evaluation/  the tasks of ARC
//! ```
//!
//! Versions are computed from both when a set is opened. Opening it gives the rows and
//! the puzzle identifiers that the settings gave with the original data.

use std::path::{Path, PathBuf};

use crate::json::read_json;
use crate::{PuzzleTask, TaskConfig, TaskError, folder};

/// File name of the settings.
pub use hrm_puzzles::records::SETTINGS;

/// Largest size of the settings file in bytes. An alphabet of all characters fits.
const N_BYTES_MAX: u64 = 1 << 24;

/// Writes the base puzzles of `task`, which `config` opened, and `config` itself
/// into a new folder. Returns the size of its files in bytes.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if the base puzzles of `task` are unknown,
/// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write), also if `out` exists.
pub fn prepare(config: &TaskConfig, task: &dyn PuzzleTask, out: &Path) -> Result<u64, TaskError> {
    let mut files = task.base_puzzles().ok_or_else(|| {
        let found = "prepared rows; `hrm data import` recovers base puzzles from them";
        TaskError::malformed("the data", "base puzzles", found)
    })?;
    // The files written here have columns with known names.
    let config = config.clone().with_table_columns("")?;
    let settings = serde_json::to_string_pretty(&config).expect("settings are always JSON");
    files.push((SETTINGS, settings + "\n"));
    folder::write_new(out, &files)?;
    Ok(files.iter().map(|(_, text)| text.len() as u64).sum())
}

/// The settings of the prepared set in `data`; `None` if no path is one.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if there are other paths beside it,
/// or the settings are malformed; [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) if
/// the settings cannot be read.
pub fn read(data: &[PathBuf]) -> Result<Option<TaskConfig>, TaskError> {
    let is_prepared = |path: &Path| path.join(SETTINGS).is_file();
    let Some(folder) = folder::alone(data, "a prepared set", is_prepared)? else {
        return Ok(None);
    };
    let path = folder.join(SETTINGS);
    read_json(&path, N_BYTES_MAX, "the settings of a kind of puzzle").map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;
    use hrm_train::task::{Examples, RowMut};

    fn rows(examples: &dyn Examples, n_cells: usize) -> Vec<(Vec<u32>, Vec<u32>, u32)> {
        let write = |at| {
            let (mut inputs, mut labels, mut puzzle_id) = (vec![0; n_cells], vec![0; n_cells], 0);
            let row =
                RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
            examples.write(at, row);
            (inputs, labels, puzzle_id)
        };
        examples.row_ids().map(write).collect()
    }

    /// The task of the tiny preset, with few puzzles.
    fn config(kind: &str) -> TaskConfig {
        let config = RunConfig::preset(kind, "tiny").unwrap().task;
        let mut tree = serde_json::to_value(&config).unwrap();
        for (field, value) in [("n_train", 6), ("n_eval", 3), ("augmentations", 4)] {
            if tree.get(field).is_some() {
                tree[field] = value.into();
            }
        }
        serde_json::from_value(tree).unwrap()
    }

    #[test]
    fn a_prepared_set_opens_with_the_original_rows() {
        let here = tempfile::tempdir().unwrap();
        for kind in ["arc", "binairo", "maze", "sudoku"] {
            let config = config(kind);
            let (task, out) = (config.open(&[]).unwrap(), here.path().join(kind));
            let n_bytes = prepare(&config, task.as_ref(), &out).unwrap();
            assert!(n_bytes > 100, "{kind}: {n_bytes}");
            assert!(
                prepare(&config, task.as_ref(), &out).is_err(),
                "existing folders are not overwritten"
            );

            let data = [out];
            assert_eq!(read(&data).unwrap().as_ref(), Some(&config), "{kind}");
            let again = config.open(&data).unwrap();
            assert_eq!(again.identifiers(), task.identifiers(), "{kind}");
            for (want, found) in [(task.train(), again.train()), (task.eval(), again.eval())] {
                assert!(want.n_groups() > 0, "{kind}");
                let n_cells = task.n_cells();
                assert!(rows(found, n_cells) == rows(want, n_cells), "{kind}: other rows");
            }
        }
    }

    #[test]
    fn held_out_puzzles_stay_held_out() {
        let here = tempfile::tempdir().unwrap();
        let csv = here.path().join("grids.csv");
        let lines: String = (0..9).map(|n| format!("{n}a,{n}b\n")).collect();
        std::fs::write(&csv, format!("question,answer\n{lines}")).unwrap();
        let data = [csv];
        let config = config("grid").fitted_to(&data).unwrap();
        let (task, out) = (config.open(&data).unwrap(), here.path().join("out"));
        assert_eq!(task.eval().n_groups(), 1);
        prepare(&config, task.as_ref(), &out).unwrap();
        let again = config.open(&[out]).unwrap();
        assert_eq!(rows(again.eval(), 2), rows(task.eval(), 2));
        assert_eq!(rows(again.train(), 2), rows(task.train(), 2));
    }

    #[test]
    fn malformed_settings_are_rejected_with_their_file() {
        let here = tempfile::tempdir().unwrap();
        let folder = here.path().to_owned();
        assert_eq!(read(std::slice::from_ref(&folder)).unwrap(), None);
        let path = folder.join(SETTINGS);
        for text in ["", "[]", r#"{"kind": "chess"}"#, r#"{"kind": "maze", "side": -1}"#] {
            std::fs::write(&path, text).unwrap();
            let err = read(std::slice::from_ref(&folder)).unwrap_err().to_string();
            assert!(err.starts_with(&path.display().to_string()), "{err}");
        }
        std::fs::write(&path, format!(r#"{{"kind": "{}"}}"#, "x".repeat(5000))).unwrap();
        let err = read(std::slice::from_ref(&folder)).unwrap_err().to_string();
        assert!(err.len() < 400, "{err}");
        let err = read(&[folder, "more.csv".into()]).unwrap_err().to_string();
        assert!(err.ends_with("expected a prepared set to be the only data, found 2 paths"));
    }
}
