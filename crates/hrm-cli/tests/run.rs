//! The output of a run, its safeguards, and the choice of a checkpoint.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::hrm;
use serde_json::Value;

/// A run that takes seconds.
const TRAIN: &[&str] = &[
    "train",
    "sudoku",
    "--preset=tiny",
    "--seed=2",
    "--set=task.n_train=60",
    "--set=task.n_eval=20",
    "--set=model.hidden_dim=16",
    "--set=model.puzzle_dim=16",
    "--set=model.n_segments_max=2",
    "--set=train.batch_size=8",
    "--set=train.eval_interval=10",
    "--set=train.checkpoint_interval=500",
    "--set=train.n_validation=0",
    "--set=model.mixer=attention",
];

fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lines of metrics of one kind.
fn of_kind(run: &Path, kind: &str) -> Vec<Value> {
    metrics(run).into_iter().filter(|line| line["kind"] == kind).collect()
}

#[test]
fn a_run_that_diverges_returns_to_a_checkpoint_with_smaller_learning_rates() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Each step multiplies the weights by -9, until they overflow.
    let diverging = [
        "--steps=80",
        "--set=train.warmup_steps=0",
        "--set=train.lr_min_ratio=1",
        "--set=train.learning_rate=0.1",
        "--set=train.weight_decay=100",
        "--set=train.n_skipped_max=3",
        "--set=train.eval_interval=0",
    ];
    let slower = ["--set=train.rollback_rate=0.01", "--out=saved"];
    let saved = hrm(here, &[TRAIN, &diverging, &slower].concat());
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    assert!(saved.stderr.contains("Warning: at step "), "{}", saved.stderr);
    assert!(
        saved.stderr.contains("Returning to step 0, with learning rates multiplied by 0.01"),
        "{}",
        saved.stderr
    );
    let run = here.join("saved");
    let rollbacks = of_kind(&run, "rollback");
    assert_eq!((rollbacks.len(), &rollbacks[0]["slowdown"]), (1, &0.01.into()));
    let skipped: u64 =
        of_kind(&run, "train").iter().map(|line| line["skipped"].as_u64().unwrap()).sum();
    assert_eq!(skipped, 4, "three, and one too many");
    let last = of_kind(&run, "train").pop().unwrap();
    assert!(last["loss"].is_f64() && last["learning_rate"] == 0.001, "{last}");

    // Checkpoints do not include weights that have diverged.
    let between = ["--set=train.checkpoint_interval=1", "--set=train.rollback_rate=0.3"];
    let often = ["--set=train.n_rollbacks_max=9", "--out=often"];
    let ended = hrm(here, &[TRAIN, &diverging, &between, &often].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let rollbacks = of_kind(&here.join("often"), "rollback");
    let steps: Vec<u64> = rollbacks.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert!(steps.len() > 1 && steps[0] > 0, "{steps:?}");
    assert!(steps[1] < steps[0], "a second rollback goes further: {steps:?}");
    let slowdown = |idx: usize| rollbacks[idx]["slowdown"].as_f64().unwrap();
    assert!((slowdown(0) - 0.3).abs() < 1e-9 && slowdown(1) < 0.1, "{rollbacks:?}");
    let before = fs::read(here.join("often/metrics.jsonl")).unwrap();
    // The same run again has the same rollbacks.
    let repeated = hrm(here, &["train", "--from=often/run.json", "--out=repeated"]);
    assert_eq!(repeated.code, 0, "{}", repeated.stderr);
    assert!(fs::read(here.join("repeated/metrics.jsonl")).unwrap() == before);

    let stopped = ["--set=train.n_rollbacks_max=0", "--out=stopped"];
    let stopped = hrm(here, &[TRAIN, &diverging, &stopped].concat());
    assert_eq!(stopped.code, 1);
    assert!(stopped.stderr.contains("error: at step "), "{}", stopped.stderr);
}

