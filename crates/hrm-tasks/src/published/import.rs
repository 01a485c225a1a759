//! Converts a prepared data set to the puzzle files of this crate.
//!
//! Only base puzzles are kept, because their versions are computed when they are needed. The
//! first puzzle of a prepared Sudoku or maze group is its base puzzle: the published code
//! writes it first.

use std::path::Path;

use super::imported::Imported;
use super::layout::{Layout, Sample, sides_of};
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
    let settings = |kind: &str| RunConfig::preset(kind, "tiny").ok().map(|preset| preset.task);
    let has_rows = |config: &TaskConfig| config.puzzle_kind().settings_of_rows().is_some();
    let kinds: Vec<_> = match kind {
        Some(kind) => settings(kind).into_iter().collect(),
        None => {
            TaskConfig::NAMES.iter().filter_map(|kind| settings(kind)).filter(has_rows).collect()
        }
    };
    import_one_of(folder, &kinds)
}

/// As [`import`], for puzzles with these settings, of the size of the data.
///
/// # Errors
///
/// As [`import`].
pub fn import_as(folder: &Path, settings: &TaskConfig) -> Result<Imported, TaskError> {
    import_one_of(folder, std::slice::from_ref(settings))
}

fn import_one_of(folder: &Path, kinds: &[TaskConfig]) -> Result<Imported, TaskError> {
    let sides = sides_of(folder);
    if sides.is_empty() {
        let place = folder.display().to_string();
        return Err(TaskError::empty(place, "prepared data set"));
    }
    let layout = Layout::open(folder, &sides)?;
    let config = fitting(&layout, &Sample::of(folder)?, kinds)?;
    let mut imported = config.puzzle_kind().row_decoder()?.import(&layout);
    imported.notes.extend(layout.notes);
    Ok(imported)
}

/// The settings of the only one of `kinds` whose vocabulary size and number of cells are those
/// of the data.
fn fitting(
    layout: &Layout,
    sample: &Sample,
    kinds: &[TaskConfig],
) -> Result<TaskConfig, TaskError> {
    let fitted = |config: &TaskConfig| {
        let config = config.clone().with_rows(sample)?;
        let kind = config.puzzle_kind();
        layout.check(config.name(), (kind.vocabulary().len(), kind.n_cells()))?;
        Ok(config)
    };
    let (mut fits, mut reasons) = (Vec::new(), Vec::new());
    for config in kinds {
        match fitted(config) {
            Ok(config) => fits.push(config),
            Err(err) if kinds.len() == 1 => return Err(err),
            Err(err) => reasons.push(format!("{}: {err}", config.name())),
        }
    }
    if fits.len() == 1 {
        return Ok(fits.remove(0));
    }
    let names: Vec<_> = kinds.iter().map(TaskConfig::name).collect();
    let expected = format!("puzzles of one of the kinds {}", names.join(", "));
    let found = match fits.is_empty() {
        true => format!("none of them ({})", reasons.join("; ")),
        false => "data that fit several kinds; name the kind".to_owned(),
    };
    Err(TaskError::malformed(&layout.place, expected, found))
}
