//! Puzzles to solve, as a table, JSON or lines of text, read a piece at a time.

use std::io::{BufRead, BufReader, Chain, Cursor, Read};

use crate::PuzzleError;
use crate::records::{self, Columns, IsWhole, Json, Located, Table};
use crate::text::{self, JSON_ENDINGS, Text};

/// Largest length of a line in bytes.
const N_LINE_BYTES_MAX: u64 = 1 << 20;

/// A text whose beginning has been looked at.
pub(crate) type Begun = BufReader<Chain<Cursor<Vec<u8>>, Text>>;

/// Where questions are read from.
pub(crate) enum Questions {
    /// A table with a column of questions, or JSON.
    Records(Box<dyn Iterator<Item = Result<Located, PuzzleError>>>),
    /// Anything else.
    Lines(Lines),
}

impl Questions {
    /// Looks at the first lines of a text. A header of a single name other than `question`
    /// makes a table only if `is_row` holds for the line below it; it may be a heading. In
    /// JSON, `is_whole` says of a string alone whether it is a puzzle or a row of one.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`], and as [`Table::new`]; [`PuzzleError::Empty`] without text.
    pub(crate) fn of(
        text: Text,
        columns: &Columns,
        what: &'static str,
        is_row: impl Fn(&str) -> bool,
        is_whole: IsWhole,
    ) -> Result<Self, PuzzleError> {
        let name = text.name().to_owned();
        let failed = |source| PuzzleError::Read { path: name.clone().into(), source };
        let mut text = BufReader::new(text);
        let mut begin = Vec::new();
        let mut first_two: Vec<String> = Vec::new();
        while first_two.len() < 2 {
            let start = begin.len();
            let mut piece = text.by_ref().take(N_LINE_BYTES_MAX);
            if piece.read_until(b'\n', &mut begin).map_err(failed)? == 0 {
                break;
            }
            let line = String::from_utf8_lossy(&begin[start..]).trim().to_owned();
            let is_declared = first_two.is_empty() && line.to_ascii_lowercase().starts_with("sep=");
            if !line.is_empty() && !is_declared {
                first_two.push(line);
            }
        }
        let Some(first) = first_two.first() else {
            return Err(PuzzleError::Empty { place: name, what });
        };
        let is_single = !first.contains([',', ';', '\t']);
        let is_own = !is_single || first.trim_matches('"').eq_ignore_ascii_case("question");
        let is_table = records::is_header(first, columns)
            && (is_own || first_two.get(1).is_some_and(|line| is_row(line)));
        let lower_case = name.to_ascii_lowercase();
        let is_named =
            JSON_ENDINGS.iter().any(|ending| lower_case.ends_with(&format!(".{ending}")));
        let is_json = is_named || records::begins(first.as_bytes(), &is_whole);
        // What the buffer holds beyond the first lines comes next.
        begin.extend_from_slice(text.buffer());
        let input = BufReader::new(Cursor::new(begin).chain(text.into_inner()));
        if is_table {
            return Ok(Self::Records(Box::new(Table::with_buffer(input, &name, columns, false)?)));
        }
        if is_json {
            return Ok(Self::Records(Box::new(Json::new(input, &name, columns, false, is_whole))));
        }
        Ok(Self::Lines(Lines { input, name, at: 0, has_ended: false }))
    }
}

/// The lines of a text with their numbers, without line breaks.
pub(crate) struct Lines {
    input: Begun,
    name: String,
    at: usize,
    has_ended: bool,
}

impl Lines {
    /// The place of a line in messages.
    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{at}", self.name)
    }

    /// What messages call the text.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Iterator for Lines {
    type Item = Result<(usize, String), PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let mut line = Vec::new();
        self.at += 1;
        match self.input.by_ref().take(N_LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => {
                self.has_ended = true;
                return None;
            }
            Ok(n) if n as u64 == N_LINE_BYTES_MAX => {
                self.has_ended = true;
                let expected = format!("lines of less than {N_LINE_BYTES_MAX} bytes");
                return Some(Err(PuzzleError::malformed(self.place(self.at), expected, "more")));
            }
            Ok(_) => {}
            Err(source) => {
                self.has_ended = true;
                let path = self.name.clone().into();
                return Some(Err(PuzzleError::Read { path, source }));
            }
        }
        let line = String::from_utf8(line).map_err(|err| {
            let found = format!("the byte {:#04X}", err.as_bytes()[err.utf8_error().valid_up_to()]);
            text::not_utf8(self.place(self.at), &found)
        });
        let end = |line: &str| line.trim_end_matches('\n').trim_end_matches('\r').len();
        Some(line.map(|mut line| {
            line.truncate(end(&line));
            (self.at, line)
        }))
    }
}
