//! Puzzle files: tables (CSV) like the published ones, `source,question,answer,rating`, or
//! JSON with objects that have such keys.
//!
//! Columns are identified by name, in any order ([`Columns`]). `question` and `answer` are
//! required; `source` and `rating` are optional; other columns are not read. Separators are
//! commas, semicolons, tabs or bars. Files are read a row at a time, and the first fault in
//! the order of the file is the one that is reported.

mod columns;
mod json;
mod record;

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use hrm_base::progress::Stage;
use hrm_base::rng::stream;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::text::{self, TABLE_ENDINGS, Text, quoted};
use crate::{PuzzleError, clipped};

pub use columns::Columns;
pub(crate) use json::{IsWhole, Json, begins};
pub use record::{Located, Record};

/// File names in a data folder.
const TRAIN: &str = "train.csv";
const TEST: &str = "test.csv";

/// Rows that are read before they are worked on together.
const N_CHUNK: usize = 4096;

/// Largest length of a row in bytes, which bounds the memory of a damaged file.
const N_ROW_BYTES_MAX: u64 = 4 << 20;

/// Reads a puzzle file.
///
/// # Errors
///
/// [`PuzzleError::Read`] if the file cannot be opened, [`PuzzleError::Foreign`] if it is no
/// text, [`PuzzleError::Malformed`] with file and line for a wrong header or field count,
/// [`PuzzleError::Empty`] without a record.
pub fn read(path: &Path) -> Result<Vec<Located>, PuzzleError> {
    Records::open(path, &Columns::default())?.collect()
}

/// Streams a puzzle file record by record, so that it need not fit in memory.
///
/// # Errors
///
/// See [`read`].
pub fn visit_file(path: &Path, mut each: impl FnMut(Located)) -> Result<(), PuzzleError> {
    Records::open(path, &Columns::default())?.try_for_each(|row| {
        each(row?);
        Ok(())
    })
}

/// The first record of the first file of `data`; `None` without files.
///
/// # Errors
///
/// See [`read`].
pub fn first(data: &[PathBuf], columns: &Columns) -> Result<Option<Located>, PuzzleError> {
    let Some(path) = data.first() else { return Ok(None) };
    Records::open(&in_folder(path, &[TRAIN, TEST])?, columns)?.next().transpose()
}

/// What was read for training, and for evaluation.
#[derive(Clone, Debug)]
pub struct Split<T> {
    /// For training.
    pub train: Vec<T>,
    /// For evaluation.
    pub eval: Vec<T>,
    /// How files were read, where that was assumed, and what was passed over.
    pub notes: Vec<String>,
}

