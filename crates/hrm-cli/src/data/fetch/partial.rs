//! An incomplete download, and how to recognise its continuation.
//!
//! `NAME.part` holds the bytes, `NAME.part.json` what the server said about the
//! file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::FetchError;

/// An incomplete download.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    record: PathBuf,
}

/// What a server says about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) url: String,
    /// Size in bytes.
    pub(super) size: Option<u64>,
    /// Entity tag: changes whenever the file does.
    pub(super) etag: Option<String>,
}

impl Partial {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), record: path.with_added_extension("json") }
    }

    /// Number of bytes received so far.
    pub(super) fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// The record of the file, if it is the one at `url`.
    pub(super) fn record(&self, url: &str) -> Option<Record> {
        let record: Record = serde_json::from_slice(&fs::read(&self.record).ok()?).ok()?;
        (record.url == url).then_some(record)
    }

    /// Starts a new download. Earlier bytes are removed first, so that a record
    /// never lies beside bytes of another file.
    pub(super) fn start(&self, record: &Record) -> Result<(), FetchError> {
        self.forget()?;
        let text = serde_json::to_vec(record).expect("a record is text and numbers");
        fs::write(&self.record, text).map_err(FetchError::write(&self.record))?;
        File::create(&self.path).map(drop).map_err(FetchError::write(&self.path))
    }

    /// Removes the bytes and the record.
    pub(super) fn forget(&self) -> Result<(), FetchError> {
        for path in [&self.path, &self.record] {
            match fs::remove_file(path) {
                Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FetchError::write(path)(err));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the bytes durable and moves them to `target`. The record stays, to
    /// tell where they are from.
    pub(super) fn finish(&self, target: &Path) -> Result<(), FetchError> {
        let file = File::options().append(true).open(&self.path);
        file.and_then(|file| file.sync_all()).map_err(FetchError::write(&self.path))?;
        fs::rename(&self.path, target).map_err(FetchError::write(target))
    }
}

impl Record {
    /// Whether a response with this `Content-Range` and this entity tag continues
    /// the file of the record after `held` bytes. If either side has no tag, the
    /// size must be known and equal.
    pub(super) fn continues(&self, held: u64, range: &str, etag: Option<&str>) -> bool {
        let parts = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
        let Some((bytes, size)) = parts else { return false };
        let start = bytes.split_once('-').and_then(|(start, _)| start.parse().ok());
        let size: Option<u64> = size.parse().ok();
        let is_same_file = match (&self.etag, etag) {
            (Some(mine), Some(theirs)) => mine == theirs && (size == self.size || size.is_none()),
            _ => self.size.is_some() && size == self.size,
        };
        start == Some(held) && is_same_file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rest_of_the_same_file_continues_it() {
        let record = |size, etag: Option<&str>| Record {
            url: "u".into(),
            size,
            etag: etag.map(str::to_owned),
        };
        let tagged = record(Some(9), Some("\"a\""));
        assert!(tagged.continues(4, "bytes 4-8/9", Some("\"a\"")));
        assert!(tagged.continues(4, "bytes 4-8/*", Some("\"a\"")));
        assert!(!tagged.continues(4, "bytes 4-8/9", Some("\"b\"")));
        assert!(!tagged.continues(4, "bytes 4-9/10", Some("\"a\"")));
        assert!(!tagged.continues(4, "bytes 3-8/9", Some("\"a\"")));
        let sized = record(Some(9), None);
        assert!(sized.continues(4, "bytes 4-8/9", None));
        assert!(!sized.continues(4, "bytes 4-9/10", None));
        assert!(!sized.continues(4, "bytes 4-8/*", None));
        assert!(!record(None, None).continues(4, "bytes 4-8/9", None));
        for nonsense in ["", "bytes", "bytes -/-", "lines 4-8/9", "bytes 4/9"] {
            assert!(!tagged.continues(4, nonsense, Some("\"a\"")), "{nonsense}");
        }
    }

    #[test]
    fn bytes_from_another_address_are_not_used() {
        let here = tempfile::tempdir().unwrap();
        let partial = Partial::at(&here.path().join("a.part"));
        partial.start(&Record { url: "u".into(), size: None, etag: None }).unwrap();
        assert!(partial.record("u").is_some() && partial.record("v").is_none());
        partial.forget().unwrap();
        partial.forget().unwrap();
        assert!(partial.record("u").is_none() && !partial.path.exists());
    }
}
