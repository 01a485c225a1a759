//! A puzzle as its file has it.

use serde::{Deserialize, Serialize};

/// One line of a puzzle file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Origin of the puzzle. Empty if the file does not state it.
    pub source: String,
    /// The unsolved grid.
    pub question: String,
    /// The solved grid.
    pub answer: String,
    /// Difficulty, on the scale of the source. Empty if the file does not state it.
    pub rating: String,
}

/// A record with the place it was read from, for messages.
#[derive(Clone, Debug)]
pub struct Located {
    /// The record.
    pub record: Record,
    /// File and line, e.g. `train.csv:2`.
    pub place: String,
}

impl Located {
    /// Name of a field of the record in messages.
    pub fn field(&self, name: &str) -> String {
        format!("{}: field `{name}`", self.place)
    }
}