/// Reads files, and folders that contain `train.csv` and optionally `test.csv`, and makes a
/// value of every record.
///
/// Without any `test.csv`, a share `held_out` of the records is held out for
/// evaluation: at least one if the share is positive, but never the last training
/// record. They are a random sample that `seed` determines.
///
/// # Errors
///
/// See [`read`], and the errors of `make`: whichever comes first in the files.
pub fn split<T: Send, E: From<PuzzleError> + Send>(
    data: &[PathBuf],
    columns: &Columns,
    (held_out, seed): (f64, u64),
    make: impl Fn(&Located) -> Result<T, E> + Sync,
) -> Result<Split<T>, E> {
    let (mut train, mut eval, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for path in data {
        collect(&in_folder(path, &[TRAIN])?, columns, &make, &mut train, &mut notes)?;
        let test = path.join(TEST);
        if test.is_file() {
            collect(&test, columns, &make, &mut eval, &mut notes)?;
        }
        notes.extend(passed_over(path, &[TRAIN, TEST]));
    }
    if eval.is_empty() && held_out > 0.0 {
        let n_records = train.len();
        let n_eval = (n_records as f64 * held_out).round().max(1.0) as usize;
        let n_eval = n_eval.min(n_records.saturating_sub(1));
        train.shuffle(&mut stream(seed, "held out"));
        eval = train.split_off(n_records - n_eval);
    }
    Ok(Split { train, eval, notes })
}

/// Makes a value of every record of the given files; of a folder, only of its `test.csv`,
/// or `train.csv` if it has no `test.csv`. They are the evaluation side.
///
/// # Errors
///
/// As [`split`].
pub fn for_eval<T: Send, E: From<PuzzleError> + Send>(
    data: &[PathBuf],
    columns: &Columns,
    make: impl Fn(&Located) -> Result<T, E> + Sync,
) -> Result<Split<T>, E> {
    let (mut eval, mut notes) = (Vec::new(), Vec::new());
    for path in data {
        let file = in_folder(path, &[TEST, TRAIN])?;
        collect(&file, columns, &make, &mut eval, &mut notes)?;
        notes.extend(passed_over(path, &[TRAIN, TEST]));
    }
    Ok(Split { train: Vec::new(), eval, notes })
}

/// Appends a value for every record of a file, a chunk of records at a time.
fn collect<T: Send, E: From<PuzzleError> + Send>(
    path: &Path,
    columns: &Columns,
    make: &(impl Fn(&Located) -> Result<T, E> + Sync),
    made: &mut Vec<T>,
    notes: &mut Vec<String>,
) -> Result<(), E> {
    let mut records = Records::open(path, columns)?;
    loop {
        let mut fault = None;
        let rows = records.by_ref().map_while(|row| row.map_err(|err| fault = Some(err)).ok());
        let rows: Vec<Located> = rows.take(N_CHUNK).collect();
        // All results exist before the errors are looked at, so that the first bad record in
        // the order of the file is reported; a fault of the table itself comes after them.
        let of_chunk: Vec<Result<T, E>> = rows.par_iter().map(make).collect();
        for value in of_chunk {
            made.push(value?);
        }
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        if rows.is_empty() {
            notes.extend(records.note().map(str::to_owned));
            return Ok(());
        }
    }
}

/// The records of a puzzle file with their answers, one after another.
enum Records {
    Table(Box<Table<BufReader<Text>>>),
    Json(Box<Json<BufReader<Text>>>),
}

impl Records {
    /// Opens a puzzle file, whatever it is packed in.
    ///
    /// # Errors
    ///
    /// See [`read`].
    fn open(path: &Path, columns: &Columns) -> Result<Self, PuzzleError> {
        let n_bytes = std::fs::metadata(path).map_err(PuzzleError::read(path))?.len();
        let stage = Stage::start("reading puzzles", n_bytes);
        let text = Text::open_with(path, TABLE_ENDINGS, move |n| stage.advance(n))?;
        let name = text.name().to_owned();
        let mut input = BufReader::new(text);
        let begin = input.fill_buf().map_err(PuzzleError::read(path))?.trim_ascii_start();
        Ok(match begin.first() {
            // No header begins with these.
            Some(b'[' | b'{') => {
                let is_whole = Box::new(|_: &str| true);
                Self::Json(Box::new(Json::new(input, &name, columns, true, is_whole)))
            }
            _ => Self::Table(Box::new(Table::with_buffer(input, &name, columns, true)?)),
        })
    }

    /// How columns are read, unless they have the names of this program.
    fn note(&self) -> Option<&str> {
        match self {
            Self::Table(table) => table.note(),
            Self::Json(json) => json.note(),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Located, PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Table(table) => table.next(),
            Self::Json(json) => json.next(),
        }
    }
}

/// The path of the first of `names` that exists in the folder `path`; `path` itself if
/// it is a file.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] for a folder without such a file, saying what it holds.
fn in_folder(path: &Path, names: &[&str]) -> Result<PathBuf, PuzzleError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    if let Some(file) = names.iter().map(|name| path.join(name)).find(|file| file.is_file()) {
        return Ok(file);
    }
    let found = match &listed(path, &[])?[..] {
        [] => "no files".to_owned(),
        names => {
            let n_more = names.len().saturating_sub(4);
            let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
            let shown: Vec<String> = names.iter().take(4).map(|name| clipped(name)).collect();
            format!("{}{more}; name the file itself, or rename it", shown.join(", "))
        }
    };
    let expected = match names.contains(&TEST) {
        true => "a folder with test.csv or train.csv",
        false => "a folder with train.csv (and test.csv, if there are puzzles for evaluation)",
    };
    Err(PuzzleError::malformed(path.display().to_string(), expected, found))
}

