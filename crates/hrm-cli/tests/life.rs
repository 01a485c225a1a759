//! What happens to a run over its life: it starts from a checkpoint, is extended, moves with
//! its data, and meets full disks and closed pipes.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use common::{Ran, hrm};
use hrm_core::Hrm;
use hrm_core::candle_core::Device;
use hrm_tasks::{Checkpoint, RunConfig};
use hrm_train::{DataCursor, TrainError, Trainer, ValidationSplit, train};
use serde_json::{Value, json};

/// Settings of a model and a run that take seconds.
const SMALL: &[&str] = &[
    "--dtype=f32",
    "--seed=3",
    "--set=task.n_train=40",
    "--set=task.n_eval=6",
    "--set=train.batch_size=8",
    "--set=train.eval_interval=0",
    "--set=train.n_validation=0",
];

const MODEL: &[&str] =
    &["--set=model.hidden_dim=16", "--set=model.puzzle_dim=16", "--set=model.n_segments_max=2"];

fn ok(here: &Path, args: &[&str]) -> Ran {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran
}

/// Runs `hrm`, which must refuse with a message that contains all of `parts`.
fn refused(here: &Path, args: &[&str], parts: &[&str]) {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 2, "{args:?}: {} {}", ran.stdout, ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{args:?}: no `{part}` in {}", ran.stderr);
    }
}

/// A run of `steps` steps from a preset.
fn start(here: &Path, kind: &str, steps: &str, out: &str, more: &[&str]) -> Ran {
    let first = ["train", kind, "--preset=tiny", "--steps", steps, "--out", out];
    ok(here, &[&first[..], SMALL, MODEL, more].concat())
}

/// A run of `steps` steps from a checkpoint.
fn warm(here: &Path, from: &str, steps: &str, out: &str, more: &[&str]) -> Ran {
    let first = ["train", "--init", from, "--steps", steps, "--out", out];
    ok(here, &[&first[..], SMALL, more].concat())
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All values of the weights of a model by name.
fn values(model: &Hrm) -> Vec<(String, Vec<f32>)> {
    let values = |tensor: hrm_core::candle_core::Tensor| {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    model.weights().tensors().map(|(name, tensor)| (name.to_owned(), values(tensor))).collect()
}

fn weights(run: &Path, step: &str) -> Vec<u8> {
    fs::read(run.join("checkpoints").join(step).join("model.safetensors")).unwrap()
}

#[test]
fn a_step_from_a_checkpoint_is_a_step_from_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "5", "a", &[]);
    let said = warm(here, "a", "1", "b", &["--set=train.ema=0"]).stderr;
    assert!(said.contains("Starting from the weights of "), "{said}");
    assert!(said.contains("a/checkpoints/step-000005 with a new optimiser"), "{said}");

    // The same step with the library.
    let record = read_json(&here.join("b/run.json"));
    let config: RunConfig = serde_json::from_value(record["config"].clone()).unwrap();
    let task = config.task.open(&[]).unwrap();
    let model = Hrm::load(here.join("a/checkpoints/step-000005"), &Device::Cpu).unwrap();
    assert_eq!(*model.config(), config.model, "the model is that of the checkpoint");
    let mut trainer = Trainer::new(model, config.train).unwrap();
    let split = ValidationSplit::new(task.as_ref(), 0, 3).unwrap();
    train(&mut trainer, &split, DataCursor::new(3), |_, _, _| {
        Ok::<_, TrainError>(ControlFlow::Continue(()))
    })
    .unwrap();
    let found = Checkpoint::open(here.join("b"), &Device::Cpu).unwrap();
    assert!(values(&found.model) == values(trainer.averaged()), "the weights differ");

    let init = &record["init"];
    assert_eq!(init["weights_sha256"].as_str().unwrap().len(), 64);
    let at = Path::new("../a/checkpoints/step-000005");
    assert_eq!(Path::new(init["checkpoint"].as_str().unwrap()), at);
    let runs = ok(here, &["runs", "."]).stdout;
    assert!(runs.contains("b starts from ") && !runs.contains("a starts from "), "{runs}");
}

