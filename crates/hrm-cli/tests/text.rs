//! Puzzle files as people have them: other columns, encodings, archives and drawings, and
//! puzzles that cannot be answered among others.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, hrm, hrm_with_input};
use serde_json::Value;

const PUZZLE: &str = "1..........3....";
const SOLVED: &str = "1234341221434321";

/// A run of one step on puzzles of 4 by 4.
fn trained(here: &Path, args: &[&str]) -> Ran {
    let short = ["train", "sudoku", "--preset=tiny", "--steps=1", "--out=run"];
    hrm(here, &[&short[..], &["--set=train.evaluation.n_validation=0"], args].concat())
}

/// A table with these columns and ten puzzles.
fn table(columns: &str) -> String {
    let row = format!("{PUZZLE},{SOLVED}\n");
    format!("{columns}\n{}", row.repeat(10))
}

#[test]
fn columns_are_chosen_once_and_kept_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("a.csv"), table("start,end")).unwrap();
    let refused = hrm(here, &["data", "stats", "sudoku", "--data=a.csv"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--columns question=NAME"), "{}", refused.stderr);
    let columns = "--columns=question=start,answer=end";
    for command in ["stats", "show"] {
        let ran = hrm(here, &["data", command, "sudoku", "--data=a.csv", columns]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let ran = trained(here, &["--data=a.csv", columns]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("question = start, answer = end"), "{}", ran.stderr);
    let ran = hrm(here, &["eval", "run", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Prepared data have the usual columns.
    let prepare = ["data", "prepare", "sudoku", "--data=a.csv", columns, "--out=p"];
    assert_eq!(hrm(here, &prepare).code, 0);
    let ran = hrm(here, &["data", "stats", "sudoku", "--data=p"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = hrm(here, &["data", "stats", "arc", columns]);
    assert!(ran.code == 2 && ran.stderr.contains("not read from tables"), "{}", ran.stderr);
}

#[test]
fn a_contest_folder_is_trained_on_and_its_questions_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir(here.join("c")).unwrap();
    let comment = "# the training puzzles\n";
    fs::write(here.join("c/train.csv"), comment.to_owned() + &table("quiz,end")).unwrap();
    fs::write(here.join("c/test.csv"), format!("id,quiz\n1,{PUZZLE}\n2,{PUZZLE}\n")).unwrap();
    let columns = "--columns=question=quiz,answer=end";
    let ran = trained(here, &["--data=c", columns]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let why = "test.csv: passed over, for it has no answers: puzzles without answers are for \
               `eval --challenge`";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    let ran = hrm(here, &["eval", "run", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = hrm(here, &["eval", "run", "--challenge=c/test.csv", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("\"puzzles\":2"), "{}", ran.stdout);
    let ran = hrm(here, &["eval", "run", "--data=c/test.csv"]);
    assert!(ran.code == 2 && ran.stderr.contains("`eval --challenge`"), "{}", ran.stderr);
}

#[test]
fn one_puzzle_that_cannot_be_answered_does_not_block_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(trained(here, &["--set=task.n_train=20", "--set=task.n_eval=5"]).code, 0);
    let text = format!("Puzzle\n{PUZZLE}\n{}\n{PUZZLE}\n", ".".repeat(81));
    fs::write(here.join("questions.csv"), &text).unwrap();
    let args = ["eval", "run", "--challenge=questions.csv", "--out=o", "--json"];
    let ran = hrm(here, &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let why = "questions.csv:3: field `question`: expected 16 characters, found 81, as for side 9";
    assert!(ran.stderr.contains(&format!("not answered: {why}")), "{}", ran.stderr);
    let line: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["puzzles"], &line["refused"]), (&2.into(), &1.into()));
    let answers = fs::read_to_string(here.join("o/answers.csv")).unwrap();
    let rows: Vec<&str> = answers.lines().collect();
    assert_eq!(rows.len(), 4);
    assert!(rows[1].starts_with(PUZZLE) && rows[3].starts_with(PUZZLE), "{answers}");
    assert!(rows[2].starts_with(",,,") && rows[2].contains(":3:"), "{answers}");

    let ran = hrm_with_input(here, &["solve", "sudoku", "-", "--run=run", "--json"], &text);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 3);
    let args = ["eval", "run", "--challenge=-", "--out=p", "--json"];
    let ran = hrm_with_input(here, &args, &text);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), line, "{}", ran.stderr);
    let of_input = fs::read_to_string(here.join("p/answers.csv")).unwrap();
    assert_eq!(of_input.replace("standard input:", "questions.csv:"), answers);
    let drawn = "# mine\n1_|__\n__|__\n--+--\n__|_3\n__|__\n";
    let ran = hrm_with_input(here, &["solve", "sudoku", "-", "--run=run", "--json"], drawn);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stderr);
    let ran = hrm(here, &["solve", "sudoku", "1..0.......3....", "--run=run"]);
    assert!(ran.code == 2 && ran.stderr.contains("both '.' and '0'"), "{}", ran.stderr);
}

#[test]
fn nothing_vanishes_from_a_file_of_questions() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(trained(here, &["--set=task.n_train=20", "--set=task.n_eval=5"]).code, 0);
    let solved = |args: &[&str]| hrm(here, &[&["solve", "sudoku", "--run=run"], args].concat());
    let write = |name: &str, text: &str| fs::write(here.join(name), text).unwrap();

    // Fields after a name, an open quote, sections, and line breaks of an old Mac.
    write("a.txt", &format!("a;{PUZZLE};1\nb;{};2\nc;2\nd;{PUZZLE};3\n", &PUZZLE[1..]));
    write("b.csv", &format!("puzzle,id\r{PUZZLE},1\r\"{PUZZLE},2\r{PUZZLE},3\r{PUZZLE},4"));
    write("c.sdk", &format!("[Puzzle]\n{PUZZLE}\n[State]\n{SOLVED}\n[Hard]\n{PUZZLE}\n{PUZZLE}"));
    for (name, n, refused) in [
        ("a.txt", 4, &["a.txt:2: expected 16 characters, found 15", "a.txt:3: "][..]),
        ("b.csv", 4, &["b.csv:3: expected a quote at the end of field 1, found none"]),
        ("c.sdk", 3, &[]),
    ] {
        let ran = solved(&[name, "--json"]);
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, n), "{name}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("not answered: ").count().min(2), refused.len(), "{name}");
        for why in refused {
            assert!(ran.stderr.contains(&format!("not answered: {why}")), "{}", ran.stderr);
        }
    }

    // Columns are those that were meant, or none.
    write("d.csv", &format!("solution,quiz,puzzle\n{SOLVED},{PUZZLE},{PUZZLE}\n"));
    let challenge =
        |columns: &str| hrm(here, &["eval", "run", "--challenge=d.csv", columns, "--json"]);
    for (ran, why) in [
        (solved(&["d.csv"]), "--columns question=NAME: quiz, puzzle"),
        (solved(&["d.csv", "--columns=question=puzle"]), "names \"puzle\" once, as --columns says"),
        (challenge("--columns=question=puzle"), "names \"puzle\" once, as --columns says"),
        (solved(&["--columns=question=puzzle"]), "INPUT"),
    ] {
        assert!(ran.code == 2 && ran.stderr.contains(why), "{}", ran.stderr);
    }
    assert_eq!(challenge("--columns=question=puzzle").code, 0);
}

#[test]
fn a_file_that_is_not_there_is_not_taken_for_a_puzzle() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(trained(here, &["--set=task.n_train=20", "--set=task.n_eval=5"]).code, 0);
    fs::create_dir(here.join("data")).unwrap();
    for (input, why) in [
        ("nofile.csv", "cannot read nofile.csv: "),
        ("data/puzzles", "cannot read data/puzzles: "),
        ("data", "data is a folder: name a file of puzzles"),
        ("nofile", "\"nofile\" is neither a puzzle nor the name of a file"),
        ("12", "puzzle:1: expected 16 characters, found 2"),
    ] {
        let ran = hrm(here, &["solve", "sudoku", input, "--run=run"]);
        assert!(ran.code == 2 && ran.stderr.contains(why), "{input}: {}", ran.stderr);
    }
    #[cfg(unix)]
    {
        let pipe = here.join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn(move || fs::write(pipe, format!("{PUZZLE}\n{PUZZLE}\n")));
        let ran = hrm(here, &["solve", "sudoku", "pipe", "--run=run", "--json"]);
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{}", ran.stderr);
        writer.join().unwrap().unwrap();

        std::os::unix::fs::symlink("gone", here.join("data/test.csv")).unwrap();
        fs::write(here.join("data/train.csv"), table("question,answer")).unwrap();
        let ran = hrm(here, &["data", "stats", "sudoku", "--data=data"]);
        let why = "data/test.csv: expected a file, found a link to a file that is not here";
        assert!(ran.code == 2 && ran.stderr.contains(why), "{}", ran.stderr);
    }
}

#[test]
fn settings_are_read_in_any_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let utf16 = |text: &str| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let toml = "preset = \"tiny\"\r\n[train]\r\nsteps = 7\r\n";
    let json = "{\"preset\": \"tiny\", \"train\": {\"steps\": 7}}";
    for text in [utf16(toml), utf16(json), [b"\xef\xbb\xbf", json.as_bytes()].concat()] {
        fs::write(here.join("mine"), text).unwrap();
        let ran = hrm(here, &["train", "sudoku", "--config=mine", "--print-config"]);
        assert!(ran.code == 0 && ran.stdout.contains("steps = 7"), "{}", ran.stderr);
    }
    fs::write(here.join("all_config.yaml"), utf16("arch:\n  hidden_size: 4\n")).unwrap();
    let ran = hrm(here, &["train", "sudoku", "--config=all_config.yaml"]);
    let why = "all_config.yaml is YAML: settings are TOML or JSON";
    assert!(ran.code == 2 && ran.stderr.contains(why), "{}", ran.stderr);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["data", "generate", "sudoku", "-n3000", "--set=task.board=4"][..],
        &["data", "show", "sudoku", "-n3000", "--preset=tiny"],
        &["settings"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hrm"))
            .current_dir(folder.path())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && !stderr.contains("error"), "{args:?}: {stderr}");
    }
}

