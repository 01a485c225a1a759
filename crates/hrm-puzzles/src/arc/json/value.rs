//! JSON as its text, read a piece at a time: in memory, values take many times the length of
//! their text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::clipped;

/// A JSON value that has been checked to the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Checks a text, which holds one or several values one after the other. Returns their
    /// number.
    ///
    /// # Errors
    ///
    /// For text that is not JSON, or is nested too deeply.
    pub(super) fn check(text: &str) -> Result<usize, serde_json::Error> {
        let mut n_values = 0;
        for value in serde_json::Deserializer::from_str(text).into_iter::<Checked>() {
            value?;
            n_values += 1;
        }
        if n_values == 0 {
            // Says that a value is missing.
            serde_json::from_str::<IgnoredAny>(text)?;
        }
        Ok(n_values)
    }

    /// The values of a text that has been [checked](Self::check).
    pub(super) fn all(text: &'a str) -> impl Iterator<Item = Self> {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        let mut start = 0;
        std::iter::from_fn(move || {
            stream.next()?.ok()?;
            let value = text.get(start..stream.byte_offset())?;
            start = stream.byte_offset();
            Some(Self(trimmed(value)))
        })
    }

    /// The first byte, which tells the kinds of values apart.
    fn start(self) -> u8 {
        self.0.bytes().next().unwrap_or_default()
    }

    pub(super) fn is_object(self) -> bool {
        self.start() == b'{'
    }

    pub(super) fn is_array(self) -> bool {
        self.start() == b'['
    }

    pub(super) fn is_null(self) -> bool {
        self.start() == b'n'
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self.start(), b'-' | b'0'..=b'9')
    }

    /// The JSON itself.
    pub(super) fn text(self) -> &'a str {
        self.0
    }

    /// The text of a string.
    pub(super) fn as_text(self) -> Option<Cow<'a, str>> {
        (self.start() == b'"').then(|| string(self.0))
    }

    /// The digits of a number.
    pub(super) fn as_number(self) -> Option<&'a str> {
        self.is_number().then_some(self.0)
    }

    /// The elements of an array; none for other values.
    pub(super) fn elements(self) -> Elements<'a> {
        Elements(Pieces(if self.is_array() { inside(self.0) } else { "" }))
    }

    /// The entries of an object, in order; none for other values.
    pub(super) fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        let mut pieces = Pieces(if self.is_object() { inside(self.0) } else { "" });
        std::iter::from_fn(move || Some((string(pieces.next()?), Self(pieces.next()?))))
    }

    /// The value of a key. If the object has it several times, the last one counts.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        self.entries().filter(|(found, _)| found == key).last().map(|(_, value)| value)
    }

    /// Describes the value for a message. The value itself may take megabytes.
    pub(super) fn kind(self) -> String {
        match self.start() {
            b'n' => "nothing".to_owned(),
            b't' | b'f' => "a Boolean".to_owned(),
            b'"' => format!("the text {:?}", clipped(&string(self.0))),
            b'[' => format!("an array of length {}", self.elements().count()),
            b'{' => {
                let mut keys = self.entries().map(|(key, _)| format!("`{}`", clipped(&key)));
                let shown: Vec<_> = keys.by_ref().take(3).collect();
                let more = if keys.next().is_some() { ", .." } else { "" };
                match shown.is_empty() {
                    true => "an object without entries".to_owned(),
                    false => format!("an object with {}{more}", shown.join(", ")),
                }
            }
            _ => format!("the number {}", clipped(self.0)),
        }
    }
}

/// The elements of an array.
#[derive(Clone)]
pub(super) struct Elements<'a>(Pieces<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        self.0.next().map(Json)
    }
}

/// What the commas and colons in an array or an object separate.
#[derive(Clone)]
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (piece, rest) = self.0.split_at(end_of_piece(self.0));
        self.0 = rest.get(1..).unwrap_or_default();
        Some(trimmed(piece))
    }
}

/// Where the first comma or colon is that is in no string, array or object within `text`.
fn end_of_piece(text: &str) -> usize {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_string = !is_string,
            _ if is_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// What is between the brackets of an array or an object.
fn inside(text: &str) -> &str {
    trimmed(text.get(1..text.len().saturating_sub(1)).unwrap_or_default())
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// The text of a string with its quotation marks.
fn string(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => plain.into(),
        _ => serde_json::from_str::<String>(text).unwrap_or_default().into(),
    }
}

/// Any value, read to its end and forgotten. Unlike [`IgnoredAny`], it checks everything, and
/// ends at the depth that this crate can follow.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self, M::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self, S::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The value that is read piece by piece.
    fn rebuilt(json: Json<'_>) -> Value {
        if json.is_object() {
            Value::Object(json.entries().map(|(key, at)| (key.into(), rebuilt(at))).collect())
        } else if json.is_array() {
            json.elements().map(rebuilt).collect()
        } else {
            match json.as_text() {
                Some(text) => text.into(),
                None => serde_json::from_str(json.0).unwrap(),
            }
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
            r#"[\[\]{},:"\\ ]{0,6}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let key = prop_oneof![".{0,3}", r#"[\[{,:"\\]{0,3}"#];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_value(value in any_value(), is_pretty: bool) {
            let text = match is_pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let text = format!(" {text}\n{text} ");
            prop_assert_eq!(Json::check(&text).unwrap(), 2);
            let found: Vec<Value> = Json::all(&text).map(rebuilt).collect();
            prop_assert_eq!(found, [value.clone(), value]);
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let value = Json::all(r#"{"a": 1, "b": 2, "\u0061": 3}"#).next().unwrap();
        assert_eq!(value.get("a").and_then(Json::as_number), Some("3"));
    }
}