#[test]
fn a_run_from_a_checkpoint_outlives_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "3", "a", &[]);
    let straight = ["--set=train.checkpoint_interval=100"];
    warm(here, "a/checkpoints/step-000003", "12", "straight", &straight);
    let bytes = weights(&here.join("straight"), "step-000012");
    // As if it had been killed before its first checkpoint, and the first run deleted.
    ok(here, &["train", "--from=straight", "--out=killed"]);
    assert!(weights(&here.join("killed"), "step-000012") == bytes, "it is not deterministic");
    fs::remove_dir_all(here.join("a")).unwrap();
    fs::remove_dir_all(here.join("killed/checkpoints")).unwrap();
    fs::create_dir(here.join("killed/checkpoints")).unwrap();
    fs::remove_file(here.join("killed/metrics.jsonl")).unwrap();
    ok(here, &["train", "--resume=killed"]);
    assert!(weights(&here.join("killed"), "step-000012") == bytes, "the resumed run differs");
    // Repeated from the copy in the run folder.
    ok(here, &["train", "--from=straight", "--out=again"]);
    assert!(weights(&here.join("again"), "step-000012") == bytes, "the repeated run differs");
    fs::remove_dir_all(here.join("straight/init")).unwrap();
    refused(here, &["train", "--from=straight", "--out=x"], &["no longer exist", "--init"]);
    assert!(!here.join("x").exists());
}

#[test]
fn what_contradicts_the_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "a", &[]);
    let refuses = |args: &[&str], parts: &[&str]| {
        let train = ["train", "--steps=1", "--init=a", "--out=b"];
        refused(here, &[&train[..], args].concat(), parts);
        assert!(!here.join("b").exists());
    };
    let place = "a/checkpoints/step-000002";
    refuses(
        &["--set=model.hidden_dim=32"],
        &["model.block.hidden_dim is 16 in ", place, "and 32 in --set"],
    );
    refuses(&["sudoku", "--preset=paper"], &[" is 16 in ", place, " in the preset paper"]);
    fs::write(here.join("wide.toml"), "model.recurrence.n_h_layers = 2\ntrain.steps = 4\n")
        .unwrap();
    refuses(&["--config=wide.toml"], &["model.recurrence.n_h_layers is 1 in ", "2 in wide.toml"]);
    refuses(&["maze"], &["is a model for sudoku, not for maze"]);
    refuses(&["--set=task.board=6"], &["a vocabulary of 5 symbols (.1234)", "one of 7 (.123456)"]);

    // Settings that change no weights may differ, and are said.
    let said = warm(here, "a", "1", "b", &["--set=model.n_h_cycles=3"]).stderr;
    assert!(said.contains("model.recurrence.n_h_cycles is 3; it is 2 in the checkpoint"), "{said}");
    let said = ok(here, &["train", "--from=a", "--init=b", "--out=c"]).stderr;
    assert!(said.contains("n_h_cycles is 2; it is 3 in the checkpoint"), "{said}");
    // A preset sets the training, not the model.
    let tiny = ["train", "sudoku", "--init=b", "--preset=tiny", "--steps=1", "--out=d"];
    let said = hrm(here, &tiny);
    assert_eq!(said.code, 2, "its hidden size is another: {}", said.stderr);
}

#[test]
fn an_exported_checkpoint_that_is_imported_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "a", &[]);
    ok(here, &["export", "a", "--out=weights.safetensors"]);
    fs::copy(here.join("a/checkpoints/step-000002/config.json"), here.join("config.json")).unwrap();
    let import = ["import", "weights.safetensors", "--task=sudoku", "--cells=16", "--out=m"];
    ok(here, &import);
    for flag in ["--from=m", "--resume=m"] {
        let points_to = ["m is a checkpoint, not a run", "hrm train --init m"];
        refused(here, &["train", flag], &points_to);
        refused(here, &["train", "sudoku", flag], &points_to);
    }
    let said = hrm(here, &[&["train", "--init=m", "--steps=1", "--out=b"], SMALL].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// A file of ARC tasks with these names.
fn write_tasks(path: &Path, names: &[&str]) {
    let task = |name: &str| {
        let seed = name.bytes().map(usize::from).sum::<usize>();
        let grid = |shift: usize| -> Vec<Vec<usize>> {
            (0..3).map(|y| (0..3).map(|x| (seed + shift * 5 + x * 3 + y) % 10).collect()).collect()
        };
        let pair = |shift: usize| json!({"input": grid(shift), "output": grid(shift + 7)});
        json!({"train": [pair(0), pair(1)], "test": [pair(2)]})
    };
    let tasks: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), task(name))).collect();
    fs::write(path, Value::from(tasks).to_string()).unwrap();
}

