//! Finds out what a file is: tasks in one of their dialects, solutions, or something else.

use super::grids::{
    INPUTS, OUTPUTS, Wrong, all, is_pairs, last_is_test, list_of_pairs, outputs, pair, task,
};
use super::task::{ArcTask, Found, Refused};
use super::value::Json;
use crate::arc::Grid;
use crate::arc::solved_task::Role;
use crate::text::shown;
use crate::{PuzzleError, clipped};

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
/// [`PuzzleError::Malformed`] with file and place for a text that is not JSON, or that holds
/// something else among tasks. A task that is malformed is [`Found::Refused`].
pub fn read(text: &[u8], file: &str, stem: &str) -> Result<Content, PuzzleError> {
    let text = std::str::from_utf8(text)
        .map_err(|_| PuzzleError::malformed(file, "JSON", "text that is not in UTF-8"))?;
    if text.trim().is_empty() {
        return Ok(Content::Other(PuzzleError::malformed(file, "ARC tasks", "an empty file")));
    }
    let n_values = Json::check(text).map_err(|err| match first_bad_line(text) {
        Some((n_before, line, err)) => not_json(&err, line, file, n_before),
        None => not_json(&err, text, file, 0),
    })?;
    let mut reading = Reading::new(file, stem, n_values);
    Json::all(text).for_each(|value| reading.top_level(value));
    reading.finish()
}

