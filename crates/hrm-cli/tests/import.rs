//! `hrm import` and `hrm export`: the config beside weights, the names of puzzle embeddings,
//! folders, and models that come back as they were.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use common::hrm;
use serde_json::Value;

/// Trains a small model for two steps.
fn train(here: &Path, kind: &str, out: &str, set: &[&str]) {
    let out = format!("--out={out}");
    let mut args = vec![
        "train",
        kind,
        "--preset=tiny",
        "--steps=2",
        "--set=task.n_train=4",
        "--set=task.n_eval=2",
        "--set=model.hidden_dim=16",
        "--set=model.puzzle_dim=16",
        "--set=model.n_heads=2",
        "--set=train.batch_size=2",
        &out,
    ];
    args.extend(set);
    if kind == "arc" {
        args.retain(|arg| !arg.starts_with("--set=task.n_"));
        args.extend(["--set=task.augmentations=1", "--set=train.eval_interval=0"]);
    }
    let ran = hrm(here, &args);
    assert_eq!(ran.code, 0, "{kind}: {}", ran.stderr);
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs `hrm import`, which has to succeed, and returns its notes.
fn imported(here: &Path, args: &[&str]) -> String {
    let ran = hrm(here, &[&["import"], args].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    assert!(ran.stdout.contains(" written to "), "{}", ran.stdout);
    ran.stderr
}

fn refused(here: &Path, args: &[&str], why: &str) {
    let ran = hrm(here, &[&["import"], args, &["--out=refused"]].concat());
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    assert!(ran.stderr.contains(why), "{args:?}: expected {why:?} in {}", ran.stderr);
    assert!(!here.join("refused").exists());
}

#[test]
fn an_exported_model_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (run, kind, set) in [
        ("a", "sudoku", &["--set=model.halting=fixed", "--set=model.rope_base=123.5"][..]),
        ("b", "maze", &["--set=model.modules=shared", "--set=model.n_h_layers=3"]),
        ("c", "arc", &["--set=model.positions=learned", "--set=model.norm_eps=1e-7"]),
        ("d", "binairo", &["--set=model.modules=flat", "--set=model.damping=0.05"]),
        ("e", "sudoku", &["--set=model.gradient_span=3-updates", "--set=model.starts=random"]),
        ("f", "sudoku", &["--set=model.mixer=mlp", "--set=model.n_prefix=3"]),
    ] {
        train(here, kind, run, set);
        let file = format!("{run}.safetensors");
        let exported = hrm(here, &["export", run, "--out", &file]);
        assert_eq!(exported.code, 0, "{}", exported.stderr);
        let back = format!("back-{run}");
        let notes = imported(here, &[&file, "--out", &back]);
        assert!(!notes.contains("default"), "{run}: {notes}");
        let (before, after) = (here.join(run).join("checkpoints/step-000002"), here.join(&back));
        for name in ["config.json", "identifiers.json", "tokenizer.json"] {
            assert_eq!(json(&after.join(name)), json(&before.join(name)), "{run}: {name}");
        }
        let task = |folder: &Path| json(&folder.join("task.json"))["task"].clone();
        assert_eq!(task(&after), task(&before), "{run}");
        let weights = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
        assert!(weights(&after) == weights(&before), "{run}: bit for bit");
        // A file is never replaced.
        fs::remove_file(here.join(&file)).unwrap();
        let again = hrm(here, &["export", run, "--out", &file]);
        assert_eq!(again.code, 2, "{}", again.stderr);
        assert!(again.stderr.contains("config.yaml already exists"), "{}", again.stderr);
    }
}

#[test]
fn the_config_beside_weights_is_followed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let attention = ["--set=model.mixer=attention", "--set=model.positions=rope"];
    train(here, "sudoku", "run", &[&["--set=model.modules=shared"][..], &attention].concat());
    assert_eq!(hrm(here, &["export", "run", "--out=snapshot.safetensors"]).code, 0);
    fs::create_dir(here.join("hub")).unwrap();
    fs::rename(here.join("snapshot.safetensors"), here.join("hub/step_10")).unwrap();
    fs::copy(here.join("hub/step_10"), here.join("hub/step_9")).unwrap();
    let write = |arch: &str| {
        let base = "num_heads: 2, H_cycles: 2, L_cycles: 3, halt_max_steps: 4, puzzle_emb_len: 1";
        let text = format!("arch: {{{base}{arch}}}\nepochs: 3\nseq_len: 16\n");
        fs::write(here.join("hub/all_config.yaml"), text).unwrap();
    };
    let config = |out: &str| json(&here.join(out).join("config.json"));

    write("");
    let notes = imported(here, &["hub", "--out=halt-only", "--task=sudoku"]);
    assert!(notes.contains("Read: hub/step_10."), "{notes}");
    let defaults = "Using defaults, as hub/all_config.yaml does not set them: pos_encodings \
                    rope, halt_exploration_prob 0.1, rope_theta 10000, rms_norm_eps 0.00001, \
                    no_ACT_continue true.";
    assert!(notes.contains(defaults), "{notes}");
    assert_eq!(config("halt-only")["halting"]["rule"], "halt-only");
    write(", no_ACT_continue: false, rope_theta: 1e2, H_layers: 0, hidden_size: 16");
    imported(here, &["hub/step_9", "--out=q", "--task=sudoku"]);
    assert_eq!(config("q")["halting"]["rule"], "q-learning");
    assert_eq!(config("q")["block"]["rope_base"], 100.0);
    assert_eq!(config("q")["recurrence"]["n_l_cycles"], 3);

    for (arch, why) in [
        (", hidden_size: 32", "`hidden_size` is 32, but 16 in the weights of hub"),
        (", L_layers: 7", "`L_layers` is 7, but 1 in the weights"),
        (", mlp_t: true", "`mlp_t` is true, but false in the weights"),
        (", pos_encodings: learned", "`pos_encodings` is learned, but"),
        (", pos_encodings: alibi", "expected `rope`, `learned` or `none`, found \"alibi\""),
        (", puzzle_emb_ndim: 8", "`puzzle_emb_ndim` is 8, but 16 in the weights"),
        (", gated: true, n_experts: 2", "not supported: gated, n_experts"),
        (", causal: true", "`causal`"),
        (", name: a.b@OtherModel", "expected the architecture"),
        (", rope_theta: fast", "`rope_theta`: expected a number, found \"fast\""),
        (", expansion: 40", "has shape"),
    ] {
        write(arch);
        refused(here, &["hub", "--task=sudoku"], why);
    }
}