#[test]
fn known_tasks_keep_their_embeddings_and_new_ones_get_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_tasks(&here.join("one.json"), &["aa", "bb", "cc", "dd"]);
    write_tasks(&here.join("two.json"), &["cc", "dd", "ee"]);
    let arc = ["--data=one.json", "--set=task.augmentations=2"];
    start(here, "arc", "6", "a", &arc);
    fs::rename(here.join("one.json"), here.join("uno.json")).unwrap();
    let renamed = ["train", "--resume=a", "--data=uno.json"];
    refused(here, &renamed, &["uno.json is ", "one.json under another name"]);
    let said = warm(here, "a", "1", "b", &["--data=two.json"]).stderr;
    let counts = "Puzzle identifiers: 6 keep their embeddings, 3 are new and start at zero, 6 of";
    assert!(said.contains(counts), "{said}");

    let open = |path: &str| Checkpoint::open(here.join(path), &Device::Cpu).unwrap();
    let (a, b) = (open("a"), open("b/init"));
    let table = |checkpoint: &Checkpoint| -> Vec<Vec<f32>> {
        let table = checkpoint.model.weights().find(hrm_core::names::PUZZLES).unwrap();
        table.to_vec2().unwrap()
    };
    let (of_a, of_b) = (table(&a), table(&b));
    let mut n_known = 0;
    for (name, row) in b.identifiers.iter().zip(&of_b).skip(1) {
        match a.identifiers.iter().position(|known| known == name) {
            Some(idx) => {
                assert!(*row == of_a[idx], "{name}");
                n_known += usize::from(row.iter().any(|value| *value != 0.0));
            }
            None => assert!(name.starts_with("ee") && row.iter().all(|value| *value == 0.0)),
        }
    }
    assert!(n_known > 0, "the checkpoint has learnt no embedding");
}

#[test]
fn a_finished_run_is_extended() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let decaying = [
        "--set=train.lr_min_ratio=0.1",
        "--set=train.warmup_steps=2",
        "--set=train.learning_rate=0.001",
        "--set=train.checkpoint_interval=4",
        "--set=train.eval_interval=5",
        "--set=train.n_validation=6",
    ];
    start(here, "sudoku", "20", "run", &decaying);
    let finished = ok(here, &["train", "--resume=run"]);
    let how = "To train longer: hrm train --resume run --steps N, with N above 20";
    assert!(finished.stdout.contains(how), "{}", finished.stdout);
    let before = metrics(&here.join("run"));
    for steps in ["20", "7"] {
        let want = format!(
            "the run has made 20 steps: --steps must be more than that to extend it, found {steps}"
        );
        refused(here, &["train", "--resume=run", "--steps", steps], &[&want]);
    }
    let endless = ["train", "--resume=run", "--steps=18446744073709551615"];
    refused(here, &endless, &["train.steps must be in 1..="]);
    let nothing = ["train", "--resume=run", "--minutes=0.00000001"];
    refused(here, &nothing, &["minutes: --minutes must be more than that"]);
    assert_eq!(metrics(&here.join("run")), before, "a refusal changes nothing");

    let said = ok(here, &["train", "--resume=run", "--steps=30"]);
    let want = "The run ends after 30 steps instead of 20 steps. From step 21 on, the schedule is \
                that for a run of 30 steps: the learning rate there is ";
    assert!(said.stderr.contains(want), "{}", said.stderr);
    assert!(said.stdout.starts_with("30 steps in "), "{}", said.stdout);
    let record = read_json(&here.join("run/run.json"));
    assert_eq!(record["config"]["train"]["steps"], 30);
    let extension = json!({"step": 20, "before": {"steps": 20}, "after": {"steps": 30}});
    assert_eq!(record["extensions"], json!([extension]));

    let after = metrics(&here.join("run"));
    let of_training: Vec<&Value> = after.iter().filter(|line| line["kind"] == "train").collect();
    let steps: Vec<u64> = of_training.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [10, 20, 30]);
    let rates: Vec<f64> =
        of_training.iter().map(|line| line["learning_rate"].as_f64().unwrap()).collect();
    // The end of the cosine for 20 steps, then that for 30.
    assert!((rates[1] - 1e-4).abs() < 1e-9 && (rates[2] - 1e-4).abs() < 1e-9, "{rates:?}");
    let validated: Vec<u64> = after
        .iter()
        .filter(|line| line["kind"] == "validation")
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(validated, [5, 10, 15, 20, 25, 30]);
    let tests = after.iter().filter(|line| line["kind"] == "eval").count();
    assert_eq!(tests, 1, "only the end of the run is tested");
    // The best checkpoint is that of the best validation.
    let best = fs::read_to_string(here.join("run/checkpoints/best")).unwrap();
    let score = |line: &Value| (line["exact"].as_f64().unwrap(), line["cells"].as_f64().unwrap());
    let mut validations = after.iter().filter(|line| line["kind"] == "validation");
    let first = validations.next().unwrap();
    let wanted = validations.fold(first, |a, b| if score(b) > score(a) { b } else { a });
    assert_eq!(best, format!("step-{:06}", wanted["step"].as_u64().unwrap()));
    assert!(here.join("run/checkpoints").join(best).is_dir());

    // Killed right after the extension: it goes on to the new length by itself.
    ok(here, &["train", "--from=run", "--steps=20", "--out=again"]);
    ok(here, &["train", "--resume=again", "--steps=30"]);
    assert!(
        weights(&here.join("again"), "step-000030") == weights(&here.join("run"), "step-000030")
    );
}

