//! Puzzles in JSON: one after another, or in a list.
//!
//! A puzzle is a string, a list of its rows, or an object whose keys are the names of columns
//! (`{"puzzle": .., "solution": ..}`). A row is a string, or a list of numbers, `null` and
//! single characters. Values are read one at a time, so that there may be any number of them.

use std::fmt;
use std::io::{self, BufRead};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::columns::{self, Columns, Places};
use super::record::{Located, Record};
use crate::text::quoted;
use crate::{PuzzleError, clipped};

/// Largest length of a puzzle in bytes, which bounds the memory of a damaged file.
const N_VALUE_BYTES_MAX: usize = 1 << 20;

/// Whether a string alone, or a row, is a whole puzzle instead of a row of one.
pub(crate) type IsWhole = Box<dyn Fn(&str) -> bool>;

/// The puzzles of a text in JSON, one after another.
pub(crate) struct Json<R> {
    input: R,
    name: String,
    columns: Columns,
    needs_answer: bool,
    is_whole: IsWhole,
    /// The line that is read, counted from 1.
    line: usize,
    /// The number of the last puzzle, within a list of puzzles.
    entry: Option<usize>,
    note: Option<String>,
    is_empty: bool,
    has_ended: bool,
}

/// Whether a text that begins with `head` is JSON: objects or lists.
pub(crate) fn begins(head: &[u8], is_whole: impl Fn(&str) -> bool) -> bool {
    let head = head.trim_ascii_start();
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    if !line.starts_with(b"[") && !line.starts_with(b"{") {
        return false;
    }
    // What is not JSON may be a drawing; so may a list that is a row.
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Row(row)) => row.is_whole(is_whole),
        Ok(_) => true,
        Err(err) => err.is_eof(),
    }
}

impl<R: BufRead> Json<R> {
    /// The puzzles of any input of UTF-8; messages call it `name`.
    pub(crate) fn new(
        input: R,
        name: &str,
        columns: &Columns,
        needs_answer: bool,
        is_whole: IsWhole,
    ) -> Self {
        Self {
            input,
            name: name.to_owned(),
            columns: columns.clone(),
            needs_answer,
            is_whole,
            line: 1,
            entry: None,
            note: None,
            is_empty: true,
            has_ended: false,
        }
    }

    /// How the keys of the first object are read, unless they are the names of this program.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The next byte, not taken.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    }

    /// Takes the byte that was looked at.
    fn take(&mut self, byte: u8) {
        self.line += usize::from(byte == b'\n');
        self.input.consume(1);
    }

