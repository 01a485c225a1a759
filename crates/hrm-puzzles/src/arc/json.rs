//! Reads and writes ARC tasks as JSON, with the exact place of every error.
//!
//! ```text
//! bare           {"train": [{"input": [[0, 1]], "output": [[1, 0]]}, ..], "test": [..]}
//! combined       {"007bbfb7": {"train": .., "test": ..}, ..}
//! list           [{"id": "007bbfb7", "train": .., "test": ..}, ..]
//! list of pairs  [{"input": .., "output": ..}, ..]    as RE-ARC has it
//! examples       {"examples": [[input, output], ..]}  as BARC has it
//! solutions      {"007bbfb7": [[[1, 0]], ..], ..}     one grid per test pair
//! submission     {"007bbfb7": [{"attempt_1": .., "attempt_2": ..}, ..], ..}
//! ```
//!
//! A pair is an object or an array `[input, output]`. A test output that is absent, `null`
//! or `[]` is unknown. The last pair of a list of pairs is the test pair. A file may hold
//! several such values one after the other, e.g. one a line.
//!
//! Places look like ``a.json: task `007bbfb7`, train[0].input, row 2``. Indices in
//! brackets count from 0; rows and columns count from 1. Keys not listed above are
//! ignored.

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::PuzzleError;
use crate::arc::{Grid, N_COLOURS, SIDE_MAX};
use crate::clipped;

/// An input grid with its output grid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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

/// A task of a file.
#[derive(Debug)]
pub struct Listed {
    /// Its id, or a name after the file for a task without one.
    pub id: String,
    /// The task itself.
    pub task: Found,
    /// Whether the file lists pairs and does not say which of them are test pairs.
    pub is_list_of_pairs: bool,
    /// Whether the file holds it in a set for evaluation, as in `{"train": {..}, "eval": {..}}`.
    pub is_evaluation: bool,
}

/// A task, as far as it can be held.
#[derive(Debug)]
pub enum Found {
    /// A task.
    Task(ArcTask),
    /// A task with a grid that is larger than ARC allows.
    TooLarge {
        /// The grid that is too large.
        error: PuzzleError,
        /// Number of test pairs of the task.
        n_tests: usize,
    },
}

/// What a file is.
#[derive(Debug)]
pub enum Content {
    /// Tasks, in order.
    Tasks(Vec<Listed>),
    /// For each task, one output per test pair.
    Solutions(Vec<(String, Vec<Grid>)>),
    /// Attempts at the outputs of tasks.
    Submission,
    /// Something else; the error says what makes it so.
    Other(PuzzleError),
}

/// Finds out what a text is, and parses it. Messages call the text `file`; `stem` is the id
/// of the only task of a file if it has no other, and begins the ids of several.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] with file, task and JSON path for a text that is not JSON, or
/// that holds tasks among which one is malformed.
pub fn read(text: &[u8], file: &str, stem: &str) -> Result<Content, PuzzleError> {
    let mut reading = Reading::new(file, stem);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    loop {
        let value = OneValue(&mut reading).deserialize(&mut deserializer);
        value.map_err(|err| not_json(&err, file))?;
        // Anything after the value is another value.
        if deserializer.end().is_ok() {
            break;
        }
    }
    reading.finish()
}

/// Parses a file of tasks, as [`read`] does.
///
/// # Errors
///
/// As [`read`], [`PuzzleError::Malformed`] for other content or a grid that is too large,
/// and [`PuzzleError::Empty`] for a file without tasks.
pub fn parse(text: &[u8], file: &str, stem: &str) -> Result<Vec<(String, ArcTask)>, PuzzleError> {
    let tasks = tasks(read(text, file, stem)?, file)?.into_iter();
    let task = |Listed { id, task, .. }| match task {
        Found::Task(task) => Ok((id, task)),
        Found::TooLarge { error, .. } => Err(error),
    };
    tasks.map(task).collect()
}

