//! Settings as users see them: explained, changed, read from files, and taken from
//! earlier runs.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Ran, hrm};
use serde_json::Value;

const TASKS: [&str; 5] = ["arc", "binairo", "grid", "maze", "sudoku"];

/// Settings that make a run take a second, as a file.
const SHORT: &str = "
[task]
kind = 'sudoku'
board = 4
n_train = 6
n_eval = 3
[model]
block = { hidden_dim = 16, n_heads = 2 }
puzzle_embedding.dim = 0
halting.n_segments_max = 2
[train]
steps = 3
batch_size = 4
";

fn ok(here: &Path, args: &[&str]) -> Ran {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran
}

/// Asserts that the program refuses `args` with exactly this message.
#[track_caller]
fn refused(here: &Path, args: &[&str], message: &str) {
    let ran = hrm(here, args);
    let found = (ran.code, ran.stderr.as_str());
    assert_eq!(found, (2, format!("error: {message}\n").as_str()), "{args:?}");
}

/// The settings that `train` would use.
fn printed(here: &Path, args: &[&str]) -> toml::Table {
    ok(here, &[&["train", "--print-config"], args].concat()).stdout.parse().unwrap()
}

fn keys(path: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
    for (name, value) in table {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            toml::Value::Table(table) => keys(&key, table, found),
            _ => _ = found.insert(key),
        }
    }
}

fn record(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn every_setting_of_every_task_is_listed() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    for task in TASKS {
        let mut wanted = BTreeSet::new();
        keys("", &printed(here, &[task]), &mut wanted);
        assert!(wanted.remove("preset"));
        let listed = ok(here, &["settings", task, "--json"]).stdout;
        let lines = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: BTreeSet<String> =
            lines.map(|line| line["key"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, wanted, "{task}");
        let text = ok(here, &["settings", "--task", task]).stdout;
        for key in wanted {
            assert!(text.contains(&format!("\n  {key} = ")), "{task}: {key} in\n{text}");
        }
    }
    assert!(ok(here, &["settings"]).stdout.contains("\n[train.schedule] How learning rates"));
}

#[test]
fn a_setting_is_explained_by_any_of_its_names() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let explained = |name: &str| ok(here, &["settings", name, "--task=sudoku"]).stdout;
    let weight_decay = explained("train.optimiser.weight_decay");
    assert_eq!(explained("train.weight_decay"), weight_decay);
    let learning_rate = explained("learning_rate");
    assert!(learning_rate.starts_with("train.optimiser.learning_rate\n  Learning rate after"));
    assert!(learning_rate.contains("\ntrain.puzzle_embedding.learning_rate\n"));
    assert!(explained("lr").starts_with("train.optimiser.learning_rate\n"));
    assert_eq!(
        explained("n_h_cycles"),
        "model.recurrence.n_h_cycles
  Slow updates per segment.

  tiny            2  (default)
  small           1  (default with --data)
  paper           2  (published HRM, arXiv 2506.21734)
  tiny-recursive  3  (published TRM, arXiv 2510.04871)

  Older key: model.n_h_cycles

  Change it: --set model.recurrence.n_h_cycles=1
"
    );
    let ran = ok(here, &["settings", "rope_base"]).stdout;
    assert!(ran.contains("\n  small: Suits about a hundred positions"), "{ran}");
    let ran = ok(here, &["settings", "n_segments_max"]).stdout;
    assert!(ran.contains("small, maze: Fewer segments per maze"), "{ran}");
    assert!(ok(here, &["settings", "canvas"]).stdout.contains("30"), "a setting of ARC");
    assert!(ok(here, &["settings", "train.loss"]).stdout.contains("train.loss.cells\n"));
    assert!(explained("vocab_size").contains("cannot be set"));

    let line = ok(here, &["settings", "train.steps", "--json", "--task=maze"]).stdout;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["meaning"], "Optimiser steps.");
    assert!(line["values"]["maze"]["paper"].is_u64(), "{line}");
}

#[test]
fn a_wrong_key_leads_to_the_right_one() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let meant = "did you mean `model.block.hidden_dim`? `hrm settings sudoku` lists all";
    let message = |key: &str| format!("no setting `{key}`; {meant}");
    refused(here, &["settings", "hiden_dim"], &message("hiden_dim"));
    let set = "--set=model.hidden=9";
    refused(here, &["train", "sudoku", set], &message("model.hidden"));
    refused(here, &["data", "show", "sudoku", set], &message("model.hidden"));
    fs::write(here.join("my.toml"), "# mine\n[model]\nhidden = 9\n").unwrap();
    let want = format!("my.toml:3: {}", message("model.hidden"));
    refused(here, &["train", "sudoku", "--config=my.toml"], &want);
    let want = "no setting `xyzzy`; `hrm settings maze` lists all";
    refused(here, &["settings", "xyzzy", "--task=maze"], want);
}

