//! Reads configs in groups, and flat ones with all keys side by side.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::groups::{
    BlockConfig, HaltingConfig, InputConfig, PuzzleEmbeddingConfig, RecurrenceConfig,
};
use super::hrm_config::HrmConfig;

impl HrmConfig {
    /// Keys of a flat config, and their places in the groups as dotted paths.
    pub const RENAMED_KEYS: &[(&str, &str)] = &[
        ("vocab_size", "input.vocab_size"),
        ("n_cells", "input.n_cells"),
        ("n_puzzle_ids", "input.n_puzzle_ids"),
        ("puzzle_dim", "puzzle_embedding.dim"),
        ("n_prefix", "puzzle_embedding.n_positions"),
        ("hidden_dim", "block.hidden_dim"),
        ("mixer", "block.mixer"),
        ("n_heads", "block.n_heads"),
        ("expansion", "block.expansion"),
        ("positions", "block.positions"),
        ("rope_base", "block.rope_base"),
        ("norm_eps", "block.norm_eps"),
        ("modules", "recurrence.modules"),
        ("n_h_layers", "recurrence.n_h_layers"),
        ("n_l_layers", "recurrence.n_l_layers"),
        ("n_h_cycles", "recurrence.n_h_cycles"),
        ("n_l_cycles", "recurrence.n_l_cycles"),
        ("gradient_span", "recurrence.gradient_span"),
        ("starts", "recurrence.initial_states"),
        ("damping", "recurrence.damping"),
        ("halting", "halting.rule"),
        ("n_segments_max", "halting.n_segments_max"),
        ("halt_exploration", "halting.exploration"),
    ];
}

/// Reads a config in groups and rejects unknown keys.
#[derive(Deserialize)]
#[serde(remote = "HrmConfig", deny_unknown_fields)]
struct Grouped {
    input: InputConfig,
    puzzle_embedding: PuzzleEmbeddingConfig,
    block: BlockConfig,
    recurrence: RecurrenceConfig,
    halting: HaltingConfig,
}

impl<'de> Deserialize<'de> for HrmConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(config) = value.as_object_mut() {
            move_to_groups(config).map_err(D::Error::custom)?;
        }
        Grouped::deserialize(value).map_err(D::Error::custom)
    }
}

