//! Arrays of integers in `.npy` files, read through a memory map.
//!
//! ```text
//! \x93NUMPY  version (2 bytes)  header length (2 or 4 bytes, little endian)
//! {'descr': '<i4', 'fortran_order': False, 'shape': (1000, 81), }   spaces, \n
//! the values, row by row
//! ```
//!
//! The header is parsed here because it may claim any shape, and the usual crate for this
//! format panics if the product of the sizes overflows.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use hrm_base::file_kind::FileKind;
use memmap2::Mmap;

use crate::TaskError;
use hrm_puzzles::clipped;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The values start at a multiple of this many bytes, as the format requires.
const ALIGNMENT: usize = 64;

/// The type of the values, in little-endian byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
}

impl Dtype {
    const ALL: [(&str, Self); 8] = [
        ("|u1", Self::U8),
        ("|i1", Self::I8),
        ("<u2", Self::U16),
        ("<i2", Self::I16),
        ("<u4", Self::U32),
        ("<i4", Self::I32),
        ("<u8", Self::U64),
        ("<i8", Self::I64),
    ];

    /// The type that a header names.
    fn of(descr: &str) -> Option<Self> {
        // Single bytes have no byte order, so both spellings mean the same.
        let name = match descr {
            "<u1" => "|u1",
            "<i1" => "|i1",
            _ => descr,
        };
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, dtype)| *dtype)
    }

    /// The name of the type in a header.
    fn descr(self) -> &'static str {
        Self::ALL.iter().find(|(_, dtype)| *dtype == self).expect("every type has a name").0
    }

    /// Bytes per value.
    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 => 4,
            Self::U64 | Self::I64 => 8,
        }
    }
}

/// An array in a file, `[n_rows]` or `[n_rows, n_cols]`.
pub(crate) struct Array {
    path: PathBuf,
    map: Mmap,
    /// Offset of the first value in bytes.
    start: usize,
    dtype: Dtype,
    n_rows: usize,
    n_cols: usize,
}

impl Array {
    /// Maps a file with an array of `n_dims` (1 or 2) dimensions.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) if it cannot be opened, [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if
    /// it is not such an array, or its length differs from what its header says.
    pub(crate) fn open(path: &Path, n_dims: usize) -> Result<Self, TaskError> {
        let file = File::open(path).map_err(TaskError::read(path))?;
        // SAFETY: the map is only read, as bytes, and every byte is a valid `u8`. If another
        // process writes to the file, values change, but they are checked again wherever
        // they are used as an index. If another process truncates the file, reading ends the
        // program with a signal; no other memory is accessed.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(TaskError::read(path))?;

        let refused = |expected: String, found: String| {
            TaskError::malformed(path.display().to_string(), expected, found)
        };
        let (header, start) = Header::read(&map)
            .ok_or_else(|| refused("a NumPy array".to_owned(), beginning_of(&map)))?;
        let dtype = Dtype::of(header.descr).ok_or_else(|| {
            let names = Dtype::ALL.map(|(name, _)| name).join(", ");
            refused(format!("values of type {names}"), clipped(header.descr))
        })?;
        if header.is_fortran_order {
            return Err(refused("C order (row by row)".to_owned(), "Fortran order".to_owned()));
        }
        if header.shape.len() != n_dims {
            let dimensional = |n: usize| format!("a {n}-dimensional array");
            return Err(refused(dimensional(n_dims), dimensional(header.shape.len())));
        }
        let n_values = header.shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
        let n_bytes = n_values.and_then(|n| n.checked_mul(dtype.n_bytes()));
        let n_bytes_there = map.len() - start;
        if n_bytes != Some(n_bytes_there) {
            let shape = &header.shape;
            let expected = match n_bytes {
                Some(n) => format!("{n} bytes of values for shape {shape:?}"),
                None => "a shape that fits in memory".to_owned(),
            };
            let found =
                if n_bytes.is_some() { n_bytes_there.to_string() } else { format!("{shape:?}") };
            return Err(refused(expected, found));
        }
        let n_cols = header.shape.get(1).copied().unwrap_or(1);
        let n_rows = header.shape[0];
        Ok(Self { path: path.to_owned(), map, start, dtype, n_rows, n_cols })
    }