/// The tasks of a file.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] for other content, [`PuzzleError::Empty`] for a file without
/// tasks.
pub fn tasks(content: Content, file: &str) -> Result<Vec<Listed>, PuzzleError> {
    let other = |what: &str| Err(PuzzleError::malformed(file, "ARC tasks", what));
    match content {
        Content::Tasks(tasks) if tasks.is_empty() => {
            Err(PuzzleError::Empty { place: file.to_owned(), what: "tasks" })
        }
        Content::Tasks(tasks) => Ok(tasks),
        Content::Solutions(_) => other("solutions, which hold outputs only"),
        Content::Submission => other("a submission, which holds attempts only"),
        Content::Other(error) => Err(error),
    }
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

/// The error of a text that is not JSON.
fn not_json(err: &serde_json::Error, file: &str) -> PuzzleError {
    let place = format!("{file}:{}:{}", err.line(), err.column());
    let text = err.to_string();
    // The place is already in the message; the rest may quote the file at length.
    let found = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    PuzzleError::malformed(place, "a JSON object", clipped(found))
}

/// Why a task cannot be held.
enum Wrong {
    TooLarge(PuzzleError),
    Malformed(PuzzleError),
}

impl From<PuzzleError> for Wrong {
    fn from(error: PuzzleError) -> Self {
        Self::Malformed(error)
    }
}

/// A part of a file, converted as soon as it is read: JSON values are many times larger
/// than grids.
enum Item {
    Task { id: Option<String>, task: Found, is_list_of_pairs: bool, is_evaluation: bool },
    Malformed(PuzzleError),
    Solution(String, Vec<Grid>),
    Attempts,
    Other(PuzzleError),
}

/// Keys of an id, in tasks that are not under their id.
const ID_KEYS: [&str; 5] = ["id", "task_id", "puzzle_id", "uid", "name"];
/// Keys of the parts of a task.
const PART_KEYS: [&str; 4] = ["train", "test", "examples", "pairs"];
/// Keys of a whole set of tasks.
const SET_KEYS: [&str; 7] = ["tasks", "data", "puzzles", "train", "training", "eval", "evaluation"];

/// A file being read.
struct Reading<'a> {
    file: &'a str,
    stem: &'a str,
    /// Number of top-level values so far.
    n_values: usize,
    /// Number of tasks so far.
    n_tasks: usize,
    /// Whether a value is a task without an id around it.
    has_bare: bool,
    /// Whether a value holds a set of tasks beside other entries.
    has_set: bool,
    /// Whether the set being read is for evaluation.
    is_evaluation: bool,
    items: Vec<Item>,
}

impl<'a> Reading<'a> {
    fn new(file: &'a str, stem: &'a str) -> Self {
        Self {
            file,
            stem,
            n_values: 0,
            n_tasks: 0,
            has_bare: false,
            has_set: false,
            is_evaluation: false,
            items: Vec::new(),
        }
    }

    fn place(&self, id: &str) -> String {
        format!("{}: task `{}`", self.file, clipped(id))
    }

    /// Whether the file so far is one bare task, which is named after the file, as all
    /// releases name it.
    fn is_only_bare(&self) -> bool {
        self.has_bare && self.n_values == 1
    }

    /// The name of a task without an id.
    fn numbered(&self, number: usize) -> String {
        format!("{}-{number}", self.stem)
    }

    fn push(
        &mut self,
        id: Option<String>,
        task: Result<ArcTask, Wrong>,
        n_tests: usize,
        is_list_of_pairs: bool,
    ) {
        self.n_tasks += 1;
        let task = match task {
            Ok(task) => Found::Task(task),
            Err(Wrong::TooLarge(error)) => Found::TooLarge { error, n_tests },
            Err(Wrong::Malformed(error)) => return self.items.push(Item::Malformed(error)),
        };
        let is_evaluation = self.is_evaluation;
        self.items.push(Item::Task { id, task, is_list_of_pairs, is_evaluation });
    }

    /// A task given as an object.
    fn object(&mut self, id: Option<String>, value: &Value) {
        let own = || ID_KEYS.iter().find_map(|key| id_of(value.get(key)?));
        let id = id.or_else(own);
        let name = id.clone().unwrap_or_else(|| self.numbered(self.n_tasks + 1));
        let name = if self.is_only_bare() { self.stem } else { &name };
        let place = self.place(name);
        match value.get("examples").or_else(|| value.get("pairs")) {
            Some(pairs) if value.get("train").is_none() => self.list_of_pairs(id, pairs, &place),
            _ => {
                let n_tests = value.get("test").and_then(Value::as_array).map_or(0, Vec::len);
                self.push(id, task(value, &place), n_tests, false);
            }
        }
    }

