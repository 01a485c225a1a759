//! Encodings of text: UTF-8 and UTF-16, with or without byte order marks.

use std::io::{self, BufRead, Read};

/// How a text is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, and everything that is ASCII.
    Utf8,
    /// UTF-16, the low byte first.
    Utf16Le,
    /// UTF-16, the high byte first.
    Utf16Be,
    /// UTF-32 by its byte order mark; it is not read.
    Utf32,
    /// Zero bytes where no text has them.
    Binary,
}

impl Encoding {
    /// The encoding of the text that begins with `head`, and the length of its byte order
    /// mark.
    pub(super) fn of(head: &[u8]) -> (Self, usize) {
        match head {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => (Self::Utf32, 4),
            [0xef, 0xbb, 0xbf, ..] => (Self::Utf8, 3),
            [0xff, 0xfe, ..] => (Self::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Self::Utf16Be, 2),
            _ => (Self::without_mark(head), 0),
        }
    }

    /// Puzzles are almost only ASCII, so one byte of each pair of UTF-16 is zero.
    fn without_mark(head: &[u8]) -> Self {
        if !head.contains(&0) {
            return Self::Utf8;
        }
        let pairs = head.as_chunks::<2>().0;
        let n_zero = |at: usize| pairs.iter().filter(|pair| pair[at] == 0).count();
        let (n_first, n_second) = (n_zero(0), n_zero(1));
        let is_most = |n: usize| n * 10 >= pairs.len() * 9 && n >= 2;
        match (n_first, n_second) {
            (0, n) if is_most(n) => Self::Utf16Le,
            (n, 0) if is_most(n) => Self::Utf16Be,
            _ => Self::Binary,
        }
    }
}

/// UTF-16 as UTF-8. What is no character becomes bytes that are no UTF-8, so that the
/// reader of the text finds and names the place.
pub(super) struct FromUtf16<R> {
    input: R,
    is_little_endian: bool,
    /// A high surrogate that waits for its partner.
    high: Option<u16>,
    /// Bytes that were made and not read yet, in reverse order.
    made: Vec<u8>,
    /// A failure that is reported once everything before it was read.
    failure: Option<io::Error>,
}

impl<R: BufRead> FromUtf16<R> {
    pub(super) fn new(input: R, is_little_endian: bool) -> Self {
        Self { input, is_little_endian, high: None, made: Vec::new(), failure: None }
    }

    /// The next unit; `None` at the end.
    fn unit(&mut self) -> io::Result<Option<u16>> {
        let mut pair = [0; 2];
        let mut n_read = 0;
        while n_read < 2 {
            match self.input.read(&mut pair[n_read..]) {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
        Ok(match n_read {
            0 => None,
            // Half a unit: no character.
            1 => Some(0xd800),
            _ if self.is_little_endian => Some(u16::from_le_bytes(pair)),
            _ => Some(u16::from_be_bytes(pair)),
        })
    }

    /// Makes the bytes of a code point, which may be half of a pair.
    fn make(&mut self, code: u32) {
        let mut bytes = [0; 4];
        let bytes: &[u8] = match char::from_u32(code) {
            Some(symbol) => symbol.encode_utf8(&mut bytes).as_bytes(),
            None => b"\xff",
        };
        self.made.splice(0..0, bytes.iter().rev().copied());
    }
}

impl<R: BufRead> Read for FromUtf16<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < bytes.len() {
            if let Some(byte) = self.made.pop() {
                bytes[n] = byte;
                n += 1;
                continue;
            }
            let unit = match self.failure.take().map_or_else(|| self.unit(), Err) {
                Err(err) if n == 0 => return Err(err),
                Err(err) => {
                    self.failure = Some(err);
                    break;
                }
                Ok(unit) => unit,
            };
            match (self.high.take(), unit) {
                (None, None) => break,
                (Some(high), None) => self.make(high.into()),
                (Some(high), Some(low @ 0xdc00..=0xdfff)) => {
                    let (high, low) = (u32::from(high) - 0xd800, u32::from(low) - 0xdc00);
                    self.make(0x10000 + (high << 10 | low));
                }
                (before, Some(unit)) => {
                    if let Some(high) = before {
                        self.make(high.into());
                    }
                    match unit {
                        0xd800..=0xdbff => self.high = Some(unit),
                        unit => self.make(unit.into()),
                    }
                }
            }
        }
        Ok(n)
    }
}
