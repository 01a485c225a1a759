//! Puzzle files: CSV in the published format `source,question,answer,rating`.
//!
//! Columns are identified by name, in any order. `question` and `answer` are required;
//! `source` and `rating` are optional; other columns are ignored.

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hrm_base::progress::Stage;
use hrm_base::rng::stream;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::{PuzzleError, clipped};

/// One line of a puzzle file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Origin of the puzzle. Empty if the file does not state it.
    pub source: String,
    /// The unsolved grid.
    pub question: String,
    /// The solved grid.
    pub answer: String,
    /// Difficulty, on the scale of the source. Empty if the file does not state it.
    pub rating: String,
}

/// A record with the place it was read from, for messages.
#[derive(Clone, Debug)]
pub struct Located {
    /// The record.
    pub record: Record,
    /// File and line, e.g. `train.csv:2`.
    pub place: String,
}

impl Located {
    /// Name of a field of the record in messages.
    pub fn field(&self, name: &str) -> String {
        format!("{}: field `{name}`", self.place)
    }
}

const QUESTION: &str = "question";
const ANSWER: &str = "answer";

/// File names in a data folder.
const TRAIN: &str = "train.csv";
const TEST: &str = "test.csv";

/// Reads a puzzle file.
///
/// # Errors
///
/// [`PuzzleError::Read`] if the file cannot be opened, [`PuzzleError::Malformed`]
/// with file and line for a wrong header or field count, [`PuzzleError::Empty`]
/// without a record.
pub fn read(path: &Path) -> Result<Vec<Located>, PuzzleError> {
    let mut located = Vec::new();
    visit_file(path, |record| located.push(record))?;
    Ok(located)
}

/// Streams a puzzle file record by record, so that it need not fit in memory.
///
/// # Errors
///
/// See [`read`].
pub fn visit_file(path: &Path, each: impl FnMut(Located)) -> Result<(), PuzzleError> {
    let file = std::fs::File::open(path).map_err(PuzzleError::read(path))?;
    let n_bytes = file.metadata().map_err(PuzzleError::read(path))?.len();
    let input = Counted { input: file, stage: Stage::start("reading puzzles", n_bytes) };
    visit(input, &path.display().to_string(), each)
}

/// Counts the bytes of a file that have been read.
struct Counted {
    input: std::fs::File,
    stage: Stage,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let n_read = self.input.read(bytes)?;
        self.stage.advance(n_read as u64);
        Ok(n_read)
    }
}

/// Number of cells of the first puzzle in the first file of `data`; `None` without
/// files.
///
/// # Errors
///
/// See [`read`].
pub fn n_cells(data: &[PathBuf]) -> Result<Option<usize>, PuzzleError> {
    let Some(path) = data.first() else { return Ok(None) };
    let path = in_folder(path, &[TRAIN]);
    let file = std::fs::File::open(&path).map_err(PuzzleError::read(&path))?;
    let mut n_cells = None;
    visit_columns(file, &path.display().to_string(), &[QUESTION, ANSWER], |located| {
        n_cells = Some(located.record.question.chars().count());
        ControlFlow::Break(())
    })?;
    Ok(n_cells)
}

/// Records for training and records for evaluation.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// For training.
    pub train: Vec<Located>,
    /// For evaluation.
    pub eval: Vec<Located>,
}

/// Reads files, and folders that contain `train.csv` and optionally `test.csv`.
///
/// Without any `test.csv`, a share `held_out` of the records is held out for
/// evaluation: at least one if the share is positive, but never the last training
/// record. They are a random sample that `seed` determines.
///
/// # Errors
///
/// See [`read`].
pub fn split(data: &[PathBuf], held_out: f64, seed: u64) -> Result<Split, PuzzleError> {
    let mut split = Split::default();
    for path in data {
        split.train.extend(read(&in_folder(path, &[TRAIN]))?);
        let test = path.join(TEST);
        if test.is_file() {
            split.eval.extend(read(&test)?);
        }
    }
    if split.eval.is_empty() && held_out > 0.0 {
        let n_records = split.train.len();
        let n_eval = (n_records as f64 * held_out).round().max(1.0) as usize;
        let n_eval = n_eval.min(n_records.saturating_sub(1));
        split.train.shuffle(&mut stream(seed, "held out"));
        split.eval = split.train.split_off(n_records - n_eval);
    }
    Ok(split)
}