    /// A task given as a list of pairs.
    fn list_of_pairs(&mut self, id: Option<String>, value: &Value, place: &str) {
        let pairs = array(value, place, "an array of pairs").map_err(Wrong::from);
        let pairs = pairs.and_then(|pairs| {
            let pairs = pairs.iter().enumerate();
            pairs.map(|(idx, found)| pair(found, &format!("{place}, [{idx}]"))).collect()
        });
        self.push(id, pairs.map(last_is_test), 1, true);
    }

    /// An entry of the top-level object.
    fn entry(&mut self, key: String, value: &Value) {
        let place = self.place(&key);
        match kind_of(value) {
            Kind::Task => self.object(Some(key), value),
            Kind::Pairs => self.list_of_pairs(Some(key), value, &place),
            Kind::Grids => {
                self.items.push(match solution(value, &place) {
                    Ok(outputs) => Item::Solution(key, outputs),
                    Err(Wrong::TooLarge(error) | Wrong::Malformed(error)) => Item::Malformed(error),
                });
            }
            Kind::Attempts => self.items.push(Item::Attempts),
            Kind::Tasks if SET_KEYS.contains(&key.as_str()) => self.set(&key, value),
            Kind::Tasks | Kind::Pair | Kind::Other => {
                let expected = "an object with train and test";
                self.items.push(Item::Other(PuzzleError::malformed(place, expected, kind(value))));
            }
        }
    }

    /// An element of a top-level array that is not a pair.
    fn element(&mut self, idx: usize, value: &Value) {
        let place = format!("{}: [{idx}]", self.file);
        match kind_of(value) {
            Kind::Task => self.object(None, value),
            Kind::Pairs => self.list_of_pairs(None, value, &place),
            _ => {
                let expected = "a task or a pair";
                self.items.push(Item::Other(PuzzleError::malformed(place, expected, kind(value))));
            }
        }
    }

    /// A set of tasks within the top-level object.
    fn set(&mut self, key: &str, value: &Value) {
        self.has_set = true;
        self.is_evaluation = key.starts_with("eval");
        let n_before = self.items.len();
        match value {
            Value::Object(entries) => {
                entries.iter().for_each(|(key, value)| self.entry(key.clone(), value));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(idx, value)| self.element(idx, value));
            }
            _ => {}
        }
        self.is_evaluation = false;
        for item in &mut self.items[n_before..] {
            if let Item::Other(_) = item {
                let Item::Other(error) = std::mem::replace(item, Item::Attempts) else { continue };
                *item = Item::Malformed(error);
            }
        }
    }

    fn finish(self) -> Result<Content, PuzzleError> {
        let (stem, n_tasks) = (self.stem, self.n_tasks);
        let (is_only_bare, has_set) = (self.is_only_bare(), self.has_set);
        let (mut tasks, mut solutions) = (Vec::new(), Vec::new());
        let (mut malformed, mut other) = (None, None);
        let mut has_attempts = false;
        for item in self.items {
            match item {
                Item::Task { id, task, is_list_of_pairs, is_evaluation } => {
                    let id = id.filter(|_| !is_only_bare).unwrap_or_else(|| match n_tasks {
                        1 => stem.to_owned(),
                        _ => format!("{stem}-{}", tasks.len() + 1),
                    });
                    tasks.push(Listed { id, task, is_list_of_pairs, is_evaluation });
                }
                Item::Malformed(error) => malformed = malformed.or(Some(error)),
                Item::Other(_) if has_set => {}
                Item::Other(error) => other = other.or(Some(error)),
                Item::Solution(id, outputs) => solutions.push((id, outputs)),
                Item::Attempts => has_attempts = true,
            }
        }
        if let Some(error) = malformed {
            return Err(error);
        }
        match other {
            Some(error) if tasks.is_empty() => return Ok(Content::Other(error)),
            Some(error) => return Err(error),
            None => {}
        }
        let is_one_kind =
            u8::from(!tasks.is_empty()) + u8::from(!solutions.is_empty()) + u8::from(has_attempts);
        if is_one_kind > 1 {
            let found = "some tasks, and some outputs without their inputs";
            return Err(PuzzleError::malformed(self.file, "tasks, solutions or attempts", found));
        }
        Ok(match (has_attempts, solutions.is_empty()) {
            (true, _) => Content::Submission,
            (false, false) => Content::Solutions(solutions),
            (false, true) => Content::Tasks(tasks),
        })
    }
}

