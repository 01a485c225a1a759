//! Errors of reading, writing and generating puzzles.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A puzzle or a setting was rejected, or a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PuzzleError {
    /// Content that does not follow its format.
    #[error("{place}: expected {expected}, found {found}")]
    Malformed {
        /// File with line, field or JSON path; or the origin of typed text.
        place: String,
        /// What would have been accepted.
        expected: String,
        /// What was found instead.
        found: String,
    },

    /// A readable file or folder without puzzles.
    #[error("{place} holds no {what}")]
    Empty {
        /// File or folder.
        place: String,
        /// What it should hold, e.g. `puzzles`.
        what: &'static str,
    },

    /// A file that is something else than text.
    #[error("{place} is {found}, not text: {advice}")]
    NotText {
        /// The file.
        place: String,
        /// What it is, e.g. `a Parquet table`.
        found: Cow<'static, str>,
        /// What to do about it.
        advice: String,
    },

    /// A setting that is out of range or incompatible with other settings.
    #[error("{field} must be {expected}, found {found}")]
    Setting {
        /// Name of the setting, e.g. `side`.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// The value given.
        found: String,
    },

    /// A file or folder could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },

    /// A file or folder could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },

    /// Puzzles could not be written to their output.
    #[error("cannot write puzzles")]
    Output(#[source] std::io::Error),

    /// A picture that is too large to render in memory.
    #[error("a picture of {width} by {height} pixels is too large: at most {n_pixels_max} pixels")]
    PictureSize {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Maximum number of pixels.
        n_pixels_max: usize,
    },
}

impl PuzzleError {
    /// Creates a [`PuzzleError::Malformed`].
    pub fn malformed(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed { place: place.into(), expected: expected.into(), found: found.into() }
    }

    /// Creates a [`PuzzleError::Setting`].
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
