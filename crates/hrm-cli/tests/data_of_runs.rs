//! The data of a run, through the program: where they are, what they are called, and whether
//! other data were trained on.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Ran, hrm};
use serde_json::Value;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A task of pairs of one cell, whose test pair has the colour `test`.
fn task(train: u8, test: u8) -> String {
    let pair = |c: u8| format!(r#"{{"input": [[{c}, {c}, 0]], "output": [[0, {c}, {test}]]}}"#);
    format!(r#"{{"train": [{}], "test": [{}]}}"#, pair(train), pair(test))
}

/// Runs the program, which must succeed.
#[track_caller]
fn ok(folder: &Path, args: &[&str]) -> Ran {
    let ran = hrm(folder, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran
}

/// Runs the program, which must refuse with a message that has all of `parts`.
#[track_caller]
fn refused(folder: &Path, args: &[&str], parts: &[&str]) {
    let ran = hrm(folder, args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{args:?}: {part}: {}", ran.stderr);
    }
}

/// Trains one step.
#[track_caller]
fn train(folder: &Path, kind: &str, more: &[&str]) -> Ran {
    let small = ["--preset=tiny", "--steps=1", "--set=train.n_validation=0"];
    let model = ["--set=model.hidden_dim=16", "--set=model.puzzle_dim=16"];
    ok(folder, &[&["train", kind][..], &small, &model, more].concat())
}

/// The number of rows that an evaluation answers.
#[track_caller]
fn n_rows(folder: &Path, args: &[&str]) -> u64 {
    let ran = ok(folder, &[&["eval", "--json"], args].concat());
    serde_json::from_str::<Value>(&ran.stdout).unwrap()["rows"].as_u64().unwrap()
}

const ARC: &str = "--set=task.augmentations=1";

#[test]
fn a_role_is_that_of_the_spelled_name_for_the_whole_life_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/training/x.json", &task(1, 2));
    write(here, "d/evaluation/y.json", &task(3, 4));
    let inside = here.join("d/evaluation");
    let said = train(&inside, "arc", &[ARC, "--data=../training", "--data=.", "--out=../../r"]);
    assert!(said.stderr.contains("2 training and 1 evaluation puzzle,"), "{}", said.stderr);
    assert_eq!(n_rows(here, &["r"]), 2);
    ok(&inside, &["train", "--resume=../../r", "--steps=2"]);

    // A file of the folder is for evaluation too, and nothing is held out.
    let file = ["--data=d/training", "--data=d/evaluation/y.json", "--out=f"];
    let said = train(here, "arc", &[&[ARC, "--set=task.held_out=0"], &file[..]].concat());
    assert!(said.stderr.contains("2 training and 1 evaluation puzzle,"), "{}", said.stderr);
}

#[cfg(unix)]
#[test]
fn links_to_data_keep_their_names() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "arc/training/x.json", &task(1, 2));
    write(here, "store/v1/y.json", &task(3, 4));
    symlink("../store/v1", here.join("arc/evaluation")).unwrap();
    let data = ["--data=arc/training", "--data=arc/evaluation", "--out=runs/r"];
    train(here, "arc", &[&[ARC], &data[..]].concat());
    assert_eq!(n_rows(here, &["runs/r"]), 2);
    ok(here, &["train", "--resume=runs/r", "--steps=2"]);
    assert_eq!(n_rows(here, &["runs/r"]), 2);

    // A file that is a link, in a folder that is data; and what no reader reads beside it.
    write(here, "store/a.csv", "question,answer\n1...,1234\n2...,2143\n");
    fs::create_dir(here.join("table")).unwrap();
    symlink("../store/a.csv", here.join("table/train.csv")).unwrap();
    symlink("..", here.join("table/loop")).unwrap();
    train(here, "grid", &["--data=table", "--out=runs/g"]);
    symlink("nowhere", here.join("table/gone.csv")).unwrap();
    write(here, "table/.DS_Store", "seen");
    ok(here, &["train", "--resume=runs/g", "--steps=2"]);
    ok(here, &["train", "--from=runs/g", "--steps=1", "--out=runs/h"]);
    // The project with its links moves as a whole.
    let moved = folder.path().with_extension("moved");
    fs::rename(here, &moved).unwrap();
    let ran = hrm(&moved, &["train", "--resume=runs/r", "--steps=3"]);
    fs::rename(&moved, here).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn moved_data_keep_the_names_that_decide_on_roles() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "arc/training/x.json", &task(1, 2));
    write(here, "arc/evaluation/y.json", &task(3, 4));
    let data = ["--data=arc/training", "--data=arc/evaluation"];
    train(here, "arc", &[&[ARC, "--out=r"], &data[..]].concat());
    fs::rename(here.join("arc/evaluation"), here.join("eval2")).unwrap();
    let renamed = ["--data=arc/training", "--data=eval2"];
    let why = ["eval2 is ", "arc/evaluation under another name"];
    refused(here, &[&["train", "--resume=r", "--steps=2"], &renamed[..]].concat(), &why);
    refused(here, &[&["eval", "r"], &renamed[..]].concat(), &why);
    fs::create_dir(here.join("else")).unwrap();
    fs::rename(here.join("eval2"), here.join("else/evaluation")).unwrap();
    let moved = ["--data=else/evaluation", "--data=arc/training"];
    assert_eq!(n_rows(here, &[&["r"], &moved[..]].concat()), 2);
    ok(here, &[&["train", "--resume=r", "--steps=2"], &moved[..]].concat());
}

