//! Configs that are saved beside weights: those of the published code, those that `hrm
//! export` writes in the same keys, and the config of a checkpoint folder.
//!
//! Every key of an architecture is followed, checked against the weights, known to have no
//! effect on the model, or an error.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use hrm_core::{GradientSpan, HaltRule, HrmConfig, InitialStates, Modules, Positions};
use hrm_tasks::{TaskConfig, TaskError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::usage;

/// Longest config that is read, in bytes.
const N_BYTES_MAX: u64 = 1 << 20;

/// Keys of an architecture that are followed or checked.
const READ: [&str; 22] = [
    "seq_len",
    "vocab_size",
    "num_puzzle_identifiers",
    "hidden_size",
    "num_heads",
    "expansion",
    "H_cycles",
    "L_cycles",
    "H_layers",
    "L_layers",
    "halt_max_steps",
    "halt_exploration_prob",
    "rope_theta",
    "rms_norm_eps",
    "pos_encodings",
    "puzzle_emb_ndim",
    "puzzle_emb_len",
    "mlp_t",
    "no_ACT_continue",
    "name",
    "variant",
    "task",
];

/// Keys of an architecture that only training or its precision depends on.
const WITHOUT_EFFECT: [&str; 5] = ["loss", "batch_size", "forward_dtype", "causal", "dtype"];

/// Keys beside those of an architecture in a file without a section for it.
const OF_TRAINING: [&str; 40] = [
    "data_path",
    "data_paths",
    "data_paths_test",
    "global_batch_size",
    "epochs",
    "eval_interval",
    "min_eval_interval",
    "checkpoint_every_eval",
    "checkpoint_path",
    "load_checkpoint",
    "lr",
    "lr_min_ratio",
    "lr_warmup_steps",
    "beta1",
    "beta2",
    "weight_decay",
    "puzzle_emb_lr",
    "puzzle_emb_weight_decay",
    "seed",
    "ema",
    "ema_rate",
    "freeze_weights",
    "evaluators",
    "eval_save_outputs",
    "project_name",
    "run_name",
    "defaults",
    "hydra",
    "supervision_curriculum",
    "grad_clip_norm",
    "use_muon",
    // Of model hubs.
    "architectures",
    "model_type",
    "torch_dtype",
    "transformers_version",
    "auto_map",
    "_name_or_path",
    "license",
    "tags",
    "library_name",
];

/// Names of the published architectures.
const ARCHITECTURES: [&str; 3] = [
    "hrm_act_v1@HierarchicalReasoningModel_ACTV1",
    "hrm@HierarchicalReasoningModel_ACTV1",
    "trm@TinyRecursiveReasoningModel_ACTV1",
];

/// What the keys of the published code cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) modules: Modules,
    pub(crate) gradient_span: GradientSpan,
    pub(crate) initial_states: InitialStates,
    pub(crate) damping: f64,
    pub(crate) halting: HaltRule,
}

/// A config beside weights.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The file, if there is one.
    path: Option<PathBuf>,
    /// Keys of the architecture.
    keys: Map<String, Value>,
    /// The config of a checkpoint folder, which leaves nothing open.
    pub(super) own: Option<HrmConfig>,
    pub(super) variant: Option<Variant>,
    pub(super) task: Option<TaskConfig>,
}

