//! Reads and writes ARC tasks as JSON, with the exact place of every error.
//!
//! ```text
//! bare       {"train": [{"input": [[0, 1]], "output": [[1, 0]]}, ..], "test": [..]}
//! combined   {"007bbfb7": {"train": .., "test": ..}, ..}
//! solutions  {"007bbfb7": [[[1, 0]], ..], ..}      one grid per test pair
//! ```
//!
//! Places look like ``a.json: task `007bbfb7`, train[0].input, row 2``. Indices in
//! brackets count from 0; rows and columns count from 1. Keys not listed above are
//! ignored.

use serde::Serialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::PuzzleError;
use crate::arc::{Grid, N_COLOURS, SIDE_MAX};
use crate::clipped;

/// An input grid with its output grid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Pair {
    /// The input grid.
    pub input: Grid,
    /// The output grid.
    pub output: Grid,
}

/// A test input, with its output if the file contains it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TestPair {
    /// The input grid.
    pub input: Grid,
    /// The expected output grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Grid>,
}

/// One task as stored in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ArcTask {
    /// Example pairs that demonstrate the rule.
    pub train: Vec<Pair>,
    /// Test inputs for the same rule.
    pub test: Vec<TestPair>,
}

/// Parses a bare task or a combined file and keeps the order of tasks. Messages call
/// the text `file`; `stem` becomes the id of a bare task.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] with file, task and JSON path, [`PuzzleError::Empty`] for
/// a file without tasks.
pub fn parse(text: &[u8], file: &str, stem: &str) -> Result<Vec<(String, ArcTask)>, PuzzleError> {
    enum Entry {
        Task(String, Result<ArcTask, PuzzleError>),
        /// A part of a bare task.
        Part(String, Value),
    }
    // JSON values are many times larger than grids, so each task is converted before
    // the next is read. Whether the file is a bare task is known only at the end.
    let entries = entries(text, file, |key, value| {
        if matches!(key.as_str(), "train" | "test") && !value.is_object() {
            return Entry::Part(key, value);
        }
        let task = task(&value, &format!("{file}: task `{}`", clipped(&key)));
        Entry::Task(key, task)
    })?;
    if entries.is_empty() {
        return Err(PuzzleError::Empty { place: file.to_owned(), what: "tasks" });
    }

    let mut tasks = Vec::with_capacity(entries.len());
    let mut parts = serde_json::Map::new();
    for entry in entries {
        match entry {
            Entry::Task(id, task) => tasks.push((id, task)),
            Entry::Part(key, value) => drop(parts.insert(key, value)),
        }
    }
    if parts.is_empty() {
        return tasks.into_iter().map(|(id, task)| Ok((id, task?))).collect();
    }
    let task = task(&Value::Object(parts), &format!("{file}: task `{}`", clipped(stem)))?;
    Ok(vec![(stem.to_owned(), task)])
}

/// Parses a solutions file: for each task, one output per test pair.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_solutions(text: &[u8], file: &str) -> Result<Vec<(String, Vec<Grid>)>, PuzzleError> {
    let entries = entries(text, file, |id, value| {
        let place = format!("{file}: task `{}`", clipped(&id));
        let outputs = array(&value, &place, "an array of grids")?.iter().enumerate();
        let outputs = outputs.map(|(idx, output)| grid(output, &format!("{place}, [{idx}]")));
        Ok((id, outputs.collect::<Result<_, PuzzleError>>()?))
    })?;
    entries.into_iter().collect()
}

/// Formats tasks as a combined file, one line per task.
pub fn combined<'a>(tasks: impl IntoIterator<Item = (&'a str, &'a ArcTask)>) -> String {
    let lines = tasks.into_iter().map(|(id, task)| {
        let id = serde_json::to_string(id).expect("text is always JSON");
        let task = serde_json::to_string(task).expect("grids are always JSON");
        format!("{id}: {task}")
    });
    format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
}

/// The entries of the object in `text`, in order, each converted in turn. A repeated
/// key yields an entry each time.
fn entries<T>(
    text: &[u8],
    file: &str,
    convert: impl FnMut(String, Value) -> T,
) -> Result<Vec<T>, PuzzleError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let entries = (&mut deserializer).deserialize_map(EachEntry(convert));
    entries.and_then(|entries| deserializer.end().map(|()| entries)).map_err(|err| {
        let place = format!("{file}:{}:{}", err.line(), err.column());
        let text = err.to_string();
        // The place is already in the message; the rest may quote the file at length.
        let found = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        PuzzleError::malformed(place, "a JSON object", clipped(found))
    })
}

struct EachEntry<F>(F);

impl<'de, T, F: FnMut(String, Value) -> T> Visitor<'de> for EachEntry<F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.push((self.0)(key, value));
        }
        Ok(entries)
    }
}

