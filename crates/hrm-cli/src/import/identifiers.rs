//! Names of the puzzle identifiers of an imported model, which eval needs to give each
//! puzzle the embedding it was trained with.

use std::fs;
use std::path::{Path, PathBuf};

use hrm_tasks::TaskError;
use serde::Deserialize;

use crate::error::usage;

/// File name of the names of the puzzle identifiers.
pub(super) const FILE: &str = "identifiers.json";

/// Enough for two million names of versions.
const N_BYTES_MAX: u64 = 256 << 20;

/// The file of a folder of prepared data, or of one of its splits.
pub(super) fn of_data(folder: &Path) -> PathBuf {
    let path = folder.join(FILE);
    if path.is_file() { path } else { folder.join("..").join(FILE) }
}

/// Reads the names in `path`, one for each of `n` embeddings.
///
/// # Errors
///
/// If the file cannot be read, or does not have as many names.
pub(super) fn read(path: &Path, n: usize, weights: &str) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = read_json(path, "a list of names")?;
    if names.len() != n {
        return Err(usage(format!(
            "{}: expected one name for each of the {n} puzzle embeddings in {weights}, found {}",
            path.display(),
            names.len()
        )));
    }
    Ok(names)
}

/// Number of cells of the puzzles of prepared data, if its splits say so.
pub(super) fn n_cells(folder: &Path) -> anyhow::Result<Option<usize>> {
    #[derive(Deserialize)]
    struct Metadata {
        seq_len: usize,
    }
    for place in ["test", "train", "."] {
        let path = folder.join(place).join("dataset.json");
        if path.is_file() {
            let Metadata { seq_len } = read_json(&path, "an object with `seq_len`")?;
            return Ok(Some(seq_len));
        }
    }
    Ok(None)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, expected: &str) -> anyhow::Result<T> {
    let len = fs::metadata(path).map_err(TaskError::read(path))?.len();
    let found =
        |what: String| usage(format!("{}: expected {expected}, found {what}", path.display()));
    if len > N_BYTES_MAX {
        return Err(found(format!("{len} bytes")));
    }
    let bytes = fs::read(path).map_err(TaskError::read(path))?;
    serde_json::from_slice(&bytes).map_err(|err| found(err.to_string()))
}
