//! Settings that a checkpoint holds beside its tensors, as plain values.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::machine::{Id, Node, Pickle};
use crate::listing::N_NAME_BYTES_MAX;

/// Keys under which programs save the settings of a model, that of Lightning first.
const KEYS: [&str; 8] =
    ["hyper_parameters", "hparams", "config", "cfg", "model_config", "arch", "args", "model_args"];

/// Most groups and lists of a checkpoint that are looked into.
const N_GROUPS_MAX: usize = 1 << 6;

/// Most settings.
const N_VALUES_MAX: usize = 1 << 12;

/// Most groups within each other.
const N_LEVELS_MAX: usize = 8;

/// Longest text of a setting, in characters; what follows is left out.
const N_CHARS_MAX: usize = 1 << 10;

/// The groups of settings among the entries of the outermost dictionary, by their keys.
pub(super) fn of(pickle: &Pickle<'_>, entries: &[(Cow<'_, str>, Id)]) -> Vec<(String, Value)> {
    let mut reader = Reader { pickle, n_groups: N_GROUPS_MAX, n_values: N_VALUES_MAX };
    let named = entries.iter().filter(|(key, _)| KEYS.contains(&key.as_ref()));
    let read = named.filter_map(|(key, id)| match reader.value(*id, N_LEVELS_MAX) {
        Some(group @ Value::Object(_)) => Some((key.to_string(), group)),
        _ => None,
    });
    read.collect()
}

/// Reads settings within bounds, as objects of a pickle may hold each other.
struct Reader<'p, 'a> {
    pickle: &'p Pickle<'a>,
    /// How many more groups and lists are looked into.
    n_groups: usize,
    /// How many more values are read.
    n_values: usize,
}

impl Reader<'_, '_> {
    /// An object as a plain value; `None` beyond the bounds.
    fn value(&mut self, id: Id, n_levels: usize) -> Option<Value> {
        self.n_values = self.n_values.checked_sub(1)?;
        let pickle = self.pickle;
        let short = |text: &str| Value::String(text.chars().take(N_CHARS_MAX).collect());
        Some(match pickle.node(id) {
            Node::None => Value::Null,
            Node::Flag(flag) => flag.into(),
            Node::Int(n) => n.into(),
            // Numbers of JSON are finite.
            Node::Real(n) => Number::from_f64(n).map_or_else(|| n.to_string().into(), Value::from),
            Node::Text(text) => short(text),
            Node::Class(name) => short(name),
            Node::Dict => self.group(id, n_levels)?,
            Node::List => self.list(pickle.plain_items(id), n_levels)?,
            Node::Tuple { .. } => self.list(pickle.items(id).iter().copied(), n_levels)?,
            Node::Call { .. } => match (pickle.attributes(id), pickle.entries(id).first()) {
                (Some(attributes), _) => self.group(attributes, n_levels)?,
                // An instance may be of a class of dictionaries.
                (None, Some(_)) => self.group(id, n_levels)?,
                (None, None) => match pickle.class(id) {
                    Some(class) => short(&format!("an object of the class {class}")),
                    None => short(&pickle.describe(id)),
                },
            },
            Node::Persistent(_) | Node::Other => short(&pickle.describe(id)),
        })
    }

    fn group(&mut self, id: Id, n_levels: usize) -> Option<Value> {
        let n_levels = n_levels.checked_sub(1)?;
        self.n_groups = self.n_groups.checked_sub(1)?;
        let mut group = Map::new();
        let pickle = self.pickle;
        for [_, key, value] in pickle.entries(id) {
            if let Node::Text(key) = pickle.node(*key)
                && key.len() <= N_NAME_BYTES_MAX
                && let Some(value) = self.value(*value, n_levels)
            {
                group.insert(key.to_owned(), value);
            }
        }
        Some(Value::Object(group))
    }

    fn list(&mut self, items: impl Iterator<Item = Id>, n_levels: usize) -> Option<Value> {
        let n_levels = n_levels.checked_sub(1)?;
        self.n_groups = self.n_groups.checked_sub(1)?;
        // Ends with what is beyond the bounds.
        Some(Value::Array(items.map_while(|item| self.value(item, n_levels)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The settings of a pickle of a dictionary with this value under the key `config`.
    fn settings(value: &[u8]) -> Option<Value> {
        let bytes = [b"\x80\x04}X\x06\0\0\0config", value, b"s."].concat();
        let pickle = Pickle::read(&bytes).unwrap();
        let entries: Vec<_> = pickle
            .entries(pickle.root())
            .iter()
            .map(|[_, _, value]| (Cow::Borrowed("config"), *value))
            .collect();
        of(&pickle, &entries).pop().map(|(_, group)| group)
    }

    #[test]
    fn plain_values_are_read() {
        let value = b"}(\x8c\x01aK\x07\x8c\x01bG\x3f\xf8\0\0\0\0\0\0\x8c\x01c\x88\x8c\x01dN\
                      \x8c\x01e](\x8c\x01xK\x01e\x8c\x01f}\x8c\x01g\x89s\
                      \x8c\x01hG\x7f\xf0\0\0\0\0\0\0\x8c\x01iK\x01K\x02\x86u";
        let expected = json!({
            "a": 7, "b": 1.5, "c": true, "d": null, "e": ["x", 1], "f": {"g": false}, "h": "inf",
            "i": [1, 2]
        });
        assert_eq!(settings(value), Some(expected));
        assert_eq!(settings(b"K\x01"), None);
    }

    #[test]
    fn objects_with_settings_are_groups_and_others_are_named() {
        let with_state = b"cargparse\nNamespace\n)\x81}\x8c\x01aK\x07sb";
        assert_eq!(settings(with_state), Some(json!({"a": 7})));
        let of_dictionaries = b"cm\nAttributeDict\n)\x81\x8c\x01aK\x07s";
        assert_eq!(settings(of_dictionaries), Some(json!({"a": 7})));
        assert_eq!(settings(b"cm\nDictConfig\n)\x81}\x8c\x01aK\x07sb"), None);
        let inside = b"}(\x8c\x01acm\nDictConfig\n)\x81}b\x8c\x01bctorch\nfloat16\nu";
        let expected = json!({"a": "an object of the class DictConfig", "b": "float16"});
        assert_eq!(settings(inside), Some(expected));
    }

    #[test]
    fn settings_are_bounded() {
        // A dictionary within itself.
        let cycle = b"}\x94\x8c\x01ah\x00s";
        assert!(settings(cycle).unwrap().to_string().len() < 100);
        // Dictionaries that hold the one before twice.
        let mut twice = b"}q\x00".to_vec();
        for n in 1..40u8 {
            twice.extend([b'}', b'q', n]);
            twice.extend(
                [b"\x8c\x01ah".as_slice(), &[n - 1], b"s\x8c\x01bh", &[n - 1], b"s"].concat(),
            );
        }
        assert!(settings(&twice).unwrap().to_string().len() < 10_000);
        // Many settings.
        let many = [b"}".as_slice(), &b"\x8c\x01aK\x01s".repeat(10_000)].concat();
        assert!(settings(&many).is_some());
    }
}
