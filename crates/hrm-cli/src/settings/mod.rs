//! `hrm settings`: explains the settings of a run.

mod set;

use std::collections::BTreeMap;

use clap::Args;
use hrm_tasks::settings::{
    SET_BY_TASK, Setting, SettingGroup, SettingsError, explain, find_keys, nearest_keys,
};
use hrm_tasks::{PRESETS, TaskConfig, preset_source};
use serde_json::{Value, json};

pub(crate) use self::set::{apply, apply_to_run, apply_to_task, is_fit};
use crate::task_args::{default_preset, task_names};
use crate::term::result;

/// Task whose settings are listed if no other is named.
const DEFAULT_TASK: &str = "sudoku";

/// Largest number of settings that are explained in full.
const N_EXPLAINED_MAX: usize = 3;

#[derive(Args)]
pub(crate) struct Settings {
    /// A setting (train.optimiser.learning_rate), the end of its key (learning_rate), an
    /// abbreviation (lr), a group (train.optimiser), or a task. Default: list all.
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Show only the settings and presets of this task.
    #[arg(long, value_parser = task_names())]
    task: Option<String>,
    /// Print one line of JSON per setting.
    #[arg(long)]
    json: bool,
}

/// A setting in the tasks that have it.
struct Entry<'a> {
    group: &'a SettingGroup,
    /// The setting as its first task explains it.
    setting: &'a Setting,
    tasks: Vec<(&'a str, &'a Setting)>,
}

impl Settings {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { key, task, json } = self;
        let is_task = |key: &String| TaskConfig::NAMES.contains(&key.as_str());
        let (key, task) = match key {
            Some(name) if is_task(&name) && task.is_none() => (None, Some(name)),
            key => (key, task),
        };
        let tasks: Vec<&str> = match &task {
            Some(task) => vec![task],
            None => {
                let others = TaskConfig::NAMES.iter().filter(|task| **task != DEFAULT_TASK);
                [DEFAULT_TASK].into_iter().chain(others.copied()).collect()
            }
        };
        let explained = tasks
            .iter()
            .map(|task| Ok((*task, explain(task)?)))
            .collect::<Result<Vec<_>, hrm_tasks::PresetError>>()?;
        let entries = match &key {
            Some(key) => find(key, &explained)?,
            // Without a task, other tasks' own settings would be mixed with those of the first.
            None => merge(&explained).into_iter().filter(|e| e.tasks[0].0 == tasks[0]).collect(),
        };
        let text = if json {
            entries.iter().map(|entry| format!("{}\n", entry.to_json())).collect()
        } else if key.is_some() && entries.len() <= N_EXPLAINED_MAX {
            entries.iter().map(Entry::explanation).collect::<Vec<_>>().join("\n")
        } else {
            format!("{}{}", list(&entries, tasks[0]), footer(tasks[0]))
        };
        Ok(result(text)?)
    }
}

/// The settings that `key` names, in the tasks that have them.
fn find<'a>(
    key: &str,
    explained: &'a [(&'a str, Vec<SettingGroup>)],
) -> Result<Vec<Entry<'a>>, SettingsError> {
    let mut entries = merge(explained);
    let keys: Vec<String> = entries.iter().map(|entry| entry.setting.key.clone()).collect();
    let found = find_keys(key, &keys);
    if found.is_empty() {
        let (task, nearest) = (explained[0].0.to_owned(), nearest_keys(key, &keys));
        return Err(SettingsError::Unknown { key: key.to_owned(), task, nearest });
    }
    entries.retain(|entry| found.contains(&entry.setting.key));
    Ok(entries)
}

/// Every setting once, in the order of the preset files.
fn merge<'a>(explained: &'a [(&'a str, Vec<SettingGroup>)]) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for (task, groups) in explained {
        for group in groups {
            for setting in &group.settings {
                match entries.iter_mut().find(|entry| entry.setting.key == setting.key) {
                    Some(entry) => entry.tasks.push((task, setting)),
                    None => entries.push(Entry { group, setting, tasks: vec![(task, setting)] }),
                }
            }
        }
    }
    entries
}

