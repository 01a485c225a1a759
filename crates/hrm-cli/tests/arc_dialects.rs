//! ARC data of other projects, through the program: conflicts of ids, leaks, names that a model
//! does not know, questions without answers.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::hrm;

/// A task that mirrors rows of two cells: one train pair for each of `colours`, and one test pair.
fn task(colours: &[u8], test: u8) -> String {
    let pair = |c: &u8| format!(r#"{{"input": [[{c}, 0]], "output": [[0, {c}]]}}"#);
    let train: Vec<_> = colours.iter().map(pair).collect();
    format!(r#"{{"train": [{}], "test": [{}]}}"#, train.join(", "), pair(&test))
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Trains one step on data.
fn train(folder: &Path, more: &[&str]) -> common::Ran {
    let settings = ["--preset", "tiny", "--set", "task.augmentations=1", "--steps", "1"];
    hrm(folder, &[&["train", "arc"], &settings[..], more].concat())
}

#[test]
fn a_rule_for_conflicts_is_recorded_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "one/x.json", &task(&[1, 2], 3));
    write(here, "two/x.json", &task(&[1, 2], 4));
    write(here, "two/evaluation/y.json", &task(&[5], 6));
    let data = ["--data", "one", "--data", "two/x.json", "--data", "two/evaluation"];
    let ran = train(here, &[&data[..], &["--out", "r"]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("add --on-conflict newest"), "{}", ran.stderr);
    let ran = train(here, &[&data[..], &["--out", "r", "--on-conflict", "first"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("1 id has different tasks"), "{}", ran.stderr);
    let record = fs::read_to_string(here.join("r/run.json")).unwrap();
    assert!(record.contains(r#""on_conflict": "first""#), "{record}");
    // Evaluation reads the data as training did.
    let ran = hrm(here, &["eval", "r"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = hrm(here, &["eval", "r", "--on-conflict", "error"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn leaks_are_said_before_training_and_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/training/x.json", &task(&[1, 2], 3));
    write(here, "d/evaluation/y.json", &task(&[2, 1], 3));
    let want = "1 of 1 evaluation puzzles are among the training puzzles (1: the same pairs";
    let ran = train(here, &["--data", "d", "--out", "r", "--forbid-leaks"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains(want) && !here.join("r").exists(), "{}", ran.stderr);
    let ran = train(here, &["--data", "d", "--out", "r"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains(want), "{}", ran.stderr);
    let ran = hrm(here, &["eval", "r"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains(want), "{}", ran.stderr);
    assert_eq!(hrm(here, &["eval", "r", "--forbid-leaks"]).code, 2);
}

#[test]
fn data_that_the_model_does_not_know_are_evaluated_on_request_only() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/training/x.json", &task(&[1, 2], 3));
    write(here, "d/evaluation/y.json", &task(&[4], 6));
    assert_eq!(train(here, &["--data", "d", "--out", "r"]).code, 0);
    write(here, "new.json", &format!(r#"{{"a": {0}, "b": {0}, "x": {0}}}"#, task(&[7], 8)));
    let ran = hrm(here, &["eval", "r", "--data", "new.json"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let want = "does not know 2 of the 3 puzzle identifiers";
    assert!(ran.stderr.contains(want) && ran.stderr.contains("--allow-unknown"), "{}", ran.stderr);
    let ran = hrm(here, &["eval", "r", "--data", "new.json", "--allow-unknown"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    // Questions: no outputs, one task of several too large.
    let questions = r#"{"a": {"train": [], "test": [{"input": [[1, 2, 3, 4]], "output": null}]},
        "b": {"train": [], "test": [{"input": [[1, 2]], "output": []}, {"input": [[1]]}]}}"#;
    write(here, "questions.json", questions);
    let ran = hrm(here, &["eval", "r", "--challenge", "questions.json", "--out", "answers"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("a single black cell for the puzzle"), "{}", ran.stderr);
    assert!(ran.stderr.contains("task `a`, test[0].input"), "{}", ran.stderr);
    let text = fs::read_to_string(here.join("answers/submission.json")).unwrap();
    let start = r#"{"a":[{"attempt_1":[[0]],"attempt_2":[[0]]}],"b":[{"#;
    assert!(text.starts_with(start) && text.matches("attempt_1").count() == 3, "{text}");
    let ran = hrm(here, &["solve", "arc", "questions.json", "--run", "r", "--json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 3), "{}", ran.stderr);
}

#[test]
fn the_side_of_a_folder_called_test_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/train/x.json", &task(&[1, 2], 3));
    write(here, "d/train/z.json", &task(&[6, 7], 8));
    write(here, "d/test/y.json", &task(&[4], 5));
    let ran = hrm(here, &["data", "stats", "arc", "--data", "d"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let want = "d: by their names, tasks of test are for evaluation, those of train for training";
    assert!(ran.stderr.contains(want), "{}", ran.stderr);
    let ran = hrm(here, &["data", "stats", "arc", "--data", "d/train"]);
    let want = "no name of a file or folder says what is for evaluation: 1 of 2 tasks are held out";
    assert!(ran.stderr.contains(want), "{}", ran.stderr);
    // An empty folder says what is in it.
    write(here, "e/tasks.zip", "");
    let ran = hrm(here, &["data", "stats", "arc", "--data", "e"]);
    let want = "found 1 other file or folder (tasks.zip); unpack archives first";
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains(want), "{}", ran.stderr);
}

#[test]
fn a_folder_of_tasks_is_a_challenge() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/training/x.json", &task(&[1, 2], 3));
    write(here, "d/evaluation/y.json", &task(&[4], 6));
    assert_eq!(train(here, &["--data", "d", "--out", "r"]).code, 0);
    let question = r#"{"train": [], "test": [{"input": [[1, 2]]}]}"#;
    write(here, "c/p.json", question);
    write(here, "c/deep/q.json", question);
    write(here, "c/wrong.json", r#"{"train": [], "test": [{"input": [[1, 2], [3]]}]}"#);
    write(here, "c/README.md", "#");
    let ran = hrm(here, &["eval", "r", "--challenge", "c", "--out", "answers"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("c: passed over 1 other file or folder"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not answered: c/wrong.json: task `wrong`"), "{}", ran.stderr);
    let text = fs::read_to_string(here.join("answers/submission.json")).unwrap();
    for id in ["p", "q", "wrong"] {
        assert!(text.contains(&format!("\"{id}\":[")), "{text}");
    }
}
