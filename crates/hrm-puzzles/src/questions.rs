//! Puzzles to solve, as a table, JSON or lines of text, read a piece at a time.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};

use crate::PuzzleError;
use crate::records::{self, Columns, IsWhole, Json, Located, Table};
use crate::text::lines::{Line, LineReader, N_LINE_BYTES_MAX};
use crate::text::{self, JSON_ENDINGS, Text};

/// Where questions are read from.
pub(crate) enum Questions {
    /// A table with a column of questions, or JSON.
    Records(Box<dyn Iterator<Item = Result<Located, PuzzleError>>>),
    /// Anything else.
    Lines(Lines),
}

impl Questions {
    /// Looks at the first lines of a text, comments aside. If columns were chosen, it is a table
    /// or JSON. Otherwise a header of a single name other than `question` makes a table only if
    /// `is_board` holds for the line below it, or a field in quotes begins there; it may be a
    /// heading. Unknown names make a table if several fields below them are boards. In JSON, `is_whole` says of
    /// a string alone whether it is a puzzle or a row of one.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`]; [`PuzzleError::Malformed`] for a table without a column of
    /// questions, or without those that were chosen; [`PuzzleError::Empty`] without text.
    pub(crate) fn of(
        text: Text,
        columns: &Columns,
        what: &'static str,
        is_board: impl Fn(&str) -> bool,
        is_whole: IsWhole,
    ) -> Result<Self, PuzzleError> {
        /// Memory of a line beside its bytes.
        const N_LINE_BYTES: usize = 64;

        let name = text.name().to_owned();
        let mut input = BufReader::new(text);
        let failed = |source| PuzzleError::Read { path: name.clone().into(), source };
        let is_named = JSON_ENDINGS
            .iter()
            .any(|ending| name.to_ascii_lowercase().ends_with(&format!(".{ending}")));
        let head = input.fill_buf().map_err(failed)?;
        let is_json = head.trim_ascii_start().starts_with(b"\"") || is_bracketed(head);
        if is_named && is_json || records::begins(head, &is_whole) {
            return Ok(Self::Records(Box::new(Json::new(input, &name, columns, false, is_whole))));
        }
        let mut lines = LineReader::new(input, &name);
        let (mut held, mut first_two) = (VecDeque::new(), Vec::new());
        let (mut n_bytes, mut is_blank) = (0, true);
        // Of an endless blank beginning, no more is held than of one line.
        while first_two.len() < 2 && n_bytes < N_LINE_BYTES_MAX {
            match lines.next() {
                None if is_blank => {
                    return Err(PuzzleError::Empty { place: name, what });
                }
                None => break,
                Some(Err(err @ PuzzleError::Read { .. })) => return Err(err),
                Some(line) => {
                    let bytes = line.as_ref().map_or(&[][..], |line| &line.bytes);
                    n_bytes += bytes.len() + N_LINE_BYTES;
                    let is_before = first_two.is_empty() && records::is_before_header(bytes);
                    if line.is_err() || !(is_before || bytes.trim_ascii().is_empty()) {
                        is_blank = false;
                        if !(first_two.is_empty() && records::is_comment(bytes, columns)) {
                            first_two.push(held.len());
                        }
                    }
                    held.push_back(line);
                }
            }
        }
        let line = |nth: usize| match first_two.get(nth).map(|at| &held[*at]) {
            Some(Ok(Line { bytes, .. })) => Some(bytes.as_slice()),
            _ => None,
        };
        let is_open = |line: &str| line.starts_with('"') && line.matches('"').count() % 2 == 1;
        let is_below = || {
            let below = line(1).map(String::from_utf8_lossy);
            below.is_some_and(|line| is_board(line.trim_matches('"')) || is_open(&line))
        };
        let are_others = || {
            let lines = line(0).zip(line(1));
            lines.is_some_and(|(header, row)| records::names_others(header, row, &is_board))
        };
        let is_table = columns.are_chosen()
            || match line(0).and_then(|line| records::n_columns(line, columns)) {
                None => are_others(),
                Some(1) => is_named_question(line(0)) || is_below(),
                Some(_) => true,
            };
        lines.put_back(held);
        if is_table {
            return Ok(Self::Records(Box::new(Table::new(lines, columns, false)?)));
        }
        Ok(Self::Lines(Lines(lines)))
    }
}

/// Whether a text begins with an object or a list of JSON.
fn is_bracketed(head: &[u8]) -> bool {
    matches!(head.trim_ascii_start().first(), Some(b'[' | b'{'))
}

/// Whether a header is the name of questions that this program writes.
fn is_named_question(header: Option<&[u8]>) -> bool {
    let header = String::from_utf8_lossy(header.unwrap_or_default());
    header.trim().trim_matches('"').eq_ignore_ascii_case("question")
}

/// The lines of a text with their numbers, without line breaks. An error concerns one line,
/// except for [`PuzzleError::Read`], which is the last.
pub(crate) struct Lines(LineReader<BufReader<Text>>);

impl Lines {
    /// The place of a line in messages.
    pub(crate) fn place(&self, at: usize) -> String {
        self.0.place(at)
    }

    /// What messages call the text.
    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }
}

