//! Names of the puzzle identifiers of an imported model, which eval needs to give each
//! puzzle the embedding it was trained with.

use std::fs;
use std::path::{Path, PathBuf};

use hrm_base::words;
use hrm_puzzles::text;
use hrm_tasks::{TaskError, published};
use serde::Deserialize;

use crate::error::usage;

/// File name of the names of the puzzle identifiers.
pub(super) const FILE: &str = "identifiers.json";

/// Enough for two million names of versions.
const N_BYTES_MAX: u64 = 256 << 20;

/// The data that a model was trained on.
pub(super) struct Data {
    path: PathBuf,
    /// Number of cells of the puzzles of prepared data.
    pub(super) n_cells: Option<usize>,
}

impl Data {
    /// Looks at the data in `path`.
    ///
    /// # Errors
    ///
    /// If there is nothing at `path`, or its metadata cannot be read.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        fs::metadata(path).map_err(TaskError::read(path))?;
        Ok(Self { path: path.to_owned(), n_cells: n_cells(path)? })
    }

    /// The path, if it holds puzzles that are not prepared.
    pub(super) fn puzzles(&self) -> Option<&Path> {
        self.identifiers().is_none().then_some(&self.path)
    }

    /// The file of names of prepared data, which may be missing: in their folder, or beside one
    /// of its splits.
    pub(super) fn identifiers(&self) -> Option<PathBuf> {
        let path = self.path.join(FILE);
        let above = self.path.join("..").join(FILE);
        let is_split = self.path.join("dataset.json").is_file() && above.is_file();
        let is_prepared = self.n_cells.is_some() || path.is_file();
        is_prepared.then_some(if is_split && !path.is_file() { above } else { path })
    }
}

/// Reads the names in `path`, one for each of `n` embeddings.
///
/// # Errors
///
/// If the file cannot be read, or does not have as many names.
pub(super) fn read(path: &Path, n: usize, weights: &str) -> anyhow::Result<Vec<String>> {
    let text = text::read(path, text::JSON_ENDINGS, N_BYTES_MAX)?;
    let names = published::identifiers(&text, &path.display().to_string())?;
    if names.len() != n {
        return Err(usage(format!(
            "{}: expected one name for each of the {n} puzzle embeddings in {weights}, found {}",
            path.display(),
            names.len()
        )));
    }
    published::check_names(&names, &path.display().to_string())?;
    Ok(names)
}

/// Number of cells of the puzzles of prepared data, if its splits say so.
fn n_cells(folder: &Path) -> anyhow::Result<Option<usize>> {
    #[derive(Deserialize)]
    struct Metadata {
        seq_len: usize,
    }
    for place in ["test", "train", "."] {
        let path = folder.join(place).join("dataset.json");
        if path.is_file() {
            let text = text::read(&path, text::JSON_ENDINGS, N_BYTES_MAX)?;
            let Metadata { seq_len } = serde_json::from_str(&text).map_err(|err| {
                usage(format!(
                    "{}: expected an object with the number `seq_len`, found {}",
                    path.display(),
                    words::of_json(&err)
                ))
            })?;
            return Ok(Some(seq_len));
        }
    }
    Ok(None)
}
