//! Converts a prepared data set to the puzzle files of this crate.
//!
//! Only base puzzles are kept, because their versions are computed when they are needed. The
//! first puzzle of a prepared Sudoku or maze group is its base puzzle: the published code
//! writes it first.

use std::path::Path;

use super::imported::Imported;
use super::layout::{Layout, sides_of};
use crate::error::TaskError;
use crate::presets::RunConfig;
use crate::registry::TaskConfig;

/// Reads the base puzzles of a prepared data set. Without `kind`, the only kind that fits
/// the data is used.
///
/// # Errors
///
/// As opening the data set; [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if the
/// data fit no kind, several kinds, or not the given one. A puzzle that cannot be converted
/// is not an error: it is listed in [`Imported::refused`].
pub fn import(folder: &Path, kind: Option<&str>) -> Result<Imported, TaskError> {
    let sides = sides_of(folder);
    if sides.is_empty() {
        let place = folder.display().to_string();
        return Err(TaskError::empty(place, "prepared data set"));
    }
    let layout = Layout::open(folder, &sides)?;
    let config = settings(&layout, kind)?;
    let mut imported = config.puzzle_kind().row_decoder()?.import(&layout);
    imported.notes.extend(layout.notes);
    Ok(imported)
}

/// Settings of the kind whose vocabulary size and number of cells are those of the data.
fn settings(layout: &Layout, kind: Option<&str>) -> Result<TaskConfig, TaskError> {
    let n_cells = layout.metadata().seq_len;
    let fitting = |kind: &&str| {
        let config = RunConfig::preset(kind, "tiny").ok()?.task.with_cells(n_cells).ok()?;
        {
            let kind = config.puzzle_kind();
            layout.check(config.name(), (kind.vocabulary().len(), kind.n_cells())).is_ok()
        }
        .then_some(config)
    };
    let kinds = TaskConfig::NAMES.iter().filter(|name| kind.is_none_or(|kind| kind == **name));
    let mut fits: Vec<_> = kinds.filter_map(fitting).collect();
    match fits.len() {
        1 => Ok(fits.remove(0)),
        n_fits => {
            let found = match n_fits {
                0 => "another vocabulary size or number of cells",
                _ => "data that fit several kinds; name the kind",
            };
            let expected = match kind {
                Some(kind) => format!("puzzles of kind {kind}"),
                None => format!("puzzles of one of the kinds {}", TaskConfig::NAMES.join(", ")),
            };
            Err(TaskError::malformed(&layout.place, expected, found))
        }
    }
}
