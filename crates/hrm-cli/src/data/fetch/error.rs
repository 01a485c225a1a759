//! Why a data set could not be fetched.

use std::path::PathBuf;

use hrm_tasks::TaskError;

/// A data set was not fetched, or is not what its manifest says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// A manifest that cannot be parsed.
    #[error("{place} is not a manifest")]
    Manifest {
        place: String,
        #[source]
        source: toml::de::Error,
    },

    /// A manifest with a value that nothing can be done with.
    #[error("{place}: {field} must be {expected}, found `{found}`")]
    Field { place: String, field: &'static str, expected: &'static str, found: String },

    /// Another program is fetching into the same folder.
    #[error("{} is in use: another fetch is at work there", .path.display())]
    Busy { path: PathBuf },

    /// No answer from a server.
    #[error("no answer from {url}")]
    Unreachable {
        url: String,
        #[source]
        source: ureq::Error,
    },

    /// An answer other than the file.
    #[error("{url}: expected the file, found status {found}")]
    Status {
        url: String,
        found: u16,
        /// Seconds that the server asks us to wait.
        retry_after_s: Option<u64>,
    },

    /// An answer that cannot be put together with what came before.
    #[error("{url}: expected {expected}, found {found}")]
    Answer { url: String, expected: String, found: String },

    /// The connection ended before the file did.
    #[error("{url}: expected {expected} bytes, found the end after {found}")]
    Truncated {
        url: String,
        /// A number, if the server gave one.
        expected: String,
        found: u64,
        #[source]
        source: Option<std::io::Error>,
    },

    /// More than there is room for.
    #[error("{place}: expected at most {expected} bytes, found {found}")]
    TooLarge {
        place: String,
        expected: u64,
        /// A number where it is known, else `more`.
        found: String,
    },

    /// A file of another size.
    #[error("{place}: expected {expected} bytes, found {found}")]
    Size { place: String, expected: u64, found: u64 },

    /// A file with other content.
    #[error("{place}: expected SHA-256 {expected}, found {found}")]
    Hash { place: String, expected: String, found: String },

    /// A set that is not complete, or not the one that the manifest describes.
    #[error("{place}: expected {expected} {what}, found {found}")]
    Count { place: String, what: String, expected: u64, found: u64 },

    /// Nothing has the name that the manifest gives.
    #[error("{place}: expected files named `{pattern}`, found none")]
    Missing { place: String, pattern: String },

    /// Two files that would become one.
    #[error("{place}: expected one file named `{name}`, found two")]
    Twice { place: String, name: String },

    /// A file that is not an archive, or a broken one.
    #[error("{place} is not a sound zip archive")]
    Archive {
        place: String,
        #[source]
        source: zip::result::ZipError,
    },

    /// An entry of an archive that must not be unpacked.
    #[error("{place}: entry `{entry}`: expected {expected}, found {found}")]
    Entry { place: String, entry: String, expected: &'static str, found: &'static str },

    /// A file that cannot be read or written, or holds something else.
    #[error(transparent)]
    File(#[from] TaskError),
}

impl FetchError {
    /// Whether trying again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => match source {
                // A certificate that is refused now will be refused again.
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

    /// Whether the network failed: what has come so far is good.
    pub(crate) fn is_network_failure(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Status { .. }
                | Self::Answer { .. }
                | Self::Truncated { .. }
        )
    }

    /// Whether what has come is not the set.
    pub(super) fn is_wrong_content(&self) -> bool {
        match self {
            Self::File(TaskError::Read { .. } | TaskError::Write { .. }) | Self::Busy { .. } => {
                false
            }
            _ => !self.is_network_failure(),
        }
    }

    /// A failed write, with what was written.
    pub(super) fn write(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| TaskError::Write { path: path.to_owned(), source }.into()
    }

    /// A failed read, with what was read.
    pub(super) fn read(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| TaskError::Read { path: path.to_owned(), source }.into()
    }
}