/// Parses a file of tasks, as [`read`] does.
///
/// # Errors
///
/// As [`read`], [`PuzzleError::Malformed`] for other content or a task that cannot be held,
/// and [`PuzzleError::Empty`] for a file without tasks.
pub fn parse(text: &[u8], file: &str, stem: &str) -> Result<Vec<(String, ArcTask)>, PuzzleError> {
    let tasks = tasks(read(text, file, stem)?, file)?.into_iter();
    let task = |Listed { id, task, .. }| match task {
        Found::Task(task) => Ok((id, task)),
        Found::Refused(Refused { error, .. }) => Err(error),
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

/// Of a text with a value on most of its lines, the first that is no value, with the number of
/// lines before it.
fn first_bad_line(text: &str) -> Option<(usize, &str, serde_json::Error)> {
    let lines = text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (mut n_good, mut n_bad, mut first) = (0, 0, None);
    for (at, line) in lines {
        match serde_json::from_str::<serde::de::IgnoredAny>(line) {
            Ok(_) => n_good += 1,
            Err(err) => {
                n_bad += 1;
                first.get_or_insert((at, line, err));
            }
        }
    }
    first.filter(|_| n_good > n_bad)
}

/// The error of a text that is not JSON, after `n_before` lines of the file.
fn not_json(err: &serde_json::Error, text: &str, file: &str, n_before: usize) -> PuzzleError {
    let line = text.split('\n').nth(err.line().saturating_sub(1)).unwrap_or_default();
    // The column counts bytes; the fault is the last one.
    let start = (0..=err.column().saturating_sub(1).min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at));
    let (before, after) = line.split_at(start.unwrap_or_default());
    let is_of_word = |at: char| at.is_ascii_alphanumeric() || at == '_';
    let word_before = before.len() - before.trim_end_matches(is_of_word).len();
    let from_word = &line[before.len() - word_before..];
    let word = &from_word[..from_word.find(|at| !is_of_word(at)).unwrap_or(from_word.len())];
    let first = text.trim_start().chars().next().unwrap_or('{');
    let message = err.to_string();
    let is_table = !"{[\"#/".contains(first)
        && text.lines().next().is_some_and(|line| line.contains([',', ';', '\t']));

    let found = if is_table {
        "a table; ARC tasks are read from JSON".to_owned()
    } else if err.is_eof() {
        let what = if n_before > 0 { "line" } else { "text" };
        format!("the end of the {what}")
    } else if after.starts_with("//") || after.starts_with("/*") || after.starts_with('#') {
        "a comment, which JSON does not have; remove it".to_owned()
    } else if ["NaN", "nan", "Infinity", "inf"].contains(&word) {
        format!("{word}, which JSON does not have; write null for what is unknown")
    } else if after.starts_with('\'')
        || ["True", "False", "None", "array"].contains(&word)
        || after.starts_with('(')
    {
        "the notation of Python; write the file with json.dumps".to_owned()
    } else if message.starts_with("recursion limit") {
        "brackets nested too deeply".to_owned()
    } else if message.starts_with("number out of range") {
        "a number out of range".to_owned()
    } else {
        after.chars().next().map_or_else(|| "the end of a line".to_owned(), shown)
    };
    let place = if is_table {
        file.to_owned()
    } else {
        format!("{file}:{}:{}", n_before + err.line(), err.column())
    };
    PuzzleError::malformed(place, "a JSON object", found)
}

/// A task without a name of its own as yet.
struct Item {
    id: Option<String>,
    task: Found,
    is_list_of_pairs: bool,
    is_evaluation: bool,
}

/// The first fault of a kind, with the number of tasks before it and whether one of the other
/// kind came before it.
type First = Option<((usize, bool), PuzzleError)>;

/// Keys of an id, in tasks that are not under their id; in small letters, without `_`.
const ID_KEYS: [&str; 12] = [
    "id",
    "taskid",
    "puzzleid",
    "problemid",
    "uid",
    "name",
    "taskname",
    "puzzlename",
    "problemname",
    "key",
    "filename",
    "task",
];

/// Keys of the name of the set that a task is in.
const SET_KEYS: [&str; 3] = ["split", "subset", "set"];
/// Keys of the parts of a task.
const PART_KEYS: [&str; 4] = ["train", "test", "examples", "pairs"];

/// Whether the key of a set of tasks says that they are for evaluation; `None` for a key that
/// is none of a set.
fn is_evaluation_key(key: &str) -> Option<bool> {
    // The last is that of rows as Hugging Face shows them.
    const NEITHER: [&str; 4] = ["tasks", "data", "puzzles", "rows"];
    match Role::named(key) {
        Some(role) => Some(role == Role::Evaluation),
        None => NEITHER.contains(&&*key.to_lowercase()).then_some(false),
    }
}

/// A task in a row, as Hugging Face shows it: `{"row_idx": 0, "row": {..}}`.
fn unwrapped(value: Json<'_>) -> Json<'_> {
    value.get("row").unwrap_or(value)
}

/// A file being read.
struct Reading<'a> {
    file: &'a str,
    stem: &'a str,
    /// Number of top-level values.
    n_values: usize,
    /// Whether a value is a task without an id around it.
    has_bare: bool,
    /// Whether a value holds a set of tasks beside other entries.
    has_set: bool,
    /// Whether a value within a set is being read.
    is_in_set: bool,
    /// Whether the set being read is for evaluation.
    is_evaluation: bool,
    tasks: Vec<Item>,
    solutions: Vec<(String, Vec<Grid>)>,
    has_attempts: bool,
    /// What is wrong among tasks.
    malformed: First,
    /// What is something else, outside of sets.
    other: First,
}

impl<'a> Reading<'a> {
    fn new(file: &'a str, stem: &'a str, n_values: usize) -> Self {
        Self {
            file,
            stem,
            n_values,
            has_bare: false,
            has_set: false,
            is_in_set: false,
            is_evaluation: false,
            tasks: Vec::new(),
            solutions: Vec::new(),
            has_attempts: false,
            malformed: None,
            other: None,
        }
    }

    fn place(&self, id: &str) -> String {
        format!("{}: task `{}`", self.file, clipped(id))
    }

    /// Whether the file is one bare task, which is named after the file, as all releases
    /// name it.
    fn is_only_bare(&self) -> bool {
        self.has_bare && self.n_values == 1
    }

    /// The name of a task without an id.
    fn numbered(&self, number: usize) -> String {
        format!("{}-{number}", self.stem)
    }

    fn push(&mut self, id: Option<String>, task: Result<ArcTask, Refused>, is_list_of_pairs: bool) {
        let task = task.map_or_else(Found::Refused, Found::Task);
        let is_evaluation = self.is_evaluation;
        self.tasks.push(Item { id, task, is_list_of_pairs, is_evaluation });
    }

    fn malformed(&mut self, error: impl FnOnce() -> PuzzleError) {
        let at = (self.tasks.len(), self.other.is_some());
        self.malformed.get_or_insert_with(|| (at, error()));
    }

    /// Something else than tasks, which a set of them may not hold.
    fn other(&mut self, place: impl FnOnce() -> String, expected: &str, found: Json<'_>) {
        let error = || PuzzleError::malformed(place(), expected, found.kind());
        if self.is_in_set {
            return self.malformed(error);
        }
        let at = (self.tasks.len(), self.malformed.is_some());
        self.other.get_or_insert_with(|| (at, error()));
    }

    /// A top-level value.
    fn top_level(&mut self, value: Json<'_>) {
        // A row on a line of its own; `row` alone may be the id of a task.
        let value = if value.get("row_idx").is_some() { unwrapped(value) } else { value };
        let is_part = |key: &str, value: Json<'_>| {
            let can_be = match key {
                // Anything else is a mistake in a task, not something else.
                "train" | "test" => is_pairs(value) || !value.is_object(),
                _ => is_pairs(value),
            };
            PART_KEYS.contains(&key) && can_be && !matches!(kind_of(value), Kind::Tasks)
        };
        if let Some((key, id)) = ids_of_split(value) {
            let place = format!("{}, {key}[0]", self.place(self.stem));
            return self.other(|| place, "an object with input and output", id);
        }
        if value.is_object() {
            if value.entries().any(|(key, value)| is_part(&key, value)) {
                self.has_bare = true;
                self.object(None, value);
                // The other keys of a bare task are ignored, except for sets of tasks.
                for (key, value) in value.entries() {
                    let is_set = is_evaluation_key(&key).is_some();
                    if is_set && matches!(kind_of(value), Kind::Tasks) {
                        let place = format!("{}: `{}`", self.file, clipped(&key));
                        let expected = "no set of tasks beside a task";
                        self.malformed(|| PuzzleError::malformed(place, expected, value.kind()));
                    }
                }
                return;
            }
            for (key, value) in value.entries() {
                let is_id = id_key(&key).is_some() && id_of(value).is_some();
                if !is_id {
                    self.entry(&key, value);
                }
            }
        } else if value.is_array() {
            self.elements(value);
        } else {
            let file = self.file;
            self.other(|| file.to_owned(), "ARC tasks", value);
        }
    }

    /// A top-level array: tasks, or the pairs of one task.
    fn elements(&mut self, value: Json<'_>) {
        let place = self.place(self.stem);
        let mut pairs = Vec::new();
        for (idx, value) in value.elements().enumerate() {
            let is_pair = match kind_of(value) {
                Kind::Pair => true,
                Kind::Grids => value.elements().take(3).count() == 2,
                _ => false,
            };
            match is_pair {
                true => pairs.push(pair(value, &format!("{place}, [{idx}]"))),
                false => self.element(idx, value),
            }
        }
        if !pairs.is_empty() {
            self.push_pairs(None, all(pairs.into_iter()));
        }
    }

    /// A task given as an object.
    fn object(&mut self, id: Option<String>, value: Json<'_>) {
        let id = id.or_else(|| own_id(value));
        let set = SET_KEYS.iter().find_map(|key| Role::named(&value.get(key)?.as_text()?));
        let around = self.is_evaluation;
        self.is_evaluation |= set == Some(Role::Evaluation);
        let name = id.clone().unwrap_or_else(|| self.numbered(self.tasks.len() + 1));
        let name = if self.is_only_bare() { self.stem } else { &name };
        let place = self.place(name);
        let pairs = value.get("examples").or_else(|| value.get("pairs"));
        let is_empty = |tests: Json<'_>| tests.is_array() && tests.elements().next().is_none();
        let tests = value.get("test").filter(|tests| is_pairs(*tests) && !is_empty(*tests));
        match pairs.filter(|_| value.get("train").is_none() && tests.is_none()) {
            Some(pairs) => self.push_pairs(id, list_of_pairs(pairs, &place)),
            None => self.push(id, task(value, &place), false),
        }
        self.is_evaluation = around;
    }

    /// A task given as a list of pairs.
    fn push_pairs(&mut self, id: Option<String>, pairs: Result<Vec<crate::arc::Pair>, Wrong>) {
        let task = pairs.map(last_is_test).map_err(|wrong| wrong.refused(Err(1)));
        self.push(id, task, true);
    }

    /// An entry of the top-level object.
    fn entry(&mut self, key: &str, value: Json<'_>) {
        let file = self.file;
        let place = || format!("{file}: task `{}`", clipped(key));
        match kind_of(value) {
            Kind::Task => self.object(Some(key.to_owned()), value),
            Kind::Pairs => self.push_pairs(Some(key.to_owned()), list_of_pairs(value, &place())),
            Kind::Grids => match outputs(value, &place()) {
                Ok(outputs) => self.solutions.push((key.to_owned(), outputs)),
                Err(wrong) => self.malformed(|| wrong.into_error()),
            },
            Kind::Attempts => self.has_attempts = true,
            Kind::Tasks => match is_evaluation_key(key) {
                Some(is_evaluation) => self.set(is_evaluation, value),
                None => self.malformed(|| {
                    let place = format!("{file}: `{}`", clipped(key));
                    let expected = "a set of tasks under a key that says what they are for, such \
                                    as tasks, training, evaluation or test";
                    PuzzleError::malformed(place, expected, value.kind())
                }),
            },
            Kind::Pair | Kind::Other => self.other(place, "an object with train and test", value),
        }
    }

    /// An element of an array that is not a pair.
    fn element(&mut self, idx: usize, value: Json<'_>) {
        let file = self.file;
        let place = || format!("{file}: [{idx}]");
        let value = unwrapped(value);
        match kind_of(value) {
            Kind::Task => self.object(None, value),
            Kind::Pairs => self.push_pairs(None, list_of_pairs(value, &place())),
            _ => self.other(place, "a task or a pair", value),
        }
    }

    /// A set of tasks within the top-level object.
    fn set(&mut self, is_evaluation: bool, value: Json<'_>) {
        self.has_set = true;
        let around = (self.is_in_set, self.is_evaluation);
        (self.is_in_set, self.is_evaluation) = (true, around.1 || is_evaluation);
        value.entries().for_each(|(key, value)| self.entry(&key, value));
        value.elements().enumerate().for_each(|(idx, value)| self.element(idx, value));
        (self.is_in_set, self.is_evaluation) = around;
    }

    fn finish(mut self) -> Result<Content, PuzzleError> {
        let (stem, n_tasks, is_only_bare) = (self.stem, self.tasks.len(), self.is_only_bare());
        // Beside sets of tasks there may be anything.
        let other = self.other.filter(|_| !self.has_set);
        let named = |(idx, item): (usize, Item)| {
            let Item { id, task, is_list_of_pairs, is_evaluation } = item;
            let id = id.filter(|_| !is_only_bare).unwrap_or_else(|| match n_tasks {
                1 => stem.to_owned(),
                _ => format!("{stem}-{}", idx + 1),
            });
            Listed { id, task, is_list_of_pairs, is_evaluation }
        };
        let tasks: Vec<Listed> = self.tasks.into_iter().enumerate().map(named).collect();
        let fault = match (self.malformed, other) {
            (None, Some((_, error))) if tasks.is_empty() => return Ok(Content::Other(error)),
            (Some(malformed), Some(other)) if other.0 < malformed.0 => Some(other),
            (malformed, other) => malformed.or(other),
        };
        if let Some(((n_before, _), error)) = fault {
            // A task that is malformed may come before it.
            let earlier = tasks.into_iter().take(n_before).find_map(|listed| match listed.task {
                Found::Refused(Refused { error, is_too_large: false, .. }) => Some(error),
                _ => None,
            });
            return Err(earlier.unwrap_or(error));
        }
        if self.has_set {
            // Beside sets, an empty list is not a task without outputs.
            self.solutions.retain(|(_, outputs)| !outputs.is_empty());
        }
        let (has_tasks, has_solutions) = (!tasks.is_empty(), !self.solutions.is_empty());
        if u8::from(has_tasks) + u8::from(has_solutions) + u8::from(self.has_attempts) > 1 {
            let found = "some tasks, and some outputs without their inputs";
            return Err(PuzzleError::malformed(self.file, "tasks, solutions or attempts", found));
        }
        Ok(match (self.has_attempts, has_solutions) {
            (true, _) => Content::Submission,
            (false, true) => Content::Solutions(self.solutions),
            (false, false) => Content::Tasks(tasks),
        })
    }
}

