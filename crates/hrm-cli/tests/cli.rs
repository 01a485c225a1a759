//! The program as users see it: every command, and the response to bad input.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Ran, hrm, hrm_with_input};
use serde_json::Value;

/// Tasks with a generator.
const KINDS: [&str; 4] = ["arc", "binairo", "maze", "sudoku"];

/// Settings that make a run take a second.
const SHORT: [&str; 8] = [
    "--steps=3",
    "--set=train.batch_size=4",
    "--set=train.eval_interval=2",
    "--set=task.n_train=6",
    "--set=task.n_eval=3",
    "--set=model.hidden_dim=16",
    "--set=model.puzzle_dim=16",
    "--set=model.n_segments_max=2",
];

fn train(folder: &Path, kind: &str, more: &[&str]) -> Ran {
    let args: Vec<&str> =
        ["train", kind].into_iter().chain(SHORT).chain(more.iter().copied()).collect();
    hrm(folder, &args)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|err| {
        panic!("{err}: code {}, output {:?}, errors {:?}", ran.code, ran.stdout, ran.stderr)
    })
}

#[test]
fn a_model_is_trained_evaluated_and_used() {
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let trained = json(&train(here, kind, &["--out=runs/a", "--seed=5", "--json"]));
        assert_eq!(trained["steps"], 3, "{kind}");

        // The run describes itself.
        let run = here.join("runs/a");
        let record: Value =
            serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
        assert_eq!(record["config"]["task"]["kind"], kind);
        assert_eq!(record["seed"], 5);
        let lines = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let n_evals = lines.lines().filter(|line| line.contains("\"kind\":\"eval\"")).count();
        assert_eq!(n_evals, 2, "one during training, one at the end: {lines}");
        let last_train = lines.lines().rev().find(|line| line.contains("\"kind\":\"train\""));
        assert!(last_train.is_some_and(|line| line.contains("\"step\":3")), "{lines}");
        let checkpoint = run.join("checkpoints/step-000003");
        for file in ["config.json", "model.safetensors", "tokenizer.json", "task.json"] {
            assert!(checkpoint.join(file).is_file(), "{file}");
        }

        // Another evaluation, of the run or of the checkpoint, agrees.
        for path in ["runs/a", "runs/a/checkpoints/step-000003"] {
            let scored = json(&hrm(here, &["eval", path, "--json"]));
            for figure in ["rows", "exact", "cells", "halting"] {
                assert_eq!(scored[figure], trained["evaluation"][figure], "{kind}: {figure}");
            }
        }
        // The number of segments is respected.
        let scored = json(&hrm(here, &["eval", "runs/a", "--segments=1", "--json"]));
        assert_eq!(scored["mean_segments"], 1.0);

        // The newest run is found, and answers a generated puzzle.
        // One line per test input: an ARC task may have two.
        let solved = hrm(here, &["solve", kind, "--seed=1", "--json"]);
        assert!(solved.code == 0 && !solved.stdout.is_empty(), "{}", solved.stderr);
        for line in solved.stdout.lines() {
            let solved: Value = serde_json::from_str(line).unwrap();
            assert!(solved["segments"].as_u64().unwrap() >= 1 && solved["answer"].is_string());
        }
        let drawn = hrm(here, &["solve", kind, "--seed=1"]);
        assert!(drawn.code == 0 && drawn.stdout.lines().count() > 3, "{}", drawn.stdout);
    }
}