    /// The path, for messages.
    pub(crate) fn place(&self) -> String {
        self.path.display().to_string()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Passes the values of one row to `visit` in order; none if the row does not exist. A
    /// value too large for an `i64` becomes the largest `i64`.
    pub(crate) fn row(&self, row: usize, mut visit: impl FnMut(i64)) {
        if row >= self.n_rows {
            return;
        }
        let n_bytes = self.n_cols * self.dtype.n_bytes();
        let bytes = &self.map[self.start + row * n_bytes..][..n_bytes];
        // The type is matched once per row, so that the loop over the values does not branch.
        macro_rules! each {
            ($type:ty, $widen:expr) => {
                for value in bytes.as_chunks().0 {
                    visit($widen(<$type>::from_le_bytes(*value)));
                }
            };
        }
        match self.dtype {
            Dtype::U8 => each!(u8, i64::from),
            Dtype::I8 => each!(i8, i64::from),
            Dtype::U16 => each!(u16, i64::from),
            Dtype::I16 => each!(i16, i64::from),
            Dtype::U32 => each!(u32, i64::from),
            Dtype::I32 => each!(i32, i64::from),
            Dtype::U64 => each!(u64, |value| i64::try_from(value).unwrap_or(i64::MAX)),
            Dtype::I64 => each!(i64, std::convert::identity),
        }
    }

    /// The first value of a row; -1 if the row does not exist or is empty.
    pub(crate) fn get(&self, row: usize) -> i64 {
        let mut first = None;
        self.row(row, |value| first = first.or(Some(value)));
        first.unwrap_or(-1)
    }
}

/// What a file is instead, or its length and its first bytes, for messages.
fn beginning_of(bytes: &[u8]) -> String {
    if let Some(found) =
        FileKind::of(&bytes[..bytes.len().min(512)]).and_then(|kind| kind.instead())
    {
        return found;
    }
    let shown = &bytes[..bytes.len().min(24)];
    format!("{} bytes that start with \"{}\"", bytes.len(), shown.escape_ascii())
}

/// The header of a file.
struct Header<'a> {
    descr: &'a str,
    is_fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// The header of a file and the offset of the first value in bytes; `None` if it is
    /// malformed.
    fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (version, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<2>()?;
        let (n_bytes, rest) = match version {
            [1, 0] => {
                let (n_bytes, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_le_bytes(*n_bytes)), rest)
            }
            [2 | 3, 0] => {
                let (n_bytes, rest) = rest.split_first_chunk()?;
                (u32::from_le_bytes(*n_bytes) as usize, rest)
            }
            _ => return None,
        };
        let text = std::str::from_utf8(rest.get(..n_bytes)?).ok()?;
        Some((Self::parse(text)?, bytes.len() - rest.len() + n_bytes))
    }

    /// Parses the dictionary of a header; `None` if it is malformed or describes structured
    /// values.
    fn parse(text: &'a str) -> Option<Self> {
        let mut literal = Literal(text);
        let (mut descr, mut is_fortran_order, mut shape) = (None, None, None);
        literal.skip("{")?;
        while literal.skip("}").is_none() {
            let key = literal.text()?;
            literal.skip(":")?;
            match key {
                "descr" => descr = Some(literal.text()?),
                "fortran_order" if literal.skip("True").is_some() => is_fortran_order = Some(true),
                "fortran_order" => {
                    literal.skip("False")?;
                    is_fortran_order = Some(false);
                }
                "shape" => shape = Some(literal.sizes()?),
                _ => return None,
            }
            if literal.skip(",").is_none() {
                literal.skip("}")?;
                break;
            }
        }
        literal.0.trim().is_empty().then_some(())?;
        Some(Self { descr: descr?, is_fortran_order: is_fortran_order?, shape: shape? })
    }
}

