//! Lines: one kind of line break, and a limit that bounds the memory of a damaged file.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use crate::PuzzleError;

/// Largest length of a line in bytes, its line break included. A longer one is skipped.
pub(crate) const N_LINE_BYTES_MAX: usize = 4 << 20;

/// A text of which a line is longer than this is not read on.
const N_SKIPPED_MAX: usize = 64 << 20;

/// A text whose line breaks are all `\n`, instead of `\r\n` or `\r`.
pub(crate) struct LineBreaks<R> {
    input: R,
    is_after_cr: bool,
}

impl<R> LineBreaks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, is_after_cr: false }
    }
}

impl<R: Read> Read for LineBreaks<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_read = self.input.read(bytes)?;
            let found = &mut bytes[..n_read];
            if n_read == 0 || !self.is_after_cr && !found.contains(&b'\r') {
                return Ok(n_read);
            }
            let mut n_kept = 0;
            for idx in 0..n_read {
                let byte = found[idx];
                let is_rest_of_break = byte == b'\n' && self.is_after_cr;
                self.is_after_cr = byte == b'\r';
                if !is_rest_of_break {
                    found[n_kept] = if byte == b'\r' { b'\n' } else { byte };
                    n_kept += 1;
                }
            }
            if n_kept > 0 {
                return Ok(n_kept);
            }
        }
    }
}

/// A line without its line break.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its number, counted from 1.
    pub(crate) at: usize,
    pub(crate) bytes: Vec<u8>,
}

/// The lines of a text whose line breaks are `\n`. An error concerns one line, except for
/// [`PuzzleError::Read`], which is the last.
pub(crate) struct LineReader<R> {
    input: R,
    name: String,
    n_read: usize,
    /// What was read and put back.
    again: VecDeque<Result<Line, PuzzleError>>,
    has_ended: bool,
}

impl<R: BufRead> LineReader<R> {
    /// The lines of `input`; messages call it `name`.
    pub(crate) fn new(input: R, name: &str) -> Self {
        Self { input, name: name.to_owned(), n_read: 0, again: VecDeque::new(), has_ended: false }
    }

    /// What messages call the text.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The place of a line in messages.
    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{at}", self.name)
    }

    /// Puts lines back, to be read again in this order before all others.
    pub(crate) fn put_back(&mut self, mut lines: VecDeque<Result<Line, PuzzleError>>) {
        lines.append(&mut self.again);
        self.again = lines;
    }

    /// Reads a line; `None` at the end.
    fn line(&mut self) -> io::Result<Option<Result<Line, PuzzleError>>> {
        let mut bytes = Vec::new();
        let limit = N_LINE_BYTES_MAX as u64;
        if self.input.by_ref().take(limit).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.n_read += 1;
        let at = self.n_read;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        } else if bytes.len() == N_LINE_BYTES_MAX {
            self.skip()?;
            let expected = format!("a line of less than {N_LINE_BYTES_MAX} bytes");
            return Ok(Some(Err(PuzzleError::malformed(self.place(at), expected, "more"))));
        }
        Ok(Some(Ok(Line { at, bytes })))
    }

    /// Skips the rest of a line.
    fn skip(&mut self) -> io::Result<()> {
        if self.input.by_ref().take(N_SKIPPED_MAX as u64).skip_until(b'\n')? < N_SKIPPED_MAX {
            return Ok(());
        }
        let message = format!("line {} has more than {N_SKIPPED_MAX} bytes", self.n_read);
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

impl<R: BufRead> Iterator for LineReader<R> {
    type Item = Result<Line, PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(line) = self.again.pop_front() {
            return Some(line);
        }
        if self.has_ended {
            return None;
        }
        let line = self.line().unwrap_or_else(|source| {
            self.has_ended = true;
            Some(Err(PuzzleError::Read { path: self.name.clone().into(), source }))
        });
        self.has_ended |= line.is_none();
        line
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Chain, Repeat, Take};

    use super::*;

    /// Reads one byte at a time, so that every pair of bytes is torn apart.
    struct Bytewise<'a>(&'a [u8]);

    impl Read for Bytewise<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let n = bytes.len().min(1);
            self.0.read(&mut bytes[..n])
        }
    }

    #[test]
    fn every_line_break_becomes_one_byte() {
        let text = "a\r\nb\rc\n\r\n\r\rd\n\ne\r";
        let read = |mut input: Box<dyn Read + '_>| {
            let mut found = String::new();
            input.read_to_string(&mut found).unwrap();
            found
        };
        let want = "a\nb\nc\n\n\n\nd\n\ne\n";
        assert_eq!(read(Box::new(LineBreaks::new(text.as_bytes()))), want);
        assert_eq!(read(Box::new(LineBreaks::new(Bytewise(text.as_bytes())))), want);
    }

    fn long(n: u64) -> Chain<Chain<&'static [u8], Take<Repeat>>, &'static [u8]> {
        (&b"a\n"[..]).chain(io::repeat(b'x').take(n)).chain(&b"\nb"[..])
    }

    #[test]
    fn a_long_line_is_refused_by_itself() {
        let mut lines = LineReader::new(BufReader::new(long(N_LINE_BYTES_MAX as u64)), "f");
        assert_eq!(lines.next().unwrap().unwrap().bytes, b"a");
        let message = lines.next().unwrap().unwrap_err().to_string();
        assert_eq!(message, "f:2: expected a line of less than 4194304 bytes, found more");
        let last = lines.next().unwrap().unwrap();
        assert_eq!((last.at, &last.bytes[..]), (3, &b"b"[..]));
        assert!(lines.next().is_none());

        let n = (N_LINE_BYTES_MAX - 1) as u64;
        let lines = LineReader::new(BufReader::new(long(n)), "f");
        assert!(lines.map(|line| line.unwrap().bytes.len()).eq([1, n as usize, 1]));

        let n = (N_LINE_BYTES_MAX + N_SKIPPED_MAX) as u64;
        let mut lines = LineReader::new(BufReader::new(long(n)), "f");
        assert!(matches!(lines.nth(1), Some(Err(PuzzleError::Read { .. }))));
        assert!(lines.next().is_none());
    }

    #[test]
    fn lines_that_are_put_back_come_first_and_in_order() {
        let mut lines = LineReader::new(&b"a\nb\nc\nd"[..], "f");
        let first: VecDeque<_> = lines.by_ref().take(3).collect();
        lines.put_back(first);
        let first: VecDeque<_> = lines.by_ref().take(2).collect();
        lines.put_back(first);
        let found: Vec<_> = lines.map(|line| line.unwrap()).collect();
        assert_eq!(found.iter().map(|line| line.at).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(found.iter().map(|line| line.bytes[0]).collect::<Vec<_>>(), *b"abcd");
    }
}
