//! The kind `grid`: any puzzles of characters in rows, read from files.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hrm_puzzles::grid::{Grid, Rules};
use hrm_puzzles::records::{self, Located};
use serde::{Deserialize, Serialize};

use super::canvas;
use super::pair::CharacterGrid;
use crate::cells::{CellKind, DataSettings};
use crate::{FitToData, TaskError};

/// Largest number of cells: larger than in any published model.
const N_CELLS_MAX: usize = 1 << 16;

/// Settings of grids. All but the last two are [fitted](FitToData::fitted_to) to the
/// training data and are fixed once a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridConfig {
    /// The characters of questions and answers, sorted, each once.
    pub alphabet: String,
    /// Rows of the largest grid; `rows * columns` is at most 65,536.
    pub rows: usize,
    /// Cells of the longest row.
    pub columns: usize,
    /// Seed of the held-out split.
    pub seed: u64,
    /// Share of data files without a test set that is held out for evaluation,
    /// `0 <= held_out < 1`; at least one puzzle if it is positive.
    pub held_out: f64,
    /// Which columns of data files hold what, e.g. `question=quizzes,answer=solutions`; empty for
    /// columns with known names.
    #[serde(default)]
    pub table_columns: String,
}

impl CharacterGrid for GridConfig {
    fn name(&self) -> &'static str {
        "grid"
    }

    fn data(&self) -> DataSettings {
        DataSettings { seed: self.seed, n_train: 0, n_eval: 0, held_out: self.held_out }
    }

    fn table_columns(&self) -> &str {
        &self.table_columns
    }

    fn check(&self) -> Result<(), TaskError> {
        for (field, n) in [("rows", self.rows), ("columns", self.columns)] {
            if n == 0 {
                return Err(TaskError::setting(field, "at least 1", n));
            }
        }
        if self.rows.saturating_mul(self.columns) > N_CELLS_MAX {
            let n_max = N_CELLS_MAX / self.rows;
            let expected = format!("at most {n_max} if task.rows is {}", self.rows);
            return Err(TaskError::setting("columns", expected, self.columns));
        }
        canvas::check_alphabet("alphabet", &self.alphabet)
    }

    fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn alphabet(&self) -> String {
        self.alphabet.clone()
    }

    fn rules(&self) -> Option<&dyn Rules> {
        None
    }
}

impl FitToData for GridConfig {
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        if n_cells != 0 && n_cells == self.rows.saturating_mul(self.columns) {
            return Ok(self);
        }
        let expected = "taken from files of puzzles: a number of cells does not determine it";
        Err(TaskError::setting("alphabet", expected, format!("{n_cells} cells")))
    }

    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        if data.is_empty() {
            return Ok(self);
        }
        let seen = Mutex::new((BTreeSet::new(), 0, 0));
        let look = |located: &Located| -> Result<(), TaskError> {
            let Located { record, .. } = located;
            for (name, text) in [("question", &record.question), ("answer", &record.answer)] {
                let grid = Grid::parse(text, &located.field(name))?;
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let (alphabet, rows, columns) = &mut *seen;
                alphabet.extend(grid.cells().map(|(_, symbol)| symbol));
                *rows = grid.n_rows().max(*rows);
                *columns = grid.n_columns().max(*columns);
            }
            Ok(())
        };
        records::split(data, &CellKind::checked_columns(&self)?, (0.0, self.seed), look)?;
        let (alphabet, rows, columns) = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let alphabet = alphabet.into_iter().collect();
        Ok(Self { alphabet, rows, columns, ..self })
    }
}
