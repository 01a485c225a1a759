//! Reading the one file of a gzip or zip archive, a piece at a time.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use hrm_base::file_kind::{FileKind, Group};
use zip::{CompressionMethod, ZipArchive};

use super::not_text;
use crate::{PuzzleError, clipped};

/// Anything that is read from beginning to end.
pub(super) type Input = Box<dyn Read + Send>;

/// Largest length of what an archive unpacks to: a hundred times a large data set.
pub(super) const N_UNPACKED_MAX: u64 = 64 << 30;

/// Largest length of a zip archive that cannot be read twice, such as standard input.
const N_HELD_MAX: u64 = 256 << 20;

/// Largest number of entries of a zip archive that are looked at.
const N_ENTRIES_MAX: usize = 10_000;

/// Opens the file in a zip archive: the only one, or the only one with one of `endings`.
///
/// # Errors
///
/// [`PuzzleError::NotText`] for documents that are zip archives inside,
/// [`PuzzleError::Malformed`] for an archive that is damaged or does not hold one such file.
pub(super) fn zip(
    input: Input,
    file: Option<File>,
    name: &str,
    endings: &[&str],
) -> Result<(Input, String), PuzzleError> {
    match file {
        Some(file) => entry(file, name, endings),
        None => {
            let mut held = Vec::new();
            let read = input.take(N_HELD_MAX + 1).read_to_end(&mut held);
            read.map_err(|err| damaged(name, &err.to_string()))?;
            if held.len() as u64 > N_HELD_MAX {
                let expected = format!("a zip archive of at most {N_HELD_MAX} bytes here");
                return Err(PuzzleError::malformed(name, expected, "more; unpack it first"));
            }
            entry(Cursor::new(held), name, endings)
        }
    }
}

fn damaged(name: &str, err: &str) -> PuzzleError {
    PuzzleError::malformed(name, "an undamaged archive", clipped(err))
}

/// The content of the entry that is meant, and its name.
fn entry<R: Read + Seek + Send + 'static>(
    input: R,
    name: &str,
    endings: &[&str],
) -> Result<(Input, String), PuzzleError> {
    let failed = |err: zip::result::ZipError| damaged(name, &err.to_string());
    let mut archive = ZipArchive::new(input).map_err(failed)?;
    if archive.len() > N_ENTRIES_MAX {
        let found = format!("{} entries; unpack it, and name the files", archive.len());
        return Err(PuzzleError::malformed(name, "an archive of one file", found));
    }
    let names: Vec<String> = (0..archive.len())
        .map(|idx| Ok(String::from_utf8_lossy(archive.by_index_raw(idx)?.name_raw()).into_owned()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let kind = FileKind::of_zip(names.iter().copied());
    if kind.group != Group::Packed {
        return Err(not_text::error(name.to_owned(), kind));
    }
    let idx = meant(&names, endings).map_err(|found| {
        let found = format!("{found}; unpack it, and name the files");
        PuzzleError::malformed(name, "an archive of one file", found)
    })?;
    let own_name = format!("{name}/{}", clipped(names[idx]));

    let found = archive.by_index_raw(idx).map_err(failed)?;
    let (method, is_encrypted) = (found.compression(), found.encrypted());
    let (n_packed, sum) = (found.compressed_size(), found.crc32());
    let start = found.data_start();
    drop(found);
    if is_encrypted {
        let expected = "an archive without a password";
        return Err(PuzzleError::malformed(
            own_name,
            expected,
            "an encrypted file; unpack it first",
        ));
    }
    let mut input = archive.into_inner();
    let start = start.ok_or_else(|| damaged(name, "an entry without data"))?;
    input.seek(SeekFrom::Start(start)).map_err(|err| damaged(name, &err.to_string()))?;
    let packed = BufReader::new(input.take(n_packed));
    let unpacked: Input = match method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        method => {
            let expected = "the method deflate, or none";
            let found = format!("{method:?}; unpack it first");
            return Err(PuzzleError::malformed(own_name, expected, found));
        }
    };
    Ok((Box::new(Checked { input: CrcReader::new(unpacked), sum }), own_name))
}

/// The index of the only file, or of the only one with one of `endings`. Folders, hidden
/// files and what operating systems add are passed over.
fn meant(names: &[&str], endings: &[&str]) -> Result<usize, String> {
    let is_file = |name: &str| {
        let mut parts = name.split('/');
        !name.ends_with('/') && !parts.any(|part| part.starts_with('.') || part == "__MACOSX")
    };
    let files: Vec<usize> = (0..names.len()).filter(|idx| is_file(names[*idx])).collect();
    let ends = |name: &str| {
        let name = name.to_ascii_lowercase();
        endings
            .iter()
            .any(|ending| name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.')))
    };
    let fitting: Vec<usize> = files.iter().copied().filter(|idx| ends(names[*idx])).collect();
    match (&files[..], &fitting[..]) {
        ([idx], _) | (_, [idx]) => Ok(*idx),
        ([], _) => Err("none".to_owned()),
        _ => {
            let shown: Vec<String> = files.iter().take(4).map(|idx| clipped(names[*idx])).collect();
            let more = if files.len() > shown.len() { ", ..." } else { "" };
            Err(format!("{} ({}{more})", files.len(), shown.join(", ")))
        }
    }
}

/// Compares the checksum of an entry at its end.
struct Checked {
    input: CrcReader<Input>,
    sum: u32,
}

impl Read for Checked {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n_read = self.input.read(bytes)?;
        if n_read == 0 && !bytes.is_empty() && self.input.crc().sum() != self.sum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum differs"));
        }
        Ok(n_read)
    }
}

/// Ends with an error where an archive unpacks to more than [`N_UNPACKED_MAX`].
pub(super) struct Limited<R> {
    input: R,
    n_left: u64,
}

impl<R> Limited<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, n_left: N_UNPACKED_MAX }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n_read = self.input.read(bytes)?;
        self.n_left = self.n_left.checked_sub(n_read as u64).ok_or_else(|| {
            let message = format!("it unpacks to more than {N_UNPACKED_MAX} bytes");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(n_read)
    }
}