/// The part of a Python literal that is not parsed yet.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    /// Skips white space and `token`; `None` if something else follows.
    fn skip(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// A string without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let quote = if self.skip("'").is_some() { '\'' } else { self.skip("\"").map(|()| '"')? };
        let (text, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(text)
    }

    /// A tuple of sizes.
    fn sizes(&mut self) -> Option<Vec<usize>> {
        let mut sizes = Vec::new();
        self.skip("(")?;
        while self.skip(")").is_none() {
            self.0 = self.0.trim_start();
            let n_digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, rest) = self.0.split_at(n_digits);
            sizes.push(digits.parse().ok()?);
            self.0 = rest;
            if self.skip(",").is_none() {
                self.skip(")")?;
                break;
            }
        }
        Some(sizes)
    }
}

/// Writes an array to a file, row by row.
pub(crate) struct ArrayWriter {
    path: PathBuf,
    file: BufWriter<File>,
    dtype: Dtype,
    /// Number of values still to be written.
    n_missing: usize,
    /// Buffer for the encoded values of one call.
    bytes: Vec<u8>,
}

impl ArrayWriter {
    /// Creates a file of `uint8` or `int32` values. Exactly `n_rows * n_cols` values must be
    /// pushed; without `n_cols` the array has one dimension and `n_rows` values.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write), also if the file exists.
    pub(crate) fn create(
        path: &Path,
        dtype: Dtype,
        n_rows: usize,
        n_cols: Option<usize>,
    ) -> Result<Self, TaskError> {
        let file = File::create_new(path).map_err(TaskError::write(path))?;
        let mut file = BufWriter::with_capacity(1 << 16, file);
        let shape = match n_cols {
            None => format!("({n_rows},)"),
            Some(n_cols) => format!("({n_rows}, {n_cols})"),
        };
        file.write_all(&header(dtype, &shape)).map_err(TaskError::write(path))?;
        let n_missing = n_rows * n_cols.unwrap_or(1);
        Ok(Self { path: path.to_owned(), file, dtype, n_missing, bytes: Vec::new() })
    }

    /// Appends values.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write).
    ///
    /// # Panics
    ///
    /// If a value does not fit the type, or there are more values than the shape allows.
    pub(crate) fn push(&mut self, values: &[u32]) -> Result<(), TaskError> {
        self.n_missing =
            self.n_missing.checked_sub(values.len()).expect("no more values than the shape allows");
        self.bytes.clear();
        for value in values {
            match self.dtype {
                Dtype::U8 => self.bytes.push(u8::try_from(*value).expect("ids fit a byte")),
                Dtype::I32 => {
                    let value = i32::try_from(*value).expect("numbers fit 31 bits");
                    self.bytes.extend(value.to_le_bytes());
                }
                _ => unreachable!("only these two types are written"),
            }
        }
        self.file.write_all(&self.bytes).map_err(TaskError::write(&self.path))
    }

    /// Writes the buffered values and syncs the file to disk.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Write`](hrm_puzzles::PuzzleError::Write).
    ///
    /// # Panics
    ///
    /// If values are missing.
    pub(crate) fn finish(self) -> Result<(), TaskError> {
        assert_eq!(self.n_missing, 0, "every value must be written");
        let failed = TaskError::write(&self.path);
        let sync = || self.file.into_inner().map_err(|err| err.into_error())?.sync_all();
        sync().map_err(failed)
    }
}

/// The bytes before the values.
fn header(dtype: Dtype, shape: &str) -> Vec<u8> {
    let descr = dtype.descr();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // The header ends with a line break directly before the values.
    let n_before = MAGIC.len() + 4;
    let n_bytes = (n_before + text.len() + 1).next_multiple_of(ALIGNMENT) - n_before;
    let n_spaces = n_bytes - text.len() - 1;
    text.extend(std::iter::repeat_n(' ', n_spaces));
    text.push('\n');
    let n_bytes = u16::try_from(n_bytes).expect("a header with two sizes is short");
    [MAGIC, &[1, 0], &n_bytes.to_le_bytes(), text.as_bytes()].concat()
}

#[cfg(test)]
pub(super) mod tests;