impl Iterator for Lines {
    type Item = Result<(usize, String), PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.0.next()?;
        let text = |Line { at, bytes }: Line| {
            String::from_utf8(bytes).map(|line| (at, line)).map_err(|err| {
                let byte = err.as_bytes()[err.utf8_error().valid_up_to()];
                text::not_utf8(self.place(at), &format!("the byte {byte:#04X}"))
            })
        };
        Some(line.and_then(text))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn questions(text: &str, columns: &str) -> Result<Questions, PuzzleError> {
        let text = Text::new(Cursor::new(text.to_owned().into_bytes()), "f", &[])?;
        let is_whole = |text: &str| text.len() == 16;
        let columns = columns.parse().unwrap();
        Questions::of(text, &columns, "puzzles", |line| line.len() == 4, Box::new(is_whole))
    }

    /// The questions of a table; `None` for lines.
    fn table(text: &str, columns: &str) -> Option<Vec<String>> {
        match questions(text, columns).unwrap() {
            Questions::Records(table) => {
                Some(table.map(|row| row.unwrap().record.question).collect())
            }
            Questions::Lines(_) => None,
        }
    }

    #[test]
    fn a_table_is_told_by_its_header_or_by_chosen_columns() {
        let strings = |rows: &[&str]| Some(rows.iter().map(|row| (*row).to_owned()).collect());
        for text in ["question\n1\n", "puzzle|solution\n1|2\n", "sep=;\n\nid;quiz\n3;1\n"] {
            assert_eq!(table(text, ""), strings(&["1"]), "{text}");
        }
        // Spaces are cells.
        assert_eq!(table("\nmaze\n S G\nS G \n", ""), strings(&[" S G", "S G "]));
        assert_eq!(table("Puzzle\n12\n34\n", ""), None);
        assert_eq!(table("12;34\n", ""), None);
        assert_eq!(table("clues\nab\nbb\n", "question=clues"), strings(&["ab", "bb"]));
        assert_eq!(table("b;a\n1;2\n", "question=a"), strings(&["2"]));
        // After comments, which drawings may begin with as well; and with fields in quotes.
        assert_eq!(table("# easy\n\n# ones\nid,quiz\n3,1\n", ""), strings(&["1"]));
        assert_eq!(table("#abc\n# bc\n", ""), None);
        assert_eq!(table("quiz\n\"12\n34\"\n", ""), strings(&["12\n34"]));
    }

    #[test]
    fn a_table_without_the_columns_that_are_meant_is_refused() {
        let message = |text: &str, columns: &str| {
            questions(text, columns).err().map(|err| err.to_string()).unwrap_or_default()
        };
        let want = "f:1: expected a header that names \"puzle\" once, as --columns says, found \
                    \"solution,puzzle\"";
        assert_eq!(message("solution,puzzle\n12,1.\n", "question=puzle"), want);
        assert!(message("1.\n2.\n", "question=a").contains("names \"a\" once"));
        let want = "f:2: expected one column for the question (say which with --columns \
                    question=NAME: quiz, puzzle), found \"solution;quiz;puzzle\"";
        assert_eq!(message("\nsolution;quiz;puzzle\n12;1.;.2\n", ""), want);
        // Several fields that are boards, below names that are not known.
        let want = "f:1: expected a header that names question once, found \"solved,initial\"; say \
                    which columns are meant: --columns question=NAME,answer=NAME";
        assert_eq!(message("solved,initial\n1234,1..4\n", ""), want);
        assert_eq!(message("name,initial\nabc,1..4\n", ""), "");
        let message = message("puzzle,solution,label\n1.,12,12\n", "");
        assert!(message.contains("--columns answer=NAME: solution, label"), "{message}");
    }

    #[test]
    fn a_table_may_be_named_as_json() {
        let named = |text: &str| {
            let text = Text::new(Cursor::new(text.to_owned().into_bytes()), "f.json", &[]).unwrap();
            let is_board = |line: &str| line.len() == 4;
            let columns = Columns::default();
            Questions::of(text, &columns, "puzzles", is_board, Box::new(|_| true)).unwrap()
        };
        let Questions::Records(mut table) = named("question\n1..4\n") else { panic!("a table") };
        assert_eq!(table.next().unwrap().unwrap().record.question, "1..4");
        assert!(matches!(named("1..4\n"), Questions::Lines(_)));
        let Questions::Records(mut json) = named("\"1..4\"\n") else { panic!("JSON") };
        assert_eq!(json.next().unwrap().unwrap().record.question, "1..4");
    }

    #[test]
    fn a_long_blank_beginning_is_passed_over() {
        let blank = format!("{}\n", " ".repeat(999)).repeat(5000) + "12\n\n";
        let Questions::Lines(lines) = questions(&blank, "").unwrap() else { panic!("no table") };
        let filled = |(_, line): &(usize, String)| !line.trim().is_empty();
        let found: Vec<_> = lines.map(Result::unwrap).filter(filled).collect();
        assert_eq!(found, [(5001, "12".to_owned())]);
        assert!(matches!(questions(" \n\n", ""), Err(PuzzleError::Empty { .. })));
    }
}
