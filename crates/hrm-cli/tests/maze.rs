//! Mazes as people have them: rectangles, and other characters.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Ran, hrm, hrm_with_input};
use serde_json::Value;

const SYMBOLS: &str = "--symbols=wall=1,free=0,start=2,goal=3,path=4";

fn ok(here: &Path, args: &[&str]) -> Ran {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran
}

fn refused(here: &Path, args: &[&str], want: &str) {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    assert!(ran.stderr.contains(want), "{args:?}: {}", ran.stderr);
}

/// Trains for one step.
fn train(here: &Path, args: &[&str]) -> Ran {
    let short = ["train", "maze", "--preset=tiny", "--steps=1", "--set=train.batch_size=4"];
    ok(here, &[&short[..], &["--set=train.evaluation.n_validation=0"], args].concat())
}

/// Lines of JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn rectangles_are_generated_trained_and_solved() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let size = ["--set=task.side=4", "--set=task.width=7"];
    let few = ["-n=20", "--min-path=4", "--out=mazes.csv"];
    ok(here, &[&["data", "generate", "maze"], &size[..], &few].concat());
    // A line of 28 cells says nothing about its shape.
    let want = "mazes.csv:2: field `question`: expected a square maze, row by row, of 2 to 100 \
                cells per side (for mazes that are not square, say --set task.side=ROWS --set \
                task.width=CELLS), found 28 cells";
    refused(here, &["data", "stats", "maze", "--data=mazes.csv"], want);
    let ran = ok(here, &[&["data", "show", "maze", "--data=mazes.csv"], &size[..]].concat());
    assert!(ran.stdout.contains("+-------+   +-------+"), "{}", ran.stdout);

    let args = ["--data=mazes.csv", "--out=run", "--pictures=1"];
    train(here, &[&size[..], &args, &["--set=task.augment=dihedral"]].concat());
    ok(here, &["eval", "run", "--json"]);
    let drawn = "S  #   \n # # # \n #   # \n #####G\n";
    let ran = hrm_with_input(here, &["solve", "maze", "-", "--run=run", "--json"], drawn);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let answer = lines(&ran.stdout)[0]["answer"].as_str().unwrap().to_owned();
    assert_eq!(answer.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [7; 4]);
    let ran = ok(here, &["solve", "maze", "--run=run", "--seed=1"]);
    assert!(ran.stdout.contains("+-------+   +-------+"), "{}", ran.stdout);
    refused(
        here,
        &["solve", "maze", "SG  ", "--run=run"],
        "puzzle:1: expected 28 characters for 4 by 7 cells, found 4, as for side 2",
    );

    // A drawn maze says its shape.
    let csv = "question,answer\n\"S #\n  G\",\"S #\nooG\"\n".to_owned() + "S #/  G,S #/ooG\n";
    fs::write(here.join("drawn.csv"), &csv).unwrap();
    let ran = ok(here, &["data", "stats", "maze", "--data=drawn.csv", "--json"]);
    assert_eq!(lines(&ran.stdout).len(), 1);
    fs::write(here.join("drawn.csv"), csv + "SG  ,SG  \n").unwrap();
    refused(
        here,
        &["train", "maze", "--data=drawn.csv", "--out=other"],
        "drawn.csv:6: field `question`: expected 6 characters for 2 by 3 cells, found 4",
    );
    assert!(!here.join("other").exists());
}

#[test]
fn mazes_with_other_characters_are_read_and_answered_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let few = ["-n=20", "--set=task.side=6", "--min-path=6", "--out=mazes.csv"];
    ok(here, &[&["data", "generate", "maze", SYMBOLS], &few[..]].concat());
    let text = fs::read_to_string(here.join("mazes.csv")).unwrap();
    assert!(!text.contains('#') && text.contains('4'), "{text}");
    for command in ["stats", "show"] {
        let args = ["data", command, "maze", "--data=mazes.csv"];
        ok(here, &[&args[..], &[SYMBOLS]].concat());
        refused(
            here,
            &args,
            "mazes.csv:2: field `question`: expected '#', ' ', 'S' or 'G', found ",
        );
        refused(here, &args, "say what it stands for, e.g. --symbols free=");
    }
    train(here, &["--data=mazes.csv", "--out=run", SYMBOLS]);
    // The run remembers them, for its own data and for others.
    let record: Value =
        serde_json::from_str(&fs::read_to_string(here.join("run/run.json")).unwrap()).unwrap();
    assert_eq!(record["config"]["task"]["symbols"], SYMBOLS["--symbols=".len()..]);
    ok(here, &["eval", "run"]);
    ok(here, &["eval", "run", "--data=mazes.csv"]);
    let question = text.lines().nth(1).unwrap().split(',').nth(1).unwrap();
    fs::write(here.join("questions.txt"), format!("{question}\n")).unwrap();
    ok(here, &["eval", "run", "--challenge=questions.txt", "--out=answers"]);
    let answers = fs::read_to_string(here.join("answers/answers.csv")).unwrap();
    assert!(answers.contains(question) && !answers.contains('#'), "{answers}");
    let solved = |symbols: &[&str], question: &str| {
        let ran =
            ok(here, &[&["solve", "maze", question, "--run=run", "--json"], symbols].concat());
        lines(&ran.stdout)[0]["answer"].as_str().unwrap().to_owned()
    };
    assert!(solved(&[], question).contains('2'));
    let letters = |text: &str| text.replace('1', "X").replace('0', ".").replace('2', "A");
    let other = "--symbols=wall=X,free=.,start=A,goal=3,path=*";
    let answer = solved(&[other], &letters(question));
    assert!(answer.contains('A') && !answer.contains('1'), "{answer}");
    assert_eq!(answer.replace('*', "o"), letters(&solved(&[], question)).replace('4', "o"));
    let own = "--symbols=wall=#,free=space,start=S,goal=G,path=o";
    let typed = letters(question).replace('X', "#").replace('.', " ").replace('A', "S");
    solved(&[own], &typed.replace('3', "G"));
    refused(
        here,
        &["solve", "maze", &question.replace('3', "G"), "--run=run"],
        "expected '1', '0', '2' or '3', found 'G' at row ",
    );

    // Prepared data keep them too.
    let prepare = ["data", "prepare", "maze", "--data=mazes.csv", SYMBOLS, "--out=set"];
    ok(here, &prepare);
    ok(here, &["data", "stats", "maze", "--data=set"]);
    // Other data of a repeated run are written as those of the run.
    ok(here, &["train", "--from=run", "--data=mazes.csv", "--steps=1", "--out=again"]);
}

#[test]
fn symbols_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let stats = |symbols| ["data", "stats", "maze", symbols];
    let want = "task.symbols must be the names wall, free, start, goal and path with their \
                characters, e.g. wall=#,free=._, found ";
    refused(here, &stats("--symbols=door=#"), &format!("{want}the name \"door\""));
    refused(here, &stats("--symbols=wall=1,free=1"), &format!("{want}'1' for both wall and free"));
    refused(
        here,
        &stats("--symbols=wall=brick"),
        &format!("{want}\"brick\" for wall, which is no"),
    );
    refused(here, &["data", "stats", "maze", "--set=task.symbols=x"], &format!("{want}\"x\""));
    for kind in ["sudoku", "arc", "grid", "binairo"] {
        let want = format!("task.symbols must be left out: it is for mazes, not for {kind}, found");
        refused(here, &["data", "stats", kind, SYMBOLS], &want);
    }
}
