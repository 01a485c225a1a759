//! The task `grid`: puzzles without code of their own, from file to answer.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Ran, hrm, hrm_with_input};
use serde_json::Value;

/// Settings that make a run take a second.
const SHORT: [&str; 6] = [
    "--preset=tiny",
    "--steps=3",
    "--set=train.batch_size=4",
    "--set=model.hidden_dim=16",
    "--set=model.puzzle_dim=16",
    "--set=model.n_segments_max=2",
];

/// Reversed rows: ragged, in several scripts, with columns in any order.
const FILE: &str = "\
    source,answer,rating,question\n\
    a,ba/c,1,ab/c\n\
    b,\"象é\n_ \n\",2,\"é象\n _\n\"\n\
    c,cba,3,abc\n\
    d,b/cb,,b/bc\n";

fn trained(folder: &Path) -> Ran {
    fs::write(folder.join("a.csv"), FILE).unwrap();
    let args: Vec<&str> =
        ["train", "grid", "--data=a.csv", "--out=run"].into_iter().chain(SHORT).collect();
    let ran = hrm(folder, &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

#[test]
fn a_file_becomes_a_model_that_works_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ran = trained(here);
    assert!(
        ran.stderr.contains("grids of up to 2 by 3, number of characters: 7"),
        "{}",
        ran.stderr
    );
    let checkpoint = here.join("run/checkpoints/step-000003");
    let task: Value =
        serde_json::from_slice(&fs::read(checkpoint.join("task.json")).unwrap()).unwrap();
    assert_eq!(task["task"]["alphabet"], " _abcé象");
    assert_eq!((&task["task"]["rows"], &task["task"]["columns"]), (&2.into(), &3.into()));

    let shown = hrm(here, &["data", "show", "grid", "--data=a.csv", "--set=task.held_out=0"]);
    assert!(shown.stdout.contains("|ab|   |ba|\n|c|    |c|\n"), "{}", shown.stdout);
    let stats = hrm(here, &["data", "stats", "grid", "--data=a.csv", "--json"]);
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    assert_eq!(stats["cells of an answer max"], 4.0);

    // From here on the model has no data file. The same puzzles in other bytes are other data.
    let puzzles = fs::read_to_string(here.join("a.csv")).unwrap();
    fs::remove_file(here.join("a.csv")).unwrap();
    fs::write(here.join("b.csv"), puzzles + "\n").unwrap();
    let scored = hrm(here, &["eval", "run", "--data=b.csv", "--json"]);
    let scored: Value = serde_json::from_str(&scored.stdout).unwrap();
    assert_eq!(scored["rows"], 4);

    let solve = |input: &str, stdin: &str| {
        let ran = hrm_with_input(here, &["solve", "grid", input, "--run=run", "--json"], stdin);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let lines: Vec<Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines
    };
    let one = solve("ab/c", "");
    assert!(one[0]["answer"].is_string() && one[0]["valid"].is_null());
    assert_eq!(solve("-", "ab/c\n\nab/c\n"), [one[0].clone(), one[0].clone()]);
    // With labels, answers are checked.
    let labelled = solve("b.csv", "");
    assert!(labelled.len() == 4 && labelled.iter().all(|line| line["valid"].is_boolean()));
}

#[test]
fn unknown_characters_and_sizes_are_refused_with_their_location() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    trained(here);
    let refused = |args: &[&str], why: &str| {
        let ran = hrm(here, args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{args:?}: expected {why:?} in {}", ran.stderr);
    };
    fs::write(here.join("x.csv"), "question,answer\nab,ba\nax,xa\n").unwrap();
    let why = "x.csv:3: field `question`: expected one of the characters \" _abcé象\", found 'x' \
               at row 1, column 2";
    refused(&["eval", "run", "--data=x.csv"], why);
    // The other puzzle is answered.
    let ran = hrm(here, &["solve", "grid", "x.csv", "--run=run", "--json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("not answered: {why}")), "{}", ran.stderr);
    let why = "puzzle:1: expected a grid of at most 2 by 3, found 1 by 4";
    refused(&["solve", "grid", "abca", "--run=run"], why);
    refused(&["solve", "grid", "--run=run"], "no built-in grid puzzles");
    refused(&["solve", "sudoku", "1...", "--run=run"], "run solves grid, not sudoku");
    let again = ["train", "grid", "--data=a.csv", "--out=other", "--set=task.columns=2"];
    refused(&again, "a.csv:8: field `question`: expected a grid of at most 2 by 2");

    fs::write(here.join("bad.csv"), "question,other\nab,ba\n").unwrap();
    let why = "bad.csv:1: expected a header that names question and answer once";
    refused(&["train", "grid", "--data=bad.csv"], why);
    fs::write(here.join("bad.csv"), "question,answer\nab,ba\nab\n").unwrap();
    let why = "bad.csv:3: expected as many fields as in the header (2), found 1";
    refused(&["train", "grid", "--data=bad.csv"], why);
    fs::write(here.join("bad.csv"), "question,answer\nab,\u{1b}[2J\n").unwrap();
    refused(&["train", "grid", "--data=bad.csv"], "bad.csv:2: field `answer`: expected printable");
    let weights = here.join("run/checkpoints/step-000003/model.safetensors");
    fs::copy(weights, here.join("weights.safetensors")).unwrap();
    let args = ["import", "weights.safetensors", "--out=y", "--task=grid"];
    refused(&args, "task.alphabet");
}