/// The files of a folder that are not hidden and not among `names`, sorted.
fn listed(folder: &Path, names: &[&str]) -> Result<Vec<String>, PuzzleError> {
    /// More are not listed.
    const N_FILES_MAX: usize = 10_000;
    let entries = std::fs::read_dir(folder).map_err(PuzzleError::read(folder))?;
    let mut found: Vec<String> = entries
        .flatten()
        .take(N_FILES_MAX)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !names.contains(&name.as_str()))
        .collect();
    found.sort();
    Ok(found)
}

/// A note on the files of a folder that are not read.
fn passed_over(path: &Path, names: &[&str]) -> Option<String> {
    // What `hrm data prepare` and `hrm data fetch` write beside the puzzles.
    const OWN: &[&str] = &["recipe.json", "manifest.json"];
    if !path.is_dir() {
        return None;
    }
    let known: Vec<&str> = names.iter().chain(OWN).copied().collect();
    let others = listed(path, &known).ok().filter(|others| !others.is_empty())?;
    let n = others.len();
    let files = if n == 1 { "1 file is".to_owned() } else { format!("{n} files are") };
    let shown = clipped(&others.join(", "));
    Some(format!("{}: {files} passed over ({shown})", path.display()))
}

/// Parses a puzzle file; messages call it `name`.
///
/// # Errors
///
/// See [`read`].
pub fn parse(input: impl Read, name: &str) -> Result<Vec<Located>, PuzzleError> {
    Table::new(input, name, &Columns::default(), true)?.collect()
}

/// Whether a line is the header of a puzzle file.
pub fn is_header(line: &str, columns: &Columns) -> bool {
    let line = line.trim_start_matches('\u{feff}');
    let separator = columns::separator(line.as_bytes(), columns);
    let header: Vec<&str> =
        line.split(separator as char).map(|field| field.trim().trim_matches('"')).collect();
    // A single word is a header only if it can be nothing else.
    columns.find(&header, false).is_ok()
}

/// A table of puzzles: its records, one after another. It ends after a fault.
pub struct Table<R> {
    reader: csv::Reader<RowLimit<R>>,
    name: String,
    n_columns: usize,
    places: columns::Places,
    note: Option<String>,
    n_lines_behind: u64,
    row: csv::StringRecord,
    is_empty: bool,
    has_ended: bool,
}

impl<R: Read> Table<BufReader<R>> {
    /// A table from any input of UTF-8; messages call it `name`. Records have an answer if
    /// `needs_answer`; otherwise it may be missing and is then empty.
    ///
    /// # Errors
    ///
    /// See [`read`].
    pub fn new(
        input: R,
        name: &str,
        columns: &Columns,
        needs_answer: bool,
    ) -> Result<Self, PuzzleError> {
        Self::with_buffer(BufReader::new(input), name, columns, needs_answer)
    }
}