/// Reads every record of the given files; of a folder, only its `test.csv`, or
/// `train.csv` if it has no `test.csv`.
///
/// # Errors
///
/// See [`read`].
pub fn for_eval(data: &[PathBuf]) -> Result<Vec<Located>, PuzzleError> {
    let mut located = Vec::new();
    for path in data {
        located.extend(read(&in_folder(path, &[TEST, TRAIN]))?);
    }
    Ok(located)
}

/// The path of the first of `names` that exists in the folder `path`; `path` itself if
/// it is a file.
fn in_folder(path: &Path, names: &[&str]) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let files = || names.iter().map(|name| path.join(name));
    files().find(|file| file.is_file()).unwrap_or_else(|| path.join(names[names.len() - 1]))
}

/// Parses a puzzle file; messages call it `name`.
///
/// # Errors
///
/// See [`read`].
pub fn parse(input: impl Read, name: &str) -> Result<Vec<Located>, PuzzleError> {
    let mut located = Vec::new();
    visit(input, name, |record| located.push(record))?;
    Ok(located)
}

/// Parses a file of puzzles to solve: the answer may be missing and is then empty.
///
/// # Errors
///
/// See [`read`].
pub fn parse_questions(input: impl Read, name: &str) -> Result<Vec<Located>, PuzzleError> {
    let mut located = Vec::new();
    visit_columns(input, name, &[QUESTION], |record| {
        located.push(record);
        ControlFlow::Continue(())
    })?;
    Ok(located)
}

/// Whether a line is the header of a puzzle file.
pub fn is_header(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}');
    line.split(',').any(|field| field.trim() == QUESTION)
}

/// As [`visit_file`], from any input; messages call it `name`.
///
/// # Errors
///
/// See [`read`].
pub fn visit(
    input: impl Read,
    name: &str,
    mut each: impl FnMut(Located),
) -> Result<(), PuzzleError> {
    visit_columns(input, name, &[QUESTION, ANSWER], |record| {
        each(record);
        ControlFlow::Continue(())
    })
}