#[test]
fn validation_chooses_a_checkpoint_and_ends_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Nothing is learnt, so the first validation stays the best.
    let flags = [
        "--steps=1000",
        "--set=train.learning_rate=0",
        "--set=train.puzzle_learning_rate=0",
        "--set=train.n_validation=10",
        "--set=train.patience=4",
        "--set=train.n_checkpoints=2",
        "--out=run",
        "--json",
    ];
    let trained = hrm(here, &[TRAIN, &flags].concat());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let result: Value = serde_json::from_str(&trained.stdout).unwrap();
    assert_eq!(result["steps"], 50, "four evaluations after the first");
    let run = here.join("run");
    assert_eq!(of_kind(&run, "validation").len(), 5);
    assert!(of_kind(&run, "validation").iter().all(|line| line["rows"] == 10));
    // The test set is evaluated once, by the chosen checkpoint.
    let evaluations = of_kind(&run, "eval");
    assert_eq!((evaluations.len(), &evaluations[0]["step"]), (1, &10.into()));

    let checkpoints = run.join("checkpoints");
    assert_eq!(fs::read_to_string(checkpoints.join("best")).unwrap(), "step-000010");
    let mut kept: Vec<String> = fs::read_dir(&checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["best", "latest", "step-000010", "step-000040", "step-000050"]);
    let evaluated = hrm(here, &["eval", "run", "--json"]);
    let evaluated: Value = serde_json::from_str(&evaluated.stdout).unwrap();
    assert!(evaluated["checkpoint"].as_str().unwrap().ends_with("step-000010"));
    assert_eq!(evaluated["exact"], evaluations[0]["exact"]);

    // A finished run stays finished.
    let before = fs::read(run.join("metrics.jsonl")).unwrap();
    let again = hrm(here, &["train", "--resume=run", "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["steps"], 50);
    assert_eq!(again["evaluation"]["exact"], result["evaluation"]["exact"]);
    let again = hrm(here, &["train", "--resume=run"]);
    assert!(again.stdout.starts_with("run is finished: 50 steps in "), "{}", again.stdout);
    assert!(again.stdout.contains("hrm eval run\n"), "{}", again.stdout);
    // It says so without training or evaluating again.
    assert_eq!(again.stderr, "");
    assert!(fs::read(run.join("metrics.jsonl")).unwrap() == before);

    let too_many = hrm(here, &[TRAIN, &["--set=train.n_validation=60"]].concat());
    assert_eq!(too_many.code, 2);
    assert!(
        too_many.stderr.contains("train.evaluation.n_validation must be less"),
        "{}",
        too_many.stderr
    );
}

#[test]
fn events_match_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let trained = hrm(here, &[TRAIN, &["--steps=30", "--out=run"]].concat());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let run = here.join("run");
    // As if the process had been killed in its last evaluation.
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let (before, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(run.join("metrics.jsonl"), format!("{before}\n")).unwrap();
    let resumed = hrm(here, &["train", "--resume=run"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);

    let mut files: Vec<PathBuf> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("events.out."))
        .collect();
    files.sort();
    assert_eq!(files.len(), 2, "one for each process");
    let events = events::read(&fs::read(&files[0]).unwrap());
    assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
    assert!(events.iter().all(|event| event.wall_time > 1.7e9));
    let found: Vec<(i64, String, f32)> = events
        .iter()
        .flat_map(|e| e.scalars.iter().map(|(tag, value)| (e.step, tag.clone(), *value)))
        .collect();
    let mut wanted = Vec::new();
    for line in metrics(&run).into_iter().take(6) {
        let kind = line["kind"].as_str().unwrap();
        for (name, value) in line.as_object().unwrap() {
            if let (Some(value), true) = (value.as_f64(), name != "step") {
                let step = line["step"].as_i64().unwrap();
                wanted.push((step, format!("{kind}/{name}"), value as f32));
            }
        }
    }
    assert!(wanted.len() > 30);
    assert_eq!(found, wanted);
    // The second process discards the steps that it may repeat.
    let again = events::read(&fs::read(&files[1]).unwrap());
    assert_eq!((again[1].step, again[1].starts_session), (31, true));
}

/// A reader of event files that shares no code with the writer: it computes
/// checksums bit by bit, and parses messages byte by byte.
mod events {
    #[derive(Debug, Default)]
    pub(super) struct Event {
        pub(super) wall_time: f64,
        pub(super) step: i64,
        pub(super) file_version: Option<String>,
        pub(super) scalars: Vec<(String, f32)>,
        pub(super) starts_session: bool,
    }

    pub(super) fn read(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(stored(&bytes[8..]), masked(&bytes[..8]), "checksum of the length");
            let message = &bytes[12..12 + length];
            assert_eq!(stored(&bytes[12 + length..]), masked(message), "checksum of the message");
            events.push(event(message));
            bytes = &bytes[16 + length..];
        }
        events
    }

    fn stored(bytes: &[u8]) -> u32 {
        u32::from_le_bytes(bytes[..4].try_into().unwrap())
    }

    /// The masked CRC-32C of the format, from its polynomial.
    fn masked(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            }
        }
        let crc = !crc;
        crc.rotate_right(15).wrapping_add(0xa282_ead8)
    }

    fn event(message: &[u8]) -> Event {
        let mut event = Event::default();
        for (tag, value) in fields(message) {
            match (tag, value) {
                (1, Field::Eight(bytes)) => event.wall_time = f64::from_le_bytes(bytes),
                (2, Field::Varint(step)) => event.step = step as i64,
                (3, Field::Bytes(text)) => {
                    event.file_version = Some(String::from_utf8(text.to_vec()).unwrap());
                }
                (5, Field::Bytes(summary)) => event.scalars = scalars(summary),
                (7, Field::Bytes(session)) => {
                    let status = fields(session);
                    event.starts_session = matches!(status[..], [(1, Field::Varint(1))]);
                }
                other => panic!("unknown field {other:?}"),
            }
        }
        event
    }

    fn scalars(summary: &[u8]) -> Vec<(String, f32)> {
        let scalar = |(tag, value): (u64, Field<'_>)| {
            let (1, Field::Bytes(scalar)) = (tag, value) else { panic!("unknown field {tag}") };
            let (mut name, mut number) = (String::new(), None);
            for (tag, value) in fields(scalar) {
                match (tag, value) {
                    (1, Field::Bytes(text)) => name = String::from_utf8(text.to_vec()).unwrap(),
                    (2, Field::Four(bytes)) => number = Some(f32::from_le_bytes(bytes)),
                    other => panic!("unknown field {other:?}"),
                }
            }
            (name, number.expect("a scalar has a value"))
        };
        fields(summary).into_iter().map(scalar).collect()
    }

    #[derive(Debug)]
    enum Field<'a> {
        Varint(u64),
        Eight([u8; 8]),
        Bytes(&'a [u8]),
        Four([u8; 4]),
    }

    /// The fields of a protobuf message, by number.
    fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
        let mut found = Vec::new();
        while !message.is_empty() {
            let key = varint(&mut message);
            let mut take = |n: usize| {
                let (front, rest) = message.split_at(n);
                message = rest;
                front
            };
            let field = match key & 7 {
                0 => Field::Varint(varint(&mut message)),
                1 => Field::Eight(take(8).try_into().unwrap()),
                2 => {
                    let n = varint(&mut message) as usize;
                    let (front, rest) = message.split_at(n);
                    message = rest;
                    Field::Bytes(front)
                }
                5 => Field::Four(take(4).try_into().unwrap()),
                kind => panic!("unknown wire type {kind}"),
            };
            found.push((key >> 3, field));
        }
        found
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        panic!("a varint has at most ten bytes");
    }
}