#[test]
fn an_evaluation_generates_no_training_puzzles() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let size = ["--set=task.side=3", "--set=task.min_path=3", "--set=task.n_eval=2"];
    let ran = train(here, "maze", &[&size[..], &["--out=run", "--set=task.n_train=4"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // More than there are of this size, so generating them fails.
    let many = "--set=task.n_train=20000";
    let refusal = [&["train", "maze"], &size[..], &[many]].concat();
    refused(here, &refusal, "number of distinct puzzles");
    assert_eq!(json(&hrm(here, &["eval", "run", many, "--json"]))["rows"], 2);
}

#[test]
fn the_same_seed_trains_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |name: &str, seed: &str| {
        let (out, seed) = (format!("--out={name}"), format!("--seed={seed}"));
        assert_eq!(train(folder.path(), "sudoku", &[&out, &seed]).code, 0);
        fs::read(folder.path().join(name).join("checkpoints/step-000003/model.safetensors"))
            .unwrap()
    };
    let five = weights("a", "5");
    assert!(five == weights("b", "5"), "bit for bit");
    assert!(five != weights("c", "6"), "the seed decides");
}

#[test]
fn generated_files_are_used_for_training() {
    let files = [("sudoku", "s.csv"), ("maze", "m.csv"), ("arc", "a.json"), ("binairo", "b.csv")];
    for (kind, file) in files {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let out = format!("--out={file}");
        let generate = ["data", "generate", kind, "--preset=tiny", "-n", "12", "--seed=3", &out];
        let made = hrm(here, &generate);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let data = format!("--data={file}");

        let stats = json(&hrm(here, &["data", "stats", kind, "--preset=tiny", &data, "--json"]));
        assert!(stats.as_object().unwrap().len() > 3);
        let shown = hrm(here, &["data", "show", kind, "--preset=tiny", &data, "-n", "2"]);
        assert!(shown.code == 0 && shown.stdout.lines().count() > 4, "{}", shown.stderr);

        let trained = json(&train(here, kind, &["--preset=tiny", &data, "--out=run", "--json"]));
        assert!(
            trained["evaluation"]["rows"].as_u64().unwrap() >= 1,
            "{kind}: some puzzles are held out"
        );
        let scored = json(&hrm(here, &["eval", "run", &data, "--json"]));
        assert!(scored["rows"].as_u64().unwrap() >= 12, "{kind}: all puzzles are evaluated");
        let record: Value =
            serde_json::from_slice(&fs::read(here.join("run/run.json")).unwrap()).unwrap();
        assert_eq!(record["data_sha256"].as_object().unwrap().len(), 1);

        // An existing file is not replaced.
        let again = hrm(here, &["data", "generate", kind, "-n", "12", &out]);
        assert_eq!(again.code, 2);
        assert!(again.stderr.contains("already exists"), "{}", again.stderr);
    }
}

#[test]
fn puzzles_come_from_arguments_files_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(train(here, "sudoku", &["--out=run"]).code, 0);
    let puzzle = "1..........3....";
    fs::write(here.join("p.txt"), format!("{puzzle}\n{puzzle}\n")).unwrap();
    let solve = |input: &str, stdin: &str| {
        hrm_with_input(here, &["solve", "sudoku", input, "--run=run", "--json"], stdin)
    };
    let from_argument = solve(puzzle, "");
    assert_eq!(from_argument.code, 0, "{}", from_argument.stderr);
    assert_eq!(solve("-", puzzle).stdout, from_argument.stdout);
    assert_eq!(solve("p.txt", "").stdout, from_argument.stdout.repeat(2));
}