/// The outputs of a task: a list of grids, or the only grid.
fn solution(value: &Value, place: &str) -> Result<Vec<Grid>, Wrong> {
    let outputs = array(value, place, "an array of grids")?;
    let is_row = |value: &Value| value.get(0).is_some_and(Value::is_number);
    if outputs.first().is_some_and(is_row) {
        return Ok(vec![grid(value, place)?]);
    }
    let outputs = outputs.iter().enumerate();
    outputs.map(|(idx, output)| grid(output, &format!("{place}, [{idx}]"))).collect()
}

/// A task of which nothing says which pairs are test pairs.
fn last_is_test(mut pairs: Vec<Pair>) -> ArcTask {
    let test = pairs.pop().map(|Pair { input, output }| TestPair { input, output: Some(output) });
    ArcTask { train: pairs, test: test.into_iter().collect() }
}

fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// What a value within a file looks like.
enum Kind {
    Task,
    Pair,
    Pairs,
    Grids,
    Attempts,
    /// An object or an array of tasks.
    Tasks,
    Other,
}

fn kind_of(value: &Value) -> Kind {
    /// Number of arrays around the first value that is none, and that value.
    fn nested(value: &Value) -> (usize, Option<&Value>) {
        let (mut depth, mut inner) = (0, value);
        while let Value::Array(items) = inner {
            depth += 1;
            match items.first() {
                Some(first) => inner = first,
                None => return (depth, None),
            }
        }
        (depth, Some(inner))
    }
    let has = |value: &Value, keys: &[&str]| keys.iter().any(|key| value.get(key).is_some());
    let is_attempts = |value: &Value| {
        let mut keys = value.as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.any(|key| key.starts_with("attempt"))
    };
    let is_task =
        |value: &Value| PART_KEYS.iter().any(|key| value.get(key).is_some_and(Value::is_array));
    match nested(value) {
        (0, Some(Value::Object(_))) if is_task(value) => Kind::Task,
        (0, Some(Value::Object(_))) if is_attempts(value) => Kind::Attempts,
        (0, Some(Value::Object(_))) if has(value, &["input", "output"]) => Kind::Pair,
        (0, Some(Value::Object(entries))) => match entries.values().next().map(kind_of) {
            Some(Kind::Task | Kind::Tasks) => Kind::Tasks,
            _ => Kind::Other,
        },
        (1, Some(first)) if is_attempts(first) => Kind::Attempts,
        (1, Some(first)) if has(first, &["input", "output"]) => Kind::Pairs,
        (1, Some(first)) if is_task(first) => Kind::Tasks,
        (4, _) => Kind::Pairs,
        (3, _) | (1 | 2, None) | (2, Some(Value::Number(_))) => Kind::Grids,
        _ => Kind::Other,
    }
}

/// Reads one top-level value, entry by entry.
struct OneValue<'a, 'r>(&'a mut Reading<'r>);

impl<'de> DeserializeSeed<'de> for OneValue<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.n_values += 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneValue<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let reading = self.0;
        // Whether the object is a bare task is known only at the end.
        let mut bare = serde_json::Map::new();
        let n_before = reading.items.len();
        let n_tasks_before = reading.n_tasks;
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            let is_part = match key.as_str() {
                "train" | "test" => !value.is_object(),
                key => PART_KEYS.contains(&key) && value.is_array(),
            };
            let is_id = ID_KEYS.contains(&key.as_str()) && id_of(&value).is_some();
            if is_part || is_id {
                bare.insert(key, value);
            } else {
                reading.entry(key, &value);
            }
        }
        if PART_KEYS.iter().any(|key| bare.contains_key(*key)) {
            // The other keys of a bare task are ignored.
            reading.items.truncate(n_before);
            reading.n_tasks = n_tasks_before;
            reading.has_bare = true;
            reading.object(None, &Value::Object(bare));
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let reading = self.0;
        let name = reading.stem.to_owned();
        let place = reading.place(&name);
        let mut pairs = Vec::new();
        let mut wrong = None;
        let mut idx = 0;
        while let Some(value) = seq.next_element::<Value>()? {
            let is_pair = match kind_of(&value) {
                Kind::Pair => true,
                Kind::Grids => value.as_array().is_some_and(|grids| grids.len() == 2),
                _ => false,
            };
            if is_pair {
                match pair(&value, &format!("{place}, [{idx}]")) {
                    Ok(pair) => pairs.push(pair),
                    Err(found) => wrong = wrong.or(Some(found)),
                }
            } else {
                reading.element(idx, &value);
            }
            idx += 1;
        }
        if let Some(wrong) = wrong {
            reading.push(None, Err(wrong), 1, true);
        } else if !pairs.is_empty() {
            reading.push(None, Ok(last_is_test(pairs)), 1, true);
        }
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar("nothing")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.scalar("a Boolean")
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.scalar("a number")
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.scalar("a number")
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scalar("a number")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.scalar("a text")
    }
}