#[test]
fn a_trace_shows_the_spans_of_both_threads() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let flags = ["--steps=40", "--out=run", "--trace=trace.json", "--pictures=3"];
    let trained = hrm(here, &[TRAIN, &flags].concat());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let trace = fs::read(here.join("trace.json")).unwrap();
    let events: Vec<Value> = serde_json::from_slice(&trace).unwrap();
    let begun = |name: &str| {
        events.iter().filter(|event| event["ph"] == "B" && event["name"] == name).count()
    };
    assert_eq!((begun("train"), begun("step"), begun("evaluate")), (1, 40, 4));
    assert_eq!((begun("snapshot"), begun("write checkpoint"), begun("write pictures")), (4, 4, 4));
    assert!(begun("sample puzzles") >= 40);
    let thread_of = |name: &str| {
        let event = events.iter().find(|event| event["name"] == name).unwrap();
        event["tid"].clone()
    };
    assert_eq!(thread_of("step"), thread_of("train"));
    for beside in ["sample puzzles", "write checkpoint", "write pictures"] {
        assert_ne!(thread_of(beside), thread_of("train"), "{beside} runs on another thread");
    }
    let pictures = fs::read_dir(here.join("run/pictures")).unwrap();
    let mut names: Vec<String> =
        pictures.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 4);
    assert_eq!(names[3], "evaluation-00000040.png");
    let png = fs::read(here.join("run/pictures").join(&names[3])).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    // An existing file is kept.
    let again = hrm(here, &[TRAIN, &["--steps=1", "--out=again", "--trace=trace.json"]].concat());
    assert_eq!(again.code, 2);
    assert!(!here.join("again").exists());
    // A run that is refused leaves no file.
    let wrong = ["--set=task.board=5", "--out=wrong", "--trace=new.json"];
    assert_eq!(hrm(here, &[TRAIN, &wrong].concat()).code, 2);
    let nowhere = hrm(here, &[TRAIN, &["--out=wrong", "--trace=no/such/folder.json"]].concat());
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("no folder no/such"), "{}", nowhere.stderr);
    let long = format!("--trace={}", "x".repeat(300));
    let unwritable = hrm(here, &[TRAIN, &["--out=wrong", &long]].concat());
    assert_eq!(unwritable.code, 2);
    assert!(unwritable.stderr.contains("cannot write xxx"), "{}", unwritable.stderr);
    assert!(!here.join("new.json").exists() && !here.join("wrong").exists());
    assert_eq!(fs::read(here.join("trace.json")).unwrap(), trace);
}

