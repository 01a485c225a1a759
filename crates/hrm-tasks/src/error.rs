//! What can be wrong with a puzzle, and where.

use std::path::{Path, PathBuf};

/// A puzzle, a file of puzzles or a request for puzzles was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Content that is not what its format promises.
    #[error("{place}: expected {expected}, found {found}")]
    Malformed {
        /// File with line, field or JSON path; or what the user typed.
        place: String,
        /// What would have been accepted.
        expected: String,
        /// What was there.
        found: String,
    },

    /// A file that is readable but holds no puzzle.
    #[error("{place} holds no {what}")]
    Empty {
        /// File or folder.
        place: String,
        /// What it should hold, e.g. `puzzles`.
        what: &'static str,
    },

    /// Puzzles were wanted without data, of a kind that has no generator.
    #[error(
        "there are no built-in {kind} puzzles: give a CSV file with the columns question and \
         answer (--data FILE), or a puzzle to solve"
    )]
    NoGenerator {
        /// The kind.
        kind: &'static str,
    },

    /// A setting outside its range, or settings that do not go together.
    #[error("task.{field} must be {expected}, found {found}")]
    Setting {
        /// Field of the task's config.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// The value given.
        found: String,
    },

    /// A file or folder could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// What was opened.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },

    /// A file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// What was opened.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },

    /// Puzzles could not be passed on.
    #[error("cannot write puzzles")]
    Output(#[source] std::io::Error),

    /// A picture that would not fit into memory.
    #[error("a picture of {width} by {height} pixels is too large: at most {n_pixels_max} pixels")]
    PictureSize {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
        /// Pixels allowed.
        n_pixels_max: usize,
    },

    /// A tokenizer file that could not be written.
    #[error("cannot write the tokenizer {}", .path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What the tokenizer library says.
        #[source]
        source: tokenizers::Error,
    },
}

impl TaskError {
    /// Shorthand for [`TaskError::Malformed`].
    pub fn malformed(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed { place: place.into(), expected: expected.into(), found: found.into() }
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
        move |source| Self::Write { path: path.to_owned(), source }
    }

    /// Attaches the path to a failed read.
    pub fn read(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }
}