/// A model of 4 by 4 Sudokus as the published code saves it: `hub/step_1` without a config.
fn published(here: &Path, set: &[&str]) {
    train(here, "sudoku", "run", set);
    assert_eq!(hrm(here, &["export", "run", "--out=w.safetensors"]).code, 0);
    fs::create_dir(here.join("hub")).unwrap();
    fs::rename(here.join("w.safetensors"), here.join("hub/step_1")).unwrap();
    fs::rename(here.join("w.config.yaml"), here.join("exported.yaml")).unwrap();
    fs::remove_file(here.join("w.identifiers.json")).unwrap();
}

#[test]
fn weights_decide_if_their_data_set_is_named_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    train(here, "arc", "run", &[]);
    fs::create_dir(here.join("hub")).unwrap();
    assert_eq!(hrm(here, &["export", "run", "--out=hub/w.safetensors"]).code, 0);
    fs::remove_file(here.join("hub/w.config.yaml")).unwrap();
    let config = "arch: {num_heads: 2}\ndata_path: data/sudoku-extreme-1k\n";
    fs::write(here.join("hub/all_config.yaml"), config).unwrap();
    let notes = imported(here, &["hub", "--out=back"]);
    let why = "task arc (the only one with a vocabulary of 12 symbols, though the data set is \
               sudoku-extreme-1k)";
    assert!(notes.contains(why), "{notes}");
}