    /// Takes the byte that was looked at, and appends it to `value`.
    fn append(&mut self, byte: u8, value: &mut Vec<u8>) -> io::Result<()> {
        if value.len() >= N_VALUE_BYTES_MAX {
            let message = format!("a puzzle of more than {N_VALUE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.take(byte);
        value.push(byte);
        Ok(())
    }

    /// Passes over spaces, and commas within a list of puzzles. The next byte.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.take(byte),
                Some(b',') if self.entry.is_some() => self.take(b','),
                byte => return Ok(byte),
            }
        }
    }

    /// Appends a value to `value`, from its first byte to its end, or as far as it goes.
    fn read_value(&mut self, value: &mut Vec<u8>) -> io::Result<()> {
        let start = value.len();
        let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
        let mut after_break = false;
        while let Some(byte) = self.peek()? {
            let is_single = depth == 0 && !in_string;
            let is_end = b",]}".contains(&byte) || byte.is_ascii_whitespace();
            if is_single && value.len() > start && is_end {
                return Ok(());
            }
            // The next line of a file of objects; this one is damaged.
            if after_break && byte == b'{' && self.entry.is_none() && value.starts_with(b"{") {
                return Ok(());
            }
            self.append(byte, value)?;
            after_break = byte == b'\n';
            match byte {
                // A string ends with its line, at the latest.
                b'\n' => (in_string, is_escaped) = (false, false),
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => continue,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => continue,
            }
            if depth == 0 && !in_string && !is_escaped && b"\"]}".contains(&byte) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next value and the place where it begins.
    fn next_value(&mut self) -> io::Result<Option<(String, Vec<u8>)>> {
        let mut value = Vec::new();
        loop {
            let Some(byte) = self.next_byte()? else { return Ok(None) };
            let mut place = format!("{}:{}", self.name, self.line);
            if let Some(entry) = &mut self.entry {
                if byte == b']' {
                    self.entry = None;
                    self.take(byte);
                    continue;
                }
                *entry += 1;
                place += &format!(", entry {entry}");
                self.read_value(&mut value)?;
            } else if byte == b'[' {
                self.take(byte);
                if let Some(first) = self.next_byte()?.filter(|first| *first != b']') {
                    let of_first = format!("{}:{}, entry 1", self.name, self.line);
                    self.read_value(&mut value)?;
                    let is_puzzle = match serde_json::from_slice::<Value>(&value) {
                        Ok(Value::Object(_) | Value::Rows(_)) => true,
                        Ok(Value::Text(text)) => (self.is_whole)(&text),
                        Ok(Value::Row(row)) => row.is_whole(&self.is_whole),
                        Ok(_) => false,
                        Err(_) => first == b'{',
                    };
                    if is_puzzle {
                        self.entry = Some(1);
                        return Ok(Some((of_first, value)));
                    }
                }
                // The first row of a puzzle: the others follow.
                value.insert(0, b'[');
                self.read_rest(&mut value)?;
            } else {
                self.read_value(&mut value)?;
            }
            return Ok(Some((place, value)));
        }
    }

    /// Appends what follows the first value of a list, up to the end of the list.
    fn read_rest(&mut self, value: &mut Vec<u8>) -> io::Result<()> {
        while let Some(byte) = self.next_byte()? {
            if byte == b',' || byte == b']' {
                self.append(byte, value)?;
            } else {
                self.read_value(value)?;
            }
            if byte == b']' {
                break;
            }
        }
        Ok(())
    }

    /// The puzzle in a value.
    fn located(&mut self, place: String, value: &[u8]) -> Result<Located, PuzzleError> {
        let value = serde_json::from_slice(value).map_err(|err| {
            let found = clipped(&err.to_string());
            PuzzleError::malformed(&place, "JSON", found)
        })?;
        let Value::Object(fields) = value else {
            if self.needs_answer {
                let expected = "an object with question and answer";
                return Err(PuzzleError::malformed(place, expected, "a puzzle without an answer"));
            }
            let question = text_of(value, &place)?;
            return Ok(Located { record: Record { question, ..Record::default() }, place });
        };
        let keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_str()).collect();
        let places = self.columns.find(&keys, self.needs_answer).map_err(|expected| {
            let expected = expected.replace("a header", "an object");
            let may_be_puzzle =
                |value: &Value| !matches!(value, Value::Object(_) | Value::Other(_));
            let is_list = !fields.iter().any(|(_, value)| may_be_puzzle(value));
            let advice = match is_list {
                true => "; write a list of puzzles alone, or a puzzle on each line".to_owned(),
                false => self.columns.advice(&keys, &expected),
            };
            let found = format!("{}{advice}", quoted(&keys.join(",")));
            PuzzleError::malformed(&place, expected, found)
        })?;
        if self.is_empty {
            self.note = columns::note(&self.name, &keys, places);
        }
        let Places { source, question, answer, rating } = places;
        let mut values: Vec<Option<Value>> =
            fields.into_iter().map(|(_, value)| Some(value)).collect();
        let mut located = Located { record: Record::default(), place };
        for (at, name) in
            [(source, "source"), (question, "question"), (answer, "answer"), (rating, "rating")]
        {
            let value = at.and_then(|at| values[at].take());
            let text = match value {
                None | Some(Value::Null) => String::new(),
                Some(Value::Fraction(text)) if name == "rating" => text,
                Some(value) => text_of(value, &located.field(name))?,
            };
            let record = &mut located.record;
            match name {
                "source" => record.source = text,
                "question" => record.question = text,
                "answer" => record.answer = text,
                _ => record.rating = text,
            }
        }
        Ok(located)
    }
}

