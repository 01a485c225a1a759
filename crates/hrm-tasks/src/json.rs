//! JSON files of limited size.

use std::path::Path;

use hrm_base::words;
use hrm_puzzles::text;
use serde::de::DeserializeOwned;

use crate::error::TaskError;

/// Reads a JSON file of at most `n_bytes_max` bytes; messages call its content `expected`.
///
/// # Errors
///
/// As [`text::read_unpacked`], and [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed)
/// if it has another content.
pub(crate) fn read_json<T: DeserializeOwned>(
    path: &Path,
    n_bytes_max: u64,
    expected: &str,
) -> Result<T, TaskError> {
    let text = text::read_unpacked(path, n_bytes_max)?;
    serde_json::from_str(&text).map_err(|err| {
        TaskError::malformed(path.display().to_string(), expected, words::of_json(&err))
    })
}