#[test]
fn the_kind_of_puzzle_is_never_guessed_silently() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    published(here, &["--set=model.positions=rope"]);
    let write = |rest: &str| {
        let text = format!("arch: {{num_heads: 2, hidden_size: 16}}\n{rest}\n");
        fs::write(here.join("hub/all_config.yaml"), text).unwrap();
    };
    let task = |out: &str| json(&here.join(out).join("task.json"))["task"].clone();

    // The same vocabulary as mazes.
    refused(
        here,
        &["hub"],
        "hub: several kinds of puzzle have a vocabulary of 6 symbols: maze (900 cells), sudoku (16 \
         cells). Name one with --task",
    );
    write("data_path: data/sudoku-4x4-1k");
    let notes = imported(here, &["hub", "--out=by-data"]);
    assert!(notes.contains("does not set them: seq_len 16, "), "{notes}");
    assert_eq!(
        (task("by-data")["kind"].as_str(), task("by-data")["board"].as_u64()),
        (Some("sudoku"), Some(4))
    );
    let evaluated = hrm(here, &["eval", "by-data", "--set=task.n_eval=2"]);
    assert_eq!(evaluated.code, 0, "{}", evaluated.stderr);
    let want = "by-data names no data, and --data is not given: evaluating 2 built-in puzzles of \
                sudoku.\n";
    assert!(evaluated.stderr.contains(want), "{}", evaluated.stderr);
    assert!(!hrm(here, &["eval", "run"]).stderr.contains("built-in"));
    write("data_paths: [data/arc-aug-1000]");
    refused(here, &["hub"], "symbols: maze (900 cells), sudoku (16 cells). Name one");
    write("seq_len: 16");
    refused(here, &["hub"], "symbols: maze (16 cells), sudoku (16 cells). Name one");
    refused(
        here,
        &["hub", "--task=arc"],
        "hub: the weights have a vocabulary of 6 symbols, but arc with 16 cells has 12: name another",
    );
    refused(here, &["hub", "--task=sudoku", "--cells=36"], "sudoku with 36 cells has 8");

    // Grids of any characters.
    let grid = ["hub", "--task=grid", "--set=task.rows=4", "--set=task.columns=4"];
    refused(here, &grid, "for grids of 4 characters, give --task grid with --set task.alphabet=");
    let set = [&grid[..], &["--set=task.alphabet=1234", "--out=by-set"]].concat();
    imported(here, &set);
    assert_eq!(task("by-set")["alphabet"], "1234");
    fs::write(
        here.join("grids.csv"),
        "question,answer\n\"1212\n3434\n2121\n4343\",\"1212\n3434\n2121\n4343\"\n",
    )
    .unwrap();
    imported(here, &["hub", "--task=grid", "--data=grids.csv", "--out=by-file"]);
    assert_eq!(task("by-file")["rows"], 4);
    refused(here, &["hub", "--task=sudoku", "--data=nowhere"], "cannot read nowhere");

    // The config of the folder that `hrm` writes, which says the number of cells.
    fs::remove_file(here.join("hub/all_config.yaml")).unwrap();
    fs::copy(here.join("run/checkpoints/step-000002/config.json"), here.join("hub/config.json"))
        .unwrap();
    refused(
        here,
        &["hub", "--task=maze", "--cells=64"],
        "hub/config.json: the model is for puzzles of 16 cells, not of 64",
    );
    let notes = imported(here, &["hub", "--task=sudoku", "--out=own"]);
    assert!(!notes.contains("default"), "{notes}");
}

#[test]
fn settings_that_contradict_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    published(here, &["--set=model.positions=rope"]);
    let write = |rest: &str| {
        let text = format!("arch: {{num_heads: 2, hidden_size: 16}}\n{rest}\n");
        fs::write(here.join("hub/all_config.yaml"), text).unwrap();
    };
    write("seq_len: 16\ndata_path: data/sudoku-4x4-1k");
    let advice = "by --cells, --data or the config beside them: leave out the one that is wrong";
    let board = "hub: with --set task.board=9, puzzles of sudoku have 81 cells, and those of the \
                 weights 16, ";
    refused(here, &["hub", "--set=task.board=9"], &format!("{board}{advice}"));
    refused(here, &["hub", "--task=sudoku", "--set=task.board=9"], board);
    let shape = ["hub", "--task=maze", "--set=task.side=2", "--set=task.width=6"];
    refused(
        here,
        &shape,
        "with --set task.side=2 --set task.width=6, puzzles of maze have 12 cells",
    );
    imported(
        here,
        &["hub", "--task=maze", "--set=task.side=2", "--set=task.width=8", "--out=flat"],
    );
    let task = json(&here.join("flat/task.json"))["task"].clone();
    assert_eq!((&task["side"], &task["width"]), (&2.into(), &8.into()));
    imported(here, &["hub", "--set=task.board=4", "--set=task.n_eval=3", "--out=same"]);
    assert_eq!(json(&here.join("same/task.json"))["task"]["n_eval"], 3);

    for (set, want) in [
        ("model.block.n_heads=2", "--set accepts only task settings here (`task.KEY=VALUE`)"),
        ("task.nosuch=3", "--set task.nosuch=3: no kind of puzzle has this setting"),
        ("task.kind=maze", "`task.kind` is determined by the task and cannot be set"),
        ("task.board=wide", "--set task.board=wide: invalid type"),
        ("task.board", "--set needs key=value, found `task.board`"),
    ] {
        refused(here, &["hub", "--set", set], want);
    }
    refused(here, &["hub", "--task=sudoku", "--set=task.nosuch=3"], "no setting `task.nosuch`");
}

