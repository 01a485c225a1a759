//! Names in prepared data sets.

use std::fmt;

use hrm_base::words;
use hrm_puzzles::arc::{Augmentation, Dialect};
use hrm_puzzles::text::quoted;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::TaskError;

/// Name of the file with the names of the puzzle identifiers.
pub(super) const IDENTIFIERS: &str = "identifiers.json";

/// Name of the file with the tasks that TRM's evaluation scores.
pub(super) const TEST_PUZZLES: &str = "test_puzzles.json";

/// The name of a version in this crate, whichever project wrote it.
pub(super) fn canonical(name: &str) -> String {
    Augmentation::parse(name).map_or_else(|| name.to_owned(), |(task, version)| version.name(task))
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
}
