//! Configs that are saved beside weights or with them: those of the published code, those
//! that `hrm export` writes in the same keys, and the config of a checkpoint folder.
//!
//! Every key of an architecture is followed, checked against the weights, known to have no
//! effect on the model, or an error.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use hrm_base::file_kind::FileKind;
use hrm_base::words;
use hrm_core::foreign::Foreign;
use hrm_core::{ConfigError, GradientSpan, HaltRule, HrmConfig, InitialStates, Modules, Positions};
use hrm_puzzles::text::{self, clipped};
use hrm_tasks::TaskConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::usage;

/// Longest config that is read, in bytes.
const N_BYTES_MAX: u64 = 1 << 20;

/// Most references (`${.hidden_size}`) that lead from one to another.
const N_REFERENCES_MAX: usize = 8;

/// Groups that hold the settings of a model, in files that hold others too.
const GROUPS: [&str; 7] = ["arch", "config", "cfg", "model", "model_config", "hparams", "args"];

/// Most such groups within each other.
const N_GROUPS_MAX: usize = 4;

/// Keys of which a group with the settings of a model has one.
const MARKS: [&str; 6] = ["arch", "H_cycles", "L_cycles", "hidden_size", "L_layers", "num_heads"];

/// Keys beside those of an architecture that belong to it.
const OF_MODEL: [&str; 5] = ["seq_len", "vocab_size", "num_puzzle_identifiers", "variant", "task"];

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
const OF_TRAINING: [&str; 55] = [
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
    // Of training loops.
    "learning_rate",
    "warmup_steps",
    "max_steps",
    "max_epochs",
    "num_epochs",
    "optimizer",
    "scheduler",
    "lr_scheduler",
    "gradient_clip_val",
    "precision",
    "compile",
    "num_workers",
    "device",
    "output_dir",
    "log_interval",
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

/// The class of the Tiny Recursive Model.
const TINY_RECURSIVE: &str = "TinyRecursiveReasoningModel_ACTV1";

/// Names of the published architectures.
const ARCHITECTURES: [&str; 3] = [
    "hrm_act_v1@HierarchicalReasoningModel_ACTV1",
    "hrm@HierarchicalReasoningModel_ACTV1",
    "trm@TinyRecursiveReasoningModel_ACTV1",
];

/// Fields of a [`HrmConfig`], with the keys that stand for them.
const KEYS: [(&str, &str); 16] = [
    ("input.vocab_size", "vocab_size"),
    ("input.n_cells", "seq_len"),
    ("input.n_puzzle_ids", "num_puzzle_identifiers"),
    ("puzzle_embedding.dim", "puzzle_emb_ndim"),
    ("puzzle_embedding.n_positions", "puzzle_emb_len"),
    ("block.hidden_dim", "hidden_size"),
    ("block.n_heads", "num_heads"),
    ("block.expansion", "expansion"),
    ("block.rope_base", "rope_theta"),
    ("block.norm_eps", "rms_norm_eps"),
    ("recurrence.n_h_layers", "H_layers"),
    ("recurrence.n_l_layers", "L_layers"),
    ("recurrence.n_h_cycles", "H_cycles"),
    ("recurrence.n_l_cycles", "L_cycles"),
    ("halting.n_segments_max", "halt_max_steps"),
    ("halting.exploration", "halt_exploration_prob"),
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

/// A config beside weights or with them.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The files, and the groups in the checkpoint, if there are any.
    pub(super) places: Vec<String>,
    /// Keys of the architecture.
    keys: Map<String, Value>,
    /// The first keys of the file.
    first_keys: Vec<String>,
    /// The groups with settings of a model, if there are several.
    several: Vec<String>,
    /// The config of a checkpoint folder, which leaves nothing open.
    pub(super) own: Option<HrmConfig>,
    pub(super) variant: Option<Variant>,
    pub(super) task: Option<TaskConfig>,
    /// Names of the data sets that the model was trained on.
    pub(super) data_names: Vec<String>,
    /// What else has the name of a config, and why it was not read.
    pub(super) passed_over: Vec<String>,
}

impl Published {
    /// Reads the config in `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has keys that are not understood.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        Self::parse(path)?.expect_config()?.checked()
    }

    /// Reads those of these files, all of which exist, that are configs of a model; together
    /// they must not contradict each other. It is empty if there is none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(super) fn find(paths: impl Iterator<Item = PathBuf>) -> anyhow::Result<Self> {
        let mut found = Self::default();
        for path in paths {
            if let Some(found) = FileKind::instead_of(&path) {
                return Err(usage(format!("{} is {found}", path.display())));
            }
            // A name that is used for nothing else.
            let is_published = path.file_stem().is_some_and(|stem| stem == "all_config");
            let read = match Self::parse(&path).and_then(Self::expect_config) {
                Ok(read) => read.checked()?,
                Err(err) if is_published && !found.exists() => return Err(err),
                Err(err) => {
                    found.passed_over.push(format!("{err:#}"));
                    continue;
                }
            };
            found.merge(read)?;
        }
        Ok(found)
    }

    /// Adds those of the settings in a checkpoint that are configs of a model. Returns where
    /// they are.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(super) fn add_settings(&mut self, read: &Foreign) -> anyhow::Result<Vec<String>> {
        let file = read.files.first().map(|file| file.display().to_string()).unwrap_or_default();
        let mut added = Vec::new();
        for (key, settings) in &read.settings {
            let place = format!("`{key}` in {file}");
            match Self::of(place.clone(), settings.clone()).and_then(Self::expect_config) {
                Ok(config) => {
                    self.merge(config.checked()?)?;
                    added.push(place);
                }
                Err(err) => self.passed_over.push(format!("{err:#}")),
            }
        }
        Ok(added)
    }

    /// Adds what another config gives.
    fn merge(&mut self, other: Self) -> anyhow::Result<()> {
        if self.own.is_some() || self.exists() && other.own.is_some() {
            return Ok(());
        }
        for (key, value) in &other.keys {
            match self.value(key) {
                None => {
                    self.keys.insert(key.clone(), value.clone());
                }
                Some(own) if !is_same(own, value) && READ.contains(&key.as_str()) => {
                    return Err(usage(format!(
                        "{} and {} contradict each other: `{key}` is {} and {}. Give the right one \
                         with --config",
                        self.place(),
                        other.place(),
                        clipped(&own.to_string()),
                        clipped(&value.to_string()),
                    )));
                }
                Some(_) => {}
            }
        }
        self.places.extend(other.places);
        self.own = other.own;
        self.variant = self.variant.or(other.variant);
        self.task = self.task.take().or(other.task);
        self.data_names.extend(other.data_names);
        Ok(())
    }

    fn parse(path: &Path) -> anyhow::Result<Self> {
        let text = text::read(path, &[], N_BYTES_MAX)?;
        let place = path.display().to_string();
        if let Ok(own) = serde_json::from_str(&text) {
            return Ok(Self { places: vec![place], own: Some(own), ..Self::default() });
        }
        // Every JSON document is YAML.
        match serde_saphyr::from_str(&text) {
            Ok(read) => Self::of(place, read),
            Err(err) => Err(usage(format!("{place} is not a config: {}", in_words(&err)))),
        }
    }

    /// The config that these settings are.
    fn of(place: String, settings: Value) -> anyhow::Result<Self> {
        let wrong = |what: &dyn Display| usage(format!("{place} is not a config: {what}"));
        let Value::Object(outer) = settings else {
            return Err(wrong(&"expected keys and values"));
        };
        let outer: Map<String, Value> =
            outer.into_iter().map(|(key, value)| (key, unwrapped(value))).collect();
        let first_keys = outer.iter().take(8).map(|(key, value)| named(key, value)).collect();
        let places = vec![place.clone()];
        let outer = match innermost(outer, N_GROUPS_MAX) {
            Ok(outer) => outer,
            Err(several) => return Ok(Self { places, several, ..Self::default() }),
        };
        let mut keys = match outer.get("arch") {
            Some(Value::Object(arch)) => {
                let of_model = outer.iter().filter(|(key, _)| OF_MODEL.contains(&key.as_str()));
                arch.iter()
                    .chain(of_model)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            }
            Some(_) => return Err(wrong(&"`arch` must be a group of settings")),
            None => {
                let mut keys = outer.clone();
                keys.retain(|key, _| !OF_TRAINING.contains(&key.as_str()));
                keys
            }
        };
        let group = keys.clone();
        for value in keys.values_mut() {
            if let Some(found) = resolved(value, &group, &outer, N_REFERENCES_MAX) {
                *value = found;
            }
        }
        let data = ["data_path", "data_paths"].iter().filter_map(|key| outer.get(*key));
        let data = data.flat_map(|value| match value {
            Value::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        });
        let data_names = data.filter_map(|value| {
            let name = Path::new(value.as_str()?).file_name()?;
            Some(name.to_string_lossy().to_lowercase())
        });
        let data_names = data_names.collect();
        Ok(Self { places, keys, first_keys, data_names, ..Self::default() })
    }

    /// Refuses what says nothing about a model.
    fn expect_config(mut self) -> anyhow::Result<Self> {
        let is_config = MARKS.iter().any(|key| self.keys.contains_key(*key));
        if self.own.is_none() && !is_config && self.several.is_empty() {
            return Err(self.wrong(format!(
                "expected the config of a model (`arch`, `H_cycles`, `hidden_size` ...), found {}",
                match self.first_keys.as_slice() {
                    [] => "no settings".to_owned(),
                    keys => keys.join(", "),
                },
            )));
        }
        self.variant = self.group("variant")?;
        self.task = self.group("task")?;
        Ok(self)
    }

    /// Refuses what would change the model and is not followed.
    fn checked(self) -> anyhow::Result<Self> {
        if !self.several.is_empty() {
            return Err(self.wrong(format!(
                "several groups have settings of a model: {}. Give one of them as a file with --config",
                self.several.join(", ")
            )));
        }
        let is_known = |key: &str| READ.contains(&key) || WITHOUT_EFFECT.contains(&key);
        let unknown: Vec<_> =
            self.keys.keys().filter(|key| !is_known(key)).take(8).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(self.wrong(format!(
                "settings of the model that are not supported: {}. If they do not change what it \
                 computes, give a config without them with --config",
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

    /// Where it is, for messages.
    pub(super) fn place(&self) -> String {
        match self.places.as_slice() {
            [] => "the config".to_owned(),
            places => places.join(" and "),
        }
    }

    pub(super) fn exists(&self) -> bool {
        !self.places.is_empty()
    }

    /// The architecture that it names, and whether that is the Tiny Recursive Model.
    pub(super) fn architecture(&self) -> Option<(&str, bool)> {
        let name = self.value("name")?.as_str()?;
        Some((name, name.ends_with(TINY_RECURSIVE)))
    }

    /// An error about this config.
    pub(super) fn wrong(&self, what: impl Display) -> anyhow::Error {
        usage(format!("{}: {what}", self.place()))
    }

    /// An error about the sizes of a model, in the keys of this config.
    pub(super) fn in_keys(&self, err: &ConfigError) -> String {
        let message = err.to_string();
        if self.own.is_some() {
            return message;
        }
        KEYS.iter().fold(message, |message, (own, key)| message.replace(own, key))
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    fn group<T: serde::de::DeserializeOwned>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let read = serde_json::from_value(value.clone());
        read.map(Some).map_err(|err| self.wrong(format!("`{key}`: found {}", words::of_json(&err))))
    }

    /// A count.
    pub(super) fn count(&self, key: &str) -> anyhow::Result<Option<usize>> {
        let Some(number) = self.number(key, "a whole number")? else { return Ok(None) };
        // Some writers make every number a real number.
        let is_count = number.fract() == 0.0 && (0.0..1e15).contains(&number);
        match self.value(key) {
            Some(value) if !is_count => Err(self.unlike(key, "a whole number", value)),
            _ => Ok(Some(number as usize)),
        }
    }

    /// A real number.
    pub(super) fn real(&self, key: &str) -> anyhow::Result<Option<f64>> {
        self.number(key, "a number")
    }

    fn number(&self, key: &str, expected: &str) -> anyhow::Result<Option<f64>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let read = match value {
            // Some writers quote numbers, such as `1e-05`.
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_f64(),
        };
        read.map(Some).ok_or_else(|| self.unlike(key, expected, value))
    }

    pub(super) fn flag(&self, key: &str) -> anyhow::Result<Option<bool>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let read = match value {
            Value::String(text) => text.trim().to_lowercase().parse().ok(),
            value => value.as_bool(),
        };
        read.map(Some).ok_or_else(|| self.unlike(key, "true or false", value))
    }

    pub(super) fn positions(&self) -> anyhow::Result<Option<Positions>> {
        let Some(value) = self.value("pos_encodings") else { return Ok(None) };
        let read = serde_json::from_value(value.clone()).ok();
        let expected = "`rope`, `learned` or `none`";
        read.map(Some).ok_or_else(|| self.unlike("pos_encodings", expected, value))
    }

    fn unlike(&self, key: &str, expected: &str, value: &Value) -> anyhow::Error {
        let found = clipped(&value.to_string());
        if value.as_str().is_some_and(|text| text.starts_with("${")) {
            return self.wrong(format!(
                "`{key}` refers to a setting that is not in this file, {found}: write {expected} \
                 into a copy and give that with --config"
            ));
        }
        self.wrong(format!("`{key}`: expected {expected}, found {found}"))
    }
}

/// A key, and what is under it if that is an object of Python.
fn named(key: &str, value: &Value) -> String {
    match value.as_str().filter(|text| text.starts_with("an object of the class ")) {
        Some(object) => format!("{} ({})", clipped(key), clipped(object)),
        None => clipped(key),
    }
}

/// The settings among which those of a model are: `outer`, or those of the only group in it
/// that has them, with what `outer` says beside it of the model and its data.
///
/// # Errors
///
/// The keys of the groups that have them, if there are several.
fn innermost(outer: Map<String, Value>, n_left: usize) -> Result<Map<String, Value>, Vec<String>> {
    let is_marked = |group: &Map<String, Value>| MARKS.iter().any(|key| group.contains_key(*key));
    if is_marked(&outer) || n_left == 0 {
        return Ok(outer);
    }
    let mut found = Vec::new();
    for key in GROUPS {
        let Some(Value::Object(group)) = outer.get(key) else { continue };
        let group = innermost(group.clone(), n_left - 1)?;
        if is_marked(&group) {
            found.push((key, group));
        }
    }
    if found.len() > 1 {
        return Err(found.into_iter().map(|(key, _)| key.to_owned()).collect());
    }
    let Some((_, mut group)) = found.pop() else { return Ok(outer) };
    let is_beside = |key: &String| OF_MODEL.contains(&key.as_str()) || key.starts_with("data_path");
    for (key, value) in outer.into_iter().filter(|(key, _)| is_beside(key)) {
        group.entry(key).or_insert(value);
    }
    Ok(group)
}

/// A setting without what Weights & Biases writes around it.
fn unwrapped(value: Value) -> Value {
    match value {
        Value::Object(mut wrapped)
            if wrapped.contains_key("value")
                && wrapped.keys().all(|key| key == "value" || key == "desc") =>
        {
            wrapped.remove("value").unwrap_or_default()
        }
        value => value,
    }
}

/// What a value refers to: `${.key}` within its group, `${group.key}` within the file.
fn resolved(
    value: &Value,
    group: &Map<String, Value>,
    outer: &Map<String, Value>,
    n_left: usize,
) -> Option<Value> {
    let reference = value.as_str().and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
    let Some(reference) = reference else { return Some(value.clone()) };
    let (start, path) = match reference.strip_prefix('.') {
        Some(path) => (group, path),
        None => (outer, reference),
    };
    let mut keys = path.split('.');
    let first = start.get(keys.next()?)?;
    let found = keys.try_fold(first, |value, key| value.get(key))?;
    resolved(found, group, outer, n_left.checked_sub(1)?)
}

/// Whether two values of a setting mean the same.
fn is_same(one: &Value, other: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let number = |value: &Value| text(value).trim().parse::<f64>().ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => other.is_null() || text(one).eq_ignore_ascii_case(&text(other)),
    }
}

/// The message of an error of the YAML reader, without advice to programmers.
fn in_words(err: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as E;
    match err.without_snippet() {
        E::DuplicateMappingKey { key, location } => {
            let key =
                key.as_deref().map_or("a key".to_owned(), |key| format!("`{}`", clipped(key)));
            format!("{key} is there twice (line {})", location.line())
        }
        E::MultipleDocuments { location, .. } => format!(
            "expected one document, found several (`---` in line {}): give a file with one of \
             them",
            location.line()
        ),
        err => err.to_string().lines().next().unwrap_or_default().to_owned(),
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