#[test]
fn what_hrm_has_written_needs_no_import() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    train(here, "sudoku", "run", &[]);
    let step = "run/checkpoints/step-000002";
    for (path, why) in [
        ("run", "run is a run of hrm, which needs no import: use it as it is, e.g. `hrm eval run`"),
        ("run/checkpoints", "run/checkpoints belongs to a run of hrm"),
        (step, "use it as it is, e.g. `hrm eval run/checkpoints/step-000002`"),
        (&format!("{step}/model.safetensors"), "belongs to a checkpoint of hrm"),
    ] {
        refused(here, &[path], why);
    }
}

const DATA: &str = "data_path: data/sudoku-4x4\n";

#[test]
fn configs_contradict_neither_the_weights_nor_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let shared =
        ["--set=model.modules=shared", "--set=model.mixer=attention", "--set=model.positions=rope"];
    published(here, &shared);
    let write = |name: &str, arch: &str| {
        let text = format!("arch: {{num_heads: 2, puzzle_emb_len: 1{arch}}}\nseq_len: 16\n{DATA}");
        fs::create_dir_all(here.join("hub/.hydra")).unwrap();
        fs::write(here.join("hub").join(name), text).unwrap();
    };
    let config = |out: &str| json(&here.join(out).join("config.json"));

    // Weights that have lost a module.
    let name = ", name: a.hrm_act_v1@HierarchicalReasoningModel_ACTV1";
    write("all_config.yaml", name);
    refused(here, &["hub"], "but the weights in hub have no `inner.H_level`");
    write("all_config.yaml", ", H_layers: 1");
    refused(here, &["hub"], "`H_layers` is 1, but 0 in the weights of hub");

    // Two configs.
    write("all_config.yaml", ", H_cycles: 3");
    write("config.yaml", ", H_cycles: 3.0, L_cycles: '5'");
    let notes = imported(here, &["hub", "--out=two"]);
    assert!(notes.contains("hub/all_config.yaml and hub/config.yaml do not set"), "{notes}");
    assert_eq!(config("two")["recurrence"]["n_h_cycles"], 3);
    assert_eq!(config("two")["recurrence"]["n_l_cycles"], 5);
    write("config.yaml", ", H_cycles: 4");
    refused(
        here,
        &["hub"],
        "hub/all_config.yaml and hub/config.yaml contradict each other: `H_cycles` is 3 and 4",
    );
    imported(here, &["hub", "--config=hub/config.yaml", "--out=named"]);

    // Files of the same name that are something else.
    fs::write(here.join("hub/config.yaml"), "task: foo\nvariant: small\n").unwrap();
    fs::write(here.join("hub/config.json"), "[1]").unwrap();
    let notes = imported(here, &["hub", "--out=others"]);
    assert!(notes.contains("Not read: hub/config.json is not a config: expected keys"), "{notes}");
    assert!(notes.contains("hub/config.yaml: expected the config of a model"), "{notes}");
    assert!(notes.contains("found task, variant."), "{notes}");
    for name in ["config.yaml", "config.json"] {
        fs::remove_file(here.join("hub").join(name)).unwrap();
    }

    // References, quoted values, other writers, other encodings.
    write("all_config.yaml", ", L_cycles: '${.H_cycles}', H_cycles: '${seq_len}', mlp_t: 'False'");
    imported(here, &["hub", "--out=references"]);
    assert_eq!(config("references")["recurrence"]["n_l_cycles"], 16);
    write("all_config.yaml", ", H_cycles: '${oc.env:CYCLES,2}'");
    refused(
        here,
        &["hub"],
        "`H_cycles` refers to a setting that is not in this file, \"${oc.env:CYCLES,2}\"",
    );
    let text = "arch:\n  value: {H_cycles: 6, num_heads: 2}\nseq_len: {desc: null, value: 16}\n";
    let text = format!("{text}{DATA}");
    let utf_16: Vec<u8> =
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(here.join("hub/all_config.yaml"), utf_16).unwrap();
    imported(here, &["hub", "--out=wrapped"]);
    assert_eq!(config("wrapped")["recurrence"]["n_h_cycles"], 6);
    for (text, why) in [
        ("lr: 1\nlr: 2\n", "is not a config: `lr` is there twice (line 2)"),
        ("a: 1\n---\na: 2\n", "is not a config: expected one document, found several"),
    ] {
        fs::write(here.join("hub/all_config.yaml"), text).unwrap();
        refused(here, &["hub"], why);
    }

    // A config in the folder above.
    fs::write(here.join("hub/all_config.yaml"), &text).unwrap();
    fs::create_dir(here.join("hub/checkpoints")).unwrap();
    fs::rename(here.join("hub/step_1"), here.join("hub/checkpoints/step_1")).unwrap();
    let notes = imported(here, &["hub/checkpoints/step_1", "--out=above"]);
    assert!(notes.contains("Config: ") && notes.contains("hub/all_config.yaml."), "{notes}");
    assert_eq!(config("above")["recurrence"]["n_h_cycles"], 6);
}