impl OneValue<'_, '_> {
    fn scalar<E>(self, what: &str) -> Result<(), E> {
        let error = PuzzleError::malformed(self.0.file, "ARC tasks", what);
        self.0.items.push(Item::Other(error));
        Ok(())
    }
}

fn task(value: &Value, place: &str) -> Result<ArcTask, Wrong> {
    let pairs = |key: &str| {
        let found = value.get(key).unwrap_or(&Value::Null);
        array(found, &format!("{place}, {key}"), "an array of pairs").map(|pairs| {
            let places = (0..pairs.len()).map(move |idx| format!("{place}, {key}[{idx}]"));
            pairs.iter().zip(places.collect::<Vec<_>>())
        })
    };
    let train = pairs("train")?.map(|(found, place)| pair(found, &place));
    let test = pairs("test")?.map(|(found, place)| {
        let output = part(found, "output").filter(|output| !is_unknown(output));
        let output = output.map(|output| grid(output, &format!("{place}.output")));
        Ok(TestPair { input: input(found, &place)?, output: output.transpose()? })
    });
    let (train, test): (Vec<_>, Vec<_>) = (train.collect(), test.collect());
    // What is malformed counts more than what is too large.
    match (all(train), all(test)) {
        (Ok(train), Ok(test)) => Ok(ArcTask { train, test }),
        (_, Err(Wrong::Malformed(error))) => Err(Wrong::Malformed(error)),
        (Err(wrong), _) | (_, Err(wrong)) => Err(wrong),
    }
}

/// All items, or an error; one of malformed content, if there is any.
fn all<T>(items: Vec<Result<T, Wrong>>) -> Result<Vec<T>, Wrong> {
    let mut found = Vec::with_capacity(items.len());
    let mut too_large = None;
    for item in items {
        match item {
            Ok(item) => found.push(item),
            Err(Wrong::Malformed(error)) => return Err(Wrong::Malformed(error)),
            Err(wrong) => too_large = too_large.or(Some(wrong)),
        }
    }
    too_large.map_or(Ok(found), Err)
}

/// Whether an output is given as unknown.
fn is_unknown(output: &Value) -> bool {
    match output {
        Value::Null => true,
        Value::Array(rows) => rows.iter().all(|row| row.as_array().is_some_and(Vec::is_empty)),
        _ => false,
    }
}

/// A part of a pair, which is an object or an array.
fn part<'a>(pair: &'a Value, key: &str) -> Option<&'a Value> {
    match pair {
        Value::Array(parts) => parts.get(usize::from(key == "output")),
        pair => pair.get(key),
    }
}

fn pair(found: &Value, place: &str) -> Result<Pair, Wrong> {
    let output = part(found, "output").unwrap_or(&Value::Null);
    Ok(Pair { input: input(found, place)?, output: grid(output, &format!("{place}.output"))? })
}

fn input(pair: &Value, place: &str) -> Result<Grid, Wrong> {
    let is_array_pair = pair.as_array().is_some_and(|parts| matches!(parts.len(), 1 | 2));
    if !pair.is_object() && !is_array_pair {
        let expected = "an object with input and output";
        return Err(PuzzleError::malformed(place, expected, kind(pair)).into());
    }
    grid(part(pair, "input").unwrap_or(&Value::Null), &format!("{place}.input"))
}

/// Parses a single grid; `None` if `text` is not a grid.
pub fn parse_grid(text: &str) -> Option<Grid> {
    serde_json::from_str(text).ok().and_then(|value| grid(&value, "").ok())
}