impl Published {
    /// Reads the config in `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has keys that are not understood.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let read = Self::parse(path)?;
        if !read.is_config() {
            let keys: Vec<_> = read.keys.keys().take(8).map(String::as_str).collect();
            return Err(usage(format!(
                "{}: expected the config of a model (`arch`, `H_cycles`, `hidden_size` ...), found {}",
                path.display(),
                if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") },
            )));
        }
        read.checked()
    }

    /// Reads the first of these files that is a config of a model. It is empty if there is
    /// none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(super) fn find(paths: impl Iterator<Item = PathBuf>) -> anyhow::Result<Self> {
        for path in paths.filter(|path| path.is_file()) {
            let read = Self::parse(&path)?;
            if read.is_config() {
                return read.checked();
            }
        }
        Ok(Self::default())
    }

    fn parse(path: &Path) -> anyhow::Result<Self> {
        let wrong = |err: &dyn Display| usage(format!("{} is not a config: {err}", path.display()));
        let len = fs::metadata(path).map_err(TaskError::read(path))?.len();
        if len > N_BYTES_MAX {
            return Err(wrong(&format!("it is longer than {N_BYTES_MAX} bytes")));
        }
        let text = fs::read_to_string(path).map_err(TaskError::read(path))?;
        let text = text.trim_start_matches('\u{feff}');
        let path = Some(path.to_owned());
        if let Ok(own) = serde_json::from_str(text) {
            return Ok(Self { path, own: Some(own), ..Self::default() });
        }
        // Every JSON document is YAML.
        let read: Value = serde_saphyr::from_str(text).map_err(|err| wrong(&err))?;
        let Value::Object(mut outer) = read else {
            return Err(wrong(&"expected keys and values"));
        };
        let keys = match outer.remove("arch") {
            Some(Value::Object(mut arch)) => {
                for key in ["seq_len", "vocab_size", "num_puzzle_identifiers", "variant", "task"] {
                    if let Some(value) = outer.remove(key) {
                        arch.insert(key.to_owned(), value);
                    }
                }
                arch
            }
            Some(_) => return Err(wrong(&"`arch` must be a group of settings")),
            None => {
                outer.retain(|key, _| !OF_TRAINING.contains(&key.as_str()));
                outer
            }
        };
        let mut read = Self { path, keys, ..Self::default() };
        read.variant = read.group("variant")?;
        read.task = read.group("task")?;
        Ok(read)
    }

    /// Whether it says anything about a model.
    fn is_config(&self) -> bool {
        let marks = ["H_cycles", "L_cycles", "hidden_size", "L_layers", "num_heads"];
        self.own.is_some() || marks.iter().any(|key| self.keys.contains_key(*key))
    }

    /// Refuses what would change the model and is not followed.
    fn checked(self) -> anyhow::Result<Self> {
        let is_known = |key: &str| READ.contains(&key) || WITHOUT_EFFECT.contains(&key);
        let unknown: Vec<_> =
            self.keys.keys().filter(|key| !is_known(key)).take(8).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(self.wrong(format!(
                "settings of the model that are not supported: {}. If they do not change what it \
                 computes, remove them from a copy and give that with --config",
                unknown.join(", ")
            )));
        }
        if self.value("causal").is_some_and(|value| *value != Value::Bool(false)) {
            return Err(
                self.wrong("`causal`: attention over earlier positions only is not supported")
            );
        }
        if let Some(Value::String(name)) = self.value("name") {
            let short = name.rsplit(['.', '/']).next().unwrap_or(name);
            if !ARCHITECTURES.contains(&short) {
                return Err(self.wrong(format!(
                    "`name`: expected the architecture {}, found {name}. If it is one of them under \
                     another name, say so in a copy and give that with --config",
                    ARCHITECTURES.join(", ")
                )));
            }
        }
        Ok(self)
    }

    /// The name of the file, for messages.
    pub(super) fn place(&self) -> String {
        self.path.as_ref().map_or("the config".to_owned(), |path| path.display().to_string())
    }

    pub(super) fn exists(&self) -> bool {
        self.path.is_some()
    }

    /// An error about this config.
    pub(super) fn wrong(&self, what: impl Display) -> anyhow::Error {
        usage(format!("{}: {what}", self.place()))
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    fn group<T: serde::de::DeserializeOwned>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let read = serde_json::from_value(value.clone());
        read.map(Some).map_err(|err| self.wrong(format!("`{key}`: {err}")))
    }

    /// A count. One that refers to another setting (`${.hidden_size}`) is `None`.
    pub(super) fn count(&self, key: &str) -> anyhow::Result<Option<usize>> {
        match self.value(key) {
            Some(Value::String(text)) if text.starts_with("${") => Ok(None),
            Some(value) => {
                // Some writers make every number a real number.
                let whole = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n));
                let count = whole.map(|n| n as usize);
                count.map(Some).ok_or_else(|| self.unlike(key, "a whole number", value))
            }
            None => Ok(None),
        }
    }

    /// A real number.
    pub(super) fn real(&self, key: &str) -> anyhow::Result<Option<f64>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let read = match value {
            // Some writers quote `1e-05`.
            Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        };
        read.map(Some).ok_or_else(|| self.unlike(key, "a number", value))
    }

    pub(super) fn flag(&self, key: &str) -> anyhow::Result<Option<bool>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.unlike(key, "true or false", value))
    }

    pub(super) fn positions(&self) -> anyhow::Result<Option<Positions>> {
        let Some(value) = self.value("pos_encodings") else { return Ok(None) };
        let read = serde_json::from_value(value.clone()).ok();
        let expected = "`rope`, `learned` or `none`";
        read.map(Some).ok_or_else(|| self.unlike("pos_encodings", expected, value))
    }

    fn unlike(&self, key: &str, expected: &str, value: &Value) -> anyhow::Error {
        let found: String = value.to_string().chars().take(80).collect();
        self.wrong(format!("`{key}`: expected {expected}, found {found}"))
    }
}

