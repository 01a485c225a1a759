//! Tasks, pairs and grids from JSON.

use super::task::{ArcTask, Pair, Refused, TestPair};
use super::value::{Elements, Json};
use crate::PuzzleError;
use crate::arc::{Grid, N_COLOURS, SIDE_MAX};

/// The keys of an input grid, or of all inputs of a task.
pub(super) const INPUTS: [&str; 3] = ["input", "inputs", "in"];
/// The keys of an output grid, or of all outputs of a task.
pub(super) const OUTPUTS: [&str; 3] = ["output", "outputs", "out"];

/// The first of some entries of an object.
fn entry<'a>(value: Json<'a>, keys: &[&str]) -> Option<Json<'a>> {
    keys.iter().find_map(|key| value.get(key))
}

/// What is wrong with a part of a task.
pub(super) enum Wrong {
    TooLarge(PuzzleError),
    Malformed(PuzzleError),
}

impl From<PuzzleError> for Wrong {
    fn from(error: PuzzleError) -> Self {
        Self::Malformed(error)
    }
}

impl Wrong {
    /// A task that cannot be held for this reason.
    pub(super) fn refused(self, tests: Result<Vec<TestPair>, usize>) -> Refused {
        match self {
            Self::TooLarge(error) => Refused { error, is_too_large: true, tests },
            Self::Malformed(error) => Refused { error, is_too_large: false, tests },
        }
    }

    pub(super) fn into_error(self) -> PuzzleError {
        let (Self::TooLarge(error) | Self::Malformed(error)) = self;
        error
    }
}

/// A task given as an object with train and test pairs.
pub(super) fn task(value: Json<'_>, place: &str) -> Result<ArcTask, Refused> {
    let given = ["train", "examples", "pairs"].map(|key| (key, value.get(key)));
    let (key, train) = given.into_iter().find(|(_, it)| it.is_some()).unwrap_or(("train", None));
    let train = pairs(train, (&format!("{place}, {key}"), ""), pair);
    let test = pairs(value.get("test"), (&format!("{place}, test"), ""), test_pair);
    let n_tests = || with_json(value.get("test"), |tests| tests.map_or(0, n_pairs));
    // What is malformed counts more than what is too large.
    match (train, test) {
        (Ok(train), Ok(test)) => Ok(ArcTask { train, test }),
        (Err(wrong), Ok(test)) => Err(wrong.refused(Ok(test))),
        (Ok(_) | Err(Wrong::TooLarge(_)), Err(wrong @ Wrong::Malformed(_)))
        | (Ok(_), Err(wrong))
        | (Err(wrong), Err(_)) => Err(wrong.refused(Err(n_tests()))),
    }
}

/// Whether a value may be the pairs of a task: an array of them, a single one, their inputs
/// and their outputs, or any of these as JSON in a text.
pub(super) fn is_pairs(value: Json<'_>) -> bool {
    let is_text = |text: &str| text.trim_start().starts_with(['[', '{']);
    let is_object = |value: Json<'_>| entry(value, &INPUTS).is_some_and(Json::is_array);
    value.is_array() || is_object(value) || value.as_text().is_some_and(|text| is_text(&text))
}

/// Passes on a value, or what a text holds that is JSON.
fn with_json<T>(value: Option<Json<'_>>, read: impl FnOnce(Option<Json<'_>>) -> T) -> T {
    let text = value.and_then(Json::as_text);
    let text = text.filter(|text| Json::check(text).is_ok_and(|n_values| n_values == 1));
    match &text {
        Some(text) => read(Json::all(text).next()),
        None => read(value),
    }
}

