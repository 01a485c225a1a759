//! Why a fetch failed.

use std::path::PathBuf;

use hrm_puzzles::PuzzleError;

/// A data set could not be fetched, or does not match its manifest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// A manifest that cannot be parsed.
    #[error("{place} is not a manifest")]
    Manifest {
        place: String,
        #[source]
        source: toml::de::Error,
    },

    /// A manifest with an invalid value.
    #[error("{place}: {field} must be {expected}, found `{found}`")]
    Field { place: String, field: &'static str, expected: &'static str, found: String },

    /// A folder that cannot be searched, because patterns are text.
    #[error("{}: expected a path in UTF-8: rename the folder, or copy its files", .path.display())]
    NotUtf8 { path: PathBuf },

    /// Another program is fetching into the same folder.
    #[error("{} is in use by another fetch", .path.display())]
    Busy { path: PathBuf },

    /// A server did not respond.
    #[error("no response from {url}")]
    Unreachable {
        url: String,
        #[source]
        source: ureq::Error,
    },

    /// A status other than success.
    #[error("{url}: expected the file, found status {found}")]
    Status {
        url: String,
        found: u16,
        /// Seconds to wait before the next request, if the server says so.
        retry_after_s: Option<u64>,
    },

    /// A response that does not continue the partial download.
    #[error("{url}: expected {expected}, found {found}")]
    Answer { url: String, expected: String, found: String },

    /// The connection closed before the end of the file.
    #[error("{url}: expected {expected} bytes, received {found}")]
    Truncated {
        url: String,
        /// The size of the file, or `more` if it is unknown.
        expected: String,
        found: u64,
        #[source]
        source: Option<std::io::Error>,
    },

    /// A file or archive above the size limit.
    #[error("{place}: expected at most {expected} bytes, found {found}")]
    TooLarge {
        place: String,
        expected: u64,
        /// The size, or `more` if it is unknown.
        found: String,
    },

    /// A file with the wrong size.
    #[error("{place}: expected {expected} bytes, found {found}")]
    Size { place: String, expected: u64, found: u64 },

    /// A file with the wrong hash.
    #[error("{place}: expected SHA-256 {expected}, found {found}")]
    Hash { place: String, expected: String, found: String },

    /// A data set with the wrong number of puzzles.
    #[error("{place}: expected {expected} {what}, found {found}")]
    Count { place: String, what: String, expected: u64, found: u64 },

    /// No file has the name in the manifest.
    #[error("{place}: expected files named `{pattern}`, found none")]
    Missing { place: String, pattern: String },

    /// Two files for one name.
    #[error("{place}: expected one file named `{name}`, found two")]
    Twice { place: String, name: String },

    /// A file that is not an archive, or is damaged.
    #[error("{place} is not an intact zip archive")]
    Archive {
        place: String,
        #[source]
        source: zip::result::ZipError,
    },

    /// An entry of an archive that is not safe to unpack.
    #[error("{place}: entry `{entry}`: expected {expected}, found {found}")]
    Entry { place: String, entry: String, expected: &'static str, found: &'static str },

    /// A file that cannot be read or written, or is malformed.
    #[error(transparent)]
    File(#[from] PuzzleError),
}

impl FetchError {
    /// Whether another attempt may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => match source {
                // An invalid certificate stays invalid.
                ureq::Error::Io(err) => err.kind() != std::io::ErrorKind::InvalidData,
                ureq::Error::Timeout(_)
                | ureq::Error::ConnectionFailed
                | ureq::Error::Protocol(_) => true,
                _ => false,
            },
            Self::Status { found, .. } => matches!(found, 408 | 425 | 429 | 500 | 502..=504),
            Self::Truncated { .. } | Self::Answer { .. } => true,
            _ => false,
        }
    }

    /// Whether the network failed. A partial download is then still good.
    pub(crate) fn is_network_failure(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Status { .. }
                | Self::Answer { .. }
                | Self::Truncated { .. }
        )
    }

    /// Whether the downloaded content is wrong.
    pub(super) fn is_wrong_content(&self) -> bool {
        match self {
            Self::File(PuzzleError::Read { .. } | PuzzleError::Write { .. })
            | Self::Busy { .. } => false,
            _ => !self.is_network_failure(),
        }
    }

    /// The error of a failed write to `path`.
    pub(super) fn write(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| PuzzleError::Write { path: path.to_owned(), source }.into()
    }

    /// The error of a failed read of `path`.
    pub(super) fn read(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| PuzzleError::Read { path: path.to_owned(), source }.into()
    }
}
