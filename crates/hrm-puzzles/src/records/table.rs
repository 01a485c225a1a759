//! A table of puzzles: a header that names columns, and a record in each row.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read};

use hrm_base::words::counted;

use super::columns::{self, Columns};
use super::record::{Located, Record};
use super::rows::{self, Row, Rows};
use crate::PuzzleError;
use crate::text::lines::{Line, LineBreaks, LineReader, N_LINE_BYTES_MAX};
use crate::text::quoted;

/// A table of puzzles: its records, one after another.
pub(crate) struct Table<R> {
    rows: Rows<R>,
    places: columns::Places,
    note: Option<String>,
    n_comments: usize,
    is_empty: bool,
    has_ended: bool,
}

impl<R: BufRead> Table<R> {
    /// A table from the lines of a text. Records have an answer if `needs_answer`; otherwise
    /// it may be missing and is then empty.
    ///
    /// # Errors
    ///
    /// See [`read`](super::read).
    pub(crate) fn new(
        mut lines: LineReader<R>,
        columns: &Columns,
        needs_answer: bool,
    ) -> Result<Self, PuzzleError> {
        let place = lines.name().to_owned();
        let Some(header) = header(&mut lines, columns) else {
            return Err(PuzzleError::Empty { place, what: "puzzles" });
        };
        let mut header = header?;
        if header.bytes.starts_with(MARK) {
            header.bytes.drain(..MARK.len());
        }
        let separator = columns::separator(&header.bytes, columns);
        lines.put_back([Ok(header)].into());
        let mut rows = Rows::new(lines, separator);
        let Some(header) = rows.next() else {
            return Err(PuzzleError::Empty { place, what: "puzzles" });
        };
        let header = header?;
        let names: Vec<&str> = header.fields.iter().map(|name| name.trim()).collect();
        let places = columns.find(&names, needs_answer).map_err(|expected| {
            let found = quoted(&names.join(&(separator as char).to_string()));
            let advice = columns.advice(&names, &expected);
            PuzzleError::malformed(rows.place(header.at), expected, format!("{found}{advice}"))
        })?;
        rows.n_columns = Some(names.len());
        let note = columns::note(rows.name(), &names, places);
        Ok(Self { rows, places, note, n_comments: 0, is_empty: true, has_ended: false })
    }

    /// How the columns are read, unless they have the names of this program.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// How many comments were passed over between its rows.
    pub(super) fn comments(&self) -> Option<String> {
        let comments = counted(self.n_comments, "comment", "comments");
        (self.n_comments > 0).then(|| format!("{}: passed over {comments}", self.rows.name()))
    }

    /// Whether a row is a comment: `#` with a word after it, and other fields than the table
    /// has. Rows of characters may begin with `#` as well.
    fn is_comment(&self, row: &Row) -> bool {
        let is_word = |word: &str| {
            let letters = word.chars().filter(|letter| letter.is_lowercase());
            letters.collect::<BTreeSet<char>>().len() > 2
        };
        let text = row.fields.first().and_then(|field| field.strip_prefix("# "));
        self.rows.n_columns != Some(row.fields.len())
            && text.is_some_and(|text| text.split(' ').any(is_word))
    }

    /// The record of a row.
    fn record(&self, mut row: Row) -> Result<Located, PuzzleError> {
        let place = self.rows.place(row.at);
        let n_columns = self.rows.n_columns.unwrap_or_default();
        if row.fields.len() != n_columns {
            let expected = format!("as many fields as in the header ({n_columns})");
            return Err(PuzzleError::malformed(place, expected, row.fields.len().to_string()));
        }
        // Not copied: a field may be large.
        let mut field = |at: Option<usize>| {
            at.map_or_else(String::new, |at| std::mem::take(&mut row.fields[at]))
        };
        let record = Record {
            source: field(self.places.source),
            question: field(self.places.question),
            answer: field(self.places.answer),
            rating: field(self.places.rating),
        };
        Ok(Located { record, place })
    }
}