#[test]
fn json_is_read_for_training_and_solving() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let rows = r#"["1...", "....", "...3", "...."]"#;
    let object = |key| format!(r#"{{"id": 1, "{key}": {rows}, "solution": "{SOLVED}"}}"#);
    fs::write(here.join("a.jsonl"), format!("{}\n", object("puzzle")).repeat(10)).unwrap();
    fs::write(
        here.join("b.json"),
        format!("[{}]", [object("puzzle"), object("start")].join(",\n")),
    )
    .unwrap();
    let ran = trained(here, &["--data=a.jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let note = "a.jsonl: question = puzzle, answer = solution; not read: id";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    assert_eq!(hrm(here, &["eval", "run"]).code, 0);
    let columns = "--columns=question=puzzle";
    let ran = hrm(here, &["data", "stats", "sudoku", "--data=b.json", columns]);
    let why = "b.json:2, entry 2: expected an object that names \"puzzle\" once, as --columns says";
    assert!(ran.code == 2 && ran.stderr.contains(why), "{}", ran.stderr);
    let questions =
        format!("[{rows},\n [[1,0,0,0],[0,0,0,0],[0,0,0,3]],\n {{\"puzzle\": {rows}}}]");
    fs::write(here.join("c.json"), &questions).unwrap();
    let ran = hrm(here, &["eval", "run", "--challenge=c.json", "--out=o", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let why = "not answered: c.json:2, entry 2: field `question`: expected 4 rows of 4 characters, found 3 rows";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    let answers = fs::read_to_string(here.join("o/answers.csv")).unwrap();
    assert_eq!(answers.lines().count(), 4);
    let ran = hrm_with_input(here, &["solve", "sudoku", "-", "--run=run", "--json"], &questions);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 3), "{}", ran.stderr);
    // Letters are answered in letters.
    let letters = ["solve", "sudoku", "A..........C....", "--run=run"];
    let ran = hrm(here, &letters);
    assert!(ran.code == 0 && ran.stdout.starts_with(" A . | . .   "), "{}", ran.stdout);
    let ran = hrm(here, &[&letters[..], &["--json"]].concat());
    let line: Value = serde_json::from_str(&ran.stdout).unwrap();
    let answer = line["answer"].as_str().unwrap();
    assert!(answer.chars().all(|symbol| ".ABCD".contains(symbol)), "{answer}");
}

#[cfg(unix)]
#[test]
fn data_that_can_be_read_only_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for path in ["-", "/dev/stdin"] {
        for args in [["data", "stats", "sudoku"], ["train", "sudoku", "--json"]] {
            let args = [&args[..], &["--data", path]].concat();
            let text = format!("question,answer\n{PUZZLE},{PUZZLE}\n");
            let ran = hrm_with_input(here, &args, &text);
            let want = format!("'{path}' for '--data <PATH>': data are read more than once");
            assert!(ran.code == 2 && ran.stderr.contains(&want), "{args:?}: {}", ran.stderr);
        }
    }
}
