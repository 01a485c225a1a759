//! Words of messages.

use std::fmt::Display;

/// Longest part of a file that a message repeats, in characters.
const N_CHARS_MAX: usize = 80;

/// A number of things: `1 file`, `2 files`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// What a reader of JSON has found, from the message of its error: in the words of JSON
/// instead of those of the program's types.
///
/// ```
/// use hrm_base::words::of_json;
///
/// let err = "invalid type: map, expected a sequence at line 2 column 7";
/// assert_eq!(of_json(&err), "an object where a list is expected (line 2, column 7)");
/// ```
pub fn of_json(err: &dyn Display) -> String {
    let text = err.to_string();
    let (what, place) = match text.rsplit_once(" at line ") {
        // Column 0 is the end of the line before.
        Some((what, place)) if place.ends_with(" column 0") => (what, String::new()),
        Some((what, place)) => (what, format!(" (line {})", place.replacen(' ', ", ", 1))),
        None => (text.as_str(), String::new()),
    };
    let mismatch = ["invalid type: ", "invalid value: ", "invalid "];
    let mismatch =
        mismatch.iter().find_map(|start| what.strip_prefix(start)?.split_once(", expected "));
    let found = match (what, mismatch) {
        (_, Some((found, expected))) => {
            format!("{} where {} is expected", value_in_words(found), type_in_words(expected))
        }
        ("EOF while parsing a value", _) if place.is_empty() => "an empty file".to_owned(),
        _ if what.starts_with("EOF while parsing") => "a file that ends early".to_owned(),
        ("expected value", _) => "something other than JSON".to_owned(),
        ("trailing characters", _) => "more after the end of the JSON".to_owned(),
        _ => short(what),
    };
    found + &place
}

fn value_in_words(value: &str) -> String {
    let part = |kind: &str| value.strip_prefix(kind).map(short);
    match value {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => match (part("string "), part("integer "), part("floating point "), part("boolean ")) {
            (Some(text), ..) => format!("the text {text}"),
            (_, Some(number), ..) | (_, _, Some(number), _) => format!("the number {number}"),
            (.., Some(flag)) => flag,
            _ => match part("length ") {
                Some(n) => format!("a list of {n}"),
                None => short(value),
            },
        },
    }
}

fn type_in_words(expected: &str) -> String {
    match expected {
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            "a whole number".to_owned()
        }
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged enum ") => {
            "an object".to_owned()
        }
        _ => short(expected),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(N_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted() {
        assert_eq!(counted(1, "file", "files"), "1 file");
        assert_eq!(counted(0, "file", "files"), "0 files");
    }

    #[test]
    fn errors_of_json_are_in_words_of_json() {
        for (err, expected) in [
            (
                "invalid type: map, expected a sequence at line 1 column 0",
                "an object where a list is expected",
            ),
            (
                "invalid type: string \"4\", expected usize at line 3 column 9",
                "the text \"4\" where a whole number is expected (line 3, column 9)",
            ),
            (
                "invalid length 0, expected struct Config with 5 elements at line 1 column 2",
                "a list of 0 where an object is expected (line 1, column 2)",
            ),
            (
                "invalid value: integer `-1`, expected u32 at line 1 column 3",
                "the number `-1` where a whole number is expected (line 1, column 3)",
            ),
            ("invalid type: null, expected f64", "null where a number is expected"),
            ("EOF while parsing a value at line 1 column 0", "an empty file"),
            (
                "EOF while parsing a list at line 2 column 5",
                "a file that ends early (line 2, column 5)",
            ),
            ("expected value at line 1 column 1", "something other than JSON (line 1, column 1)"),
            (
                "missing field `seq_len` at line 4 column 1",
                "missing field `seq_len` (line 4, column 1)",
            ),
            (
                "trailing characters at line 2 column 1",
                "more after the end of the JSON (line 2, column 1)",
            ),
            ("a name of 300 bytes at line 1 column 9", "a name of 300 bytes (line 1, column 9)"),
        ] {
            assert_eq!(of_json(&err), expected);
        }
        let long = format!("invalid type: string \"{}\", expected a map", "x".repeat(500));
        assert!(of_json(&long).len() < 150);
    }
}
