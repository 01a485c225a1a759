//! The published CSV form: `source,question,answer,rating`.
//!
//! Question and answer are grids written row by row without separators.

use std::io::Read;
use std::path::{Path, PathBuf};

use hrm_train::rng::stream;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::TaskError;

/// One line of a puzzle file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where the puzzle comes from.
    pub source: String,
    /// The grid as asked.
    pub question: String,
    /// The grid as solved.
    pub answer: String,
    /// How hard it is, in the source's own unit.
    pub rating: String,
}

/// A record with the place it was read from, for messages.
#[derive(Clone, Debug)]
pub struct Located {
    /// The record.
    pub record: Record,
    /// File and line.
    pub place: String,
}

const HEADER: [&str; 4] = ["source", "question", "answer", "rating"];

/// Reads a puzzle file.
///
/// # Errors
///
/// [`TaskError::Read`] if the file cannot be opened, [`TaskError::Malformed`]
/// with file and line for a wrong header or field count, [`TaskError::Empty`]
/// without a record.
pub fn read(path: &Path) -> Result<Vec<Located>, TaskError> {
    let file = std::fs::File::open(path).map_err(TaskError::read(path))?;
    parse(file, &path.display().to_string())
}

/// Cells of the first puzzle of the first file of `data`; `None` without a file.
///
/// # Errors
///
/// As [`read`].
pub fn n_cells(data: &[PathBuf]) -> Result<Option<usize>, TaskError> {
    let Some(path) = data.first() else { return Ok(None) };
    Ok(read(&in_folder(path, &["train.csv"]))?
        .first()
        .map(|located| located.record.question.chars().count()))
}

/// Records to learn from and records to be judged by.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// To learn from.
    pub train: Vec<Located>,
    /// To be judged by.
    pub eval: Vec<Located>,
}

/// Reads files, and folders that hold `train.csv` and maybe `test.csv`.
///
/// Without any `test.csv`, a share `held_out` of the records, at least one if
/// it is positive, is kept for evaluation; the last one left is never taken
/// from training. `seed` decides which, whatever their order in the files means.
///
/// # Errors
///
/// As [`read`].
pub fn split(data: &[PathBuf], held_out: f64, seed: u64) -> Result<Split, TaskError> {
    let mut split = Split::default();
    for path in data {
        split.train.extend(read(&in_folder(path, &["train.csv"]))?);
        let test = path.join("test.csv");
        if test.is_file() {
            split.eval.extend(read(&test)?);
        }
    }
    if split.eval.is_empty() && held_out > 0.0 {
        let n_records = split.train.len();
        let n_eval = (n_records as f64 * held_out).round().max(1.0) as usize;
        let n_eval = n_eval.min(n_records - 1);
        split.train.shuffle(&mut stream(seed, "held out"));
        split.eval = split.train.split_off(n_records - n_eval);
    }
    Ok(split)
}

/// Reads every record of files, and of the `test.csv` (else `train.csv`) of
/// folders.
///
/// # Errors
///
/// As [`read`].
pub fn for_eval(data: &[PathBuf]) -> Result<Vec<Located>, TaskError> {
    let mut located = Vec::new();
    for path in data {
        located.extend(read(&in_folder(path, &["test.csv", "train.csv"]))?);
    }
    Ok(located)
}

/// The first of `names` in a folder; a path that is no folder stands for itself.
fn in_folder(path: &Path, names: &[&str]) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let files = || names.iter().map(|name| path.join(name));
    files().find(|file| file.is_file()).unwrap_or_else(|| path.join(names[names.len() - 1]))
}

/// Parses a puzzle file; `name` is what messages call it.
///
/// # Errors
///
/// As [`read`].
pub fn parse(input: impl Read, name: &str) -> Result<Vec<Located>, TaskError> {
    let mut located = Vec::new();
    visit(input, name, |record| located.push(record))?;
    Ok(located)
}

/// Reads a puzzle file record by record, so that it need not fit in memory;
/// `name` is what messages call it.
///
/// # Errors
///
/// As [`read`].
pub fn visit(input: impl Read, name: &str, mut each: impl FnMut(Located)) -> Result<(), TaskError> {
    // Field counts are checked here, so that the message can name the line.
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut is_empty = true;
    let mut rows = reader.records().enumerate();

    let wrong_header = |found: String| {
        TaskError::malformed(format!("{name}:1"), format!("the header {}", HEADER.join(",")), found)
    };
    match rows.next() {
        None => return Err(TaskError::Empty { place: name.to_owned(), what: "puzzles" }),
        Some((_, Err(err))) => return Err(wrong_header(err.to_string())),
        Some((_, Ok(row))) if row.iter().map(str::trim).eq(HEADER) => {}
        Some((_, Ok(row))) => return Err(wrong_header(format!("{:?}", clipped(row.as_slice())))),
    }
    for (idx, row) in rows {
        let row = row.map_err(|err| {
            let line = err.position().map_or(idx as u64 + 1, csv::Position::line);
            TaskError::malformed(format!("{name}:{line}"), "UTF-8 text in CSV", err.to_string())
        })?;
        let line = row.position().map_or(idx as u64 + 1, csv::Position::line);
        let place = format!("{name}:{line}");
        let fields: Vec<&str> = row.iter().collect();
        let Ok([source, question, answer, rating]) = <[&str; 4]>::try_from(fields) else {
            let found = format!("{} fields", row.len());
            return Err(TaskError::malformed(place, "4 fields", found));
        };
        let record = Record {
            source: source.to_owned(),
            question: question.to_owned(),
            answer: answer.to_owned(),
            rating: rating.to_owned(),
        };
        each(Located { record, place });
        is_empty = false;
    }
    if is_empty {
        return Err(TaskError::Empty { place: name.to_owned(), what: "puzzles" });
    }
    Ok(())
}

/// A puzzle file with its header, as text.
pub fn to_text<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    const IN_MEMORY: &str = "records are text, written to memory";
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record).expect(IN_MEMORY);
    }
    let bytes = writer.into_inner().expect(IN_MEMORY);
    String::from_utf8(bytes).expect(IN_MEMORY)
}

/// The start of a text that may be arbitrarily long.
pub(crate) fn clipped(text: &str) -> String {
    const N_CHARS_MAX: usize = 60;
    match text.char_indices().nth(N_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
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
    fn what_is_held_out_is_not_learnt_and_does_not_follow_the_file() {
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
    fn a_malformed_file_is_refused_with_its_line() {
        assert_eq!(message(""), "x.csv holds no puzzles");
        assert_eq!(message("source,question,answer,rating\n"), "x.csv holds no puzzles");
        let want = "x.csv:1: expected the header source,question,answer,rating, found \"ab\"";
        assert_eq!(message("a,b\n"), want);
        let want = "x.csv:3: expected 4 fields, found 3 fields";
        assert_eq!(message("source,question,answer,rating\na,b,c,d\na,b,c\n"), want);
        assert!(message("source,question,answer,rating\n\u{ff}a,b\n").contains("x.csv:2"));
    }
}