#[test]
fn a_run_that_ended_early_trains_on_when_it_is_extended() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Nothing is learnt, so every validation is as bad as the first.
    let stopping = [
        "--set=train.learning_rate=0",
        "--set=train.puzzle_learning_rate=0",
        "--set=train.eval_interval=3",
        "--set=train.n_validation=6",
        "--set=train.patience=2",
    ];
    start(here, "sudoku", "60", "run", &stopping);
    let run = here.join("run");
    let validated = || -> Vec<u64> {
        let lines = metrics(&run).into_iter().filter(|line| line["kind"] == "validation");
        lines.map(|line| line["step"].as_u64().unwrap()).collect()
    };
    assert_eq!(validated(), [3, 6, 9]);
    let said = ok(here, &["train", "--resume=run", "--steps=90"]);
    let anew = "The run had ended early; train.evaluation.patience counts anew.";
    assert!(said.stderr.contains(anew), "{}", said.stderr);
    assert!(said.stdout.starts_with("15 steps in "), "{}", said.stdout);
    assert_eq!(validated(), [3, 6, 9, 12, 15]);

    // As if it had been killed right after a second extension was recorded.
    let mut record = read_json(&run.join("run.json"));
    record["config"]["train"]["steps"] = 120.into();
    let extension = json!({"step": 15, "before": {"steps": 90}, "after": {"steps": 120}});
    record["extensions"].as_array_mut().unwrap().push(extension);
    fs::write(run.join("run.json"), record.to_string()).unwrap();
    let position = read_json(&run.join("checkpoints/step-000015/position.json"));
    let mut text = fs::read(run.join("metrics.jsonl")).unwrap();
    text.truncate(position["n_metrics"].as_u64().unwrap() as usize);
    fs::write(run.join("metrics.jsonl"), text).unwrap();
    ok(here, &["train", "--resume=run"]);
    assert_eq!(validated(), [3, 6, 9, 12, 15, 18, 21]);
    let ended = ok(here, &["train", "--resume=run"]);
    assert!(ended.stdout.starts_with("run is finished: 21 steps"), "{}", ended.stdout);
}

#[test]
fn a_run_with_a_time_limit_keeps_the_schedule_of_one_with_steps() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let decaying = [
        "train",
        "sudoku",
        "--preset=tiny",
        "--minutes=0.0001",
        "--out=run",
        "--set=train.lr_min_ratio=0.125",
        "--set=train.warmup_steps=1",
        "--set=train.learning_rate=0.001",
    ];
    ok(here, &[&decaying[..], SMALL, MODEL].concat());
    let run = here.join("run");
    let rate = |run: &Path| {
        let lines = metrics(run).into_iter().rfind(|line| line["kind"] == "train");
        lines.unwrap()["learning_rate"].as_f64().unwrap()
    };
    assert_eq!(rate(&run), 1e-3, "it does not decay before it has a number of steps");
    let schedule = &read_json(&run.join("run.json"))["config"]["train"]["schedule"];
    assert_eq!(schedule["lr_min_ratio"], 0.125);
    let step = metrics(&run)[0]["step"].as_u64().unwrap();
    let steps = (step + 4).to_string();
    ok(here, &["train", "--resume=run", "--steps", &steps]);
    ok(here, &["train", "--from=run", "--steps=9", "--out=again"]);
    for run in [&run, &here.join("again")] {
        let last = rate(run);
        assert!((last - 0.125e-3).abs() < 1e-12, "{last}");
    }
}

