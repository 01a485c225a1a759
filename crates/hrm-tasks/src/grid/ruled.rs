//! Makes a puzzle with rules a kind with built-in data.

use std::path::PathBuf;

use hrm_puzzles::grid::Rules;
use serde::{Deserialize, Serialize};

use super::canvas;
use super::pair::CharacterGrid;
use crate::cells::DataSettings;
use crate::{FitToData, TaskError};

/// A puzzle with rules, and the settings of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruled<R> {
    /// The puzzle's own settings.
    pub rules: R,
    /// Seed of built-in puzzles and the held-out split.
    pub seed: u64,
    /// Number of built-in training puzzles, at most 1,000,000.
    pub n_train: usize,
    /// Number of built-in evaluation puzzles, at most 1,000,000. None is also a
    /// training puzzle.
    pub n_eval: usize,
    /// Share of data files without a test set that is held out for evaluation,
    /// `0 <= held_out < 1`; at least one puzzle if it is positive.
    pub held_out: f64,
    /// Which columns of data files hold what, e.g. `question=quizzes,answer=solutions`; empty for
    /// columns with known names.
    #[serde(default)]
    pub table_columns: String,
}

impl<R> Ruled<R> {
    /// A puzzle with 2000 built-in training and 200 evaluation puzzles.
    pub fn new(rules: R) -> Self {
        Self {
            rules,
            seed: 1,
            n_train: 2000,
            n_eval: 200,
            held_out: 0.1,
            table_columns: String::new(),
        }
    }
}

impl<R: Rules + Clone + 'static> CharacterGrid for Ruled<R> {
    fn name(&self) -> &'static str {
        self.rules.name()
    }

    fn data(&self) -> DataSettings {
        let &Self { seed, n_train, n_eval, held_out, .. } = self;
        DataSettings { seed, n_train, n_eval, held_out }
    }

    fn table_columns(&self) -> &str {
        &self.table_columns
    }

    fn check(&self) -> Result<(), TaskError> {
        self.rules.check_settings()?;
        canvas::check_alphabet("rules", &self.rules.alphabet())
    }

    fn size(&self) -> (usize, usize) {
        self.rules.size()
    }

    fn alphabet(&self) -> String {
        self.rules.alphabet()
    }

    fn rules(&self) -> Option<&dyn Rules> {
        Some(&self.rules)
    }
}

impl<R: Rules> FitToData for Ruled<R> {
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let (n_rows, n_columns) = self.rules.size();
        let found = n_rows.saturating_mul(n_columns);
        if n_cells == found {
            return Ok(self);
        }
        let expected = format!("settings for puzzles of {n_cells} cells");
        Err(TaskError::setting("rules", expected, format!("{found} cells")))
    }

    fn fitted_to(self, _data: &[PathBuf]) -> Result<Self, TaskError> {
        Ok(self)
    }
}