/// The settings with their default values, by group; `of_task` is not named with its own.
fn list(entries: &[Entry<'_>], of_task: &str) -> String {
    let mut text = String::new();
    let mut group = "";
    for Entry { group: of, setting, tasks } in entries {
        if of.key != group {
            group = &of.key;
            text += &format!("[{group}] {}\n", of.meaning);
        }
        let default = &setting.values[0].value;
        let of = if tasks[0].0 == of_task { "" } else { tasks[0].0 };
        let line = format!("  {} = {default}  {of}", setting.key);
        text += &format!("{}\n      {}\n", line.trim_end(), setting.meaning);
    }
    text
}

fn footer(task: &str) -> String {
    format!(
        "\nValues are those of {task} with the preset {}. `hrm settings KEY` shows the other \
         presets and tasks,\n`hrm settings TASK` lists the settings of another task. Change one \
         with --set KEY=VALUE, or several\nwith --config FILE; `hrm train {task} --print-config` \
         prints such a file.\n",
        default_preset(false)
    )
}

impl Entry<'_> {
    /// What the setting means, its values, and how to change it.
    fn explanation(&self) -> String {
        let key = &self.setting.key;
        let mut text = format!("{key}\n  {}\n\n", self.setting.meaning);
        let mut reasons = String::new();
        for (idx, preset) in PRESETS.iter().enumerate() {
            let note = match (preset_source(preset), *preset) {
                (Some(source), _) => format!("  ({source})"),
                (None, preset) if preset == default_preset(false) => "  (default)".to_owned(),
                (None, preset) if preset == default_preset(true) => {
                    "  (default with --data)".to_owned()
                }
                _ => String::new(),
            };
            text += &format!("  {preset:<15} {}{note}\n", self.values(idx));
            for (reason, tasks) in self.by(|setting| setting.values[idx].reason.clone()) {
                if let Some(reason) = reason {
                    let of_all = tasks.len() == self.tasks.len();
                    let of = if of_all { String::new() } else { format!(", {}", tasks.join(", ")) };
                    reasons += &format!("  {preset}{of}: {reason}\n");
                }
            }
        }
        if !reasons.is_empty() {
            text += &format!("\n{reasons}");
        }
        for (meaning, tasks) in self.by(|setting| setting.meaning.clone()) {
            if meaning != self.setting.meaning {
                text += &format!("\n  For {}: {meaning}\n", tasks.join(", "));
            }
        }
        if let Some(flat_key) = &self.setting.flat_key {
            text += &format!("\n  Older key: {flat_key}\n");
        }
        text + "\n  " + &self.how_to_change() + "\n"
    }

    fn how_to_change(&self) -> String {
        let key = &self.setting.key;
        if key == "task.kind" {
            return "It is the TASK argument of a command.".to_owned();
        }
        if SET_BY_TASK.contains(&key.as_str()) {
            return "It follows from the task and its data, and cannot be set.".to_owned();
        }
        let values = &self.setting.values;
        let other = values.iter().find(|value| value.value != values[0].value);
        let value = match &other.unwrap_or(&values[0]).value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let pair = format!("{key}={value}");
        let needs_quotes = |c: char| !c.is_ascii_alphanumeric() && !"._=-".contains(c);
        let pair = if pair.contains(needs_quotes) { format!("'{pair}'") } else { pair };
        format!("Change it: --set {pair}")
    }

    /// The values in a preset; if tasks differ, with their names.
    fn values(&self, preset_idx: usize) -> String {
        let values = self.by(|setting| setting.values[preset_idx].value.to_string());
        match &values[..] {
            [(value, _)] => value.clone(),
            values => {
                let text = values.iter().map(|(value, of)| format!("{value} [{}]", of.join(" ")));
                text.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Each distinct property of the setting with the tasks that share it.
    fn by<T: PartialEq>(&self, property: impl Fn(&Setting) -> T) -> Vec<(T, Vec<&str>)> {
        let mut found: Vec<(T, Vec<&str>)> = Vec::new();
        for (task, setting) in &self.tasks {
            let property = property(setting);
            match found.iter_mut().find(|(known, _)| *known == property) {
                Some((_, tasks)) => tasks.push(task),
                None => found.push((property, vec![task])),
            }
        }
        found
    }

    fn to_json(&self) -> Value {
        let Setting { key, flat_key, meaning, .. } = self.setting;
        let values: BTreeMap<_, BTreeMap<_, _>> = self
            .tasks
            .iter()
            .map(|(task, setting)| {
                (task, setting.values.iter().map(|value| (value.preset, &value.value)).collect())
            })
            .collect();
        let reasons = self.tasks.iter().flat_map(|(task, setting)| {
            let with_reason = setting.values.iter().filter(|value| value.reason.is_some());
            with_reason.map(
                move |value| json!({"task": task, "preset": value.preset, "reason": value.reason}),
            )
        });
        let sources: BTreeMap<_, _> =
            PRESETS.iter().filter_map(|preset| Some((preset, preset_source(preset)?))).collect();
        json!({
            "key": key,
            "group": self.group.key,
            "older_key": flat_key,
            "meaning": meaning,
            "default": self.setting.values[0].value,
            "can_be_set": key != "task.kind" && !SET_BY_TASK.contains(&key.as_str()),
            "values": values,
            "reasons": reasons.collect::<Vec<_>>(),
            "sources": sources,
        })
    }
}