fn grid(value: &Value, place: &str) -> Result<Grid, Wrong> {
    let refused = |place: &str, what: &str, found: &[Value]| {
        let error = PuzzleError::malformed(place, what, found.len().to_string());
        Err(if found.is_empty() { Wrong::Malformed(error) } else { Wrong::TooLarge(error) })
    };
    let sides = |items: &[Value]| (1..=SIDE_MAX).contains(&items.len());
    let rows = array(value, place, "an array of rows")?;
    if !sides(rows) {
        return refused(place, "1 to 30 rows", rows);
    }
    let mut cells = Vec::with_capacity(rows.len());
    for (row_idx, row) in rows.iter().enumerate() {
        let place = format!("{place}, row {}", row_idx + 1);
        let row = array(row, &place, "an array of colours")?;
        if !sides(row) {
            return refused(&place, "1 to 30 colours", row);
        }
        let n_cols = cells.first().map_or(row.len(), Vec::len);
        if row.len() != n_cols {
            let expected = format!("as many colours as in row 1 ({n_cols})");
            return Err(PuzzleError::malformed(place, expected, row.len().to_string()).into());
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
        Value::Object(entries) => {
            let keys: Vec<_> =
                entries.keys().take(3).map(|key| format!("`{}`", clipped(key))).collect();
            let more = if entries.len() > keys.len() { ", .." } else { "" };
            match keys.is_empty() {
                true => "an object without entries".to_owned(),
                false => format!("an object with {}{more}", keys.join(", ")),
            }
        }
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

    /// `id train/test` for each task of a text, with an `l` for lists of pairs.
    fn listed(text: &str) -> Vec<String> {
        let content = read(text.as_bytes(), "a.json", "a").unwrap();
        let listed = |Listed { id, task, is_list_of_pairs, is_evaluation }: Listed| {
            let mark = if is_list_of_pairs { "l" } else { "" };
            let id = if is_evaluation { format!("eval {id}") } else { id };
            match task {
                Found::Task(ArcTask { train, test }) => {
                    format!("{id} {}/{}{mark}", train.len(), test.len())
                }
                Found::TooLarge { n_tests, .. } => format!("{id} too large, {n_tests}"),
            }
        };
        tasks(content, "a.json").unwrap().into_iter().map(listed).collect()
    }

    #[test]
    fn every_dialect_is_read() {
        let pair = r#"{"input": [[1]], "output": [[2]]}"#;
        let array = "[[[1]], [[2]]]";
        let task = format!(r#"{{"train": [{pair}], "test": [{pair}]}}"#);
        let named = |key: &str, id: &str| {
            format!(r#"{{"{key}": {id}, "train": [{pair}, {array}], "test": [{array}]}}"#)
        };
        assert_eq!(listed(&format!("[{pair}, {pair}, {array}]")), ["a 2/1l"]);
        assert_eq!(
            listed(&format!(r#"{{"x": [{pair}], "y": [{array}, {array}]}}"#)),
            ["x 0/1l", "y 1/1l"]
        );
        let list = format!("[{}, {}, {task}]", named("id", "\"x\""), named("task_id", "7"));
        assert_eq!(listed(&list), ["x 2/1", "7 2/1", "a-3 1/1"]);
        let examples = format!(r#"{{"source": "def f(): {{}}", "examples": [{array}, {array}]}}"#);
        assert_eq!(listed(&examples), ["a 1/1l"]);
        assert_eq!(listed(&format!("{examples}\n{examples}\n")), ["a-1 1/1l", "a-2 1/1l"]);
        assert_eq!(listed(&format!("[{examples}]")), ["a 1/1l"]);
        // The only task of a file is named after the file, whatever it says itself.
        assert_eq!(listed(&named("name", "\"x\"")), ["a 2/1"]);
        let lines = [named("id", "\"x\""), named("id", "\"y\"")].join("\n");
        assert_eq!(listed(&lines), ["x 2/1", "y 2/1"]);
        assert_eq!(listed(&format!("{{\"x\": {task}}} {{\"y\": {task}}}")), ["x 1/1", "y 1/1"]);
        for set in [format!("{{\"x\": {task}}}"), format!("[{}]", named("id", "\"x\""))] {
            let text = format!(r#"{{"version": 1, "tasks": {set}, "about": {{}}}}"#);
            assert!(listed(&text)[0].starts_with("x "), "{text}");
        }
        let split = format!(r#"{{"train": {{"x": {task}}}, "eval": {{"y": {task}}}}}"#);
        assert_eq!(listed(&split), ["x 1/1", "eval y 1/1"]);
    }

    #[test]
    fn unknown_outputs_are_read() {
        for output in ["", r#", "output": null"#, r#", "output": []"#, r#", "output": [[]]"#] {
            let text = format!(r#"{{"train": [], "test": [{{"input": [[4]]{output}}}]}}"#);
            let tasks = parse(text.as_bytes(), "a.json", "a").unwrap();
            assert_eq!(tasks[0].1.test, [TestPair { input: grid("4"), output: None }], "{text}");
        }
        rejected(
            r#"{"train": [], "test": [{"input": [[4]], "output": [[], [1]]}]}"#,
            "a.json: task `a`, test[0].output, row 1: expected 1 to 30 colours, found 0",
        );
    }

    #[test]
    fn one_task_that_is_too_large_leaves_the_others() {
        let row = format!("[[{}1]]", "1,".repeat(30));
        let text = format!(
            r#"{{"x": {{"train": [], "test": [{{"input": {row}}}, {{"input": [[1]]}}]}},
                "y": {{"train": [], "test": []}}}}"#
        );
        assert_eq!(listed(&text), ["x too large, 2", "y 0/0"]);
        // What is malformed beside it is an error nevertheless.
        let text = format!(r#"{{"train": [{{"input": {row}}}], "test": [3]}}"#);
        assert!(read(text.as_bytes(), "a.json", "a").is_err());
    }

    #[test]
    fn other_files_are_told_apart() {
        let read = |text: &str| read(text.as_bytes(), "a.json", "a");
        let submission = r#"{"x": [{"attempt_1": [[1]], "attempt_2": [[1]]}]}"#;
        assert!(matches!(read(submission), Ok(Content::Submission)));
        let other = [
            "3",
            "null",
            "\"text\"",
            "[1, 2]",
            r#"{"name": "x", "version": 2}"#,
            r#"{"a": {}}"#,
            r#"{"pad_id": 0, "sets": ["all"]}"#,
            r#"{"scripts": {"test": "run"}}"#,
        ];
        for text in other {
            assert!(matches!(read(text), Ok(Content::Other(_))), "{text}: {:?}", read(text));
        }
        assert!(read(r#"{"x": {"train": [], "test": []}, "y": 3}"#).is_err());
        let mixed = r#"{"x": {"train": [], "test": []}, "y": [[[1]]]}"#;
        let want = "a.json: expected tasks, solutions or attempts, \
                    found some tasks, and some outputs without their inputs";
        assert_eq!(read(mixed).unwrap_err().to_string(), want);
        rejected(
            submission,
            "a.json: expected ARC tasks, found a submission, which holds attempts only",
        );
    }

    #[test]
    fn solutions_are_grids_by_task() {
        let read = |text: &str| match read(text.as_bytes(), "s.json", "s")? {
            Content::Solutions(solutions) => Ok(solutions),
            other => panic!("{other:?}"),
        };
        let want = [("x".to_owned(), vec![grid("1"), grid("23")])];
        assert_eq!(read(r#"{"x": [[[1]], [[2, 3]]]}"#).unwrap(), want);
        assert_eq!(read(r#"{"x": [[2, 3]]}"#).unwrap(), [("x".to_owned(), vec![grid("23")])]);
        let err: PuzzleError = read(r#"{"x": [[[1]], [2]]}"#).unwrap_err();
        let err = err.to_string();
        let want = "s.json: task `x`, [1], row 1: expected an array of colours, found the number 2";
        assert_eq!(err, want);
    }

    #[test]
    fn wrong_structure_is_rejected_with_its_place() {
        rejected("{}", "a.json holds no tasks");
        rejected("", "a.json:1:0: expected a JSON object, found EOF while parsing a value");
        rejected("[1]", "a.json: [0]: expected a task or a pair, found the number 1");
        rejected(
            r#"{"x": 1}"#,
            "a.json: task `x`: expected an object with train and test, found the number 1",
        );
        rejected(
            r#"{"x": {}}"#,
            "a.json: task `x`: expected an object with train and test, \
             found an object without entries",
        );
        rejected(
            r#"{"x": {"test": []}}"#,
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
        for text in [deep.as_str(), &with_input("[[1e999]]"), "{\"x\"", "{} {", "\u{0}"] {
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