impl<R: BufRead> Iterator for Json<R> {
    type Item = Result<Located, PuzzleError>;

    /// The next puzzle. An error concerns one puzzle, except for [`PuzzleError::Read`] and
    /// [`PuzzleError::Empty`], after which there are none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = match self.next_value() {
            Ok(Some((place, value))) => Some(self.located(place, &value)),
            Ok(None) if self.is_empty => {
                let place = self.name.clone();
                Some(Err(PuzzleError::Empty { place, what: "puzzles" }))
            }
            Ok(None) => None,
            Err(source) => {
                self.has_ended = true;
                let path = format!("{}:{}", self.name, self.line).into();
                Some(Err(PuzzleError::Read { path, source }))
            }
        };
        self.has_ended |= matches!(next, None | Some(Err(PuzzleError::Empty { .. })));
        self.is_empty = false;
        next
    }
}

/// The text of a puzzle.
fn text_of(value: Value, place: &str) -> Result<String, PuzzleError> {
    let found = match value {
        Value::Text(text) | Value::Number(text) | Value::Rows(text) => return Ok(text),
        Value::Row(row) => return Ok(row.text),
        Value::Fraction(_) => "a number that is not whole, or has too many digits",
        Value::Null => "null",
        Value::Object(_) => "an object",
        Value::Other(what) => what,
    };
    Err(PuzzleError::malformed(place, "a string, or a list of rows", found))
}

/// A value of JSON, as far as puzzles have them.
enum Value {
    Null,
    /// A whole number as text.
    Number(String),
    /// Another number, or one with more digits than are kept.
    Fraction(String),
    Text(String),
    /// A list of cells.
    Row(Row),
    /// Rows with line breaks between them.
    Rows(String),
    /// Keys and values, in order.
    Object(Vec<(String, Value)>),
    /// What no puzzle has.
    Other(&'static str),
}

/// The cells of a row: one character each, or with commas between them.
#[derive(Default)]
struct Row {
    text: String,
    has_commas: bool,
    n_cells: usize,
}

impl Row {
    /// Whether it has as many cells as a whole puzzle.
    fn is_whole(&self, is_whole: impl Fn(&str) -> bool) -> bool {
        is_whole(&".".repeat(self.n_cells))
    }

    /// Appends a cell.
    fn push(&mut self, cell: &str) {
        let is_long = cell.chars().nth(1).is_some();
        if is_long && !self.has_commas {
            let cells: Vec<String> = self.text.chars().map(String::from).collect();
            self.text = cells.join(",");
            self.has_commas = true;
        }
        if self.has_commas && self.n_cells > 0 {
            self.text.push(',');
        }
        self.text.push_str(cell);
        self.n_cells += 1;
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneValue)
    }
}

struct OneValue;

impl<'de> Visitor<'de> for OneValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a puzzle")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other("true or false"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Fraction(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Value::Object(fields))
    }

    /// A row of cells, or rows. They are joined as they come, so that a value takes no more
    /// memory than its text.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let (mut row, mut rows) = (Row::default(), Rows::default());
        // A single character is a cell, unless other strings are rows.
        let mut has_numbers = false;
        while let Some(value) = list.next_element()? {
            let other = match value {
                Value::Text(text) if rows.is_empty() && text.chars().count() == 1 => {
                    row.push(&text);
                    continue;
                }
                Value::Null | Value::Number(_) | Value::Fraction(_) if !rows.is_empty() => {
                    "a list of cells and rows"
                }
                Value::Null => {
                    has_numbers = true;
                    row.push(".");
                    continue;
                }
                Value::Number(text) | Value::Fraction(text) => {
                    has_numbers = true;
                    row.push(&text);
                    continue;
                }
                Value::Text(_) | Value::Row(_) if has_numbers => "a list of cells and rows",
                Value::Text(text) | Value::Row(Row { text, .. }) => {
                    if rows.is_empty() {
                        let cells = std::mem::take(&mut row).text;
                        cells.chars().for_each(|cell| rows.push(cell.encode_utf8(&mut [0; 4])));
                    }
                    rows.push(&text);
                    continue;
                }
                Value::Rows(_) => "a list of several puzzles",
                Value::Object(_) => "a list of objects",
                Value::Other(what) => what,
            };
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Other(other));
        }
        Ok(if rows.is_empty() { Value::Row(row) } else { Value::Rows(rows.0.unwrap_or_default()) })
    }
}

