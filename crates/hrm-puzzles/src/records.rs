//! Puzzle files: tables (CSV) like the published ones, `source,question,answer,rating`, or
//! JSON with objects that have such keys.
//!
//! Columns are identified by name, in any order ([`Columns`]). `question` and `answer` are
//! required; `source` and `rating` are optional; other columns are not read. Separators are
//! commas, semicolons, tabs or bars; comments (`#`) are passed over. Files are read a row at a time, and the first fault in
//! the order of the file is the one that is reported.

mod columns;
mod json;
mod record;
mod rows;
mod table;
mod write;

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use hrm_base::progress::Stage;
use hrm_base::rng::stream;
use hrm_base::words::counted;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::PuzzleError;
use crate::text::lines::LineReader;
use crate::text::{TABLE_ENDINGS, Text, named};
use columns::CHALLENGE;

pub use columns::Columns;
pub(crate) use json::{IsWhole, Json, begins};
pub use record::{Located, Record};
pub use table::parse;
pub(crate) use table::{Table, is_before_header, is_comment, n_columns, names_others};
pub use write::{Writer, to_text};

/// File name of settings beside the puzzles of a data folder, which readers pass over.
pub const SETTINGS: &str = "recipe.json";

/// File names in a data folder.
const TRAIN: &str = "train.csv";
const TEST: &str = "test.csv";

/// Rows that are read before they are worked on together.
const N_CHUNK: usize = 4096;

/// The same in bytes. Rows may be long.
const N_CHUNK_BYTES: usize = 1 << 20;

/// Reads a puzzle file.
///
/// # Errors
///
/// [`PuzzleError::Read`] if the file cannot be opened, [`PuzzleError::NotText`] if it is no
/// text, [`PuzzleError::Malformed`] with file and line for a wrong header or field count,
/// [`PuzzleError::Empty`] without a record.
pub fn read(path: &Path) -> Result<Vec<Located>, PuzzleError> {
    Records::open(path, &Columns::default(), true)?.collect()
}