#[test]
fn runs_are_listed_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let none = hrm(here, &["runs"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(none.stderr.contains("No runs yet"), "{}", none.stderr);
    for (name, rate) in [("a", "0.001"), ("b", "0.002")] {
        let rate = format!("--set=train.learning_rate={rate}");
        let out = format!("--out=runs/{name}");
        let trained = hrm(here, &[TRAIN, &["--steps=20", &rate, &out]].concat());
        assert_eq!(trained.code, 0, "{}", trained.stderr);
    }
    fs::create_dir(here.join("runs/broken")).unwrap();
    fs::write(here.join("runs/broken/run.json"), "{").unwrap();

    let listed = hrm(here, &["runs"]);
    let rows: Vec<Vec<&str>> =
        listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..3], ["run", "task", "parameters"]);
    assert_eq!(rows[1][..2], ["a", "sudoku"]);
    assert_eq!(rows[1][3..7], ["2", "20", "of", "20"]);
    assert_eq!((rows[2][0], rows.len()), ("b", 3));
    assert!(listed.stderr.contains("Warning: runs/broken"), "{}", listed.stderr);

    let compared = hrm(here, &["runs", "runs/a", "runs/b"]);
    let row = compared
        .stdout
        .lines()
        .find(|line| line.contains("train.optimiser.learning_rate"))
        .unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["train.optimiser.learning_rate", "0.001", "0.002"]
    );
    assert!(!compared.stdout.contains("train.batch_size"), "{}", compared.stdout);

    let plotted = hrm(here, &["runs", "runs/a", "runs/b", "--plot=curves.svg"]);
    assert_eq!(plotted.code, 0, "{}", plotted.stderr);
    let svg = fs::read_to_string(here.join("curves.svg")).unwrap();
    // Per run and in its colour: the loss, a line in each legend, circles for evaluations.
    for colour in ["#0072B2", "#D55E00"] {
        let n_of = |shape: &str| {
            svg.lines().filter(|line| line.starts_with(shape) && line.contains(colour)).count()
        };
        assert_eq!(n_of("<polyline"), 3, "{svg}");
        assert!(n_of("<circle") > 0, "{svg}");
    }
    assert!(["loss", "exact", "step"].iter().all(|text| svg.contains(text)), "{svg}");
    assert_eq!(hrm(here, &["runs", "runs/a", "--plot=curves.svg"]).code, 2, "it is kept");

    let json = hrm(here, &["runs", "runs/a", "--json"]);
    let run: Value = serde_json::from_str(json.stdout.trim()).unwrap();
    let evaluated = of_kind(&here.join("runs/a"), "eval").pop().unwrap();
    assert_eq!((&run["step"], &run["exact"]), (&20.into(), &evaluated["exact"]));
    assert_eq!(hrm(here, &["runs", "nowhere"]).code, 2);
}
