//! What has come of a file, and how to recognise the rest of it.
//!
//! The bytes are in `NAME.part`; `NAME.part.json` holds what the server said of
//! the file that it was sending.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::FetchError;

/// A file that has come in part.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    record: PathBuf,
}

/// What a server says of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) url: String,
    /// Size in bytes.
    pub(super) size: Option<u64>,
    /// Changes whenever the file does.
    pub(super) etag: Option<String>,
}

impl Partial {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), record: path.with_added_extension("json") }
    }

    /// Bytes that are there.
    pub(super) fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// What is known of the file at `url`, if that is what has come.
    pub(super) fn record(&self, url: &str) -> Option<Record> {
        let record: Record = serde_json::from_slice(&fs::read(&self.record).ok()?).ok()?;
        (record.url == url).then_some(record)
    }

    /// Begins a file anew. What was there goes first, so that a record never
    /// stands beside bytes of another file.
    pub(super) fn start(&self, record: &Record) -> Result<(), FetchError> {
        self.forget()?;
        let text = serde_json::to_vec(record).expect("a record is text and numbers");
        fs::write(&self.record, text).map_err(FetchError::write(&self.record))?;
        File::create(&self.path).map(drop).map_err(FetchError::write(&self.path))
    }

    /// Throws away what has come.
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

    /// Makes the bytes durable and gives them their final name. The record
    /// stays, to say where they are from.
    pub(super) fn finish(&self, target: &Path) -> Result<(), FetchError> {
        let file = File::options().append(true).open(&self.path);
        file.and_then(|file| file.sync_all()).map_err(FetchError::write(&self.path))?;
        fs::rename(&self.path, target).map_err(FetchError::write(target))
    }
}

impl Record {
    /// Whether an answer with this `Content-Range` and this mark goes on,
    /// `held` bytes in, with the file of the record. A mark decides if there is
    /// one; if not, the size must be known and the same.
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
        let marked = record(Some(9), Some("\"a\""));
        assert!(marked.continues(4, "bytes 4-8/9", Some("\"a\"")));
        assert!(marked.continues(4, "bytes 4-8/*", Some("\"a\"")));
        assert!(!marked.continues(4, "bytes 4-8/9", Some("\"b\"")));
        assert!(!marked.continues(4, "bytes 4-9/10", Some("\"a\"")));
        assert!(!marked.continues(4, "bytes 3-8/9", Some("\"a\"")));
        let sized = record(Some(9), None);
        assert!(sized.continues(4, "bytes 4-8/9", None));
        assert!(!sized.continues(4, "bytes 4-9/10", None));
        assert!(!sized.continues(4, "bytes 4-8/*", None));
        assert!(!record(None, None).continues(4, "bytes 4-8/9", None));
        for nonsense in ["", "bytes", "bytes -/-", "lines 4-8/9", "bytes 4/9"] {
            assert!(!marked.continues(4, nonsense, Some("\"a\"")), "{nonsense}");
        }
    }

    #[test]
    fn bytes_of_another_address_are_not_taken() {
        let here = tempfile::tempdir().unwrap();
        let partial = Partial::at(&here.path().join("a.part"));
        partial.start(&Record { url: "u".into(), size: None, etag: None }).unwrap();
        assert!(partial.record("u").is_some() && partial.record("v").is_none());
        partial.forget().unwrap();
        partial.forget().unwrap();
        assert!(partial.record("u").is_none() && !partial.path.exists());
    }
}