/// Reads records until `each` breaks.
fn visit_columns(
    input: impl Read,
    name: &str,
    needed: &[&str],
    mut each: impl FnMut(Located) -> ControlFlow<()>,
) -> Result<(), PuzzleError> {
    // Field counts are checked here so that the message can name the line.
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut is_empty = true;
    let wrong_header = |found: String| {
        let expected = format!("a header that names {} once", needed.join(" and "));
        Err(PuzzleError::malformed(format!("{name}:1"), expected, found))
    };
    let mut header = csv::StringRecord::new();
    match reader.read_record(&mut header) {
        Ok(false) => return Err(PuzzleError::Empty { place: name.to_owned(), what: "puzzles" }),
        Err(err) => return wrong_header(err.to_string()),
        Ok(true) => header.trim(),
    }
    let n_columns_named = |name: &str| header.iter().filter(|column| *column == name).count();
    let is_twice = n_columns_named(QUESTION) > 1 || n_columns_named(ANSWER) > 1;
    if is_twice || needed.iter().any(|name| n_columns_named(name) == 0) {
        let names: Vec<&str> = header.iter().collect();
        return wrong_header(format!("{:?}", clipped(&names.join(","))));
    }
    // For CR LF the reader counts the LF as part of the next row.
    let n_lines_behind = if reader.position().line() == 1 { 1 } else { 0 };
    let place_of = |position: Option<&csv::Position>| {
        let line = position.map_or(0, csv::Position::line) + n_lines_behind;
        format!("{name}:{line}")
    };

    for row in reader.records() {
        let row = row.map_err(|err| {
            PuzzleError::malformed(place_of(err.position()), "UTF-8 text in CSV", err.to_string())
        })?;
        let place = place_of(row.position());
        if row.len() != header.len() {
            let expected = format!("as many fields as in the header ({})", header.len());
            let found = row.len().to_string();
            return Err(PuzzleError::malformed(place, expected, found));
        }
        let field = |name: &str| {
            header.iter().zip(&row).find(|(column, _)| *column == name).map_or("", |(_, f)| f)
        };
        let record = Record {
            source: field("source").to_owned(),
            question: field(QUESTION).to_owned(),
            answer: field(ANSWER).to_owned(),
            rating: field("rating").to_owned(),
        };
        is_empty = false;
        if each(Located { record, place }).is_break() {
            break;
        }
    }
    if is_empty {
        return Err(PuzzleError::Empty { place: name.to_owned(), what: "puzzles" });
    }
    Ok(())
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
        let record = &parse_questions(questions.as_bytes(), "x.csv").unwrap()[0].record;
        assert_eq!((&*record.source, &*record.question, &*record.answer), ("x", "12", ""));
        assert!(is_header("\u{feff}question,x") && is_header("source,question"));
        assert!(!is_header("questions") && !is_header("12"));
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

    #[test]
    fn without_records_both_sides_of_the_split_are_empty() {
        let split = split(&[], 0.1, 1).unwrap();
        assert!(split.train.is_empty() && split.eval.is_empty());
    }

    #[test]
    fn held_out_records_are_sampled_and_not_in_the_training_set() {
        let folder = tempfile::tempdir().unwrap();
        let data = [file(folder.path(), "a.csv", 100)];
        let questions = |located: &[Located]| -> Vec<usize> {
            located.iter().map(|l| l.record.question.parse().unwrap()).collect()
        };
        let halves = split(&data, 0.1, 1).unwrap();
        let (train, eval) = (questions(&halves.train), questions(&halves.eval));
        assert_eq!((train.len(), eval.len()), (90, 10));
        assert!(eval.iter().all(|question| !train.contains(question)));
        assert_ne!(eval, (90..100).collect::<Vec<_>>());
        assert_eq!(questions(&split(&data, 0.1, 1).unwrap().eval), eval);
        assert_eq!(split(&data, 1e-9, 1).unwrap().eval.len(), 1);
        assert!(split(&data, 0.0, 1).unwrap().eval.is_empty());
        let only = split(&[file(folder.path(), "only.csv", 1)], 0.9, 1).unwrap();
        assert_eq!((only.train.len(), only.eval.len()), (1, 0));
    }

    #[test]
    fn a_test_file_is_for_evaluation_only() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "train.csv", 5);
        let data = [folder.path().to_owned()];
        assert_eq!(for_eval(&data).unwrap().len(), 5);
        file(folder.path(), "test.csv", 3);
        let halves = split(&data, 0.5, 1).unwrap();
        assert_eq!((halves.train.len(), halves.eval.len()), (5, 3));
        assert_eq!(for_eval(&data).unwrap().len(), 3);
    }

    #[test]
    fn a_malformed_file_is_rejected_with_its_line() {
        assert_eq!(message(""), "x.csv holds no puzzles");
        assert_eq!(message("source,question,answer,rating\n"), "x.csv holds no puzzles");
        let want = "x.csv:1: expected a header that names question and answer once, found";
        assert_eq!(message("a,b\n"), format!("{want} \"a,b\""));
        assert_eq!(message("answer\n"), format!("{want} \"answer\""));
        let twice = "question,answer,question";
        assert_eq!(message(&format!("{twice}\n")), format!("{want} \"{twice}\""));
        let want = "x.csv:3: expected as many fields as in the header (4), found 3";
        assert_eq!(message("source,question,answer,rating\na,b,c,d\na,b,c\n"), want);
        assert!(message("source,question,answer,rating\n\u{ff}a,b\n").contains("x.csv:2"));
    }
}