/// The first id in a file that lists the ids of tasks for training and for test; `None` for
/// another file.
fn ids_of_split(value: Json<'_>) -> Option<(&'static str, Json<'_>)> {
    let sides = ["train", "test"].map(|key| (key, value.get(key)));
    let is_id = |value: Json<'_>| id_of(value).is_some();
    let mut lists = sides.into_iter().filter_map(|(key, list)| Some((key, list?)));
    if lists.clone().any(|(_, list)| !list.is_array() || !list.elements().all(is_id)) {
        return None;
    }
    lists.find_map(|(key, list)| Some((key, list.elements().next()?)))
}

/// A key of [`ID_KEYS`], however it is spelled.
fn id_key(key: &str) -> Option<&'static str> {
    let plain = key.to_lowercase().replace(['_', '-', ' '], "");
    ID_KEYS.into_iter().find(|known| **known == plain)
}

/// The id that a task gives itself.
fn own_id(task: Json<'_>) -> Option<String> {
    let ids = task.entries().filter_map(|(key, value)| Some((id_key(&key)?, id_of(value)?)));
    let rank = |key: &str| ID_KEYS.iter().position(|known| *known == key);
    let (key, id) = ids.min_by_key(|(key, _)| rank(key))?;
    Some(if key == "filename" { id.trim_end_matches(".json").to_owned() } else { id })
}