fn task(value: &Value, place: &str) -> Result<ArcTask, PuzzleError> {
    let pairs = |key: &str| {
        let found = value.get(key).unwrap_or(&Value::Null);
        array(found, &format!("{place}, {key}"), "an array of pairs").map(|pairs| {
            let places = (0..pairs.len()).map(move |idx| format!("{place}, {key}[{idx}]"));
            pairs.iter().zip(places.collect::<Vec<_>>())
        })
    };
    if !value.is_object() {
        return Err(PuzzleError::malformed(place, "an object with train and test", kind(value)));
    }
    let train = pairs("train")?.map(|(pair, place)| {
        let output = pair.get("output").unwrap_or(&Value::Null);
        Ok(Pair { input: input(pair, &place)?, output: grid(output, &format!("{place}.output"))? })
    });
    let test = pairs("test")?.map(|(pair, place)| {
        let output = pair.get("output").filter(|output| !output.is_null());
        let output = output.map(|output| grid(output, &format!("{place}.output")));
        Ok(TestPair { input: input(pair, &place)?, output: output.transpose()? })
    });
    Ok(ArcTask {
        train: train.collect::<Result<_, PuzzleError>>()?,
        test: test.collect::<Result<_, PuzzleError>>()?,
    })
}

fn input(pair: &Value, place: &str) -> Result<Grid, PuzzleError> {
    if !pair.is_object() {
        return Err(PuzzleError::malformed(place, "an object with input and output", kind(pair)));
    }
    grid(pair.get("input").unwrap_or(&Value::Null), &format!("{place}.input"))
}

/// Parses a single grid; `None` if `text` is not a grid.
pub fn parse_grid(text: &str) -> Option<Grid> {
    serde_json::from_str(text).ok().and_then(|value| grid(&value, "").ok())
}

fn grid(value: &Value, place: &str) -> Result<Grid, PuzzleError> {
    let sides = |items: &[Value]| (1..=SIDE_MAX).contains(&items.len());
    let rows = array(value, place, "an array of rows")?;
    if !sides(rows) {
        return Err(PuzzleError::malformed(place, "1 to 30 rows", rows.len().to_string()));
    }
    let mut cells = Vec::with_capacity(rows.len());
    for (row_idx, row) in rows.iter().enumerate() {
        let place = format!("{place}, row {}", row_idx + 1);
        let row = array(row, &place, "an array of colours")?;
        if !sides(row) {
            return Err(PuzzleError::malformed(place, "1 to 30 colours", row.len().to_string()));
        }
        let n_cols = cells.first().map_or(row.len(), Vec::len);
        if row.len() != n_cols {
            let expected = format!("as many colours as in row 1 ({n_cols})");
            return Err(PuzzleError::malformed(place, expected, row.len().to_string()));
        }
        let colours = row.iter().enumerate().map(|(col_idx, value)| {
            let colour = value.as_u64().and_then(|colour| u8::try_from(colour).ok());
            colour.filter(|colour| *colour < N_COLOURS).ok_or_else(|| {
                let place = format!("{place}, column {}", col_idx + 1);
                PuzzleError::malformed(place, "a colour, 0 to 9", kind(value))
            })
        });
        cells.push(colours.collect::<Result<Vec<u8>, _>>()?);
    }
    Ok(Grid::from_fn(cells.len(), cells[0].len(), |row, col| cells[row][col]))
}

fn array<'a>(value: &'a Value, place: &str, expected: &str) -> Result<&'a [Value], PuzzleError> {
    let items = value.as_array().map(Vec::as_slice);
    items.ok_or_else(|| PuzzleError::malformed(place, expected, kind(value)))
}

