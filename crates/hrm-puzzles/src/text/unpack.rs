//! Reading the one file of a gzip or zip archive, a piece at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use flate2::CrcReader;
use flate2::bufread::GzDecoder;
use flate2::read::DeflateDecoder;
use hrm_base::file_kind::{FileKind, Group};
use hrm_base::zip_entries;
use zip::{CompressionMethod, ZipArchive};

use super::not_text;
use super::shown::named;
use crate::{PuzzleError, clipped};

/// Anything that is read from beginning to end.
pub(super) type Input = Box<dyn Read + Send>;

/// Largest length of what an archive unpacks to: a hundred times a large data set.
pub(super) const N_UNPACKED_MAX: u64 = 64 << 30;

/// Largest length of a zip archive that cannot be read twice, such as standard input.
const N_HELD_MAX: u64 = 256 << 20;

/// The same inside another archive, which may be far shorter than what it unpacks to.
const N_HELD_INSIDE_MAX: u64 = 4 << 20;

/// Largest number of entries of a zip archive that are looked at.
const N_ENTRIES_MAX: u64 = 10_000;

/// Opens the file in a zip archive: the only one, or the only one with one of `endings`.
/// The archive may be `file` or be inside another archive.
///
/// # Errors
///
/// [`PuzzleError::NotText`] for documents that are zip archives inside,
/// [`PuzzleError::Malformed`] for an archive that is damaged or does not hold one such file.
pub(super) fn zip(
    input: Input,
    (file, is_inside): (Option<File>, bool),
    name: &str,
    endings: &[&str],
) -> Result<(Input, String), PuzzleError> {
    match file {
        Some(file) => entry(file, name, endings),
        None => {
            let n_max = if is_inside { N_HELD_INSIDE_MAX } else { N_HELD_MAX };
            let mut held = Vec::new();
            let read = input.take(n_max + 1).read_to_end(&mut held);
            read.map_err(|err| damaged(name, &err.to_string()))?;
            if held.len() as u64 > n_max {
                let expected = format!("a zip archive of at most {n_max} bytes here");
                return Err(PuzzleError::malformed(name, expected, "more; unpack it first"));
            }
            entry(Cursor::new(held), name, endings)
        }
    }
}

/// What messages say of a damaged archive.
const DAMAGED: &str = "damage, or an archive that was cut short; fetch it again";

/// Whether an error says that an archive is damaged, instead of that it cannot be read.
fn is_damage(err: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    [InvalidData, InvalidInput, UnexpectedEof].contains(&err.kind())
}

/// Unpacks, and says of damage what to do about it.
struct InWords<R>(R);

impl<R: Read> Read for InWords<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes).map_err(|err| match is_damage(&err) {
            true => io::Error::new(io::ErrorKind::InvalidData, DAMAGED),
            false => err,
        })
    }
}

/// The name of a method of compression that is not read.
fn method_in_words(method: CompressionMethod) -> &'static str {
    match method {
        CompressionMethod::DEFLATE64 => "deflate64",
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::LZMA => "lzma",
        CompressionMethod::ZSTD => "zstandard",
        CompressionMethod::XZ => "xz",
        _ => "another",
    }
}

fn damaged(name: &str, err: &str) -> PuzzleError {
    PuzzleError::malformed(name, "an undamaged archive", clipped(err))
}

/// The content of the entry that is meant, and its name.
fn entry<R: Read + Seek + Send + 'static>(
    mut input: R,
    name: &str,
    endings: &[&str],
) -> Result<(Input, String), PuzzleError> {
    let failed = |err: zip::result::ZipError| match err {
        zip::result::ZipError::Io(err) if !is_damage(&err) => damaged(name, &err.to_string()),
        _ => damaged(name, DAMAGED),
    };
    let n_entries =
        zip_entries::count(&mut input).map_err(|err| damaged(name, &err.to_string()))?;
    if let Some(n) = n_entries.filter(|n| *n > N_ENTRIES_MAX) {
        let found = format!("{n} entries; unpack it, and name the files");
        return Err(PuzzleError::malformed(name, "an archive of one file", found));
    }
    let mut archive = ZipArchive::new(input).map_err(failed)?;
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
        CompressionMethod::Deflated => Box::new(InWords(DeflateDecoder::new(packed))),
        method => {
            let expected = "the method deflate, or none";
            let found = format!("{}; unpack it first", method_in_words(method));
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
            let names: Vec<&str> = files.iter().map(|idx| names[*idx]).collect();
            Err(format!("{} ({})", files.len(), named(&names)))
        }
    }
}

/// Unpacks the members of a gzip file, one after another. Zero bytes behind a member fill
/// a block of a tape or of a download.
pub(super) struct Gunzip<R> {
    /// The member that is being read; `None` at the end.
    member: Option<InWords<GzDecoder<R>>>,
}

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(input: R) -> Self {
        Self { member: Some(InWords(GzDecoder::new(input))) }
    }

    /// Goes on to the next member after all that `input` has of padding.
    fn advance(&mut self, mut input: R) -> io::Result<()> {
        loop {
            let bytes = input.fill_buf()?;
            match (bytes.iter().take_while(|byte| **byte == 0).count(), bytes.len()) {
                (_, 0) => return Ok(()),
                (0, _) => break,
                (n_zero, _) => input.consume(n_zero),
            }
        }
        self.member = Some(InWords(GzDecoder::new(input)));
        Ok(())
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        while let Some(mut member) = self.member.take() {
            match member.read(bytes) {
                Ok(0) => self.advance(member.0.into_inner())?,
                read => {
                    self.member = Some(member);
                    return read;
                }
            }
        }
        Ok(0)
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