#[test]
fn puzzle_embeddings_keep_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    train(here, "arc", "run", &[]);
    assert_eq!(hrm(here, &["export", "run", "--out=m.safetensors"]).code, 0);
    let names = json(&here.join("m.identifiers.json"));
    let of = |out: &str| json(&here.join(out).join("identifiers.json"));

    fs::create_dir(here.join("data")).unwrap();
    fs::rename(here.join("m.identifiers.json"), here.join("data/identifiers.json")).unwrap();
    let notes = imported(here, &["m.safetensors", "--out=without"]);
    assert!(notes.contains("they are called puzzle-1 and so on"), "{notes}");
    assert_eq!(of("without")[1], "puzzle-1");
    imported(here, &["m.safetensors", "--out=data-named", "--data=data"]);
    assert_eq!(of("data-named"), names);
    imported(here, &["m.safetensors", "--out=named", "--identifiers=data/identifiers.json"]);
    assert_eq!(of("named"), names);
    fs::copy(here.join("data/identifiers.json"), here.join("identifiers.json")).unwrap();
    let notes = imported(here, &["m.safetensors", "--out=beside"]);
    assert!(notes.contains("Names of the puzzle embeddings: identifiers.json."), "{notes}");
    assert_eq!(of("beside"), names);

    // A kind that is guessed is said.
    fs::copy(here.join("m.safetensors"), here.join("bare.safetensors")).unwrap();
    let config = json(&here.join("run/checkpoints/step-000002/config.json"));
    let cells = format!("--cells={}", config["input"]["n_cells"]);
    let notes = imported(here, &["bare.safetensors", "--out=bare", &cells]);
    let why = "there is no config beside the weights: task arc (the only one with a vocabulary of 12 \
               symbols), ";
    assert!(notes.contains(why), "{notes}");

    let text = format!("\u{feff}{names}");
    fs::write(here.join("identifiers.json"), text).unwrap();
    imported(here, &["m.safetensors", "--out=marked"]);
    assert_eq!(of("marked"), names);

    fs::write(here.join("identifiers.json"), "[\"<blank>\"]").unwrap();
    refused(here, &["m.safetensors"], "identifiers.json: expected one name for each of the ");
    fs::write(here.join("identifiers.json"), "{}").unwrap();
    refused(
        here,
        &["m.safetensors"],
        "identifiers.json: expected a list of names, found an object",
    );
    // The number of each name, and the name of each number.
    let by_name: serde_json::Map<_, _> = names
        .as_array()
        .unwrap()
        .iter()
        .zip(0..)
        .map(|(name, n)| (name.as_str().unwrap().to_owned(), Value::from(n)))
        .collect();
    let by_number: serde_json::Map<_, _> =
        by_name.iter().map(|(name, n)| (n.to_string(), name.as_str().into())).collect();
    for (out, numbered) in [("by-name", by_name), ("by-number", by_number)] {
        fs::write(here.join("identifiers.json"), Value::from(numbered).to_string()).unwrap();
        imported(here, &["m.safetensors", &format!("--out={out}")]);
        assert_eq!(of(out), names, "{out}");
    }
    refused(here, &["m.safetensors", "--data=none"], "cannot read none: ");
    fs::create_dir(here.join("empty")).unwrap();
    refused(here, &["m.safetensors", "--data=empty"], "empty");
}

