//! A prepared data set, turned into the files that we keep puzzles in.
//!
//! Only base puzzles are taken: their versions are made again when they are
//! asked for. In a prepared Sudoku or maze group the first puzzle is the base,
//! by the order in which the published code writes them.

use std::path::Path;

use super::imported::Imported;
use super::layout::{Layout, Side, is_split, split_of};
use crate::error::TaskError;
use crate::presets::RunConfig;
use crate::registry::TaskConfig;

/// Reads the base puzzles of a prepared data set, of a kind if it is given.
///
/// # Errors
///
/// As opening the data set; [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if it is of no kind, or
/// could be of several. A puzzle that cannot be turned is no error, but listed.
pub fn import(folder: &Path, kind: Option<&str>) -> Result<Imported, TaskError> {
    let sides = if is_split(folder) {
        let is_test = folder.file_name().is_some_and(|name| name == Side::Test.folder());
        vec![if is_test { Side::Test } else { Side::Train }]
    } else {
        let is_there = |side: &Side| split_of(folder, *side).exists();
        [Side::Train, Side::Test].into_iter().filter(is_there).collect()
    };
    if sides.is_empty() {
        let place = folder.display().to_string();
        return Err(TaskError::empty(place, "prepared data set"));
    }
    let layout = Layout::open(folder, &sides)?;
    let config = settings(&layout, kind)?;
    Ok(config.puzzle_kind().row_decoder()?.import(&layout))
}

/// Settings of the kind whose puzzles have the size of the data.
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
            let found = match kind {
                Some(kind) => format!("data that is not of {kind}"),
                None if n_fits == 0 => "another vocabulary or number of cells".to_owned(),
                None => "data that fits several: name one".to_owned(),
            };
            let expected = format!("puzzles of {}", TaskConfig::NAMES.join(", "));
            Err(TaskError::malformed(&layout.place, expected, found))
        }
    }
}