/// Streams a puzzle file record by record, so that it need not fit in memory.
///
/// # Errors
///
/// See [`read`].
pub fn visit_file(path: &Path, mut each: impl FnMut(Located)) -> Result<(), PuzzleError> {
    Records::open(path, &Columns::default(), true)?.try_for_each(|row| {
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
    let files = data.iter().map(|path| in_folder(path, &[TRAIN, TEST]));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    let Some(file) = files.first() else { return Ok(None) };
    Records::open(file, &columns_of(file, columns, &files), true)?.next().transpose()
}

/// The columns of one of several files: as chosen, or those with known names if only others
/// of the files have what was chosen.
fn columns_of(path: &Path, chosen: &Columns, files: &[PathBuf]) -> Columns {
    let is_read = |path: &Path, columns: &Columns| {
        let first = Records::open(path, columns, true).ok().and_then(|mut records| records.next());
        first.is_some_and(|first| first.is_ok())
    };
    let others = || files.iter().filter(|other| *other != path);
    let known = Columns::default();
    let has_others = chosen.are_chosen()
        && files.len() > 1
        && !is_read(path, chosen)
        && others().any(|other| is_read(other, chosen))
        && is_read(path, &known);
    if has_others { known } else { chosen.clone() }
}

/// Whether a table has questions, and no answers to them.
fn lacks_answers(path: &Path, columns: &Columns) -> bool {
    let lacks = |located: Result<Located, _>| located.is_ok_and(|it| it.record.answer.is_empty());
    match Records::open(path, columns, true) {
        Ok(mut records) => records.all(lacks),
        Err(_) => Records::open(path, columns, false).is_ok(),
    }
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
/// Without any `test.csv` that has answers, a share `held_out` of the records is held out for
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
    let sides = data.iter().map(|path| Ok((in_folder(path, &[TRAIN])?, file_of(path, TEST)?)));
    let sides: Vec<(PathBuf, Option<PathBuf>)> = sides.collect::<Result<_, PuzzleError>>()?;
    let files = sides.iter().flat_map(|(file, test)| [Some(file), test.as_ref()]);
    let files: Vec<PathBuf> = files.flatten().cloned().collect();
    for (path, (file, test)) in data.iter().zip(&sides) {
        collect(file, &columns_of(file, columns, &files), &make, &mut train, &mut notes)?;
        if let Some(test) = test {
            let columns = columns_of(test, columns, &files);
            if lacks_answers(test, &columns) {
                let test = test.display();
                notes.push(format!("{test}: passed over, for it has no answers: {CHALLENGE}"));
            } else {
                collect(test, &columns, &make, &mut eval, &mut notes)?;
            }
        }
        notes.extend(passed_over(path));
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
    let files = data.iter().map(|path| in_folder(path, &[TEST, TRAIN]));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    for (path, file) in data.iter().zip(&files) {
        collect(file, &columns_of(file, columns, &files), &make, &mut eval, &mut notes)?;
        notes.extend(passed_over(path));
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
    let mut records = Records::open(path, columns, true)?;
    loop {
        let (mut rows, mut n_bytes, mut fault) = (Vec::new(), 0, None);
        while rows.len() < N_CHUNK && n_bytes < N_CHUNK_BYTES && fault.is_none() {
            match records.next() {
                None => break,
                Some(Err(err)) => fault = Some(err),
                Some(Ok(row)) => {
                    let Record { source, question, answer, rating } = &row.record;
                    n_bytes +=
                        [source, question, answer, rating].map(String::len).iter().sum::<usize>();
                    rows.push(row);
                }
            }
        }
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
            notes.extend(records.notes());
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
    /// Opens a puzzle file, whatever it is packed in. Records have an answer if
    /// `needs_answer`.
    ///
    /// # Errors
    ///
    /// See [`read`].
    fn open(path: &Path, columns: &Columns, needs_answer: bool) -> Result<Self, PuzzleError> {
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
                Self::Json(Box::new(Json::new(input, &name, columns, needs_answer, is_whole)))
            }
            _ => {
                let lines = LineReader::new(input, &name);
                Self::Table(Box::new(Table::new(lines, columns, needs_answer)?))
            }
        })
    }

    /// How columns are read, unless they have the names of this program, and what was passed
    /// over.
    fn notes(&self) -> Vec<String> {
        let (columns, comments) = match self {
            Self::Table(table) => (table.note(), table.comments()),
            Self::Json(json) => (json.note(), None),
        };
        columns.map(str::to_owned).into_iter().chain(comments).collect()
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
/// As [`file_of`]; [`PuzzleError::Malformed`] for a folder without such a file, saying what
/// it holds.
fn in_folder(path: &Path, names: &[&str]) -> Result<PathBuf, PuzzleError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    for name in names {
        if let Some(file) = file_of(path, name)? {
            return Ok(file);
        }
    }
    let found = match &listed(path)?.0[..] {
        [] if file_of(path, TEST)?.is_some() => "only test.csv; name the file itself".to_owned(),
        [] => "no files".to_owned(),
        names => format!("{}; name the file itself, or rename it", named(names)),
    };
    let expected = match names.contains(&TEST) {
        true => "a folder with test.csv or train.csv",
        false => "a folder with train.csv (and test.csv, if there are puzzles for evaluation)",
    };
    Err(PuzzleError::malformed(path.display().to_string(), expected, found))
}

/// The file `name` of the folder `path`, if it has one.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] for anything else of that name, such as a link to a file that
/// was not fetched.
fn file_of(path: &Path, name: &str) -> Result<Option<PathBuf>, PuzzleError> {
    let path = path.join(name);
    match std::fs::symlink_metadata(&path) {
        Err(err) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&err.kind()) => {
            return Ok(None);
        }
        found => found.map_err(PuzzleError::read(&path))?,
    };
    let found = match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => return Ok(Some(path)),
        Ok(found) if found.is_dir() => "a folder",
        Ok(_) => "something else",
        Err(err) if err.kind() == ErrorKind::NotFound => {
            "a link to a file that is not here; fetch it first (git annex get, dvc pull), or \
             remove the link"
        }
        Err(err) => return Err(PuzzleError::read(&path)(err)),
    };
    Err(PuzzleError::malformed(path.display().to_string(), "a file", found))
}

/// The names of what else is in a folder of puzzles, sorted; and how much of it is hidden
/// and not among them.
fn listed(folder: &Path) -> Result<(Vec<String>, usize), PuzzleError> {
    /// More are not listed.
    const N_FILES_MAX: usize = 10_000;
    // The last is what `hrm data prepare` writes beside the puzzles.
    const KNOWN: [&str; 3] = [TRAIN, TEST, SETTINGS];
    let entries = std::fs::read_dir(folder).map_err(PuzzleError::read(folder))?;
    let (hidden, mut others): (Vec<String>, Vec<String>) = entries
        .flatten()
        .take(N_FILES_MAX)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !KNOWN.contains(&name.as_str()))
        .partition(|name| name.starts_with('.') || name == "__MACOSX");
    others.sort();
    Ok((others, hidden.len()))
}