/// The config of a model in the keys of the published code, as YAML.
///
/// # Errors
///
/// If the settings of the task cannot be written.
pub(crate) fn to_yaml(config: &HrmConfig, task: &TaskConfig) -> serde_json::Result<String> {
    let HrmConfig { input, puzzle_embedding, block, recurrence, halting } = config;
    let is_two = recurrence.modules == Modules::Two;
    let name = match is_two {
        true => "hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1",
        false => "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1",
    };
    let variant = Variant {
        modules: recurrence.modules,
        gradient_span: recurrence.gradient_span,
        initial_states: recurrence.initial_states,
        damping: recurrence.damping,
        halting: halting.rule,
    };
    let json = |value: serde_json::Result<Value>| value.map(|value| value.to_string());
    let arch: [(&str, String); 18] = [
        ("name", name.to_owned()),
        ("loss", "{name: losses@ACTLossHead, loss_type: stablemax_cross_entropy}".to_owned()),
        ("hidden_size", block.hidden_dim.to_string()),
        ("num_heads", block.n_heads.to_string()),
        ("expansion", real(block.expansion)),
        ("H_layers", recurrence.n_h_layers.to_string()),
        ("L_layers", recurrence.n_l_layers.to_string()),
        ("H_cycles", recurrence.n_h_cycles.to_string()),
        ("L_cycles", recurrence.n_l_cycles.to_string()),
        ("halt_max_steps", halting.n_segments_max.to_string()),
        ("halt_exploration_prob", real(halting.exploration)),
        ("no_ACT_continue", (halting.rule != HaltRule::QLearning).to_string()),
        ("pos_encodings", json(serde_json::to_value(block.positions))?.replace('"', "")),
        ("rope_theta", real(block.rope_base)),
        ("rms_norm_eps", real(block.norm_eps)),
        ("mlp_t", (block.mixer == hrm_core::Mixer::Mlp).to_string()),
        ("puzzle_emb_ndim", puzzle_embedding.dim.to_string()),
        ("puzzle_emb_len", puzzle_embedding.n_positions.to_string()),
    ];
    let arch: String = arch.iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
    Ok(format!(
        "arch:\n{arch}seq_len: {}\nvocab_size: {}\nnum_puzzle_identifiers: {}\n\
         # Only `hrm import` reads what follows.\nvariant: {}\ntask: {}\n",
        input.n_cells,
        input.vocab_size,
        input.n_puzzle_ids,
        json(serde_json::to_value(variant))?,
        json(serde_json::to_value(task))?,
    ))
}

/// A number as every YAML reader reads it: with a decimal point, without an exponent.
fn real(number: f64) -> String {
    format!("{number:?}")
        .contains('e')
        .then(|| format!("{number:.20}").trim_end_matches('0').to_owned())
        .filter(|text| text.parse() == Ok(number))
        .unwrap_or_else(|| format!("{number:?}"))
}