impl<R: BufRead> Table<R> {
    /// As [`new`](Table::new), with a buffer.
    ///
    /// # Errors
    ///
    /// See [`read`].
    pub fn with_buffer(
        mut input: R,
        name: &str,
        columns: &Columns,
        needs_answer: bool,
    ) -> Result<Self, PuzzleError> {
        let failed = |source| PuzzleError::Read { path: name.into(), source };
        let mut line = Vec::new();
        let mut n_lines_before = 0;
        loop {
            line.clear();
            input.by_ref().take(N_ROW_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed)?;
            let text = line.trim_ascii();
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            // Some spreadsheets declare their separator, which is then found anyway.
            let is_declared = text.len() <= 5 && text.to_ascii_lowercase().starts_with(b"sep=");
            if line.is_empty() || !(text.is_empty() || is_declared) {
                break;
            }
            n_lines_before += 1;
        }
        if line.is_empty() {
            return Err(PuzzleError::Empty { place: name.to_owned(), what: "puzzles" });
        }
        let separator = columns::separator(&line, columns);
        // Field counts are checked here so that the message can name the line.
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(RowLimit {
                line: Cursor::new(line),
                rest: input,
                n_left: 2 * N_ROW_BYTES_MAX,
            });
        let wrong_header = |expected: String, found: String| {
            Err(PuzzleError::malformed(format!("{name}:{}", n_lines_before + 1), expected, found))
        };
        let mut header = csv::StringRecord::new();
        match reader.read_record(&mut header) {
            Ok(false) => {
                return Err(PuzzleError::Empty { place: name.to_owned(), what: "puzzles" });
            }
            Err(err) => return wrong_header("a header".to_owned(), err.to_string()),
            Ok(true) => header.trim(),
        }
        let fields: Vec<&str> = header.iter().collect();
        let places = match columns.find(&fields, needs_answer) {
            Ok(places) => places,
            Err(expected) => {
                let found = quoted(&fields.join(&(separator as char).to_string()));
                let advice = columns::advice(&fields, &expected);
                return wrong_header(expected, format!("{found}{advice}"));
            }
        };
        let note = columns::note(name, &fields, places);
        // For CR LF the reader counts the LF as part of the next row.
        let is_behind = reader.position().line() == 1;
        Ok(Self {
            n_columns: header.len(),
            note,
            places,
            name: name.to_owned(),
            n_lines_behind: u64::from(is_behind) + n_lines_before,
            row: header,
            reader,
            is_empty: true,
            has_ended: false,
        })
    }

    /// How the columns are read, unless they have the names of this program.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The next record, or a fault that may concern this one only.
    fn advance(&mut self) -> Option<Result<Located, PuzzleError>> {
        self.reader.get_mut().n_left = N_ROW_BYTES_MAX;
        let place_of = |position: Option<&csv::Position>| {
            let line = position.map_or(0, csv::Position::line) + self.n_lines_behind;
            format!("{}:{line}", self.name)
        };
        match self.reader.read_record(&mut self.row) {
            Ok(true) => {}
            Ok(false) if self.is_empty => {
                let what = "puzzles";
                return Some(Err(PuzzleError::Empty { place: self.name.clone(), what }));
            }
            Ok(false) => return None,
            Err(err) => {
                let place = place_of(err.position());
                return Some(Err(match err.into_kind() {
                    csv::ErrorKind::Io(source) => {
                        self.has_ended = true;
                        PuzzleError::Read { path: self.name.clone().into(), source }
                    }
                    csv::ErrorKind::Utf8 { err, .. } => {
                        let found = format!("field {}", err.field() + 1);
                        text::not_utf8(place, &format!("other bytes in {found}"))
                    }
                    kind => {
                        PuzzleError::malformed(place, "a row of the table", format!("{kind:?}"))
                    }
                }));
            }
        }
        self.is_empty = false;
        let place = place_of(self.row.position());
        if self.row.len() != self.n_columns {
            let expected = format!("as many fields as in the header ({})", self.n_columns);
            return Some(Err(PuzzleError::malformed(place, expected, self.row.len().to_string())));
        }
        let field = |at: Option<usize>| at.and_then(|at| self.row.get(at)).unwrap_or("").to_owned();
        let record = Record {
            source: field(self.places.source),
            question: field(self.places.question),
            answer: field(self.places.answer),
            rating: field(self.places.rating),
        };
        Some(Ok(Located { record, place }))
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
        let next = self.advance();
        self.has_ended |= matches!(next, None | Some(Err(PuzzleError::Empty { .. })));
        next
    }
}

/// The header, then the rest; a row that never ends is an error.
struct RowLimit<R> {
    line: Cursor<Vec<u8>>,
    rest: R,
    n_left: u64,
}

impl<R: Read> Read for RowLimit<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let n_read = match self.line.read(bytes)? {
            0 => self.rest.read(bytes)?,
            n_read => n_read,
        };
        self.n_left = self.n_left.checked_sub(n_read as u64).ok_or_else(|| {
            let message = format!("a row of more than {N_ROW_BYTES_MAX} bytes");
            std::io::Error::new(std::io::ErrorKind::InvalidData, message)
        })?;
        Ok(n_read)
    }
}

