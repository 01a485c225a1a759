//! `hrm import` and `hrm export`: the config beside weights, the names of puzzle embeddings,
//! folders, and models that come back as they were.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

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
    let defaults = "Taken by default, as hub/all_config.yaml does not give them: pos_encodings \
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

    fs::write(here.join("identifiers.json"), "[\"<blank>\"]").unwrap();
    refused(here, &["m.safetensors"], "identifiers.json: expected one name for each of the ");
    fs::write(here.join("identifiers.json"), "{}").unwrap();
    refused(here, &["m.safetensors"], "identifiers.json: expected a list of names");
    refused(here, &["m.safetensors", "--data=none"], "identifiers.json");
}
