//! Errors in puzzles, their settings and their files.

use std::path::{Path, PathBuf};

use hrm_puzzles::PuzzleError;

/// An error in puzzles, their settings or their files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A puzzle, or a file of puzzles.
    #[error(transparent)]
    Puzzle(PuzzleError),

    /// A setting that is out of range or incompatible with other settings.
    #[error("task.{field} must be {expected}, found {found}")]
    Setting {
        /// Field of the task's config.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// The value given.
        found: String,
    },

    /// A kind without a generator was opened without data.
    #[error(
        "there are no built-in {kind} puzzles: give a CSV file with the columns question and \
         answer (--data FILE), or a puzzle to solve"
    )]
    NoGenerator {
        /// The kind.
        kind: &'static str,
    },

    /// A tokenizer file could not be written.
    #[error("cannot write the tokenizer {}", .path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The error of the tokenizer library.
        #[source]
        source: tokenizers::Error,
    },
}

impl From<PuzzleError> for TaskError {
    /// A setting of a puzzle is a setting of its task.
    fn from(err: PuzzleError) -> Self {
        match err {
            PuzzleError::Setting { field, expected, found } => {
                Self::Setting { field, expected, found }
            }
            err => Self::Puzzle(err),
        }
    }
}

impl TaskError {
    /// Shorthand for [`PuzzleError::Malformed`].
    pub fn malformed(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Puzzle(PuzzleError::malformed(place, expected, found))
    }

    /// Shorthand for [`PuzzleError::Empty`].
    pub fn empty(place: impl Into<String>, what: &'static str) -> Self {
        Self::Puzzle(PuzzleError::Empty { place: place.into(), what })
    }

    /// Shorthand for [`TaskError::Setting`].
    pub fn setting(
        field: &'static str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Setting { field, expected: expected.into(), found: found.to_string() }
    }

    /// Attaches the path to a failed write.
    pub fn write(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Puzzle(PuzzleError::Write { path: path.to_owned(), source })
    }

    /// Attaches the path to a failed read.
    pub fn read(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Puzzle(PuzzleError::Read { path: path.to_owned(), source })
    }
}