impl<R: BufRead> Iterator for Table<R> {
    type Item = Result<Located, PuzzleError>;

    /// The next record. An error concerns one row, except for [`PuzzleError::Read`] and
    /// [`PuzzleError::Empty`], after which there are none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let row = loop {
            match self.rows.next() {
                Some(Ok(row)) if self.is_comment(&row) => self.n_comments += 1,
                Some(Ok(row)) if self.is_empty && is_rule(&row) => {}
                row => break row,
            }
        };
        let next = match row {
            Some(row) => row.and_then(|row| self.record(row)),
            None if self.is_empty => {
                let place = self.rows.name().to_owned();
                Err(PuzzleError::Empty { place, what: "puzzles" })
            }
            None => {
                self.has_ended = true;
                return None;
            }
        };
        self.is_empty = false;
        self.has_ended = matches!(next, Err(PuzzleError::Empty { .. }));
        Some(next)
    }
}

/// Whether a row is the line below the header of a table in Markdown.
fn is_rule(row: &Row) -> bool {
    let mut fields = row.fields.iter().map(|field| field.trim().trim_matches(':'));
    fields.clone().any(|field| field.starts_with("---"))
        && row.fields.len() > 2
        && row.fields[0].trim().is_empty()
        && fields.all(|field| field.bytes().all(|byte| byte == b'-'))
}

/// Parses a puzzle file; messages call it `name`.
///
/// # Errors
///
/// See [`read`](super::read).
pub fn parse(input: impl Read, name: &str) -> Result<Vec<Located>, PuzzleError> {
    table(input, name, &Columns::default(), true)?.collect()
}

/// A table from any input of UTF-8; messages call it `name`.
fn table<R: Read>(
    input: R,
    name: &str,
    columns: &Columns,
    needs_answer: bool,
) -> Result<Table<BufReader<LineBreaks<R>>>, PuzzleError> {
    let lines = LineReader::new(BufReader::new(LineBreaks::new(input)), name);
    Table::new(lines, columns, needs_answer)
}

/// How many columns the header of a table has; `None` for a line that is none.
///
/// A line is a header if it names a question or if columns were chosen, which it must then
/// have.
pub(crate) fn n_columns(line: &[u8], columns: &Columns) -> Option<usize> {
    let line = line.strip_prefix(MARK).unwrap_or(line).trim_ascii();
    let names = rows::names(line, columns::separator(line, columns));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (columns.are_chosen() || columns::names_question(&names)).then_some(names.len())
}

/// Whether a first line names columns of which none is known, above a row with several boards.
pub(crate) fn names_others(header: &[u8], row: &[u8], is_board: impl Fn(&str) -> bool) -> bool {
    columns::SEPARATORS.iter().any(|separator| {
        let [names, fields] = [header, row].map(|line| rows::names(line, *separator));
        let is_name = |name: &String| name.starts_with(char::is_alphabetic) && !is_board(name);
        names.len() == fields.len()
            && names.iter().all(|name| name.is_empty() || is_name(name))
            && fields.iter().filter(|field| is_board(field)).count() > 1
    })
}

/// Whether a line is a comment, if it comes before the header of a table.
pub(crate) fn is_comment(line: &[u8], columns: &Columns) -> bool {
    let line = line.strip_prefix(MARK).unwrap_or(line);
    line.starts_with(b"#") && !columns::is_header(line, columns)
}