#[test]
fn the_data_of_a_run_are_evaluated_with_its_identifiers_only() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/training/x.json", &task(1, 2));
    write(here, "d/evaluation/y.json", &task(3, 4));
    train(here, "arc", &[ARC, "--data=d", "--out=r"]);
    let want = ["data of the run have 7 puzzle identifiers, and the model has learned 5"];
    refused(here, &["eval", "r", "--set", "task.augmentations=2"], &want);
    // Changed data, too. By name, they are found.
    write(here, "d/training/a.json", &task(5, 6));
    refused(here, &["eval", "r"], &["identifier 1 is `a`, and was `x`"]);
    assert_eq!(n_rows(here, &["r", "--data=d/evaluation"]), 2);
}

/// A table of 4 by 4 boards: the answer with one blank cell in each of `blanks`.
fn boards(header: &str, answer: &str, blanks: std::ops::Range<usize>) -> String {
    let row = |at: usize| {
        let question: String =
            answer.char_indices().map(|(idx, c)| if idx == at { '.' } else { c }).collect();
        format!("{question},{answer}\n")
    };
    format!("{header}\n{}", blanks.map(row).collect::<String>())
}

const ANSWER: &str = "1234341221434321";

#[test]
fn an_evaluation_says_how_many_puzzles_were_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "train.csv", &boards("question,answer", ANSWER, 0..4));
    // Two known ones, one of them with 1 and 2 exchanged, and two blanks instead of one.
    let relabelled = "213434211243431.,2134342112434312\n";
    let mixed = format!("{}{relabelled}", boards("question,answer", ANSWER, 3..4));
    write(here, "new.csv", &format!("{mixed}..34341221434321,{ANSWER}\n"));
    train(here, "sudoku", &["--data=train.csv", "--set=task.held_out=0", "--out=r"]);
    let said = ok(here, &["eval", "r", "--data=new.csv"]).stderr;
    let want = "2 of 3 evaluation puzzles are among the puzzles that the run was trained on";
    assert!(said.contains(want) && said.contains("--forbid-leaks refuses them"), "{said}");
    refused(here, &["eval", "r", "--data=new.csv", "--forbid-leaks"], &[want]);
    refused(here, &["eval", "r", "--data=train.csv", "--forbid-leaks"], &["4 of 4 evaluation"]);
    write(here, "clean.csv", &format!("question,answer\n..34341221434321,{ANSWER}\n"));
    let said = ok(here, &["eval", "r", "--data=clean.csv", "--forbid-leaks"]).stderr;
    assert!(!said.contains("trained on"), "{said}");
    // Answers to a challenge have no scores that leaks could spoil.
    for flag in ["--forbid-leaks", "--allow-unknown"] {
        let challenge = ["eval", "r", "--challenge=clean.csv", flag];
        refused(here, &challenge, &["cannot be used with"]);
    }

    // Rows as the published code has them are compared as they are.
    ok(
        here,
        &["data", "export", "sudoku", "--data=train.csv", "--set=task.held_out=0.5", "--out=npy"],
    );
    let said = ok(here, &["eval", "r", "--data=npy"]).stderr;
    assert!(said.contains("2 of 2 evaluation puzzles are among"), "{said}");

    // Training data that are gone are no proof.
    fs::rename(here.join("train.csv"), here.join("gone")).unwrap();
    let said = ok(here, &["eval", "r", "--data=clean.csv"]).stderr;
    assert!(said.contains("are no longer at") && said.contains("cannot be compared"), "{said}");
    refused(here, &["eval", "r", "--data=clean.csv", "--forbid-leaks"], &["are no longer at"]);
}

