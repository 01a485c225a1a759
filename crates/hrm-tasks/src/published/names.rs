//! Names in prepared data sets.

use std::collections::HashMap;

use hrm_puzzles::arc::{Augmentation, Dialect};
use hrm_puzzles::text::quoted;
use hrm_train::task::BLANK_PUZZLE;

use crate::error::TaskError;

/// Name of the file with the names of the puzzle identifiers.
pub(super) const IDENTIFIERS: &str = "identifiers.json";

/// Name of the file with the tasks that TRM's evaluation scores.
pub(super) const TEST_PUZZLES: &str = "test_puzzles.json";

/// The task and the version that a name is of, whichever project wrote it.
fn version_of(name: &str) -> (&str, Augmentation) {
    Augmentation::parse(name).unwrap_or((name, Augmentation::IDENTITY))
}

/// The name of a version in this crate, whichever project wrote it.
pub(super) fn canonical(name: &str) -> String {
    let (task, version) = version_of(name);
    version.name(task)
}

/// The number in `known` of each of `names`, or the blank one (0) for names that are not in it,
/// and the number of such names. Projects name the same version differently; number 0 is that
/// of no puzzle, whatever its name.
pub fn numbers_of(names: &[String], known: &[String]) -> (Vec<u32>, usize) {
    let numbers: HashMap<_, u32> =
        known.iter().map(|name| version_of(name)).zip(0..).skip(1).collect();
    let number = |name: &String| numbers.get(&version_of(name)).copied().unwrap_or(BLANK_PUZZLE);
    let numbers: Vec<u32> =
        std::iter::once(BLANK_PUZZLE).chain(names.iter().skip(1).map(number)).collect();
    let n_unknown = numbers.iter().skip(1).filter(|number| **number == BLANK_PUZZLE).count();
    (numbers, n_unknown)
}

/// Makes sure that no two puzzles have the same name, and that what is named like a version
/// is one. Messages call the names' file `place`.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) with the names.
pub fn check_names(names: &[String], place: &str) -> Result<(), TaskError> {
    let refused = |expected: &str, found: String| {
        Err(TaskError::malformed(place.to_owned(), expected, found))
    };
    let mut numbers = HashMap::with_capacity(names.len());
    for (number, name) in names.iter().enumerate().skip(1) {
        if name == BLANK_NAME {
            let expected = format!("`{BLANK_NAME}`, which is no puzzle, as the first name only");
            return refused(&expected, format!("it as number {number}"));
        }
        if is_broken(name) {
            let expected = "names of versions that end in a transformation (t0 to t7) and a \
                            permutation of 0123456789 that keeps 0";
            return refused(expected, format!("{} (number {number})", quoted(name)));
        }
        if let Some(other) = numbers.insert(version_of(name), number) {
            let (one, same) = (quoted(&names[other]), quoted(name));
            let expected = "another name for each puzzle";
            let found = format!("{one} (number {other}) and {same} (number {number})");
            return refused(expected, found);
        }
    }
    Ok(())
}

/// Whether a name has the form of a version's, a task, `t` with a number and ten digits, but is
/// none.
fn is_broken(name: &str) -> bool {
    let has_form = |separator: &str| {
        let mut parts = name.rsplitn(3, separator);
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let image = parts.next().is_some_and(|text| text.len() == 10 && digits(text));
        let number = parts.next().and_then(|text| text.strip_prefix('t')).is_some_and(digits);
        image && number && parts.next().is_some()
    };
    ["|||", "_"].into_iter().any(has_form) && Augmentation::parse(name).is_none()
}

/// The name of a version in a dialect.
pub(super) fn in_dialect(dialect: Dialect, name: &str) -> String {
    let version = Augmentation::parse(name);
    version.map_or_else(|| name.to_owned(), |(task, version)| version.name_in(dialect, task))
}

/// Name of puzzle identifier 0.
pub(crate) const BLANK_NAME: &str = "<blank>";

#[cfg(test)]
mod tests_of_names {
    use super::*;

    fn checked(names: &[&str]) -> Result<(), String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        check_names(&names, "f").map_err(|err| err.to_string())
    }

    #[test]
    fn names_are_distinct_in_any_dialect() {
        let names = ["<blank>", "a", "a_t1_0213456789", "b|||t1|||0213456789", "a_t1"];
        assert_eq!(checked(&names), Ok(()));
        assert_eq!(
            checked(&["a", "b", "<blank>"]).unwrap_err(),
            "f: expected `<blank>`, which is no puzzle, as the first name only, found it as number 2"
        );
        let expected = "f: expected another name for each puzzle, found ";
        for (name, other) in [("a", "a"), ("a_t1_0213456789", "a|||t1|||0213456789")] {
            let message = checked(&["<blank>", name, "b", other]).unwrap_err();
            assert!(message.starts_with(expected), "{message}");
            assert!(message.contains(name) && message.ends_with("(number 3)"));
        }
    }

    #[test]
    fn names_like_those_of_versions_are_versions() {
        for wrong in
            ["a|||t9|||0123456789", "a|||t1|||0012475398", "a_t1_1023456789", "a_t12_0123456789"]
        {
            let message = checked(&["<blank>", wrong]).unwrap_err();
            let expected = "f: expected names of versions that end in a transformation (t0 to t7) \
                            and a permutation of 0123456789 that keeps 0, found ";
            assert!(message.starts_with(expected) && message.contains(wrong), "{message}");
        }
        assert_eq!(checked(&["<blank>", "task_t_1", "t1_0123456789", "a_1_0123456789"]), Ok(()));
    }
}