/// Moves the keys of a flat config into their groups.
fn move_to_groups(config: &mut Map<String, Value>) -> Result<(), String> {
    // `halting` is a value in a flat config, but a group in a grouped one.
    let is_value =
        |config: &Map<String, Value>, key| config.get(key).is_some_and(|v| !v.is_object());
    let mut moved = Vec::new();
    for (old, new) in HrmConfig::RENAMED_KEYS {
        if is_value(config, *old) {
            moved.extend(config.remove(*old).map(|value| (old, new, value)));
        }
    }
    for (old, new, value) in moved {
        let (group, key) = new.split_once('.').expect("the table holds dotted paths");
        let fields = config.entry(group).or_insert_with(|| Value::Object(Map::new()));
        let Some(fields) = fields.as_object_mut() else {
            return Err(format!("`{group}` must be a group of settings"));
        };
        if fields.insert(key.to_owned(), value).is_some() {
            return Err(format!("`{old}` and `{new}` are the same setting: give only one"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Mixer, Positions};
    use crate::variants::{GradientSpan, HaltRule, InitialStates, Modules};

    /// A flat config in full.
    const FLAT: &str = r#"{
        "vocab_size": 12, "n_cells": 900, "n_puzzle_ids": 3, "puzzle_dim": 256, "n_prefix": 2,
        "hidden_dim": 128, "mixer": "mlp", "n_heads": 4, "expansion": 3.5, "modules": "shared",
        "n_h_layers": 3, "n_l_layers": 2, "n_h_cycles": 5, "n_l_cycles": 6,
        "gradient_span": "4-updates", "starts": "random", "damping": 0.05,
        "halting": "halt-only", "n_segments_max": 8, "halt_exploration": 0.25,
        "positions": "learned", "rope_base": 100.0, "norm_eps": 0.001
    }"#;

    /// The config in [`FLAT`].
    fn flat_config() -> HrmConfig {
        HrmConfig::paper().with(|config| {
            config.input.vocab_size = 12;
            config.input.n_cells = 900;
            config.input.n_puzzle_ids = 3;
            config.puzzle_embedding.dim = 256;
            config.puzzle_embedding.n_positions = 2;
            config.block.hidden_dim = 128;
            config.block.mixer = Mixer::Mlp;
            config.block.n_heads = 4;
            config.block.expansion = 3.5;
            config.block.positions = Positions::Learned;
            config.block.rope_base = 100.0;
            config.block.norm_eps = 0.001;
            config.recurrence.modules = Modules::Shared;
            config.recurrence.n_h_layers = 3;
            config.recurrence.n_l_layers = 2;
            config.recurrence.n_h_cycles = 5;
            config.recurrence.n_l_cycles = 6;
            config.recurrence.gradient_span = GradientSpan::Updates(4);
            config.recurrence.initial_states = InitialStates::Random;
            config.recurrence.damping = 0.05;
            config.halting.rule = HaltRule::HaltOnly;
            config.halting.n_segments_max = 8;
            config.halting.exploration = 0.25;
        })
    }

    /// The first flat config files, which lack five keys.
    const FLAT_WITHOUT_VARIANTS: &str = r#"{
        "vocab_size": 11, "n_cells": 81, "n_puzzle_ids": 1, "puzzle_dim": 512, "n_prefix": 1,
        "hidden_dim": 512, "mixer": "attention", "n_heads": 8, "expansion": 4.0,
        "n_h_layers": 4, "n_l_layers": 4, "n_h_cycles": 2, "n_l_cycles": 2,
        "n_segments_max": 16, "halt_exploration": 0.1,
        "positions": "rope", "rope_base": 10000.0, "norm_eps": 1e-5
    }"#;

    fn read(json: &str) -> Result<HrmConfig, String> {
        serde_json::from_str(json).map_err(|err| err.to_string())
    }

    /// `json` with `key` set to `value`.
    fn with_key(json: &str, key: &str, value: Value) -> String {
        let mut object: Map<String, Value> = serde_json::from_str(json).unwrap();
        object.insert(key.to_owned(), value);
        Value::Object(object).to_string()
    }

    #[test]
    fn flat_files_are_read() {
        assert_eq!(read(FLAT), Ok(flat_config()));
        assert_eq!(read(FLAT_WITHOUT_VARIANTS), Ok(HrmConfig::paper()));
        // A run record holds a config among other sections.
        let record: std::collections::HashMap<String, HrmConfig> =
            serde_json::from_str(&format!(r#"{{"model": {FLAT}}}"#)).unwrap();
        assert_eq!(record["model"], flat_config());
    }

    #[test]
    fn groups_are_written_and_read() {
        for config in [flat_config(), HrmConfig::tiny_recursive(), HrmConfig::small()] {
            let value = serde_json::to_value(&config).unwrap();
            let groups: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
            for group in ["input", "puzzle_embedding", "block", "recurrence", "halting"] {
                assert!(groups.contains(&group) && value[group].is_object(), "{group}");
            }
            assert_eq!(groups.len(), 5);
            assert_eq!(read(&value.to_string()), Ok(config.clone()));
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str(&text), Ok(config));
        }
    }

    #[test]
    fn toml_may_be_flat() {
        let flat: Value = serde_json::from_str(FLAT).unwrap();
        let text = toml::to_string(&flat).unwrap();
        assert!(text.contains("\nhidden_dim = 128\n"), "{text}");
        assert_eq!(toml::from_str(&text), Ok(flat_config()));
    }

    #[test]
    fn the_table_names_every_setting_once() {
        let value = serde_json::to_value(HrmConfig::paper()).unwrap();
        let mut wanted: Vec<String> = Vec::new();
        for (group, fields) in value.as_object().unwrap() {
            wanted.extend(fields.as_object().unwrap().keys().map(|key| format!("{group}.{key}")));
        }
        wanted.sort();
        let mut found: Vec<_> = HrmConfig::RENAMED_KEYS.iter().map(|(_, new)| *new).collect();
        found.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn unknown_keys_are_rejected() {
        let message = |json: &str| read(json).unwrap_err();
        let err = message(&with_key(FLAT, "n_layers", 4.into()));
        assert!(err.starts_with("unknown field `n_layers`"), "{err}");
        let grouped = serde_json::to_string(&HrmConfig::tiny()).unwrap();
        let err = message(&grouped.replace("\"n_heads\"", "\"n_hats\""));
        assert!(err.starts_with("unknown field `n_hats`"), "{err}");
        let err = message(&with_key(&grouped, "optimiser", serde_json::json!({})));
        assert!(err.starts_with("unknown field `optimiser`"), "{err}");
        assert!(message("{}").starts_with("missing field"));
        assert!(message("[]").contains("invalid"));
    }

    #[test]
    fn a_setting_given_twice_is_rejected() {
        let grouped = serde_json::to_string(&HrmConfig::tiny()).unwrap();
        let err = read(&with_key(&grouped, "hidden_dim", 64.into())).unwrap_err();
        let want = "`hidden_dim` and `block.hidden_dim` are the same setting: give only one";
        assert_eq!(err, want);
        let err = read(&with_key(FLAT, "block", 1.into())).unwrap_err();
        assert_eq!(err, "`block` must be a group of settings");
    }
}