#[test]
fn a_file_needs_only_what_differs() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    fs::write(here.join("my.toml"), "preset = 'small'\ntask.kind = 'maze'\ntrain.steps = 7\n")
        .unwrap();
    let same = |args: &[&str], others: &[&str]| {
        let (mut found, mut wanted) = (printed(here, args), printed(here, others));
        found.remove("preset");
        wanted.remove("preset");
        assert_eq!(found, wanted, "{args:?}");
    };
    let (file, steps) = ("--config=my.toml", "--set=train.steps=7");
    same(&[file], &["maze", "--preset=small", steps]);
    same(&["maze", file], &["maze", "--preset=small", steps]);
    same(&[file, "--preset=paper"], &["maze", "--preset=paper", steps]);
    let warmup = "--set=train.schedule.warmup_steps=3";
    same(&[file, warmup], &["maze", "--preset=small", steps, warmup]);
    refused(here, &["train", "arc", file], "my.toml is for maze, not arc");

    let json = r#"{"train": {"steps": 7}}"#;
    fs::write(here.join("my.json"), json).unwrap();
    same(&["sudoku", "--config=my.json"], &["sudoku", steps]);
    refused(
        here,
        &["train", "--config=my.json"],
        "my.json names no task: add `kind` to its section `task`, or name the task, as in `hrm \
         train sudoku --config my.json`",
    );

    // The example of the README.
    let readme = include_str!("../../../README.md");
    let (_, example) = readme.split_once("```toml\n").unwrap();
    fs::write(here.join("readme.toml"), example.split_once("```").unwrap().0).unwrap();
    let sets = ["task.augmentations=100", "train.steps=5000", "train.learning_rate=1e-3"];
    let sets = sets.map(|pair| format!("--set={pair}"));
    let sets = [&["sudoku", "--preset=small"][..], &sets.each_ref().map(String::as_str)].concat();
    same(&["--config=readme.toml"], &sets);

    // What is printed can be read again, also after lines were deleted.
    for (task, preset) in [("sudoku", "tiny"), ("arc", "small"), ("grid", "paper")] {
        let text = ok(here, &["train", task, "--preset", preset, "--print-config"]).stdout;
        fs::write(here.join("all.toml"), &text).unwrap();
        same(&["--config=all.toml"], &[task, "--preset", preset]);
        let start = text.find("# The training run.").unwrap();
        fs::write(here.join("part.toml"), &text[..start]).unwrap();
        same(&["--config=part.toml"], &[task, "--preset", preset]);
    }
}

#[test]
fn a_run_is_repeated_with_changes() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    fs::write(here.join("short.toml"), SHORT).unwrap();
    ok(here, &["train", "--config=short.toml", "--seed=5", "--dtype=f32", "--out=first"]);
    let first = record(&here.join("first"));
    assert_eq!(first["config"]["train"]["steps"], 3);
    assert_eq!(first["config"]["model"]["puzzle_embedding"]["n_positions"], 0);

    // Without changes, everything is the same.
    for (from, out) in [("first", "same-1"), ("first/run.json", "same-2")] {
        ok(here, &["train", "--from", from, "--out", out]);
        assert_eq!(record(&here.join(out)), first);
        let weights = |run: &str| {
            fs::read(here.join(run).join("checkpoints/step-000003/model.safetensors")).unwrap()
        };
        assert!(weights(out) == weights("first"), "{out}");
    }

    let mut wanted = first.clone();
    wanted["config"]["train"]["steps"] = 2.into();
    wanted["config"]["train"]["optimiser"]["ema"] = 0.5.into();
    wanted["seed"] = 6.into();
    let changes = ["--steps=2", "--seed=6", "--set=train.ema=0.5"];
    ok(here, &[&["train", "--from=first", "--out=changed"], &changes[..]].concat());
    assert_eq!(record(&here.join("changed")), wanted);

    // Other data; a time limit, and a number of steps again.
    let generate = ["data", "generate", "sudoku", "--set=task.board=6", "-n=20"];
    ok(here, &[&generate[..], &["--out=six.csv"]].concat());
    let changes = ["--data=six.csv", "--minutes=0.001", "--out=six"];
    ok(here, &[&["train", "--from=first"], &changes[..]].concat());
    let six = record(&here.join("six"));
    assert_eq!((&six["config"]["task"]["board"], &six["minutes"]), (&6.into(), &0.001.into()));
    assert_eq!(six["data_sha256"].as_object().unwrap().len(), 1);
    ok(here, &["train", "--from=six", "--set=train.steps=1", "--out=again"]);
    let again = record(&here.join("again"));
    assert_eq!((&again["config"]["train"]["steps"], &again["minutes"]), (&1.into(), &Value::Null));

    // The settings alone are a file of settings.
    fs::write(here.join("config.json"), first["config"].to_string()).unwrap();
    ok(here, &["train", "--config=config.json", "--seed=5", "--dtype=f32", "--out=config"]);
    assert_eq!(record(&here.join("config")), first);
    let want = "config.json holds settings, not the record of a run: use --config config.json";
    refused(here, &["train", "--from=config.json"], want);
    refused(
        here,
        &["train", "--config=first/run.json"],
        "first/run.json records a run: repeat the run with `hrm train --from first/run.json`, or \
         keep only its `config`",
    );
    fs::create_dir(here.join("empty")).unwrap();
    refused(here, &["train", "--from=empty"], "empty is not a run: it has no run.json");
    let fit = "--set fit.batch_size_min=1: `fit` says how a preset adapts to data, and this run \
               has adapted";
    refused(here, &["train", "--from=first", "--set=fit.batch_size_min=1"], fit);
}