#[cfg(unix)]
#[test]
fn what_should_be_beside_weights_and_is_not_there_is_never_taken_by_default() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    published(here, &["--set=model.positions=rope"]);
    let config = here.join("hub/all_config.yaml");
    symlink("../blobs/1234", &config).unwrap();
    let missing = "hub/all_config.yaml is a link to a file that is not here: download that, or move \
                   it away and name what to use with --config or --identifiers";
    refused(here, &["hub", "--task=sudoku"], missing);
    refused(here, &["hub/step_1", "--task=sudoku"], missing);
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    refused(here, &["hub", "--task=sudoku"], "hub/all_config.yaml is not a file: replace it");
    // The one that is named is enough.
    imported(here, &["hub", "--task=sudoku", "--config=exported.yaml", "--out=named"]);
    fs::remove_dir(&config).unwrap();
    symlink("../blobs/1234", here.join("hub/identifiers.json")).unwrap();
    refused(
        here,
        &["hub", "--task=sudoku"],
        "hub/identifiers.json is a link to a file that is not",
    );
}

#[test]
fn sizes_that_do_not_fit_are_told_in_the_keys_of_the_config() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    published(here, &["--set=model.mixer=attention", "--set=model.positions=learned"]);
    let write = |arch: &str| {
        let text = format!("arch: {{num_heads: 2{arch}}}\nseq_len: 16\n{DATA}");
        fs::write(here.join("hub/all_config.yaml"), text).unwrap();
    };
    write(", halt_max_steps: 0");
    let place = "hub, with hub/all_config.yaml: ";
    refused(here, &["hub"], &format!("{place}`halt_max_steps` must be at least 1, found 0"));
    write(", rms_norm_eps: 2");
    refused(here, &["hub"], &format!("{place}`rms_norm_eps` must be in 0..=1, found 2"));
    fs::write(here.join("hub/all_config.yaml"), format!("arch: {{num_heads: 5}}\n{DATA}")).unwrap();
    let what = "`hidden_size` must be a multiple of `num_heads`, found 16 and 5";
    refused(here, &["hub"], &format!("{place}{what}"));

    // HRM has as many positions of its puzzle embedding as its channels need.
    let hrm = ", name: a.hrm_act_v1@HierarchicalReasoningModel_ACTV1, puzzle_emb_ndim: 16";
    write(hrm);
    imported(here, &["hub", "--out=hrm"]);
    write(&format!("{hrm}, puzzle_emb_len: 3"));
    refused(here, &["hub"], "`puzzle_emb_len` is 3, but 1 in the weights of hub (HRM has as many");
    let file = here.join("hub/all_config.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(", puzzle_emb_len: 3", "").replace("16\n", "4\n")).unwrap();
    let what = "`inner.embed_pos.embedding_weight` is for 17 positions, but 4 cells (`seq_len`, or \
                --cells) and 1 of the puzzle embedding (`puzzle_emb_len`) are 5";
    refused(here, &["hub", "--cells=4", "--task=maze"], what);
}

/// A table of rotary position embeddings as torch computes it.
fn rotary(n_positions: usize, head_dim: usize, base: f64) -> Tensor {
    let angle = |position: usize, channel: usize| {
        let channel = (channel % (head_dim / 2)) as f64;
        position as f64 * base.powf(-2.0 * channel / head_dim as f64)
    };
    let cosines = (0..n_positions * head_dim).map(|at| angle(at / head_dim, at % head_dim).cos());
    let cosines: Vec<f32> = cosines.map(|cosine| cosine as f32).collect();
    Tensor::from_vec(cosines, (n_positions, head_dim), &Device::Cpu).unwrap()
}

