//! Questions with their answers, encoded.

use hrm_train::task::{BLANK_PUZZLE, Examples, RowId, RowMut};

use super::Grid;
use super::task::Kind;
use crate::TaskError;
use crate::records::Located;

/// A question and its answer, `[n_cells]` ids each.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) inputs: Vec<u32>,
    pub(super) labels: Vec<u32>,
    /// File and line, or the number of a generated puzzle.
    pub(super) place: String,
}

impl Pair {
    /// Encodes a record.
    ///
    /// # Errors
    ///
    /// [`TaskError::Malformed`] naming file, line and field of what is no grid
    /// of this kind, or an answer that breaks a rule.
    pub(super) fn read(kind: &Kind, located: &Located) -> Result<Self, TaskError> {
        let Located { record, place } = located;
        let [question_place, answer_place] =
            ["question", "answer"].map(|name| format!("{place}: field `{name}`"));
        let question = Grid::parse(&record.question, &question_place)?;
        let answer = Grid::parse(&record.answer, &answer_place)?;
        let inputs = kind.inputs(&question, &question_place)?;
        let labels = kind.canvas.labels(&answer, &answer_place)?;
        match kind.broken_rule(&question, &answer) {
            None => Ok(Self { inputs, labels, place: place.clone() }),
            Some(fault) => {
                Err(TaskError::malformed(answer_place, "an answer that obeys the rules", fault))
            }
        }
    }
}

/// Pairs, a row each.
pub(super) struct Pairs(pub(super) Vec<Pair>);

impl Examples for Pairs {
    fn n_groups(&self) -> usize {
        self.0.len()
    }

    fn n_versions(&self, _group: usize) -> usize {
        1
    }

    fn n_rows(&self, _group: usize, _version: usize) -> usize {
        1
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let pair = &self.0[at.group];
        row.inputs.copy_from_slice(&pair.inputs);
        row.labels.copy_from_slice(&pair.labels);
        *row.puzzle_id = BLANK_PUZZLE;
    }
}