fn id_of(value: Json<'_>) -> Option<String> {
    let text = value.as_text().map(|text| text.into_owned());
    text.or_else(|| value.as_number().map(str::to_owned))
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

/// What the keys of an object say that it is; nothing for other values.
#[derive(Clone, Copy, Default)]
struct Keys {
    of_task: bool,
    of_attempts: bool,
    of_pair: bool,
}

impl Keys {
    fn of(value: Json<'_>) -> Self {
        let mut keys = Self::default();
        for (key, value) in value.entries() {
            keys.of_task |= PART_KEYS.contains(&&*key) && is_pairs(value);
            keys.of_attempts |= key.starts_with("attempt");
            keys.of_pair |= INPUTS.contains(&&*key) || OUTPUTS.contains(&&*key);
        }
        keys
    }
}

/// Sets of tasks within each other that are looked into.
const N_SETS_MAX: usize = 4;

fn kind_of(value: Json<'_>) -> Kind {
    kind_within(value, N_SETS_MAX)
}

/// [`kind_of`] a value that may hold `n_sets` sets within each other.
fn kind_within(value: Json<'_>, n_sets: usize) -> Kind {
    /// Arrays around a value; those of a pair of grids are the most.
    const N_ARRAYS_MAX: usize = 5;
    let (mut depth, mut inner) = (0, Some(value));
    while let Some(array) = inner.filter(|inner| inner.is_array() && depth < N_ARRAYS_MAX) {
        depth += 1;
        inner = array.elements().next();
    }
    let keys = inner.map(Keys::of).unwrap_or_default();
    match (depth, inner) {
        (0, Some(_)) if !value.is_object() => Kind::Other,
        (0, Some(_)) if keys.of_task => Kind::Task,
        (0, Some(_)) if keys.of_attempts => Kind::Attempts,
        (0, Some(_)) if keys.of_pair => Kind::Pair,
        (0, Some(_)) => {
            let is_set = |value: Json<'_>| {
                n_sets > 0 && matches!(kind_within(value, n_sets - 1), Kind::Task | Kind::Tasks)
            };
            match value.entries().any(|(_, value)| is_set(value)) {
                true => Kind::Tasks,
                false => Kind::Other,
            }
        }
        (1, Some(_)) if keys.of_attempts => Kind::Attempts,
        (1, Some(_)) if keys.of_pair => Kind::Pairs,
        (1, Some(_)) if value.elements().any(|value| Keys::of(unwrapped(value)).of_task) => {
            Kind::Tasks
        }
        (4, _) => Kind::Pairs,
        (3, _) | (1 | 2, None) => Kind::Grids,
        (2, Some(first)) if first.is_number() => Kind::Grids,
        _ => Kind::Other,
    }
}