/// A note on what is in a folder and not read.
fn passed_over(path: &Path) -> Option<String> {
    let (others, n_hidden) = if path.is_dir() { listed(path).ok()? } else { return None };
    let n_others = others.len();
    let names = named(&others);
    let others = counted(n_others, "other file or folder", "other files and folders");
    let hidden = counted(n_hidden, "hidden file or folder", "hidden files and folders");
    let what = match (n_others, n_hidden) {
        (0, 0) => return None,
        (0, _) => hidden,
        (_, 0) => format!("{others} ({names})"),
        _ => format!("{others} ({names}) and {hidden}"),
    };
    Some(format!("{}: passed over {what}", path.display()))
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
        let only = tempfile::tempdir().unwrap();
        file(only.path(), "test.csv", 1);
        let make = |_: &Located| Ok::<_, PuzzleError>(());
        let err = split(&[only.path().to_owned()], columns, (0.0, 1), make).unwrap_err();
        assert!(err.to_string().ends_with("found only test.csv; name the file itself"), "{err}");
        let split = split(&data, columns, (0.0, 1), |_| Ok::<_, PuzzleError>(())).unwrap();
        let want = "passed over 1 other file or folder (sudoku-1m.csv) and 1 hidden file or folder";
        assert!(split.notes[0].ends_with(want), "{split:?}");
        for name in ["b.tsv", "c.md", "d", "e", ".f", "recipe.json"] {
            file(folder.path(), name, 1);
        }
        let want = "passed over 5 other files and folders (b.tsv, c.md, d, e and 1 more) and 2 \
                    hidden files and folders";
        assert_eq!(passed_over(folder.path()).unwrap().split_once(": ").unwrap().1, want);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_not_there_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let data = [folder.path().to_owned()];
        file(folder.path(), "train.csv", 4);
        let test = folder.path().join(TEST);
        std::os::unix::fs::symlink(".git/annex/objects/x", &test).unwrap();
        let columns = &Columns::default();
        let make = |_: &Located| Ok::<_, PuzzleError>(());
        let want = format!(
            "{}: expected a file, found a link to a file that is not here; fetch it first (git \
             annex get, dvc pull), or remove the link",
            test.display()
        );
        assert_eq!(split(&data, columns, (0.5, 1), make).unwrap_err().to_string(), want);
        assert_eq!(for_eval(&data, columns, make).unwrap_err().to_string(), want);
        std::fs::remove_file(&test).unwrap();
        std::fs::create_dir(&test).unwrap();
        let message = for_eval(&data, columns, make).unwrap_err().to_string();
        assert!(message.ends_with("expected a file, found a folder"), "{message}");
    }

    fn file(folder: &Path, name: &str, n_records: usize) -> PathBuf {
        let record = |idx| Record {
            source: name.to_owned(),
            question: format!("{idx}"),
            answer: "a".to_owned(),
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

    fn split_of(data: &[PathBuf], columns: &str) -> Result<Split<Located>, PuzzleError> {
        let make = |located: &Located| Ok(located.clone());
        split(data, &columns.parse().unwrap(), (0.5, 1), make)
    }

    #[test]
    fn a_test_file_without_answers_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let data = [folder.path().to_owned()];
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for (train, test, columns) in [
            ("question,answer\n1,2\n3,4\n", "id,question\n1,5\n", ""),
            ("question,answer\n1,2\n3,4\n", "question,answer\n5,\n6,\n", ""),
            ("a,b\n1,2\n3,4\n", "a\n5\n", "question=a,answer=b"),
        ] {
            write("train.csv", train);
            write("test.csv", test);
            let split = split_of(&data, columns).unwrap();
            assert_eq!((split.train.len(), split.eval.len()), (1, 1));
            let test = folder.path().join(TEST);
            let want =
                format!("{}: passed over, for it has no answers: {CHALLENGE}", test.display());
            assert!(split.notes.contains(&want), "{:?}", split.notes);
        }
        let make = |located: &Located| Ok::<_, PuzzleError>(located.clone());
        let message = for_eval(&data, &Columns::default(), make).unwrap_err().to_string();
        assert!(message.contains("found \"a\"; say which columns are meant"), "{message}");
        write("test.csv", "id,puzzle\n1,5\n");
        let message = for_eval(&data, &Columns::default(), make).unwrap_err().to_string();
        let want = "found \"id,puzzle\"; say which columns are meant: --columns \
                    question=NAME,answer=NAME; puzzles without answers are for `eval --challenge`";
        assert!(message.ends_with(want), "{message}");
        // What is no table is refused as before.
        write("test.csv", "x,y\n1,5\n");
        assert!(split_of(&data, "").is_err());
    }

    #[test]
    fn chosen_columns_of_one_file_leave_the_known_names_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let known = write("known.csv", "Puzzle,Solution\n1,2\n");
        let other = write("other.csv", "x,y\n3,4\n");
        let third = write("third.csv", "u,v\n5,6\n");
        let columns = "question=x,answer=y";
        for data in [[known.clone(), other.clone()], [other.clone(), known.clone()]] {
            let split = split_of(&data, columns).unwrap();
            let mut all: Vec<_> =
                split.train.iter().chain(&split.eval).map(|it| &*it.record.answer).collect();
            all.sort_unstable();
            assert_eq!(all, ["2", "4"]);
            assert!(first(&data, &columns.parse().unwrap()).unwrap().is_some());
        }
        // A name that no file has, or a file without known names, is an error.
        let message =
            |data: &[PathBuf], columns: &str| split_of(data, columns).unwrap_err().to_string();
        let want = "names \"z\" once, as --columns says, found \"Puzzle,Solution\"";
        assert!(message(&[known.clone(), known], "question=z").ends_with(want));
        let want = "names \"x\" once, as --columns says, found \"u,v\"";
        assert!(message(&[other, third], columns).ends_with(want));
    }
}