#[test]
fn a_run_without_its_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "20", "run", &[]);
    let path = here.join("run/metrics.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let first = whole.lines().next().unwrap();
    // A line and a half.
    fs::write(&path, &whole[..first.len() + 20]).unwrap();
    let said = ok(here, &["train", "--resume=run", "--steps=30"]).stderr;
    let n_found = first.len() + 20;
    assert!(said.contains("Warning: run/metrics.jsonl has been cut: its checkpoint"), "{said}");
    assert!(said.contains(&format!("found {n_found}. The run goes on")), "{said}");
    let lines = metrics(&here.join("run"));
    let steps: Vec<&Value> = lines.iter().map(|line| &line["step"]).collect();
    assert_eq!(steps, [10, 20, 30, 30]);
    // What is no log at all is said.
    fs::write(&path, "not a log\n").unwrap();
    let listed = ok(here, &["runs", "run"]);
    let want = "Warning: 1 line of run/metrics.jsonl left out: no metrics.";
    assert!(listed.stderr.contains(want), "{}", listed.stderr);
}

#[test]
fn a_run_without_intact_checkpoints_never_starts_again_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "10", "run", &[]);
    let weights = here.join("run/checkpoints/step-000010/model.safetensors");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    fs::write(weights, pointer).unwrap();
    let log = metrics(&here.join("run"));
    let why = "step-000010/model.safetensors is damaged: it is a pointer of Git LFS to a file that \
               is not here: run `git lfs pull`";
    for _ in 0..2 {
        let none = "run has no intact checkpoint to resume from: run/checkpoints/";
        let again = "To repeat the run from its start: hrm train --from run --out NEW";
        refused(here, &["train", "--resume=run"], &[none, why, again]);
        assert_eq!(metrics(&here.join("run")), log);
    }
    for args in
        [&["eval", "run"][..], &["solve", "sudoku", "--run=run"], &["export", "run", "--out=x"]]
    {
        refused(here, args, &[why]);
    }
    refused(here, &["train", "--init=run", "--steps=1", "--out=new"], &[why]);
    // Without the names of checkpoints, the newest one is found.
    start(here, "sudoku", "10", "other", &[]);
    fs::remove_file(here.join("other/checkpoints/latest")).unwrap();
    fs::write(here.join("other/checkpoints/step-000010/.DS_Store"), "").unwrap();
    ok(here, &["eval", "other"]);
    ok(here, &["train", "--resume=other", "--steps=12"]);
}

#[test]
fn what_is_no_run_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "run", &[]);
    ok(here, &["export", "run", "--out=x.safetensors"]);
    fs::create_dir(here.join("step_5")).unwrap();
    fs::copy(here.join("x.safetensors"), here.join("step_5/model.safetensors")).unwrap();
    for (path, want) in [
        ("nosuch", "error: nosuch does not exist"),
        ("run/run.json", "run/run.json is a file of a run: name its folder, run"),
        ("run/checkpoints", "run/checkpoints is a folder of a run: name that, run"),
        ("x.safetensors", "To use weights of another tool: hrm import x.safetensors --out DIR"),
        (
            "step_5",
            "it has no run.json and no task.json. To use weights of another tool: hrm import",
        ),
    ] {
        refused(here, &["eval", path], &[want]);
        refused(here, &["export", path, "--out=y"], &[want]);
        refused(here, &["solve", "sudoku", "--run", path], &[want]);
        refused(here, &["train", "--init", path, "--steps=1", "--out=new"], &[want]);
    }
    refused(here, &["train", "--resume=nosuch"], &["error: nosuch does not exist"]);
    refused(
        here,
        &["train", "--resume=run/checkpoints"],
        &["is a folder of a run: name that, run"],
    );
}

