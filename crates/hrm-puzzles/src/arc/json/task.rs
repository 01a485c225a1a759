//! A task as a file states it.

use serde::Serialize;

use crate::PuzzleError;
use crate::arc::Grid;

/// An input grid with its output grid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Pair {
    /// The input grid.
    pub input: Grid,
    /// The output grid.
    pub output: Grid,
}

/// A test input, with its output if the file contains it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TestPair {
    /// The input grid.
    pub input: Grid,
    /// The expected output grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Grid>,
}

/// One task as stored in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ArcTask {
    /// Example pairs that demonstrate the rule.
    pub train: Vec<Pair>,
    /// Test inputs for the same rule.
    pub test: Vec<TestPair>,
}

/// A task, as far as it can be held.
#[derive(Debug)]
pub enum Found {
    /// A task.
    Task(ArcTask),
    /// A task of which a part cannot be held.
    Refused(Refused),
}

/// Why a task cannot be held, and what is left of it.
#[derive(Debug)]
pub struct Refused {
    /// The part that is wrong.
    pub error: PuzzleError,
    /// Whether it is well-formed, but a grid is larger than ARC allows.
    pub is_too_large: bool,
    /// The test pairs, if the fault is in the train pairs; else their number.
    pub tests: Result<Vec<TestPair>, usize>,
}