/// Rows with line breaks between them.
#[derive(Default)]
struct Rows(Option<String>);

impl Rows {
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn push(&mut self, row: &str) {
        match &mut self.0 {
            None => self.0 = Some(row.to_owned()),
            Some(rows) => {
                rows.push('\n');
                rows.push_str(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Place, question and answer of each puzzle, or the message of its error. Texts of more
    /// than four characters are whole puzzles.
    fn read(text: &str, needs_answer: bool) -> Vec<Result<[String; 3], String>> {
        let is_whole = |text: &str| text.chars().count() > 4;
        let columns = &Columns::default();
        let json = Json::new(text.as_bytes(), "f", columns, needs_answer, Box::new(is_whole));
        let fields = |located: Located| {
            let Record { question, answer, .. } = located.record;
            [located.place, question, answer]
        };
        json.map(|located| located.map(fields).map_err(|err| err.to_string())).collect()
    }

    fn questions(text: &str) -> Vec<String> {
        read(text, false).into_iter().map(|found| found.unwrap()[1].clone()).collect()
    }

    #[test]
    fn every_form_of_a_puzzle_is_read() {
        for text in [
            r#""12\n34""#,
            r#"["12", "34"]"#,
            "[[1, 2], [3, 4]]",
            "[[1,2],\n [3,4]]\n",
            r#"[["1", 2], "34"]"#,
            r#"{"puzzle": ["12", "34"]}"#,
            r#"{"id": 7, "QUIZ": [[1, 2], [3, 4]], "solution": null}"#,
            r#"[{"question": "12\n34", "other": {"a": [[[1]]]}}]"#,
        ] {
            assert_eq!(questions(text), ["12\n34"], "{text}");
        }
        assert_eq!(questions(r#"[["a", "bc", "d"], ["", "b"]]"#), ["a\nbc\nd", "\nb"]);
        assert_eq!(questions("[1, null, 0, 4, 5]"), ["1.045"]);
        assert_eq!(questions("[[10, 0, null], [1, 2, 3]]"), ["10,0,.\n123"]);
        // Numbers of a rating need not be whole.
        let text = r#"{"puzzle": "12", "answer": "34", "rating": 7.5}"#;
        let mut json =
            Json::new(text.as_bytes(), "f", &Columns::default(), true, Box::new(|_| true));
        assert_eq!(json.next().unwrap().unwrap().record.rating, "7.5");
        assert_eq!(json.note(), Some("f: question = puzzle, answer = answer, rating = rating"));
    }

    #[test]
    fn puzzles_are_read_one_after_another() {
        let two = ["12345", "67890"].map(str::to_owned);
        for text in [
            "\"12345\"\n\"67890\"\n",
            r#"["12345", "67890"]"#,
            "[[1,2,3,4,5],[6,7,8,9,0]]",
            "{\"puzzle\":\"12345\"}\n\n{\"puzzle\":\n\"67890\"}",
            "[\n{\"puzzle\": \"12345\"},\n\"67890\"\n]\n",
            "[{\"puzzle\": \"12345\"}] [\"67890\"]",
        ] {
            assert_eq!(questions(text), two, "{text}");
        }
        assert_eq!(questions("[[[1,2],[3,4]], [[5,6],[7,8]]]"), ["12\n34", "56\n78"]);
        assert_eq!(questions("[[1,2],[3,4]]\n[\n [5,6],\n [7,8]\n]"), ["12\n34", "56\n78"]);
        let text =
            "[{\"puzzle\": \"1\", \"answer\": \"2\"},\n {\"puzzle\": \"3\", \"answer\": [4]}]";
        let found: Vec<_> = read(text, true).into_iter().map(Result::unwrap).collect();
        assert_eq!(found, [["f:1, entry 1", "1", "2"], ["f:2, entry 2", "3", "4"]]);
    }

    #[test]
    fn a_damaged_puzzle_does_not_block_the_others() {
        let text = "{\"puzzle\": \"12345\"}\n{\"puzzle\": \"123\n{\"puzzle\": 1.5}\n{\"puzzle\": {}}\n\
                    {\"a\": 1}\n{\"puzzle\": [true]}\n{\"puzzle\": [1, \"23\"]}\n{\"puzzle\": \"67890\"}\n";
        let found = read(text, false);
        assert_eq!(found.len(), 8);
        let expected = "expected a string, or a list of rows, found";
        let messages: Vec<&str> =
            found.iter().filter_map(|found| found.as_ref().err().map(String::as_str)).collect();
        assert!(messages[0].starts_with("f:2: expected JSON, found "), "{}", messages[0]);
        let field = "field `question`";
        assert_eq!(
            messages[1..],
            [
                format!(
                    "f:3: {field}: {expected} a number that is not whole, or has too many digits"
                ),
                format!("f:4: {field}: {expected} an object"),
                "f:5: expected an object that names question once, found \"a\"; say which columns \
                 are meant: --columns question=NAME,answer=NAME"
                    .to_owned(),
                format!("f:6: {field}: {expected} true or false"),
                format!("f:7: {field}: {expected} a list of cells and rows"),
            ]
        );
        assert_eq!(found[7].as_ref().unwrap()[1], "67890");
        let message = |text| read(text, true).remove(0).unwrap_err();
        let want =
            "f:1: expected an object with question and answer, found a puzzle without an answer";
        assert_eq!(message("[[1]]"), want);
        assert_eq!(message(" "), "f holds no puzzles");
        let endless = format!("[\"{}", "x".repeat(2 * N_VALUE_BYTES_MAX));
        assert_eq!(read(&endless, false).len(), 1);
        assert_eq!(read(&format!("[1{}", ",".repeat(2 * N_VALUE_BYTES_MAX)), false).len(), 1);
    }

    #[test]
    fn json_is_told_from_drawings() {
        let begins = |line: &str| begins(line.as_bytes(), |text| text.len() > 4);
        for line in ["[", "[[1, 2],", "{\"puzzle\": \"1\"}", "[{", "[\"1", "[1, 2, 3, 4, 5]"] {
            assert!(begins(line), "{line}");
        }
        for line in ["", "[Puzzle]", "[[#S", "12", "\"12\"", "[1, 2, 3, 4]", "[1, 2],"] {
            assert!(!begins(line), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_or_loop(text in "[\\[\\]{}\",:1a\n\\\\]{0,40}", needs: bool) {
            prop_assert!(read(&text, needs).len() <= 41);
        }

        #[test]
        fn written_puzzles_are_read_back(
            puzzles in prop::collection::vec("[ -~é象]{5,9}", 1..5),
            is_list: bool,
        ) {
            let objects: Vec<String> = puzzles
                .iter()
                .map(|puzzle| serde_json::json!({"puzzle": puzzle, "solution": puzzle}).to_string())
                .collect();
            let text = if is_list { format!("[{}]", objects.join(",")) } else { objects.join("\n") };
            let found = read(&text, true);
            prop_assert_eq!(found.len(), puzzles.len());
            for (found, puzzle) in found.into_iter().zip(&puzzles) {
                let [_, question, answer] = found.unwrap();
                prop_assert!(&question == puzzle && &answer == puzzle);
            }
        }
    }
}