#[test]
fn an_export_follows_its_name_and_leaves_nothing_if_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "run", &[]);
    ok(here, &["export", "run", "--out=new/folder/model.onnx"]);
    let graph = fs::read(here.join("new/folder/model.onnx")).unwrap();
    assert!(graph.starts_with(&[0x08, 8, 0x12]), "a protocol buffer");
    refused(here, &["export", "run", "--out=m.pt"], &["name of a PyTorch checkpoint"]);
    for name in ["v1.5", "v1.6"] {
        ok(here, &["export", "run", "--out", name]);
        assert!(here.join(format!("{name}.config.yaml")).is_file());
        ok(here, &["import", name, "--out", &format!("from-{name}")]);
    }

    // Files above 8 kB cannot be written, as if the disk were full.
    #[cfg(unix)]
    {
        fs::create_dir(here.join("small")).unwrap();
        let hrm = env!("CARGO_BIN_EXE_hrm");
        let export = format!("exec {hrm} export run --out small/x.safetensors");
        let script = format!("trap '' XFSZ; ulimit -f 16; {export}");
        let sh = || std::process::Command::new("sh");
        let full = sh().current_dir(here).args(["-c", &script]).output().unwrap();
        let stderr = String::from_utf8(full.stderr).unwrap();
        assert_eq!(full.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("cannot write small/x.safetensors: "), "{stderr}");
        assert_eq!(fs::read_dir(here.join("small")).unwrap().count(), 0);
        let again = sh().current_dir(here).args(["-c", &export]).status().unwrap();
        assert!(again.success());
    }
}

/// Names that are not Unicode, which file systems of Linux have.
#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_not_unicode_lose_nothing() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "run", &[]);
    let strange = std::ffi::OsStr::from_bytes(b"strange\xff");
    fs::rename(here.join("run"), here.join(strange)).unwrap();
    let hrm = |args: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hrm"));
        let output = command.current_dir(here).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let word = std::ffi::OsStr::new;
    let (data, weights) =
        (std::ffi::OsStr::from_bytes(b"data\xff"), std::ffi::OsStr::from_bytes(b"w\xff"));
    for args in [
        &[word("eval"), strange, word("--json")][..],
        &[word("runs"), strange, word("--json")],
        &[word("runs"), word("."), word("--json")],
        &[word("export"), strange, word("--json"), word("--out"), weights],
        &[word("import"), weights, word("--json"), word("--out"), word("model")],
        &[word("train"), word("--json"), word("--steps=3"), word("--resume"), strange],
        &[word("train"), word("--json"), word("--resume"), strange],
        &[
            word("data"),
            word("prepare"),
            word("sudoku"),
            word("--preset=tiny"),
            word("--json"),
            word("--set=task.n_train=5"),
            word("--out"),
            data,
        ],
    ] {
        let (code, stdout, stderr) = hrm(args);
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        let line: Value = serde_json::from_str(stdout.trim()).unwrap();
        assert!(line.is_object(), "{args:?}: {line}");
    }
    // Files of a run cannot hold such a name, which is said before anything is done.
    let csv = std::ffi::OsStr::from_bytes(b"p\xff.csv");
    ok(here, &["data", "generate", "sudoku", "--preset=tiny", "-n=60", "--out=p.csv"]);
    start(here, "sudoku", "1", "own", &["--data=p.csv"]);
    let record = fs::read(here.join("own/run.json")).unwrap();
    fs::rename(here.join("p.csv"), here.join(csv)).unwrap();
    let (code, _, stderr) =
        hrm(&[word("train"), word("--resume=own"), word("--steps=3"), word("--data"), csv]);
    assert!(code == Some(2) && stderr.contains("is not a name in Unicode"), "{stderr}");
    assert!(fs::read(here.join("own/run.json")).unwrap() == record);
    for args in [&[word("--init"), strange][..], &[word("sudoku"), word("--data"), data]] {
        let new = [word("train"), word("--steps=1"), word("--out=new")];
        let (code, _, stderr) = hrm(&[&new[..], args].concat());
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(
            stderr.contains(" is not a name in Unicode, so run.json cannot hold it"),
            "{stderr}"
        );
        assert!(!here.join("new").exists());
    }
}