#[test]
fn an_existing_run_is_kept_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(train(here, "sudoku", &["--out=run"]).code, 0);
    let before = fs::read(here.join("run/metrics.jsonl")).unwrap();
    let refused = train(here, "sudoku", &["--out=run"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("run already exists"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--force replaces it"), "{}", refused.stderr);
    assert_eq!(fs::read(here.join("run/metrics.jsonl")).unwrap(), before);
    assert_eq!(train(here, "sudoku", &["--out=run", "--force"]).code, 0);

    fs::create_dir(here.join("mine")).unwrap();
    fs::write(here.join("mine/thesis.txt"), "years of work").unwrap();
    let refused = train(here, "sudoku", &["--out=mine"]);
    assert!(refused.stderr.contains("mine already exists and is not a run"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("--force"), "{}", refused.stderr);
    let refused = train(here, "sudoku", &["--out=mine", "--force"]);
    assert_eq!(refused.code, 2);
    assert!(here.join("mine/thesis.txt").exists());
}

/// Asserts that bad input is refused with code 2 and a message that says why.
#[track_caller]
fn refused(here: &Path, args: &[&str], why: &str) {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    assert!(ran.stderr.contains(why), "{args:?}: expected {why:?} in {}", ran.stderr);
    let is_message = !ran.stderr.contains("panicked") && !ran.stderr.contains("backtrace");
    assert!(is_message && !ran.stderr.contains("rust_begin"), "{args:?}: {}", ran.stderr);
    assert!(!here.join("runs").exists(), "{args:?} left a run behind");
}

#[test]
fn bad_usage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    refused(here, &[], "Usage");
    refused(here, &["train", "chess"], "possible values: arc, binairo, grid, maze, sudoku");
    refused(here, &["train", "sudoku", "--preset=huge"], "possible values: tiny, small, paper");
    refused(here, &["train", "sudoku", "--steps=0"], "0 is not in 1..");
    refused(here, &["train", "sudoku", "--steps=1", "--minutes=1"], "cannot be used with");
    refused(here, &["train", "sudoku", "--minutes=-1"], "--minutes");
    refused(here, &["train", "sudoku", "--set=train.speed=9"], "no setting `train.speed`");
    let heads = ["--set=model.mixer=attention", "--set=model.n_heads=3"];
    refused(here, &[&["train", "sudoku"], &heads[..]].concat(), "multiple of `block.n_heads`");
    refused(
        here,
        &["train", "sudoku", "--set=task.board=5"],
        "task.board must be 4, 6, 9, 12 or 16",
    );
    refused(here, &["train", "sudoku", "--set=train.beta1=2"], "train.optimiser.beta1 must be in");
    refused(here, &["train", "sudoku", "--set=task.n_train=0"], "no training examples");
    refused(here, &["train", "maze", "--set=task.side=1"], "task.side");
    refused(here, &["train", "maze", "--set=task.min_path=36"], "task.min_path");
    refused(here, &["train", "arc", "--set=task.canvas=31"], "task.canvas");
    refused(here, &["train", "binairo", "--set=task.rules.side=5"], "task.rules.side");
    refused(
        here,
        &["train", "binairo", "--set=task.rules=5"],
        "`task.rules` is a group of settings",
    );
    for verb in [&["train"][..], &["data", "show"], &["data", "stats"], &["data", "generate"]] {
        refused(here, &[verb, &["grid"]].concat(), "no built-in grid puzzles: give a CSV file");
    }
    refused(here, &["train", "sudoku", "--device=cuda"], "--device cuda: not available");
    refused(here, &["eval", "nowhere"], "nowhere does not exist");
    refused(here, &["solve", "sudoku", "1..."], "train one with `hrm train sudoku`");
    refused(here, &["golden", "check", "none.safetensors"], "cannot read none.safetensors");
    refused(here, &["import", "none.pth", "--out=x"], "cannot read none.pth");
}

#[test]
fn bad_data_is_refused_with_its_location() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let solved = "1234341221434321";
    let csv = |rows: &str| format!("source,question,answer,rating\n{rows}\n");
    let files = [
        ("missing.csv", None, "cannot read missing.csv"),
        ("empty.csv", Some(String::new()), "empty.csv holds no puzzles"),
        ("header.csv", Some("a,b\n".into()), "header.csv:1: expected a header"),
        (
            "fields.csv",
            Some(csv("x,y,z")),
            "fields.csv:2: expected as many fields as in the header (4), found 3",
        ),
        ("short.csv", Some(csv(&format!("x,1...,{solved},0"))), "short.csv:2"),
        (
            "letter.csv",
            Some(csv(&format!("x,1..............y,{solved},0"))),
            "letter.csv:2: field `question`: expected `.` or one of 1234, found 'y'",
        ),
        (
            "unequal.csv",
            Some(csv("x,1...............,123434122143432,0")),
            "unequal.csv:2: field `answer`: expected 16 characters, found 15",
        ),
        (
            "broken.csv",
            Some(csv("x,1...............,1134341221434321,0")),
            "expected a board that obeys the rules",
        ),
        (
            "other.csv",
            Some(csv(&format!("x,2...............,{solved},0"))),
            "expected the givens of the question",
        ),
    ];
    for (name, text, why) in files {
        if let Some(text) = text {
            fs::write(here.join(name), text).unwrap();
        }
        let data = format!("--data={name}");
        refused(here, &["train", "sudoku", "--preset=tiny", &data], why);
        refused(here, &["data", "stats", "sudoku", "--preset=tiny", &data], why);
    }

    let grid = |cell: &str| {
        format!(
            "{{\"t\": {{\"train\": [{{\"input\": {cell}, \"output\": [[1]]}}], \"test\": []}}}}"
        )
    };
    let tasks = [
        ("not.json", "{".to_owned(), "not.json"),
        ("ragged.json", grid("[[1, 2], [3]]"), "task `t`, train[0].input"),
        ("colour.json", grid("[[10]]"), "task `t`, train[0].input"),
        (
            "large.json",
            grid(&format!("[[{}]]", vec!["1"; 31].join(","))),
            "task `t`, train[0].input",
        ),
        ("none.json", grid("[]"), "task `t`, train[0].input"),
        ("text.json", grid("\"x\""), "text.json"),
        ("empty.json", "{}".to_owned(), "empty.json"),
    ];
    for (name, text, why) in tasks {
        fs::write(here.join(name), text).unwrap();
        refused(here, &["train", "arc", &format!("--data={name}")], why);
    }

    fs::write(here.join("maze.csv"), csv("x,S  G,SooG,2")).unwrap();
    refused(here, &["train", "maze", "--data=maze.csv"], "maze.csv:2");
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let trained = train(here, "sudoku", &["--out=run"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let checkpoint = here.join("run/checkpoints/step-000003");
    let weights = checkpoint.join("model.safetensors");
    let whole = fs::read(&weights).unwrap();

    fs::write(&weights, &whole[..whole.len() - 100]).unwrap();
    refused(here, &["eval", "run"], "model.safetensors is damaged: its content does not match");
    // Without checksums, as in a folder that was imported.
    fs::remove_file(checkpoint.join("sha256.json")).unwrap();
    refused(here, &["eval", "run"], "model.safetensors is not a complete safetensors file");
    fs::write(&weights, &whole).unwrap();

    let config = fs::read_to_string(checkpoint.join("config.json")).unwrap();
    let other = config.replace("\"n_l_layers\": 1", "\"n_l_layers\": 2");
    fs::write(checkpoint.join("config.json"), other).unwrap();
    refused(here, &["eval", "run"], "tensor `inner.L_level.layers.1.");
    fs::write(checkpoint.join("config.json"), config.replace("hidden_dim", "width")).unwrap();
    refused(here, &["eval", "run"], "unknown field `width`");
    fs::write(checkpoint.join("config.json"), config).unwrap();

    fs::remove_file(checkpoint.join("task.json")).unwrap();
    refused(here, &["eval", "run"], "task.json");
}

#[test]
fn weights_are_exported_and_imported() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for mixer in ["attention", "mlp"] {
        let (run, set) = (format!("run-{mixer}"), format!("--set=model.mixer={mixer}"));
        assert_eq!(train(here, "sudoku", &["--out", &run, &set]).code, 0);
        let checkpoint = here.join(&run).join("checkpoints/step-000003");
        let original = fs::read(checkpoint.join("model.safetensors")).unwrap();
        for names in ["plain", "wrapped", "compiled"] {
            let (back, names) = (format!("{mixer}-{names}"), format!("--names={names}"));
            let file = format!("{back}.safetensors");
            assert_eq!(hrm(here, &["export", &run, "--out", &file, &names]).code, 0);
            let import = ["import", &file, "--out", &back, "--task=sudoku", "--cells=16"];
            let ran = hrm(here, &import);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let read = fs::read(here.join(&back).join("model.safetensors")).unwrap();
            assert!(read == original, "{back}: bit for bit");
            assert_eq!(hrm(here, &["eval", &back, "--batch=2", "--json"]).code, 0);
        }
    }
    // Weights that mix 16 cells are not for the 81 cells of the published puzzles.
    fs::remove_file(here.join("mlp-plain.config.yaml")).unwrap();
    let import = ["import", "mlp-plain.safetensors", "--out=x", "--task=sudoku", "--cells=81"];
    refused(here, &import, "81");
    assert!(!here.join("x").exists());
}

#[test]
fn tiny_recursive_models_are_exported_and_imported() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (mixer, positions) in [("attention", "rope"), ("mlp", "none")] {
        let run = format!("run-{mixer}");
        let flags = [
            "train",
            "sudoku",
            "--preset=tiny-recursive",
            "--steps=2",
            "--set=task.board=4",
            "--set=task.augmentations=0",
            "--set=task.n_train=20",
            "--set=task.n_eval=4",
            "--set=model.hidden_dim=16",
            "--set=model.puzzle_dim=16",
            "--set=model.n_prefix=3",
            "--set=model.n_heads=2",
            "--set=train.batch_size=4",
            &format!("--set=model.mixer={mixer}"),
            &format!("--set=model.positions={positions}"),
            &format!("--out={run}"),
        ];
        let trained = hrm(here, &flags);
        assert_eq!(trained.code, 0, "{}", trained.stderr);
        let checkpoint = here.join(&run).join("checkpoints/step-000002");
        let original = fs::read(checkpoint.join("model.safetensors")).unwrap();

        // Only one module, under its published name.
        fs::create_dir(here.join(mixer)).unwrap();
        let file = format!("{mixer}/weights.safetensors");
        let out = format!("--out={file}");
        assert_eq!(hrm(here, &["export", &run, &out, "--names=compiled"]).code, 0);
        let bytes = fs::read(here.join(&file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let names = tensors.names();
        let down = "_orig_mod.model.inner.L_level.layers.1.mlp.down_proj.weight";
        assert!(names.contains(&down), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("H_level")), "{names:?}");
        assert_eq!(names.iter().any(|name| name.contains("mlp_t")), mixer == "mlp");

        // The config that its training code saves.
        let arch = format!(
            "arch:\n  H_cycles: 3\n  L_cycles: 6\n  H_layers: 0\n  L_layers: 2\n  num_heads: 2\n  \
             expansion: 4\n  halt_max_steps: 16\n  halt_exploration_prob: 0.1\n  \
             puzzle_emb_len: 3\n  mlp_t: {}\n  pos_encodings: {positions}\n  \
             no_ACT_continue: true\nema: true\n",
            mixer == "mlp",
        );
        fs::write(here.join(mixer).join("all_config.yaml"), arch).unwrap();
        fs::remove_file(here.join(mixer).join("weights.config.yaml")).unwrap();
        let imported = format!("--out=back-{mixer}");
        let ran = hrm(here, &["import", &file, &imported, "--task=sudoku", "--cells=16"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let back = here.join(format!("back-{mixer}"));
        assert!(fs::read(back.join("model.safetensors")).unwrap() == original, "bit for bit");
        let config = |folder: &Path| -> Value {
            serde_json::from_str(&fs::read_to_string(folder.join("config.json")).unwrap()).unwrap()
        };
        assert_eq!(config(&back), config(&checkpoint));
    }
}

#[test]
fn a_challenge_is_answered_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for kind in ["arc", "maze", "sudoku"] {
        let run = format!("runs/{kind}");
        train(here, kind, &[&format!("--out={run}"), "--seed=5", "--json"]);
        let (text, answers) = match kind {
            "arc" => {
                let tests = r#"[{"input": [[1]]}, {"input": [[2, 3]]}]"#;
                (format!(r#"{{"x": {{"train": [], "test": {tests}}}}}"#), "submission.json")
            }
            "maze" => {
                let mazes: String = (0..3).map(|seed| generated(here, kind, seed)).collect();
                (mazes, "answers.csv")
            }
            _ => ("1..............3\n................\n".to_owned(), "answers.csv"),
        };
        fs::write(here.join("challenge"), text).unwrap();
        let out = format!("answers/{kind}");
        let args = ["eval", &run, "--challenge=challenge", "--out", &out, "--json", "--segments=1"];
        let scored = json(&hrm(here, &args));
        let n_puzzles = scored["puzzles"].as_u64().unwrap();
        assert_eq!(n_puzzles, if kind == "maze" { 3 } else { 2 });
        assert_eq!(scored["unchecked"], if kind == "arc" { 2 } else { 0 });

        let text = fs::read_to_string(here.join(&out).join(answers)).unwrap();
        if kind == "arc" {
            let submission: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(submission["x"].as_array().unwrap().len(), 2);
            assert!(submission["x"][1]["attempt_2"][0].is_array());
        } else {
            assert!(text.starts_with("question,answer,valid,why\n"), "{text}");
        }
        let again = hrm(here, &args);
        assert_eq!(again.code, 2, "{}", again.stderr);
        assert!(again.stderr.contains("already exists"), "{}", again.stderr);
    }
}

/// A maze on one line.
fn generated(here: &Path, kind: &str, seed: u64) -> String {
    let seed = format!("--seed={seed}");
    let made = hrm(here, &["data", "generate", kind, "--preset=tiny", "-n=1", &seed]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let line = made.stdout.lines().nth(1).unwrap();
    format!("{}\n", line.split(',').nth(1).unwrap())
}

#[test]
fn an_evaluation_of_arc_writes_attempts_and_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    train(here, "arc", &["--out=runs/a", "--json"]);
    let args = ["eval", "runs/a", "--out=results", "--sample=0.5", "--seed=3", "--json"];
    let scored = json(&hrm(here, &args));
    assert!(scored["pass@1000"].is_number());
    let table = fs::read_to_string(here.join("results/tasks.csv")).unwrap();
    let submission = fs::read_to_string(here.join("results/submission.json")).unwrap();
    let submission: Value = serde_json::from_str(&submission).unwrap();
    assert_eq!(submission.as_object().unwrap().len(), 3);
    assert_eq!(table.lines().count(), 4, "{table}");
    // The same seed samples the same answers, whatever the batch size.
    let again = ["eval", "runs/a", "--out=again", "--sample=0.5", "--seed=3", "--batch=1"];
    assert_eq!(hrm(here, &again).code, 0);
    let again = fs::read_to_string(here.join("again/tasks.csv")).unwrap();
    assert_eq!(again, table);
    let refused = hrm(here, &["eval", "runs/a", "--sample=0"]);
    assert!(refused.code == 2 && refused.stderr.contains("0.001 to 1000"), "{}", refused.stderr);
}

#[test]
fn puzzles_are_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for kind in KINDS {
        let (png, svg) = (format!("{kind}.png"), format!("{kind}.svg"));
        let (png_arg, svg_arg) = (format!("--png={png}"), format!("--svg={svg}"));
        let args = ["data", "show", kind, "--set=task.n_train=5", "-n4", &png_arg, &svg_arg];
        let ran = hrm(here, &args);
        assert!(ran.code == 0 && ran.stdout.is_empty(), "{}", ran.stderr);
        let bytes = fs::read(here.join(&png)).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n"), "{kind}");
        let text = fs::read_to_string(here.join(&svg)).unwrap();
        assert_eq!(text.matches("class=\"caption\"").count(), 4, "{kind}");
        let n_panels = text.matches("class=\"panel\"").count();
        // A task of ARC has several pairs.
        assert!(n_panels == 8 || kind == "arc" && n_panels >= 16, "{kind}: {n_panels}");

        // Nothing is replaced, and nothing incomplete is left.
        refused(here, &["data", "show", kind, "--svg=new.svg", &png_arg], "already exists");
        assert_eq!(fs::read(here.join(&png)).unwrap(), bytes);
        assert!(!here.join("new.svg").exists());
    }
    let many = ["data", "show", "maze", "--set=task.n_train=5", "-n5", "--png=x.png", "--json"];
    refused(here, &many, "cannot be used with");
}

#[test]
fn as_many_puzzles_are_shown_as_requested() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for kind in KINDS {
        let args = ["data", "show", kind, "--set=task.n_train=6", "-n=4", "--json"];
        let shown = hrm(here, &args);
        let lines = shown.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let names: Vec<Value> = lines.map(|line| line["puzzle"].clone()).collect();
        if kind == "arc" {
            // All pairs of four tasks.
            let distinct = BTreeSet::from_iter(names.iter().map(Value::to_string));
            assert!(distinct.len() == 4 && names.len() > 4, "{names:?}");
        } else {
            assert_eq!(names.len(), 4, "{kind}");
        }
    }
    let shown = hrm(here, &["data", "show", "arc", "--set=task.n_train=6", "-n=6"]);
    let n_titles = shown.stdout.lines().filter(|line| line.contains("-00")).count();
    assert_eq!(n_titles, 6, "{}", shown.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn data_is_read_once_for_the_settings_and_once_for_the_puzzles() {
    use std::mem::MaybeUninit;

    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    use rustix::io::Errno;

    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("a.csv"), "question,answer\n1234341221434321,1234341221434321\n").unwrap();
    let events = init(CreateFlags::NONBLOCK).unwrap();
    // Equal events in a row count as one, so those of closing are watched as well.
    let watched = WatchFlags::OPEN | WatchFlags::CLOSE_NOWRITE;
    add_watch(&events, here.join("a.csv"), watched).unwrap();
    let shown = hrm(here, &["data", "show", "grid", "--data=a.csv"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(events, &mut buffer);
    let mut n_opened = 0;
    loop {
        match events.next() {
            Ok(event) => n_opened += usize::from(event.events().contains(ReadFlags::OPEN)),
            Err(Errno::WOULDBLOCK) => break,
            Err(err) => panic!("{err}"),
        }
    }
    assert_eq!(n_opened, 2);
}

#[test]
fn the_commands_of_the_readme_for_generated_puzzles_work() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // As written, but with fewer puzzles.
    let commands = [
        "data generate sudoku -n 3 --min-rating 20 --out hard.csv",
        "data generate maze -n 1 --set task.side=30 --min-path 110 --out mazes.csv",
    ];
    for command in commands {
        let ran = hrm(here, &command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
    }
    let hard = fs::read_to_string(here.join("hard.csv")).unwrap();
    for line in hard.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields[1].len(), 81, "{line}");
        assert!(fields[3].parse::<u64>().unwrap() >= 20, "{line}");
    }
    // Settings of the user win.
    let small = ["data", "generate", "sudoku", "-n=1", "--set=task.board=6"];
    assert_eq!(
        hrm(here, &small).stdout.lines().nth(1).unwrap().split(',').nth(1).unwrap().len(),
        36
    );
    let tiny = ["data", "generate", "sudoku", "-n=1", "--preset=tiny"];
    assert_eq!(
        hrm(here, &tiny).stdout.lines().nth(1).unwrap().split(',').nth(1).unwrap().len(),
        16
    );
}

#[test]
fn nothing_is_said_before_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("grids.csv"), "question,answer\n1.,12\n2.,21\n.1,21\n").unwrap();
    let args = ["train", "grid", "--data=grids.csv", "--preset=tiny", "--out=runs/a", "--steps=2"];
    let trained = hrm(here, &args);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    for args in [
        &["solve", "grid"][..],
        &["eval", "runs/a", "--pictures=runs"],
        &["train", "grid", "--data=grids.csv", "--out=runs/a"],
        &["import", "none.pth", "--out=runs"],
    ] {
        let ran = hrm(here, args);
        let is_alone = ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1;
        assert!(ran.code == 2 && is_alone, "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn what_takes_seconds_shows_its_progress_and_leaves_nothing_when_interrupted() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let slow = ["maze", "-n=20000", "--set=task.side=30", "--min-path=100", "--out=mazes.csv"];
    let set = ["--set=task.n_train=20000", "--set=task.side=30", "--set=task.min_path=100"];
    for args in [
        [&["data", "generate"], &slow[..]].concat(),
        [&["data", "stats", "maze"], &set[..]].concat(),
        [&["data", "prepare", "maze", "--out=set"], &set[..]].concat(),
        [&["train", "maze", "--out=run"], &set[..]].concat(),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hrm"))
            .current_dir(here)
            .args(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("generating puzzles: ") && line.contains(" of 20"), "{line}");
        assert!(line.trim_end().ends_with(" left"), "{line}");
        if cfg!(unix) && args[0] != "train" {
            let kill = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
            assert!(kill.unwrap().success());
            assert_eq!(child.wait().unwrap().code(), Some(143));
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(fs::read_dir(here).unwrap().count(), 0, "{args:?} left a file");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_removes_the_folder_that_it_was_writing() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hrm"))
            .current_dir(here)
            .args(["data", "export", "sudoku", "--out=npy"])
            .args(["--set=task.n_train=30", "--set=task.augmentations=1000000"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while fs::read_dir(here).unwrap().count() == 0 {
            assert!(Instant::now() < deadline, "no temporary folder in a minute");
            std::thread::sleep(Duration::from_millis(10));
        }
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(fs::read_dir(here).unwrap().count(), 0, "{signal}");
    }
}

#[test]
fn answers_are_rendered_during_an_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(train(here, "sudoku", &["--out=run"]).code, 0);
    let plain = json(&hrm(here, &["eval", "run", "--json"]));
    let drawn = hrm(
        here,
        &[
            "eval",
            "run",
            "--json",
            "--pictures=seen/sudoku",
            "--n-pictures=2",
            "--picture-each",
            "--picture-format=svg",
        ],
    );
    assert_eq!(json(&drawn), plain, "rendering does not change the scores");
    let mut names: Vec<_> = fs::read_dir(here.join("seen/sudoku"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["puzzle-0001.svg", "puzzle-0002.svg", "sheet-001.svg"]);
    let sheet = fs::read_to_string(here.join("seen/sudoku/sheet-001.svg")).unwrap();
    assert!(sheet.contains("sudoku: 2 of 3 evaluation puzzles, wrong ones first"));
    assert_eq!(sheet.matches("class=\"panel\"").count(), 6, "question, prediction and truth");
    assert!(sheet.contains("of 16 cells wrong") && sheet.contains("class=\"wrong\""));

    refused(here, &["eval", "run", "--pictures=seen/sudoku"], "seen/sudoku already exists");
    refused(here, &["eval", "run", "--pictures=run/run.json"], "already exists");
    refused(here, &["eval", "run", "--n-pictures=2"], "--pictures");
    assert_eq!(hrm(here, &["eval", "run", "--pictures=png"]).code, 0);
    assert!(fs::read(here.join("png/sheet-001.png")).unwrap().starts_with(b"\x89PNG"));
}