/// Writes a puzzle file record by record, with its header first.
pub struct Writer<W: Write>(csv::Writer<W>);

impl<W: Write> Writer<W> {
    /// Creates a writer of a puzzle file to `out`.
    pub fn new(out: W) -> Self {
        Self(csv::Writer::from_writer(out))
    }

    /// Appends a puzzle.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Output`].
    pub fn write(&mut self, record: &Record) -> Result<(), PuzzleError> {
        self.0.serialize(record).map_err(|err| {
            PuzzleError::Output(match err.into_kind() {
                csv::ErrorKind::Io(err) => err,
                kind => std::io::Error::other(format!("{kind:?}")),
            })
        })
    }

    /// Flushes buffered records.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Output`].
    pub fn finish(mut self) -> Result<(), PuzzleError> {
        self.0.flush().map_err(PuzzleError::Output)
    }
}

/// Formats a puzzle file with its header.
pub fn to_text<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    const IN_MEMORY: &str = "records are text, written to memory";
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text);
    for record in records {
        writer.write(record).expect(IN_MEMORY);
    }
    writer.finish().expect(IN_MEMORY);
    String::from_utf8(text).expect(IN_MEMORY)
}

/// The files of a folder that [`split`] reads back as these two sets.
pub fn to_files(train: &[Record], eval: &[Record]) -> Vec<(&'static str, String)> {
    let stage = Stage::start("writing puzzles", (train.len() + eval.len()) as u64);
    let sides = [(TRAIN, train), (TEST, eval)];
    let filled = sides.into_iter().filter(|(_, records)| !records.is_empty());
    let counted = |records: &[Record]| to_text(records.iter().inspect(|_| stage.advance(1)));
    filled.map(|(name, records)| (name, counted(records))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text.as_bytes(), "x.csv").unwrap_err().to_string()
    }

    #[test]
    fn records_survive_a_round_trip() {
        let record = Record {
            source: "a, \"b\"".into(),
            question: "12..".into(),
            answer: "1234".into(),
            rating: "7".into(),
        };
        let text = to_text([&record]);
        let back = parse(text.as_bytes(), "x.csv").unwrap();
        assert_eq!(back[0].record, record);
        assert_eq!(back[0].place, "x.csv:2");
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
        let mut table = Table::new(questions.as_bytes(), "x.csv", columns, false).unwrap();
        let record = table.next().unwrap().unwrap().record;
        assert_eq!((&*record.source, &*record.question, &*record.answer), ("x", "12", ""));
        assert!(table.next().is_none());
        let is_header = |line| is_header(line, columns);
        assert!(is_header("\u{feff}question,x") && is_header("source,question"));
        assert!(is_header("id;Puzzle;Solution") && is_header("quizzes"));
        assert!(!is_header("12") && !is_header("S#,G"));
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
            Table::new(text.as_bytes(), "x.csv", columns, true).unwrap().note().map(str::to_owned)
        };
        assert_eq!(note("question,answer,rating\n1,2,3\n"), None);
        let want = "x.csv: question = puzzle, answer = Solution; not read: id";
        assert_eq!(note("id,puzzle,Solution\n1,2,3\n").as_deref(), Some(want));
    }

    #[test]
    fn the_first_fault_in_the_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let make = |located: &Located| match located.record.question.as_str() {
            "bad" => Err(PuzzleError::malformed(&located.place, "good", "bad")),
            _ => Ok(()),
        };
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            split(std::slice::from_ref(&path), &Columns::default(), (0.1, 1), make)
                .unwrap_err()
                .to_string()
        };
        assert!(message("question,answer\n1,2\nbad,2\n1\n").contains("x.csv:3: expected good"));
        assert!(message("question,answer\n1,2\n1\nbad,2\n").contains("x.csv:3: expected as many"));
    }

    #[test]
    fn a_folder_without_its_files_says_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let data = [folder.path().to_owned()];
        let columns = &Columns::default();
        let message = || first(&data, columns).unwrap_err().to_string();
        assert!(message().ends_with("test.csv or train.csv, found no files"), "{}", message());
        file(folder.path(), "sudoku-1m.csv", 1);
        file(folder.path(), ".hidden", 1);
        let want = "found sudoku-1m.csv; name the file itself, or rename it";
        assert!(message().ends_with(want), "{}", message());
        file(folder.path(), "train.csv", 1);
        let split = split(&data, columns, (0.0, 1), |_| Ok::<_, PuzzleError>(())).unwrap();
        assert!(split.notes[0].ends_with("1 file is passed over (sudoku-1m.csv)"), "{split:?}");
    }

    #[test]
    fn an_endless_row_is_refused() {
        let text = std::io::Read::chain(&b"question,answer\n\""[..], std::io::repeat(b'x'));
        let mut table = Table::new(text, "x.csv", &Columns::default(), true).unwrap();
        assert!(matches!(table.next(), Some(Err(PuzzleError::Read { .. }))));
        assert!(table.next().is_none());
    }

    fn file(folder: &Path, name: &str, n_records: usize) -> PathBuf {
        let record = |idx| Record {
            source: name.to_owned(),
            question: format!("{idx}"),
            answer: String::new(),
            rating: String::new(),
        };
        let records: Vec<Record> = (0..n_records).map(record).collect();
        let path = folder.join(name);
        std::fs::write(&path, to_text(&records)).unwrap();
        path
    }

    fn halves(data: &[PathBuf], held_out: f64) -> Split<Located> {
        let make = |located: &Located| Ok::<_, PuzzleError>(located.clone());
        split(data, &Columns::default(), (held_out, 1), make).unwrap()
    }

    #[test]
    fn without_records_both_sides_of_the_split_are_empty() {
        let split = halves(&[], 0.1);
        assert!(split.train.is_empty() && split.eval.is_empty());
    }

    #[test]
    fn held_out_records_are_sampled_and_not_in_the_training_set() {
        let folder = tempfile::tempdir().unwrap();
        let data = [file(folder.path(), "a.csv", 100)];
        let questions = |located: &[Located]| -> Vec<usize> {
            located.iter().map(|l| l.record.question.parse().unwrap()).collect()
        };
        let split = halves(&data, 0.1);
        let (train, eval) = (questions(&split.train), questions(&split.eval));
        assert_eq!((train.len(), eval.len()), (90, 10));
        assert!(eval.iter().all(|question| !train.contains(question)));
        assert_ne!(eval, (90..100).collect::<Vec<_>>());
        assert_eq!(questions(&halves(&data, 0.1).eval), eval);
        assert_eq!(halves(&data, 1e-9).eval.len(), 1);
        assert!(halves(&data, 0.0).eval.is_empty());
        let only = halves(&[file(folder.path(), "only.csv", 1)], 0.9);
        assert_eq!((only.train.len(), only.eval.len()), (1, 0));
    }

    #[test]
    fn a_test_file_is_for_evaluation_only() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "train.csv", 5);
        let data = [folder.path().to_owned()];
        let n_eval = || {
            let split = for_eval(&data, &Columns::default(), |_| Ok::<_, PuzzleError>(()));
            split.unwrap().eval.len()
        };
        assert_eq!(n_eval(), 5);
        file(folder.path(), "test.csv", 3);
        let split = halves(&data, 0.5);
        assert_eq!((split.train.len(), split.eval.len()), (5, 3));
        assert_eq!(n_eval(), 3);
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
        let advice = ", which names nothing: add a first line such as question,answer";
        let puzzle = "1...............";
        assert_eq!(message(puzzle), format!("{want} \"{puzzle}\"{advice}"));
        let want = "x.csv:3: expected as many fields as in the header (4), found 3";
        assert_eq!(message("source,question,answer,rating\na,b,c,d\na,b,c\n"), want);
        assert!(message("source,question,answer,rating\n\u{ff}a,b\n").contains("x.csv:2"));
    }
}