#[test]
fn a_run_that_is_being_created_is_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "runs/a", &[]);
    fs::create_dir(here.join("runs/.tmpAbCdEf.tmp")).unwrap();
    let half = here.join("runs/.tmpAbCdEf.tmp/run.json");
    fs::copy(here.join("runs/a/run.json"), half).unwrap();
    let listed = ok(here, &["runs", "--json"]);
    assert_eq!(listed.stdout.lines().count(), 1, "{}", listed.stdout);
}

#[test]
fn a_run_moves_with_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let here = &folder.path().join("project");
    fs::create_dir_all(here.join("data")).unwrap();
    ok(here, &["data", "generate", "sudoku", "--preset=tiny", "-n=60", "--out=data/p.csv"]);
    start(here, "sudoku", "3", "runs/a", &["--data=data/p.csv"]);
    let record = read_json(&here.join("runs/a/run.json"));
    assert_eq!(record["data"], json!(["../../data/p.csv"]));
    let scored = ok(here, &["eval", "runs/a", "--json"]).stdout;
    warm(here, "runs/a", "1", "runs/w", &["--data=data/p.csv"]);

    // The whole project.
    let moved = &folder.path().join("moved");
    fs::rename(here, moved).unwrap();
    let rows = |line: &str| serde_json::from_str::<Value>(line).unwrap()["rows"].clone();
    assert_eq!(rows(&ok(moved, &["eval", "runs/a", "--json"]).stdout), rows(&scored));
    assert_eq!(rows(&ok(moved, &["eval", "runs/w/init", "--json"]).stdout), rows(&scored));
    // From another folder too, its record stays as it is.
    ok(folder.path(), &["train", "--resume=moved/runs/a", "--steps=4"]);
    assert_eq!(read_json(&moved.join("runs/a/run.json"))["data"], json!(["../../data/p.csv"]));

    // Only the data.
    let elsewhere = folder.path().join("elsewhere.csv");
    fs::rename(moved.join("data/p.csv"), &elsewhere).unwrap();
    let elsewhere = format!("--data={}", elsewhere.display());
    let missing = ["p.csv does not exist", "name them with --data"];
    refused(moved, &["eval", "runs/a"], &missing);
    refused(moved, &["train", "--resume=runs/a", "--steps=5"], &missing);
    refused(moved, &["train", "--from=runs/a", "--out=x"], &missing);
    let own = ok(moved, &["eval", "runs/a", "--json", &elsewhere]);
    assert_eq!(rows(&own.stdout), rows(&scored), "{}", own.stderr);
    assert!(own.stderr.contains("--data holds the data of the run"), "{}", own.stderr);

    fs::write(moved.join("other.csv"), "question,answer\n1...,1234\n").unwrap();
    let other = ["train", "--resume=runs/a", "--steps=5", "--data=other.csv"];
    refused(moved, &other, &["is not the data of", "data/p.csv with SHA-256", "other.csv with"]);
    ok(moved, &["train", "--resume=runs/a", "--steps=5", &elsewhere]);
    // It knows the place from now on.
    ok(moved, &["train", "--resume=runs/a", "--steps=6"]);
    refused(moved, &["train", "--resume=runs/a", "--data=other.csv"], &["is not the data of"]);

    start(moved, "sudoku", "2", "runs/b", &[]);
    let builtin = ["train", "--resume=runs/b", "--steps=3", &elsewhere];
    refused(moved, &builtin, &["uses built-in puzzles: leave out --data"]);
}