/// The header of a table: its first line, or the first one after comments that names a question.
fn header<R: BufRead>(
    lines: &mut LineReader<R>,
    columns: &Columns,
) -> Option<Result<Line, PuzzleError>> {
    let is_passed = |line: &Result<Line, _>, at: usize| match line {
        Ok(Line { bytes, .. }) => is_before_header(bytes) || at > 0 && is_comment(bytes, columns),
        Err(_) => false,
    };
    let first = lines.find(|line| !is_passed(line, 0))?;
    let (mut held, mut n_bytes) = (VecDeque::new(), 0);
    if first.as_ref().is_ok_and(|line| is_comment(&line.bytes, columns)) {
        while n_bytes < N_LINE_BYTES_MAX {
            let Some(line) = lines.next() else { break };
            let is_last = !is_passed(&line, 1);
            if is_last && line.as_ref().is_ok_and(|line| columns::is_header(&line.bytes, columns)) {
                return Some(line);
            }
            n_bytes += line.as_ref().map_or(0, |line| line.bytes.len()) + size_of::<Line>();
            held.push_back(line);
            if is_last {
                break;
            }
        }
    }
    lines.put_back(held);
    Some(first)
}

/// Whether a line may come before the header of a table: an empty one, or the separator that
/// some spreadsheets declare, which is then found anyway.
pub(crate) fn is_before_header(line: &[u8]) -> bool {
    let line = line.strip_prefix(MARK).unwrap_or(line).trim_ascii();
    line.is_empty() || line.len() <= 5 && line.to_ascii_lowercase().starts_with(b"sep=")
}

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text.as_bytes(), "x.csv").unwrap_err().to_string()
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "\u{feff}answer, question ,other\r\n\"a\nb\",c,d\r\ne,,f\r\n";
        let located = parse(text.as_bytes(), "x.csv").unwrap();
        let fields =
            |l: &Located| (l.record.question.clone(), l.record.answer.clone(), l.place.clone());
        let text = |[q, a, place]: [&str; 3]| (q.to_owned(), a.to_owned(), place.to_owned());
        assert_eq!(fields(&located[0]), text(["c", "a\nb", "x.csv:2"]));
        assert_eq!(fields(&located[1]), text(["", "e", "x.csv:4"]));

        let questions = "source,question\nx,12\n";
        assert!(parse(questions.as_bytes(), "x.csv").is_err());
        let columns = &Columns::default();
        let mut table = table(questions.as_bytes(), "x.csv", columns, false).unwrap();
        let record = table.next().unwrap().unwrap().record;
        assert_eq!((&*record.source, &*record.question, &*record.answer), ("x", "12", ""));
        assert!(table.next().is_none());
        let n_columns = |line: &str| n_columns(line.as_bytes(), columns);
        assert_eq!(["\u{feff}question,x", "source,question"].map(n_columns), [Some(2); 2]);
        assert_eq!(["id;Puzzle;Solution", "quizzes"].map(n_columns), [Some(3), Some(1)]);
        assert_eq!(["12", "S#,G"].map(n_columns), [None; 2]);
    }

    #[test]
    fn the_rule_below_a_header_is_no_row() {
        let text = "| puzzle | solution |\n|:---|---:|\n| 1. | 12 |\n| --- | --- |\n";
        let rows = parse(text.as_bytes(), "x.md").unwrap();
        let questions = rows.iter().map(|row| row.record.question.trim());
        assert_eq!(questions.collect::<Vec<_>>(), ["1.", "---"]);
        assert_eq!(parse(&b"question,answer\n---,---\n"[..], "x.csv").unwrap().len(), 1);
    }

    #[test]
    fn separators_and_lines_before_the_header_are_found() {
        for text in ["sep=;\r\nquestion;answer\r\n1;2\r\n", "\n\nquestion\tanswer\n1\t2\n"] {
            let located = &parse(text.as_bytes(), "x.csv").unwrap()[0];
            assert_eq!((&*located.record.question, &*located.record.answer), ("1", "2"));
            assert!(located.place == "x.csv:3" || located.place == "x.csv:4", "{located:?}");
        }
    }

    #[test]
    fn columns_that_were_assumed_or_passed_over_are_said() {
        let note = |text: &str| {
            let columns = &Columns::default();
            table(text.as_bytes(), "x.csv", columns, true).unwrap().note().map(str::to_owned)
        };
        assert_eq!(note("question,answer,rating\n1,2,3\n"), None);
        let want = "x.csv: question = puzzle, answer = Solution; not read: id";
        assert_eq!(note("id,puzzle,Solution\n1,2,3\n").as_deref(), Some(want));
    }

    #[test]
    fn rows_are_reported_at_their_line_whatever_the_line_breaks() {
        for breaks in ["\n", "\r\n", "\r"] {
            let text = ["sep=,", "question,answer", "1,2", "", "", "\"a", "b\",2", "1", "3,4"];
            let text = text.join(breaks);
            let table = table(text.as_bytes(), "x.csv", &Columns::default(), true).unwrap();
            let found: Vec<_> = table
                .map(|row| row.map(|located| located.place).map_err(|err| err.to_string()))
                .collect();
            let place = |line: usize| Ok(format!("x.csv:{line}"));
            let want = "x.csv:8: expected as many fields as in the header (2), found 1";
            assert_eq!(found, [place(3), place(6), Err(want.to_owned()), place(9)], "{breaks:?}");
        }
    }

    #[test]
    fn an_endless_row_is_refused() {
        let text = std::io::Read::chain(&b"question,answer\n\""[..], std::io::repeat(b'x'));
        let mut table = table(text, "x.csv", &Columns::default(), true).unwrap();
        assert!(matches!(table.next(), Some(Err(PuzzleError::Read { .. }))));
        assert!(table.next().is_none());
    }

    #[test]
    fn comments_in_a_table_are_passed_over() {
        let text = "# made today, by me\n\n# question and answer\nquestion,answer\n1,2\n# the hard \
                    ones\n3,4\n";
        let mut table = table(text.as_bytes(), "x.csv", &Columns::default(), true).unwrap();
        let places: Vec<_> = table.by_ref().map(|row| row.unwrap().place).collect();
        assert_eq!(places, ["x.csv:5", "x.csv:7"]);
        assert_eq!(table.comments().as_deref(), Some("x.csv: passed over 1 comment"));
        // A column may have such a name, and a row such a beginning.
        let numbered = parse(&b"#,question,answer\n1,a,b\n"[..], "x.csv").unwrap();
        assert_eq!(numbered[0].record.question, "a");
        let rows = "question,answer\n# S,# S\n# the,b\n";
        let rows = parse(rows.as_bytes(), "x.csv").unwrap();
        assert_eq!(
            rows.iter().map(|row| &*row.record.question).collect::<Vec<_>>(),
            ["# S", "# the"]
        );
        let want = "x.csv:3: expected as many fields as in the header (2), found 1";
        assert_eq!(message("question,answer\na,b\n# S G oooo\n"), want);
        let want = "x.csv:1: expected a header that names question and answer once, found \"#S #\"; \
                    say which columns are meant: --columns question=NAME,answer=NAME";
        assert_eq!(message("#S #\n#  #\n# G#\n"), want);
    }

    #[test]
    fn a_malformed_file_is_rejected_with_its_line() {
        assert_eq!(message(""), "x.csv holds no puzzles");
        assert_eq!(message("source,question,answer,rating\n"), "x.csv holds no puzzles");
        let want = "x.csv:1: expected a header that names question and answer once, found";
        for header in ["a,b", "answer", "question,answer,question"] {
            let advice = "; say which columns are meant: --columns question=NAME,answer=NAME";
            assert_eq!(message(&format!("{header}\n")), format!("{want} \"{header}\"{advice}"));
        }
        let advice = ", which names nothing: add a first line such as question,answer; puzzles \
                      without answers are for `eval --challenge`";
        let puzzle = "1...............";
        assert_eq!(message(puzzle), format!("{want} \"{puzzle}\"{advice}"));
        let want = "x.csv:3: expected as many fields as in the header (4), found 3";
        assert_eq!(message("source,question,answer,rating\na,b,c,d\na,b,c\n"), want);
        assert!(message("source,question,answer,rating\n\u{ff}a,b\n").contains("x.csv:2"));
    }
}
