//! The rows of a table, each with the line on which it begins.
//!
//! A field that begins with a quote ends with one and may go over several lines. If its end
//! is missing, only its first line is refused, and the next line begins another row.

use std::collections::VecDeque;
use std::io::BufRead;

use crate::PuzzleError;
use crate::text::lines::{Line, LineReader, N_LINE_BYTES_MAX};
use crate::text::not_utf8;

/// Largest number of fields of a row, which bounds the memory of a damaged file.
const N_FIELDS_MAX: usize = 1 << 16;

/// A row that could be read.
pub(super) struct Row {
    /// Number of its first line.
    pub(super) at: usize,
    pub(super) fields: Vec<String>,
}

/// The rows of a table without its empty lines. An error concerns one row, except for
/// [`PuzzleError::Read`], which is the last.
pub(super) struct Rows<R> {
    lines: LineReader<R>,
    separator: u8,
    /// Number of fields of a row, once it is known.
    pub(super) n_columns: Option<usize>,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(lines: LineReader<R>, separator: u8) -> Self {
        Self { lines, separator, n_columns: None }
    }

    /// What messages call the table.
    pub(super) fn name(&self) -> &str {
        self.lines.name()
    }

    /// The place of a line in messages.
    pub(super) fn place(&self, at: usize) -> String {
        self.lines.place(at)
    }

    /// Reads the fields of the row that begins with `line`.
    fn fields(&mut self, line: &Line) -> Result<Vec<Vec<u8>>, PuzzleError> {
        /// Memory of a line beside its bytes.
        const N_LINE_BYTES: usize = 64;

        let mut row = Fields::new(self.separator);
        let mut held = VecDeque::new();
        let mut n_bytes = line.bytes.len();
        let mut state = row.add(&line.bytes);
        while state == State::Open {
            let Some(next) = self.lines.next() else { break };
            let bytes = next.as_ref().map_or(&[][..], |next| &next.bytes);
            n_bytes += bytes.len() + N_LINE_BYTES;
            let is_read_on = next.is_ok() && n_bytes <= N_LINE_BYTES_MAX;
            if is_read_on {
                state = row.add(bytes);
            }
            held.push_back(next);
            if !is_read_on {
                break;
            }
        }
        let is_whole = self.n_columns.is_none_or(|n| n == row.fields.len());
        if state == State::Whole && (held.is_empty() || is_whole) {
            return Ok(row.fields);
        }
        self.lines.put_back(held);
        if state == State::TooMany {
            let expected = format!("at most {N_FIELDS_MAX} fields");
            return Err(PuzzleError::malformed(self.place(line.at), expected, "more"));
        }
        let expected = format!("a quote at the end of field {}", row.n_open);
        Err(PuzzleError::malformed(self.place(line.at), expected, "none"))
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = loop {
            match self.lines.next()? {
                Ok(line) if line.bytes.is_empty() => {}
                Ok(line) => break line,
                Err(err) => return Some(Err(err)),
            }
        };
        let fields = match self.fields(&line) {
            Ok(fields) => fields,
            Err(err) => return Some(Err(err)),
        };
        let text = |(idx, mut field): (usize, Vec<u8>)| {
            field.shrink_to_fit();
            let found = || format!("other bytes in field {}", idx + 1);
            String::from_utf8(field).map_err(|_| not_utf8(self.place(line.at), &found()))
        };
        let fields = fields.into_iter().enumerate().map(text).collect::<Result<_, _>>();
        Some(fields.map(|fields| Row { at: line.at, fields }))
    }
}

/// What a row is after one of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// The last field is in quotes and goes on.
    Open,
    /// A field over several lines has more after its last quote.
    Wrong,
    /// It has more than [`N_FIELDS_MAX`] fields.
    TooMany,
}

/// The fields of a row.
struct Fields {
    separator: u8,
    fields: Vec<Vec<u8>>,
    /// Whether the last field goes on with the next line.
    is_open: bool,
    /// Number of the first field that went on with the next line; 0 if none did.
    n_open: usize,
}

impl Fields {
    fn new(separator: u8) -> Self {
        Self { separator, fields: Vec::new(), is_open: false, n_open: 0 }
    }

