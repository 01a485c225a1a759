//! Folders of puzzle files: writing them atomically, and finding them among paths.

use std::path::{Path, PathBuf};

use hrm_base::durable;
use hrm_puzzles::PuzzleError;

use crate::TaskError;

/// Creates the new folder `out` with the content that `fill` writes.
///
/// # Errors
///
/// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write), also if `out` exists, and errors of
/// `fill`, with the names that files would have had in `out`. On errors no folder is left
/// behind.
pub(crate) fn new<T>(
    out: &Path,
    fill: impl FnOnce(&Path) -> Result<T, TaskError>,
) -> Result<T, TaskError> {
    durable::new_folder(out, TaskError::write(out), |folder| {
        fill(folder).map_err(|mut err| {
            if let TaskError::Puzzle(PuzzleError::Write { path, .. }) = &mut err {
                *path = durable::final_name(path, folder, out);
            }
            err
        })
    })
}

/// Writes `files`, pairs of a relative path and a text, into the new folder `out`.
///
/// # Errors
///
/// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write), also if `out` exists. On errors
/// no folder is left behind.
pub(crate) fn write_new<N: AsRef<Path>>(
    out: &Path,
    files: &[(N, String)],
) -> Result<(), TaskError> {
    new(out, |folder| {
        for (name, text) in files {
            let path = folder.join(name);
            let parent = durable::parent(&path);
            std::fs::create_dir_all(parent).map_err(TaskError::write(parent))?;
            durable::write_new(&path, text.as_bytes()).map_err(TaskError::write(&path))?;
        }
        Ok(())
    })
}

/// The path in `data` for which `is_it` holds, if any. Messages call it `what`.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if there are other paths beside it.
pub(crate) fn alone<'a>(
    data: &'a [PathBuf],
    what: &str,
    is_it: impl Fn(&Path) -> bool,
) -> Result<Option<&'a Path>, TaskError> {
    let Some(folder) = data.iter().find(|path| is_it(path)) else { return Ok(None) };
    if data.len() > 1 {
        let place = folder.display().to_string();
        let expected = format!("{what} to be the only data");
        return Err(TaskError::malformed(place, expected, format!("{} paths", data.len())));
    }
    Ok(Some(folder))
}
