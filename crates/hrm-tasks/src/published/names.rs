//! Names in prepared data sets.

use std::collections::HashMap;
use std::fmt;

use hrm_base::words;
use hrm_puzzles::arc::{Augmentation, Dialect};
use hrm_puzzles::text::quoted;
use hrm_train::task::BLANK_PUZZLE;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

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

/// The names of the puzzle identifiers, by number, in the text of an `identifiers.json`: a
/// list, or an object with the number of each name or the name of each number, in which
/// number 0, that of no puzzle, may be missing. Messages call the text `place`.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if it is something else, or
/// a number is missing or has several names.
pub fn identifiers(text: &str, place: &str) -> Result<Vec<String>, TaskError> {
    let not_names = |found: String| TaskError::malformed(place, "a list of names", found);
    let mut numbered = match serde_json::from_str(text) {
        Ok(Names::Listed(names)) => return Ok(names),
        Ok(Names::Numbered(names)) if names.is_empty() => {
            return Err(not_names("an object without names".to_owned()));
        }
        Ok(Names::Numbered(names)) => names,
        Err(err) => return Err(not_names(words::of_json(&err))),
    };
    let refused =
        |found: String| TaskError::malformed(place, "one name for each number from 0 on", found);
    numbered.sort_by_key(|(number, _)| *number);
    if numbered.first().is_some_and(|(number, _)| *number == 1) {
        numbered.insert(0, (0, BLANK_NAME.to_owned()));
    }
    let mut names = Vec::with_capacity(numbered.len());
    for (number, name) in numbered {
        match (names.len() as u64).cmp(&number) {
            std::cmp::Ordering::Equal => names.push(name),
            std::cmp::Ordering::Less => {
                return Err(refused(format!("no name for the number {}", names.len())));
            }
            std::cmp::Ordering::Greater => {
                return Err(refused(format!("two names for the number {number}")));
            }
        }
    }
    Ok(names)
}

/// The content of an `identifiers.json`.
enum Names {
    Listed(Vec<String>),
    Numbered(Vec<(u64, String)>),
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "neither a number nor a name")]
        enum Side {
            Number(u64),
            Name(String),
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Ok(Names::Listed(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((key, side)) = map.next_entry::<String, Side>()? {
                    names.push(match (side, key.parse()) {
                        (Side::Number(number), _) => (number, key),
                        (Side::Name(name), Ok(number)) => (number, name),
                        (Side::Name(name), Err(_)) => {
                            let pair = format!("{}: {}", quoted(&key), quoted(&name));
                            let what = format!("{pair}, where one of them must be a number");
                            return Err(serde::de::Error::custom(what));
                        }
                    });
                }
                Ok(Names::Numbered(names))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_or_numbered() {
        let read = |text: &str| identifiers(text, "f").map_err(|err| err.to_string());
        let names = Ok(vec!["<blank>".to_owned(), "b".to_owned(), "c".to_owned()]);
        for text in [
            r#"["<blank>", "b", "c"]"#,
            r#"{"c": 2, "<blank>": 0, "b": 1}"#,
            r#"{"0": "<blank>", "2": "c", "1": "b"}"#,
            r#"{"b": 1, "c": 2}"#,
            r#"{"2": "c", "1": "b"}"#,
        ] {
            assert_eq!(read(text), names, "{text}");
        }
        // The number of each name, though the names are numbers.
        assert_eq!(read(r#"{"7": 0, "5": 1}"#), Ok(vec!["7".to_owned(), "5".to_owned()]));
        let list = "a list of names";
        let numbers = "one name for each number from 0 on";
        for (text, expected, found) in [
            (r#"{"a": 0, "b": 2}"#, numbers, "no name for the number 1"),
            (r#"{"a": 2}"#, numbers, "no name for the number 0"),
            (r#"{"a": 0, "b": 0}"#, numbers, "two names for the number 0"),
            (r#"{"0": "a", "0": "b"}"#, numbers, "two names for the number 0"),
            (r#"{"a": "b"}"#, list, "\"a\": \"b\", where one of them must be a number"),
            (r#"{"a": [0]}"#, list, "neither a number nor a name"),
            (r"{}", list, "an object without names"),
            (r"[1]", list, "the number `1` where a text is expected"),
            ("3", list, "the number `3` where a list or an object is expected"),
            ("", list, "an empty file"),
        ] {
            let message = read(text).unwrap_err();
            let start = format!("f: expected {expected}, found {found}");
            assert!(message.starts_with(&start), "{text}: {message}");
        }
    }

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
