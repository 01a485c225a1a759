//! Tasks, pairs and grids from JSON.

use super::task::{ArcTask, Pair, Refused, TestPair};
use super::value::{Elements, Json};
use crate::PuzzleError;
use crate::arc::{Grid, N_COLOURS, SIDE_MAX};

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
    let pairs = |key: &str| {
        let pairs = array(value.get(key), &format!("{place}, {key}"), "an array of pairs")?;
        let place = format!("{place}, {key}");
        Ok::<_, Wrong>(pairs.enumerate().map(move |(idx, pair)| (pair, format!("{place}[{idx}]"))))
    };
    let train = pairs("train").and_then(|pairs| all(pairs.map(|(found, at)| pair(found, &at))));
    let test = pairs("test").and_then(|pairs| all(pairs.map(|(found, at)| test_pair(found, &at))));
    let n_tests = || value.get("test").map_or(0, |tests| tests.elements().count());
    // What is malformed counts more than what is too large.
    match (train, test) {
        (Ok(train), Ok(test)) => Ok(ArcTask { train, test }),
        (Err(wrong), Ok(test)) => Err(wrong.refused(Ok(test))),
        (Ok(_) | Err(Wrong::TooLarge(_)), Err(wrong @ Wrong::Malformed(_)))
        | (Ok(_), Err(wrong))
        | (Err(wrong), Err(_)) => Err(wrong.refused(Err(n_tests()))),
    }
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

/// A part of a pair, which is an object or an array.
fn part<'a>(pair: Json<'a>, key: &str) -> Option<Json<'a>> {
    match pair.is_array() {
        true => pair.elements().nth(usize::from(key == "output")),
        false => pair.get(key),
    }
}

/// A pair with both grids.
pub(super) fn pair(found: Json<'_>, place: &str) -> Result<Pair, Wrong> {
    let input = input(found, place)?;
    Ok(Pair { input, output: grid(part(found, "output"), &format!("{place}.output"))? })
}

fn test_pair(found: Json<'_>, place: &str) -> Result<TestPair, Wrong> {
    let input = input(found, place)?;
    let output = part(found, "output").filter(|output| !is_unknown(*output));
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
    grid(part(pair, "input"), &format!("{place}.input"))
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
            let colour = value.as_number().and_then(|digits| digits.parse::<u8>().ok());
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
    let pairs = array(Some(value), place, "an array of pairs")?.enumerate();
    all(pairs.map(|(idx, found)| pair(found, &format!("{place}, [{idx}]"))))
}

/// A task of which nothing says which pairs are test pairs.
pub(super) fn last_is_test(mut pairs: Vec<Pair>) -> ArcTask {
    let test = pairs.pop().map(|Pair { input, output }| TestPair { input, output: Some(output) });
    ArcTask { train: pairs, test: test.into_iter().collect() }
}