#[test]
fn many_puzzles_are_compared_to_the_last_one_and_up_to_symmetry_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let many = boards("question,answer", ANSWER, 15..16).lines().nth(1).unwrap().to_owned() + "\n";
    let last = "..34341221434321,1234341221434321\n";
    let relabelled = "213434211243431.,2134342112434312\n";
    let header = "question,answer\n";
    write(here, "d/train.csv", &format!("{header}{}{last}", many.repeat(50_000)));
    write(here, "d/test.csv", &format!("{header}{last}{relabelled}"));
    let data = ["--data=d", "--set=task.augmentations=1000"];
    let said = train(here, "sudoku", &[&data[..], &["--out=r"]].concat()).stderr;
    let want = "1 of 2 evaluation puzzles are among the training puzzles: they have the same";
    assert!(said.contains(want), "{said}");
    let forbidden = ["train", "sudoku", "--preset=tiny", "--forbid-leaks", "--out=f"];
    let want = ["2 of 2 evaluation puzzles are among the training puzzles ("];
    refused(here, &[&forbidden[..], &data].concat(), &want);
    // Nothing found is no proof.
    write(here, "d/test.csv", &format!("{header}{relabelled}"));
    let said = train(here, "sudoku", &[&data[..], &["--out=s"]].concat()).stderr;
    assert!(said.contains("no evaluation puzzle is among the training puzzles as it is"), "{said}");
    let want = ["1 of 1 evaluation puzzles are among the training puzzles ("];
    refused(here, &[&forbidden[..], &data].concat(), &want);
}

#[test]
fn statistics_of_prepared_data_count_leaks() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d.csv", &boards("question,answer", ANSWER, 0..3));
    ok(here, &["data", "export", "sudoku", "--data=d.csv", "--set=task.held_out=0", "--out=npy"]);
    fs::create_dir(here.join("npy/test")).unwrap();
    for file in fs::read_dir(here.join("npy/train")).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(file.path(), here.join("npy/test").join(file.file_name())).unwrap();
    }
    let stats = ok(here, &["data", "stats", "sudoku", "--data=npy", "--json"]).stdout;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["leaks"].as_array().unwrap().len(), 3);
    let want = "3 of 3 evaluation puzzles are among the training puzzles (3: the same question";
    refused(here, &["train", "sudoku", "--data=npy", "--forbid-leaks"], &[want]);
}

#[test]
fn columns_count_wherever_data_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "a.csv", &boards("start,end", ANSWER, 0..6));
    let columns = "--columns=question=start,answer=end";
    train(here, "sudoku", &["--data=a.csv", columns, "--out=r"]);
    // A warm start with the same table, and with one of known names.
    let warm = ["train", "--init=r", "--steps=1"];
    ok(here, &[&warm[..], &["--data=a.csv", columns, "--out=w"]].concat());
    let set = "--set=task.table_columns=question=start,answer=end";
    ok(here, &[&warm[..], &["--data=a.csv", set, "--out=s"]].concat());
    write(here, "known.csv", &boards("question,answer", ANSWER, 0..6));
    ok(here, &[&warm[..], &["--data=known.csv", "--out=k"]].concat());
    // The file of the run, elsewhere, has the columns of the run.
    let n = n_rows(here, &["r"]);
    fs::create_dir(here.join("there")).unwrap();
    fs::rename(here.join("a.csv"), here.join("there/a.csv")).unwrap();
    assert_eq!(n_rows(here, &["r", "--data=there/a.csv"]), n);
    // Or the folder that it is in.
    assert_eq!(n_rows(here, &["r", "--data=there"]), n);
    ok(here, &["train", "--resume=r", "--steps=2", "--data=there"]);
    let empty = ["train", "--resume=w", "--steps=2", "--data=runs-of-others"];
    fs::create_dir(here.join("runs-of-others")).unwrap();
    refused(here, &empty, &["runs-of-others is a folder without a file of the name of", "a.csv"]);
}

#[test]
fn refused_tests_of_a_challenge_are_no_answers() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "d/training/x.json", &task(1, 2));
    write(here, "d/evaluation/y.json", &task(3, 4));
    train(here, "arc", &[ARC, "--data=d", "--out=r"]);
    let questions = format!(
        r#"{{"a": {{"train": [], "test": [{{"input": [[1], [2, 3]]}}]}}, "y": {}}}"#,
        task(3, 4)
    );
    write(here, "q.json", &questions);
    let ran = ok(here, &["eval", "r", "--challenge=q.json", "--out=o", "--json"]);
    let line: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["puzzles"], &line["refused"]), (&1.into(), &1.into()), "{line}");
    assert!(line["mean_segments"].as_f64().unwrap() >= 1.0, "{line}");
    let note = "submission.json has a single black cell for the puzzle that could not be answered";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    let table = ok(here, &["eval", "r", "--challenge=q.json"]);
    assert!(table.stdout.starts_with("1 answer, "), "{}", table.stdout);
    assert!(!table.stderr.contains("black cell"), "{}", table.stderr);
    // Tables have a row that says why.
    train(here, "sudoku", &["--out=s"]);
    write(here, "q.csv", &format!("question\n.{}\nno board\n", &ANSWER[1..]));
    let ran = ok(here, &["eval", "s", "--challenge=q.csv", "--out=t", "--json"]);
    let line: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["puzzles"], &line["refused"]), (&1.into(), &1.into()), "{line}");
    assert!(!ran.stderr.contains("black cell"), "{}", ran.stderr);
}