/// The inputs of an object that has all of them under one key and all outputs under another.
fn columns(value: Json<'_>) -> Option<Elements<'_>> {
    let inputs = entry(value, &INPUTS).filter(|inputs| inputs.is_array())?;
    // Of a single pair, it is a row that is first, and a cell that is first in it.
    let is_row = |value: Json<'_>| value.elements().next().is_some_and(|cell| !cell.is_array());
    (!inputs.elements().next().is_some_and(is_row)).then(|| inputs.elements())
}

/// Number of pairs in what [may be](is_pairs) the pairs of a task.
fn n_pairs(value: Json<'_>) -> usize {
    match columns(value) {
        Some(inputs) => inputs.count(),
        None if value.is_object() => 1,
        None => value.elements().count(),
    }
}

/// The pairs of a task; `read` reads one of them. If inputs and outputs are apart, it is given
/// `[input, output]`, or `[input]` without outputs. The index of a pair follows the place and
/// the separator.
fn pairs<T>(
    value: Option<Json<'_>>,
    (place, separator): (&str, &str),
    read: impl Fn(Json<'_>, &str) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    let at = |idx: usize| format!("{place}{separator}[{idx}]");
    with_json(value, |value| {
        let Some(object) = value.filter(|value| entry(*value, &INPUTS).is_some()) else {
            let pairs = array(value, place, "an array of pairs")?.enumerate();
            return all(pairs.map(|(idx, found)| read(found, &at(idx))));
        };
        let Some(inputs) = columns(object) else { return Ok(vec![read(object, &at(0))?]) };
        let outputs = entry(object, &OUTPUTS).filter(|outputs| !outputs.is_null());
        let outputs = outputs.map(|outputs| array(Some(outputs), place, "an array of outputs"));
        let mut outputs = outputs.transpose()?;
        if let Some(outputs) = &outputs {
            let (n_inputs, n_outputs) = (inputs.clone().count(), outputs.clone().count());
            if n_inputs != n_outputs {
                let expected = format!("as many outputs as inputs ({n_inputs})");
                return Err(PuzzleError::malformed(place, expected, n_outputs.to_string()).into());
            }
        }
        all(inputs.enumerate().map(|(idx, input)| {
            let output = outputs.as_mut().and_then(Iterator::next);
            let pair: Vec<_> =
                [Some(input), output].into_iter().flatten().map(Json::text).collect();
            let pair = format!("[{}]", pair.join(", "));
            read(Json::all(&pair).next().expect("values that were checked"), &at(idx))
        }))
    })
}

/// All items, or an error; one of malformed content, if there is any.
pub(super) fn all<T>(items: impl Iterator<Item = Result<T, Wrong>>) -> Result<Vec<T>, Wrong> {
    let (mut found, mut too_large) = (Vec::new(), None);
    for item in items {
        match item {
            Ok(item) => found.push(item),
            Err(Wrong::Malformed(error)) => return Err(Wrong::Malformed(error)),
            Err(wrong) => too_large = too_large.or(Some(wrong)),
        }
    }
    too_large.map_or(Ok(found), Err)
}

/// The input of a pair, which is an object or an array.
fn input_of(pair: Json<'_>) -> Option<Json<'_>> {
    if pair.is_array() { pair.elements().next() } else { entry(pair, &INPUTS) }
}

/// The output of a pair, which is an object or an array.
fn output_of(pair: Json<'_>) -> Option<Json<'_>> {
    if pair.is_array() { pair.elements().nth(1) } else { entry(pair, &OUTPUTS) }
}

/// A pair with both grids.
pub(super) fn pair(found: Json<'_>, place: &str) -> Result<Pair, Wrong> {
    let input = input(found, place)?;
    Ok(Pair { input, output: grid(output_of(found), &format!("{place}.output"))? })
}

fn test_pair(found: Json<'_>, place: &str) -> Result<TestPair, Wrong> {
    let input = input(found, place)?;
    let output = output_of(found).filter(|output| !is_unknown(*output));
    let output = output.map(|output| grid(Some(output), &format!("{place}.output")));
    Ok(TestPair { input, output: output.transpose()? })
}

/// Whether an output is given as unknown.
fn is_unknown(output: Json<'_>) -> bool {
    let is_empty = |row: Json<'_>| row.is_array() && row.elements().next().is_none();
    output.is_null() || output.is_array() && output.elements().all(is_empty)
}

fn input(pair: Json<'_>, place: &str) -> Result<Grid, Wrong> {
    let is_array_pair = pair.is_array() && matches!(pair.elements().take(3).count(), 1 | 2);
    if !pair.is_object() && !is_array_pair {
        let expected = "an object with input and output";
        return Err(PuzzleError::malformed(place, expected, pair.kind()).into());
    }
    grid(input_of(pair), &format!("{place}.input"))
}

/// The outputs of a task: a list of grids, or the only grid.
pub(super) fn outputs(value: Json<'_>, place: &str) -> Result<Vec<Grid>, Wrong> {
    let outputs = array(Some(value), place, "an array of grids")?;
    let is_row = |value: Json<'_>| value.elements().next().is_some_and(Json::is_number);
    if outputs.clone().next().is_some_and(is_row) {
        return Ok(vec![grid(Some(value), place)?]);
    }
    let outputs = outputs.enumerate();
    outputs.map(|(idx, output)| grid(Some(output), &format!("{place}, [{idx}]"))).collect()
}

/// Parses a single grid; `None` if `text` is not a grid.
pub fn parse_grid(text: &str) -> Option<Grid> {
    let n_values = Json::check(text).ok()?;
    let value = Json::all(text).next().filter(|_| n_values == 1)?;
    grid(Some(value), "").ok()
}

fn grid(value: Option<Json<'_>>, place: &str) -> Result<Grid, Wrong> {
    let refused = |place: &str, what: &str, n_found: usize| {
        let error = PuzzleError::malformed(place, what, n_found.to_string());
        Err(if n_found == 0 { Wrong::Malformed(error) } else { Wrong::TooLarge(error) })
    };
    let sides = 1..=SIDE_MAX;
    let rows = array(value, place, "an array of rows")?;
    let n_rows = rows.clone().count();
    if !sides.contains(&n_rows) {
        return refused(place, "1 to 30 rows", n_rows);
    }
    let mut cells: Vec<Vec<u8>> = Vec::with_capacity(n_rows);
    for (row_idx, row) in rows.enumerate() {
        let place = format!("{place}, row {}", row_idx + 1);
        let row = array(Some(row), &place, "an array of colours")?;
        let n_found = row.clone().count();
        if !sides.contains(&n_found) {
            return refused(&place, "1 to 30 colours", n_found);
        }
        let n_cols = cells.first().map_or(n_found, Vec::len);
        if n_found != n_cols {
            let expected = format!("as many colours as in row 1 ({n_cols})");
            return Err(PuzzleError::malformed(place, expected, n_found.to_string()).into());
        }
        let colours = row.enumerate().map(|(col_idx, value)| {
            let digits = value.as_number().map(|digits| match digits.split_once('.') {
                // Some tools write whole numbers as 9.0.
                Some((whole, rest)) if rest.bytes().all(|digit| digit == b'0') => whole,
                _ => digits,
            });
            let colour = digits.and_then(|digits| digits.parse::<u8>().ok());
            colour.filter(|colour| *colour < N_COLOURS).ok_or_else(|| {
                let place = format!("{place}, column {}", col_idx + 1);
                PuzzleError::malformed(place, "a colour, 0 to 9", value.kind())
            })
        });
        cells.push(colours.collect::<Result<Vec<u8>, _>>()?);
    }
    Ok(Grid::from_fn(cells.len(), cells[0].len(), |row, col| cells[row][col]))
}

/// The elements of an array.
fn array<'a>(
    value: Option<Json<'a>>,
    place: &str,
    expected: &str,
) -> Result<Elements<'a>, PuzzleError> {
    match value {
        Some(value) if value.is_array() => Ok(value.elements()),
        found => {
            let found = found.map_or_else(|| "nothing".to_owned(), Json::kind);
            Err(PuzzleError::malformed(place, expected, found))
        }
    }
}

/// The pairs of a task that is a list of pairs.
pub(super) fn list_of_pairs(value: Json<'_>, place: &str) -> Result<Vec<Pair>, Wrong> {
    pairs(Some(value), (place, ", "), pair)
}

/// A task of which nothing says which pairs are test pairs.
pub(super) fn last_is_test(mut pairs: Vec<Pair>) -> ArcTask {
    let test = pairs.pop().map(|Pair { input, output }| TestPair { input, output: Some(output) });
    ArcTask { train: pairs, test: test.into_iter().collect() }
}
