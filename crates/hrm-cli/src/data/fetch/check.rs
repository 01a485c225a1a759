//! Verifies files against their manifest: sizes, hashes, numbers of puzzles.

use std::collections::BTreeMap;
use std::path::Path;

use hrm_puzzles::arc::{OnConflict, library};
use hrm_puzzles::{PuzzleError, records};

use super::error::FetchError;
use super::manifest::{Format, Manifest};
use crate::record::sha256;

/// Where a file came from, and what its server announced about it.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    /// Address or path, for messages.
    pub(super) place: String,
    /// Size in bytes.
    pub(super) size: Option<u64>,
    /// Lower-case hexadecimal.
    pub(super) sha256: Option<String>,
}

/// Verifies the files in `folder`, with one arrival per file of the manifest.
/// Returns how many puzzles they hold, by the names that manifests use.
///
/// # Errors
///
/// [`FetchError::Size`], [`FetchError::Hash`] or [`FetchError::Count`] for a file
/// that differs from its description, or an error of the task that reads it.
pub(super) fn check(
    manifest: &Manifest,
    arrivals: &[Arrival],
    folder: &Path,
) -> Result<BTreeMap<String, u64>, FetchError> {
    for ((idx, file), arrival) in manifest.files.iter().enumerate().zip(arrivals) {
        let path = folder.join(file.place(&file.name));
        for expected in [file.size, arrival.size].into_iter().flatten() {
            let found = std::fs::metadata(&path).map_err(FetchError::read(&path))?.len();
            if found != expected {
                return Err(FetchError::Size { place: arrival.place.clone(), expected, found });
            }
        }
        let hashes = [manifest.sha256.get(idx), arrival.sha256.as_ref()];
        if hashes.iter().any(Option::is_some) {
            let found = sha256(&path)?;
            if let Some(expected) = hashes.into_iter().flatten().find(|hash| **hash != found) {
                let (place, expected) = (arrival.place.clone(), expected.clone());
                return Err(FetchError::Hash { place, expected, found });
            }
        }
    }

    let found = counts(manifest, folder)?;
    for (file, arrival) in manifest.files.iter().zip(arrivals) {
        for name in file.countable() {
            let Some(expected) = manifest.counts.get(&name).map(|count| count.get()) else {
                continue;
            };
            let found = found.get(&name).copied().unwrap_or_default();
            if found != expected {
                let (place, what) = (arrival.place.clone(), name.replace('_', " "));
                return Err(FetchError::Count { place, what, expected, found });
            }
        }
    }
    Ok(found)
}

/// Counts the puzzles in the files, by the names of
/// [`File::countable`](super::manifest::File::countable).
fn counts(manifest: &Manifest, folder: &Path) -> Result<BTreeMap<String, u64>, FetchError> {
    let mut counts = BTreeMap::new();
    for file in &manifest.files {
        let names = file.countable();
        // Several patterns may fill one folder, which is counted once.
        if names.iter().all(|name| counts.contains_key(name)) {
            continue;
        }
        let path = folder.join(file.place(&file.name));
        let found = match file.format {
            Format::PuzzleCsv => count_puzzles(&path)?,
            Format::ArcJson => count_tasks(path.parent().unwrap_or(folder))?,
        };
        counts.extend(names.into_iter().zip(found));
    }
    Ok(counts)
}

fn count_puzzles(path: &Path) -> Result<Vec<u64>, PuzzleError> {
    let mut n_puzzles = 0;
    records::visit_file(path, |_| n_puzzles += 1)?;
    Ok(vec![n_puzzles])
}

/// Tasks, train pairs and test pairs of a folder, read as training reads them.
fn count_tasks(folder: &Path) -> Result<Vec<u64>, PuzzleError> {
    let library = library::read(&[folder.to_owned()], OnConflict::Error)?.library;
    let n_train: usize = library.values().map(|task| task.n_train).sum();
    let n_pairs: usize = library.values().map(|task| task.pairs.len()).sum();
    Ok([library.len(), n_train, n_pairs - n_train].map(|n| n as u64).into())
}

#[cfg(test)]
mod tests;
