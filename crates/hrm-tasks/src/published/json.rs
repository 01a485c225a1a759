//! JSON files of limited size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hrm_puzzles::clipped;
use serde::de::DeserializeOwned;

use crate::error::TaskError;

/// Reads a JSON file of at most `n_bytes_max` bytes; messages call its content `expected`.
///
/// # Errors
///
/// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) if the file cannot be read, [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed)
/// if it is too large or has another content.
pub(super) fn read_json<T: DeserializeOwned>(
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
