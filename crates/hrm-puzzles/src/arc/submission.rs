//! Submissions to the ARC contest: two attempts at every test output.
//!
//! ```text
//! {"00576224": [{"attempt_1": [[0, 1]], "attempt_2": [[1, 0]]}], ..}
//! ```

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arc::Grid;

/// The two attempts at one test input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempts {
    attempt_1: Grid,
    attempt_2: Grid,
}

impl Attempts {
    /// The first two of `candidates`. The contest requires two grids: a single
    /// candidate is submitted twice, and without candidates a single black cell is
    /// submitted.
    pub fn new(candidates: &[&Grid]) -> Self {
        let attempt_1 = candidates.first().map_or_else(|| Grid::filled(1, 1, 0), |g| (*g).clone());
        let attempt_2 = candidates.get(1).map_or_else(|| attempt_1.clone(), |g| (*g).clone());
        Self { attempt_1, attempt_2 }
    }
}

/// Attempts by task, in the order of its test inputs.
pub type Submission = BTreeMap<String, Vec<Attempts>>;

/// Formats the file to submit.
pub fn to_json(submission: &Submission) -> String {
    let mut text = serde_json::to_string(submission).expect("grids are always JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::grid;

    #[test]
    fn two_grids_are_submitted_for_any_number_of_candidates() {
        let (a, b, c) = (grid("1 2"), grid("3"), grid("4"));
        let attempts = |candidates: &[&Grid]| Attempts::new(candidates);
        let pair = |attempt_1: &Grid, attempt_2: &Grid| Attempts {
            attempt_1: attempt_1.clone(),
            attempt_2: attempt_2.clone(),
        };
        assert_eq!(attempts(&[&a, &b, &c]), pair(&a, &b));
        assert_eq!(attempts(&[&a]), pair(&a, &a));
        assert_eq!(attempts(&[]), pair(&grid("0"), &grid("0")));
    }

    /// The schema of the contest, with no other fields allowed.
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Schema {
        attempt_1: Vec<Vec<u8>>,
        attempt_2: Vec<Vec<u8>>,
    }

    fn follows_the_schema(text: &str) -> bool {
        let Ok(tasks) = serde_json::from_str::<BTreeMap<String, Vec<Schema>>>(text) else {
            return false;
        };
        let sides = 1..=30;
        tasks.values().all(|tests| {
            let grids = || tests.iter().flat_map(|test| [&test.attempt_1, &test.attempt_2]);
            let is_grid = |rows: &Vec<Vec<u8>>| {
                let n_cols = rows.first().map_or(0, Vec::len);
                sides.contains(&rows.len())
                    && sides.contains(&n_cols)
                    && rows.iter().all(|row| row.len() == n_cols && row.iter().all(|c| *c < 10))
            };
            !tests.is_empty() && grids().all(is_grid)
        })
    }

    #[test]
    fn the_file_follows_the_schema_of_the_contest() {
        let (a, b) = (grid("12 34"), grid("5"));
        let tests = vec![Attempts::new(&[&a, &b]), Attempts::new(&[])];
        let submission = Submission::from([("00576224".to_owned(), tests)]);
        let text = to_json(&submission);
        let want = "{\"00576224\":[{\"attempt_1\":[[1,2],[3,4]],\"attempt_2\":[[5]]},\
                    {\"attempt_1\":[[0]],\"attempt_2\":[[0]]}]}\n";
        assert_eq!(text, want);
        assert!(follows_the_schema(&text));
        for (part, broken) in [
            ("[[5]]", "[[10]]"),
            ("[[5]]", "[[1,2],[3]]"),
            ("[[5]]", "[]"),
            ("attempt_2", "attempt_3"),
            ("\"attempt_2\":[[5]]", "\"attempt_2\":[[5]],\"more\":1"),
        ] {
            assert!(!follows_the_schema(&text.replacen(part, broken, 1)), "{part} as {broken}");
        }
    }
}
