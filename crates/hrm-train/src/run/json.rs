//! JSON files, and errors that name the file.

use std::fs;
use std::path::Path;

use hrm_base::durable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Damage, TrainError};

/// Reads a JSON file.
///
/// # Errors
///
/// [`TrainError::Read`] or [`TrainError::Json`], or [`TrainError::Damaged`] if a version control
/// system has left a pointer in its place.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let text = fs::read(path).map_err(reading(path))?;
    serde_json::from_slice(&text).map_err(|source| match Damage::instead_of(path) {
        Some(damage) => TrainError::Damaged { path: path.to_owned(), damage },
        None => TrainError::Json { path: path.to_owned(), source },
    })
}

/// Writes a JSON file, in full or not at all.
///
/// # Errors
///
/// [`TrainError::Write`] or [`TrainError::Json`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut text = to_json(path, value, true)?;
    text.push('\n');
    durable::replace(path, text.as_bytes()).map_err(writing(path))
}

/// A value as JSON text; `path` is the file named in an error.
pub(super) fn to_json(
    path: &Path,
    value: &impl Serialize,
    pretty: bool,
) -> Result<String, TrainError> {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map_err(|source| TrainError::Json { path: path.to_owned(), source })
}

/// The error of a failed read of `path`.
pub(super) fn reading(path: &Path) -> impl Fn(std::io::Error) -> TrainError {
    move |source| TrainError::Read { path: path.to_owned(), source }
}

/// The error of a failed write of `path`.
pub(super) fn writing(path: &Path) -> impl Fn(std::io::Error) -> TrainError {
    move |source| TrainError::Write { path: path.to_owned(), source }
}