/// Describes a value for a message. The value itself may take megabytes.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) => "a Boolean".to_owned(),
        Value::Number(number) => format!("the number {}", clipped(&number.to_string())),
        Value::String(text) => format!("the text {:?}", clipped(text)),
        Value::Array(items) => format!("an array of length {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::{any_grid, grid};
    use proptest::prelude::*;

    #[track_caller]
    fn rejected(text: &str, want: &str) {
        let err = parse(text.as_bytes(), "a.json", "a").unwrap_err();
        assert_eq!(err.to_string(), want, "{text}");
    }

    /// A task whose first input is `grid`.
    fn with_input(grid: &str) -> String {
        format!(r#"{{"x": {{"train": [{{"input": {grid}, "output": [[1]]}}], "test": []}}}}"#)
    }

    #[test]
    fn bare_and_combined_tasks_are_distinguished() {
        let bare = r#"{"name": "any", "train": [{"input": [[1, 2]], "output": [[3]]}],
                       "test": [{"input": [[4]]}, {"input": [[5]], "output": [[6]]}]}"#;
        let task = ArcTask {
            train: vec![Pair { input: grid("12"), output: grid("3") }],
            test: vec![
                TestPair { input: grid("4"), output: None },
                TestPair { input: grid("5"), output: Some(grid("6")) },
            ],
        };
        assert_eq!(parse(bare.as_bytes(), "a.json", "a").unwrap(), [("a".into(), task.clone())]);
        let text = combined([("x", &task), ("train", &task)]);
        let want = [("x".to_owned(), task.clone()), ("train".to_owned(), task)];
        assert_eq!(parse(text.as_bytes(), "a.json", "a").unwrap(), want);
    }

    #[test]
    fn solutions_are_grids_by_task() {
        let read = |text: &str| parse_solutions(text.as_bytes(), "s.json");
        let want = [("x".to_owned(), vec![grid("1"), grid("23")])];
        assert_eq!(read(r#"{"x": [[[1]], [[2, 3]]]}"#).unwrap(), want);
        let err = read(r#"{"x": [[[1]], [2]]}"#).unwrap_err().to_string();
        let want = "s.json: task `x`, [1], row 1: expected an array of colours, found the number 2";
        assert_eq!(err, want);
    }

    #[test]
    fn wrong_structure_is_rejected_with_its_place() {
        rejected("{}", "a.json holds no tasks");
        rejected("", "a.json:1:0: expected a JSON object, found EOF while parsing a value");
        rejected(
            "[1]",
            "a.json:1:0: expected a JSON object, found invalid type: sequence, expected an object",
        );
        rejected(
            r#"{"x": 1}"#,
            "a.json: task `x`: expected an object with train and test, found the number 1",
        );
        rejected(
            r#"{"x": {}}"#,
            "a.json: task `x`, train: expected an array of pairs, found nothing",
        );
        rejected(
            r#"{"train": 3}"#,
            "a.json: task `a`, train: expected an array of pairs, found the number 3",
        );
        rejected(
            r#"{"train": [], "other": 1}"#,
            "a.json: task `a`, test: expected an array of pairs, found nothing",
        );
        rejected(
            r#"{"train": [7], "test": []}"#,
            "a.json: task `a`, train[0]: expected an object with input and output, \
             found the number 7",
        );
        rejected(
            r#"{"train": [{"input": [[1]]}], "test": []}"#,
            "a.json: task `a`, train[0].output: expected an array of rows, found nothing",
        );
        rejected(
            r#"{"train": [], "test": [{"output": [[1]]}]}"#,
            "a.json: task `a`, test[0].input: expected an array of rows, found nothing",
        );
    }

    #[test]
    fn wrong_grids_are_rejected_with_their_place() {
        let place = "a.json: task `x`, train[0].input";
        let rejected =
            |grid: &str, want: &str| rejected(&with_input(grid), &format!("{place}{want}"));
        rejected("[]", ": expected 1 to 30 rows, found 0");
        rejected("[[]]", ", row 1: expected 1 to 30 colours, found 0");
        rejected("[[1, 2], [3]]", ", row 2: expected as many colours as in row 1 (2), found 1");
        rejected("[[1], 2]", ", row 2: expected an array of colours, found the number 2");
        rejected("[[0, 10]]", ", row 1, column 2: expected a colour, 0 to 9, found the number 10");
        rejected("[[-1]]", ", row 1, column 1: expected a colour, 0 to 9, found the number -1");
        rejected("[[1.0]]", ", row 1, column 1: expected a colour, 0 to 9, found the number 1.0");
        rejected("[[null]]", ", row 1, column 1: expected a colour, 0 to 9, found nothing");
        rejected(&format!("[{}[1]]", "[1],".repeat(30)), ": expected 1 to 30 rows, found 31");
        rejected(
            &format!("[[{}1]]", "1,".repeat(30)),
            ", row 1: expected 1 to 30 colours, found 31",
        );
        rejected(
            "[[99999999999999999999999999]]",
            ", row 1, column 1: expected a colour, 0 to 9, found the number 1e+26",
        );
    }

    #[test]
    fn hostile_text_is_an_error() {
        let deep = format!("{{\"x\": {}", "[".repeat(1_000_000));
        for text in [deep.as_str(), &with_input("[[1e999]]"), "{\"x\"", "{} {}", "\u{0}"] {
            let err = parse(text.as_bytes(), "a.json", "a").unwrap_err().to_string();
            assert!(err.starts_with("a.json:1:"), "{err}");
            assert!(err.contains(": expected a JSON object, found "), "{err}");
            assert!(err.len() < 120, "{err}");
        }
        assert!(parse(b"{\"\xff\": 1}", "a.json", "a").is_err());
    }

    proptest! {
        #[test]
        fn tasks_survive_a_round_trip(input in any_grid(6), output in any_grid(6), id: String) {
            let task = ArcTask {
                train: vec![Pair { input: input.clone(), output: output.clone() }],
                test: vec![TestPair { input, output: Some(output) }],
            };
            let text = combined([(id.as_str(), &task)]);
            prop_assert_eq!(parse(text.as_bytes(), "a.json", "a").unwrap(), [(id, task)]);
        }
    }
}
