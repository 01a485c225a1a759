//! The front end of everything that reads text: files as people have them become UTF-8.
//!
//! Byte order marks and UTF-16 are recognised, with a mark or without; gzip, and zip
//! archives of one file, are unpacked on the way. What is no text at all is named
//! ([`PuzzleError::NotText`]). Line breaks become `\n`. Nothing is held in memory except by
//! [`read`] and [`decode`], which have limits.

mod encoding;
pub(crate) mod lines;
mod not_text;
mod shown;
mod unpack;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use hrm_base::file_kind::FileKind;

use crate::PuzzleError;
use encoding::{Encoding, FromUtf16};
use lines::LineBreaks;
use unpack::{Gunzip, Input};

pub(crate) use shown::named;
pub use shown::{clipped, quoted, shown};

/// File endings of tables, for [`Text::open`].
pub const TABLE_ENDINGS: &[&str] = &["csv", "tsv"];

/// File endings of JSON, for [`Text::open`].
pub const JSON_ENDINGS: &[&str] = &["json", "jsonl", "ndjson"];

/// File endings of puzzles as people write them, for [`Text::open`].
pub const PUZZLE_ENDINGS: &[&str] =
    &["csv", "tsv", "txt", "sdm", "sdk", "ss", "json", "jsonl", "ndjson"];

/// Archives within archives that are opened.
const N_LAYERS_MAX: usize = 3;

/// Bytes by which a file is recognised.
const N_HEAD: usize = 4096;

/// A text as a stream of UTF-8, without byte order mark and with line breaks `\n`. Bytes that are no text are passed
/// on, for the reader to find and name the place.
pub struct Text {
    input: Input,
    name: String,
}

impl Text {
    /// Opens a file. Of a zip archive with several files, the only one with one of `endings`
    /// is meant.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`] if the file cannot be read, [`PuzzleError::NotText`] if it is
    /// something else than text, [`PuzzleError::Malformed`] for an archive that is damaged or
    /// holds several files.
    pub fn open(path: &Path, endings: &[&str]) -> Result<Self, PuzzleError> {
        Self::open_with(path, endings, |_| {})
    }

    /// As [`open`](Self::open); tells `progress` how many more bytes of the file were read.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(
        path: &Path,
        endings: &[&str],
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Self, PuzzleError> {
        let failed = PuzzleError::read(path);
        let file = File::open(path).map_err(&failed)?;
        let is_seekable = file.metadata().map_err(&failed)?.is_file();
        let again = if is_seekable { Some(file.try_clone().map_err(&failed)?) } else { None };
        let input = Box::new(Counted { input: file, progress });
        layers((input, again), path.display().to_string(), endings, N_LAYERS_MAX, &failed)
    }

    /// A text from any input; messages call it `name`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn new(
        input: impl Read + Send + 'static,
        name: &str,
        endings: &[&str],
    ) -> Result<Self, PuzzleError> {
        let failed = |source| PuzzleError::Read { path: name.into(), source };
        layers((Box::new(input), None), name.to_owned(), endings, N_LAYERS_MAX, &failed)
    }

    /// What messages call it: the file, and the name within its archive.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] for more than `n_bytes_max`, or with the line of the first
    /// bytes that are no text; [`PuzzleError::Read`].
    pub fn whole(self, n_bytes_max: u64) -> Result<String, PuzzleError> {
        let Self { input, name } = self;
        let mut bytes = Vec::new();
        let read = input.take(n_bytes_max.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|source| PuzzleError::Read { path: name.clone().into(), source })?;
        if bytes.len() as u64 > n_bytes_max {
            let expected = format!("at most {n_bytes_max} bytes of text");
            return Err(PuzzleError::malformed(name, expected, "more"));
        }
        String::from_utf8(bytes).map_err(|err| {
            let at = err.utf8_error().valid_up_to();
            let bytes = err.as_bytes();
            let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            let found = format!("the byte {:#04X}", bytes[at]);
            not_utf8(format!("{name}:{line}"), &found)
        })
    }
}

/// A text that is not in UTF-8, with what to do about it.
pub(crate) fn not_utf8(place: String, found: &str) -> PuzzleError {
    PuzzleError::malformed(place, "text in UTF-8", format!("{found}; save it in UTF-8"))
}