#[test]
fn a_saved_table_of_rotary_embeddings_says_what_no_config_does() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    published(here, &["--set=model.mixer=attention", "--set=model.positions=rope"]);
    let path = here.join("hub/step_1");
    let save_as = |name: &str, table: Tensor| {
        let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        tensors.retain(|name, _| !name.contains("rotary_emb"));
        tensors.insert(format!("inner.rotary_emb.{name}"), table);
        candle_core::safetensors::save(&tensors, &path).unwrap();
    };
    let save = |table: Tensor| save_as("cos_cached", table);
    let config = |out: &str| json(&here.join(out).join("config.json"));
    // One position of the puzzle embedding and 16 cells.
    save(rotary(17, 4, 500.0));
    let notes = imported(here, &["hub", "--task=sudoku", "--out=alone"]);
    for key in ["num_heads", "seq_len", "rope_theta", "pos_encodings"] {
        assert!(!notes.contains(key), "{key}: {notes}");
    }
    assert_eq!(config("alone")["block"]["n_heads"], 4);
    assert_eq!(config("alone")["block"]["rope_base"], 500.0);
    assert_eq!(config("alone")["input"]["n_cells"], 16);

    let write = |arch: &str| {
        let text = format!("arch: {{H_cycles: 2{arch}}}\nseq_len: 16\n{DATA}");
        fs::write(here.join("hub/all_config.yaml"), text).unwrap();
    };
    write(", num_heads: 4, rope_theta: 500, pos_encodings: rope");
    imported(here, &["hub", "--out=agrees"]);
    for (arch, why) in [
        (", num_heads: 2", "`num_heads` is 2, but 4 in the weights of hub"),
        (", rope_theta: 10000", "`rope_theta` is 10000, but 500 in the weights of hub"),
        (", pos_encodings: learned", "`pos_encodings` is not rope, but the weights in hub"),
    ] {
        write(arch);
        refused(here, &["hub"], why);
    }
    write("");
    refused(here, &["hub", "--cells=36"], "`rotary_emb.cos_cached` is for 17 positions, but");
    save(rotary(17, 4, 10000.0));
    imported(here, &["hub", "--out=default"]);
    assert_eq!(config("default")["block"]["rope_base"], 10000.0);
    // Frequencies alone.
    let frequencies =
        |base: f64| Tensor::new(&[1.0, base.powf(-0.5) as f32], &Device::Cpu).unwrap();
    save_as("inv_freq", frequencies(5e5));
    imported(here, &["hub", "--out=frequencies"]);
    assert_eq!(config("frequencies")["block"]["rope_base"], 5e5);
    assert_eq!(config("frequencies")["block"]["n_heads"], 4);
    write(", rope_theta: 10000");
    let why = "`rope_theta` is 10000, but 500000 in the weights of hub (`rotary_emb.inv_freq`)";
    refused(here, &["hub"], why);
    write("");
    save(rotary(17, 6, 10000.0));
    refused(here, &["hub"], "is for heads of 6 channels, which do not divide the 16 of");
    save((rotary(17, 4, 1e4) * 2.0).unwrap());
    refused(here, &["hub"], "`rotary_emb.cos_cached` is not the table of any `rope_theta`");
}

#[test]
fn the_names_of_raw_puzzles_are_not_expected_in_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    train(here, "arc", "run", &[]);
    assert_eq!(hrm(here, &["export", "run", "--out=m.safetensors"]).code, 0);
    fs::remove_file(here.join("m.identifiers.json")).unwrap();
    fs::create_dir(here.join("d")).unwrap();
    assert_eq!(hrm(here, &["data", "generate", "arc", "-n=3", "--out=d/tasks.json"]).code, 0);
    let notes = imported(here, &["m.safetensors", "--data=d", "--out=raw"]);
    assert!(notes.contains("they are called puzzle-1 and so on"), "{notes}");
    // Names that contradict each other.
    let names = json(&here.join("raw/identifiers.json"));
    let mut names: Vec<String> = serde_json::from_value(names).unwrap();
    names[2] = names[1].clone();
    fs::write(here.join("names.json"), serde_json::to_string(&names).unwrap()).unwrap();
    let args = ["m.safetensors", "--identifiers=names.json"];
    refused(here, &args, "names.json: expected another name for each puzzle, found ");
}