#[test]
fn a_record_with_absolute_paths_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    ok(here, &["data", "generate", "sudoku", "--preset=tiny", "-n=60", "--out=p.csv"]);
    start(here, "sudoku", "2", "run", &["--data=p.csv"]);
    let path = here.join("run/run.json");
    let text = fs::read_to_string(&path).unwrap();
    let absolute = here.canonicalize().unwrap().join("p.csv").display().to_string();
    assert_eq!(text.matches("../p.csv").count(), 2, "{text}");
    fs::write(&path, text.replace("../p.csv", &absolute)).unwrap();
    ok(here, &["train", "--resume=run", "--steps=3"]);
    ok(here, &["eval", "run"]);
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_is_named() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here, "sudoku", "2", "run", &[]);
    for args in [
        &["settings"][..],
        &["runs", "run"],
        &["runs", "run", "--json"],
        &["eval", "run"],
        &["eval", "run", "--json"],
        &["train", "--resume=run"],
        &["data", "generate", "sudoku", "--preset=tiny", "-n=3000"],
        &["data", "show", "sudoku", "--preset=tiny"],
        &["train", "sudoku", "--print-config"],
        &["train", "sudoku", "--preset=tiny", "--steps=1", "--set=task.n_train=20"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hrm"));
        command.current_dir(here).args(args).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panic"), "{args:?}: {stderr}");
    }
    // What is written beside the output is not lost with it.
    write_tasks(&here.join("tasks.json"), &["aa", "bb", "cc", "dd"]);
    start(here, "arc", "1", "arc", &["--data=tasks.json", "--set=task.augmentations=2"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hrm"));
    command.current_dir(here).args(["eval", "arc", "--data=tasks.json", "--out=sub"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(here.join("sub/submission.json").is_file());
    // A file that takes nothing, as if its disk were full.
    for args in [&["settings"][..], &["data", "generate", "sudoku", "--preset=tiny"]] {
        let Ok(full) = fs::File::options().write(true).open("/dev/full") else { return };
        let mut command = Command::new(env!("CARGO_BIN_EXE_hrm"));
        let output = command.args(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let is_named = stderr.contains("the disk is full (");
        assert!(output.status.code() == Some(1) && is_named, "{args:?}: {stderr}");
    }
}

#[test]
fn a_checkpoint_that_stands_for_another_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let many = ["--set=train.checkpoint_interval=1", "--set=train.n_checkpoints=4"];
    start(here, "sudoku", "3", "run", &many);
    let checkpoints = here.join("run/checkpoints");
    fs::write(checkpoints.join("best"), "step-000001\n").unwrap();
    assert!(!ok(here, &["eval", "run"]).stderr.contains("is gone"));
    fs::remove_dir_all(checkpoints.join("step-000001")).unwrap();
    let said = "run/checkpoints/step-000001 is gone, which the run names as the one to use: \
                run/checkpoints/step-000003 is used.";
    for args in [
        &["eval", "run"][..],
        &["export", "run", "--out=x.safetensors"],
        &["train", "--init=run", "--steps=1", "--out=warm"],
    ] {
        let ran = ok(here, args);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
    fs::remove_dir_all(&checkpoints).unwrap();
    let expected = "run is a run without a checkpoint: expected one in run/checkpoints, found none";
    refused(here, &["eval", "run"], &[expected]);
    refused(here, &["export", "run", "--out=y.safetensors"], &[expected]);
}

#[test]
fn versions_keep_their_embeddings_whichever_project_named_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let augmented = "--set=task.augmentations=3";
    write_tasks(&here.join("arc.json"), &["a", "b", "c"]);
    for dialect in ["hrm", "trm"] {
        let export = ["data", "export", "arc", "--data=arc.json", augmented, "--dialect"];
        ok(here, &[&export[..], &[dialect, "--out", dialect]].concat());
    }
    let names = |dialect: &str| read_json(&here.join(dialect).join("identifiers.json"));
    assert_ne!(names("hrm"), names("trm"));
    start(here, "arc", "2", "run", &["--data=trm"]);
    let ran = warm(here, "run", "1", "warm", &["--data=hrm"]);
    let n = names("hrm").as_array().unwrap().len() - 1;
    let said =
        format!("{n} keep their embeddings, 0 are new and start at zero, 0 of the checkpoint");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
}

#[test]
fn the_batch_size_that_is_given_is_not_adapted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_tasks(&here.join("arc.json"), &["a", "b", "c"]);
    start(here, "arc", "1", "run", &["--data=arc.json"]);
    let canvas = "--set=task.canvas=12";
    let said = |more: &[&str]| {
        let name = format!("r{}", more.len());
        ok(
            here,
            &[&["train", "--init=run", "--steps=1", "--out", &name, canvas][..], more].concat(),
        )
        .stderr
    };
    let adapted = said(&["--data=arc.json"]);
    assert!(adapted.contains("puzzles have 144 cells instead of"), "{adapted}");
    let given = said(&["--data=arc.json", "--set=train.batch_size=4"]);
    assert!(!given.contains("train.batch_size is"), "{given}");
    assert_eq!(read_json(&here.join("r2/run.json"))["config"]["train"]["batch_size"], 4);
}