impl Read for Text {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.input.read(bytes)
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Most bytes to which the file at `path` may unpack: as many times its length as puzzles ever
/// do, so that a short file never fills the memory, or 64 MiB, and at most `n_bytes_max`.
pub fn n_unpacked_max(path: &Path, n_bytes_max: u64) -> u64 {
    const N_TIMES: u64 = 64;
    const N_BYTES_MIN: u64 = 64 << 20;
    match path.metadata() {
        Ok(file) if file.is_file() => {
            file.len().saturating_mul(N_TIMES).max(N_BYTES_MIN).min(n_bytes_max)
        }
        // The length of a pipe is unknown.
        _ => n_bytes_max,
    }
}

/// The text of a file of at most `n_bytes_max` bytes, unpacked, and within
/// [`n_unpacked_max`]. `endings` are as for
/// [`Text::open`].
///
/// # Errors
///
/// As [`Text::open`] and [`Text::whole`].
pub fn read(path: &Path, endings: &[&str], n_bytes_max: u64) -> Result<String, PuzzleError> {
    Text::open(path, endings)?.whole(n_unpacked_max(path, n_bytes_max))
}

/// The text of a file of at most `n_bytes_max` bytes that is in no archive: of settings and
/// the like, which take little more memory than the file is long.
///
/// # Errors
///
/// As [`Text::open`] and [`Text::whole`]; [`PuzzleError::NotText`] for an archive.
pub fn read_unpacked(path: &Path, n_bytes_max: u64) -> Result<String, PuzzleError> {
    let failed = PuzzleError::read(path);
    let file = Box::new(File::open(path).map_err(&failed)?);
    layers((file, None), path.display().to_string(), &[], 0, &failed)?.whole(n_bytes_max)
}

/// The text of bytes in memory, which unpack to at most `n_bytes_max`; messages call them
/// `name`. `endings` are as for [`Text::open`].
///
/// # Errors
///
/// As [`Text::open`] and [`Text::whole`].
pub fn decode(
    bytes: Vec<u8>,
    name: &str,
    endings: &[&str],
    n_bytes_max: u64,
) -> Result<String, PuzzleError> {
    Text::new(Cursor::new(bytes), name, endings)?.whole(n_bytes_max)
}

/// Unpacks what is packed, in at most `n_layers` archives in each other, and decodes what is
/// inside. `file` is the input once more, if it can be read from the start.
fn layers(
    (mut input, file): (Input, Option<File>),
    name: String,
    endings: &[&str],
    n_layers: usize,
    failed: &dyn Fn(io::Error) -> PuzzleError,
) -> Result<Text, PuzzleError> {
    let mut head = Vec::with_capacity(N_HEAD);
    input.by_ref().take(N_HEAD as u64).read_to_end(&mut head).map_err(failed)?;
    let is_zip = head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06");
    let is_gzip = head.starts_with(b"\x1f\x8b");
    let (encoding, n_mark) = Encoding::of(&head);
    let kind = match encoding {
        // Its zero bytes are in no other file.
        Encoding::Utf16Le | Encoding::Utf16Be => None,
        _ => FileKind::of(&head),
    };
    let whole = Cursor::new(head).chain(input);
    if is_zip && n_layers > 0 {
        let file = file.map(|mut file| file.rewind().map(|()| file)).transpose().map_err(failed)?;
        let is_inside = n_layers < N_LAYERS_MAX;
        let (inside, name) = unpack::zip(Box::new(whole), (file, is_inside), &name, endings)?;
        return layers((limited(inside), None), name, endings, n_layers - 1, failed);
    }
    if is_gzip && n_layers > 0 {
        let inside = Gunzip::new(BufReader::new(whole));
        return layers((limited(inside), None), name, endings, n_layers - 1, failed);
    }
    if let Some(kind) = kind {
        return Err(not_text::error(name, kind));
    }
    let mut text = BufReader::new(whole);
    io::copy(&mut text.by_ref().take(n_mark as u64), &mut io::sink()).map_err(failed)?;
    let input: Input = match encoding {
        Encoding::Utf8 => Box::new(LineBreaks::new(text)),
        Encoding::Utf16Le => Box::new(LineBreaks::new(FromUtf16::new(text, true))),
        Encoding::Utf16Be => Box::new(LineBreaks::new(FromUtf16::new(text, false))),
        Encoding::Utf32 => return Err(not_text::utf_32(name)),
        Encoding::Binary => return Err(not_text::binary(name)),
    };
    Ok(Text { input, name })
}

/// An unpacked input, within its limit.
fn limited(input: impl Read + Send + 'static) -> Input {
    Box::new(unpack::Limited::new(input))
}

/// Counts the bytes of a file that have been read.
struct Counted<F> {
    input: File,
    progress: F,
}

impl<F: FnMut(u64)> Read for Counted<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n_read = self.input.read(bytes)?;
        (self.progress)(n_read as u64);
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests;