    /// Adds a line to the row.
    fn add(&mut self, line: &[u8]) -> State {
        let separator = self.separator;
        if !self.is_open && !line.contains(&b'"') {
            let fields = line.split(|byte| *byte == separator);
            self.fields.extend(fields.take(N_FIELDS_MAX + 1).map(<[u8]>::to_vec));
            return if self.fields.len() > N_FIELDS_MAX { State::TooMany } else { State::Whole };
        }
        let mut field = match self.is_open {
            true => self.fields.pop().unwrap_or_default(),
            false => Vec::new(),
        };
        let (mut is_over_lines, mut is_start) = (self.is_open, !self.is_open);
        if self.is_open {
            field.push(b'\n');
        }
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if self.is_open {
                match (byte, bytes.peek()) {
                    // Two quotes are one of the text.
                    (b'"', Some(b'"')) => field.extend(bytes.next()),
                    (b'"', Some(next)) if is_over_lines && *next != separator => {
                        return State::Wrong;
                    }
                    (b'"', _) => self.is_open = false,
                    _ => field.push(byte),
                }
            } else if byte == separator {
                self.fields.push(std::mem::take(&mut field));
                if self.fields.len() == N_FIELDS_MAX {
                    return State::TooMany;
                }
                (is_start, is_over_lines) = (true, false);
                continue;
            } else if is_start && byte == b'"' {
                self.is_open = true;
            } else {
                field.push(byte);
            }
            is_start = false;
        }
        self.fields.push(field);
        if self.is_open && self.n_open == 0 {
            self.n_open = self.fields.len();
        }
        if self.is_open { State::Open } else { State::Whole }
    }
}

/// The fields of a first line, without the spaces around them; none for a line that is longer
/// than names of columns are.
pub(super) fn names(line: &[u8], separator: u8) -> Vec<String> {
    const N_BYTES_MAX: usize = 1 << 16;

    if line.len() > N_BYTES_MAX {
        return Vec::new();
    }
    let mut row = Fields::new(separator);
    row.add(line);
    let name = |field: &Vec<u8>| String::from_utf8_lossy(field).trim().to_owned();
    row.fields.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<(usize, Vec<String>), String>> {
        let mut rows = Rows::new(LineReader::new(text.as_bytes(), "f"), b',');
        rows.n_columns = Some(2);
        rows.map(|row| row.map(|row| (row.at, row.fields)).map_err(|err| err.to_string())).collect()
    }

    fn row(at: usize, fields: [&str; 2]) -> Result<(usize, Vec<String>), String> {
        Ok((at, fields.map(str::to_owned).to_vec()))
    }

    #[test]
    fn fields_in_quotes_are_read() {
        let text = "a,b\n\n\"a,\",\"\"\"b\"\"\"\n\"\n\"\"\n\",\"x\"\n,\na\"b,\"c\"d\n\"\",\"\"";
        let want = [
            row(1, ["a", "b"]),
            row(3, ["a,", "\"b\""]),
            row(4, ["\n\"\n", "x"]),
            row(7, ["", ""]),
            row(8, ["a\"b", "cd"]),
            row(9, ["", ""]),
        ];
        assert_eq!(read(text), want);
    }

    #[test]
    fn a_row_of_too_many_fields_is_refused_by_itself() {
        let many = |n: usize| ",".repeat(n);
        let text = format!("{}\na,b\n\"\"{}\nc,d", many(N_FIELDS_MAX), many(N_FIELDS_MAX));
        let refused = |at: usize| Err(format!("f:{at}: expected at most 65536 fields, found more"));
        assert_eq!(read(&text), [refused(1), row(2, ["a", "b"]), refused(3), row(4, ["c", "d"])]);
        for quotes in ["", "\"\""] {
            let text = format!("{quotes}{}", many(N_FIELDS_MAX - 1));
            assert_eq!(read(&text)[0].as_ref().unwrap().1.len(), N_FIELDS_MAX);
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_one_line() {
        let refused = |at: usize, field: usize| {
            Err(format!("f:{at}: expected a quote at the end of field {field}, found none"))
        };
        let want = [row(1, ["a", "1"]), refused(2, 1), row(3, ["c", "3"]), row(4, ["d", "4"])];
        assert_eq!(read("a,1\n\"b,2\nc,3\nd,4\n"), want);
        // A later quote closes it, but not at the end of a field, or not of as many.
        let want = [row(1, ["a", "1"]), refused(2, 2), row(3, ["c", "3"]), row(4, ["d", "4"])];
        assert_eq!(read("a,1\nb,\"2\nc,3\n\"d\",4\n"), want);
        let want = [refused(1, 1), row(2, ["c", "d"]), row(3, ["e", "f"])];
        assert_eq!(read("\"a,b\nc,\"d\"\ne,f"), want);
        let text = format!("a,\"b\nc,d\n{}e,f\n", "\n".repeat(100_000));
        assert_eq!(read(&text), [refused(1, 2), row(2, ["c", "d"]), row(100_003, ["e", "f"])]);
        let text = format!("\"a,b\nc,d\n{}\ne,f\n", "x".repeat(N_LINE_BYTES_MAX));
        let found = read(&text);
        assert_eq!(found[..2], [refused(1, 1), row(2, ["c", "d"])]);
        let want = "f:3: expected a line of less than 4194304 bytes, found more";
        assert_eq!(found[2..], [Err(want.to_owned()), row(4, ["e", "f"])]);
    }
}
