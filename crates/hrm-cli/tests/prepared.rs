//! Data prepared in the format of the published code, or by `hrm data prepare`.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::hrm;
use serde_json::Value;

const SMALL: [&str; 2] = ["--set=task.n_train=6", "--set=task.n_eval=3"];
const SHORT: [&str; 6] = [
    "--steps=3",
    "--set=train.batch_size=4",
    "--set=model.hidden_dim=16",
    "--set=model.puzzle_dim=16",
    "--set=model.n_segments_max=2",
    "--json",
];

#[test]
fn exported_data_can_be_used_for_training_and_imported() {
    for kind in ["arc", "maze", "sudoku"] {
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| -> Value {
            let ran = hrm(folder.path(), args);
            assert_eq!(ran.code, 0, "{kind}: {args:?}: {}", ran.stderr);
            serde_json::from_str(ran.stdout.trim()).unwrap()
        };
        let export = ["data", "export", kind, "--preset=tiny", "--out=npy", "--json"];
        let exported = run(&[&export[..], &SMALL[..]].concat());
        assert!(exported["test"].as_u64().unwrap() >= 3);

        let train = ["train", kind, "--data=npy", "--preset=tiny", "--out=run"];
        let trained = run(&[&train[..], &SHORT[..]].concat());
        assert_eq!(trained["evaluation"]["rows"], exported["test"]);
        // The data of the run and the same data by name give the same scores.
        let own = run(&["eval", "run", "--json"]);
        let named = run(&["eval", "run", "--data=npy", "--json"]);
        assert_eq!(own, named, "{kind}");
        assert_eq!(own["exact"], trained["evaluation"]["exact"]);

        // Named, since mazes and 4 by 4 boards look alike.
        let imported = run(&["data", "import", "npy", kind, "--out=ours", "--json"]);
        assert_eq!(imported["left_out"], 0);
        let shown = hrm(folder.path(), &["data", "show", kind, "--data=ours", "-n=1"]);
        assert_eq!(shown.code, 0, "{}", shown.stderr);
    }
}

#[test]
fn a_prepared_set_brings_its_own_settings() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let generated = hrm(here, &["data", "generate", "arc", "-n=12", "--out=tasks.json"]);
    assert_eq!(generated.code, 0, "{}", generated.stderr);
    let prepare = ["data", "prepare", "arc", "--data=tasks.json", "--set=task.augmentations=7"];
    let prepare = [&prepare[..], &["--set=task.held_out=0.25", "--out=set", "--json"]].concat();
    let prepared = hrm(here, &prepare);
    assert_eq!(prepared.code, 0, "{}", prepared.stderr);
    let line: Value = serde_json::from_str(&prepared.stdout).unwrap();
    assert_eq!(line["eval"]["puzzles"], 3);
    let again = hrm(here, &prepare);
    assert_eq!((again.code, again.stderr.trim()), (2, "error: set already exists"));
    fs::remove_file(here.join("tasks.json")).unwrap();

    let stats = |set: &[&str]| {
        let stats = [&["data", "stats", "arc", "--data=set", "--json"], set].concat();
        let stats = hrm(here, &stats);
        assert_eq!(stats.code, 0, "{}", stats.stderr);
        serde_json::from_str::<Value>(&stats.stdout).unwrap()
    };
    let own = stats(&[]);
    assert_eq!(own["evaluation tasks"], 3.0);
    assert_eq!(own["evaluation rows"], line["eval"]["rows"].as_f64().unwrap());
    // Settings of the user win.
    let fewer = stats(&["--set=task.augmentations=0"]);
    assert_eq!(
        (fewer["versions"].as_f64(), own["versions"].as_f64() > Some(24.0)),
        (Some(12.0), true)
    );

    let other = hrm(here, &["train", "maze", "--data=set"]);
    let want = "error: set/recipe.json: expected puzzles of kind maze, found arc";
    assert_eq!((other.code, other.stderr.trim()), (2, want));
}

/// Runs `hrm`, which has to succeed, and returns its notes.
fn notes(here: &Path, args: &[&str]) -> String {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran.stderr
}

/// Runs `hrm`, which has to refuse, and returns why.
fn refusal(here: &Path, args: &[&str]) -> String {
    let ran = hrm(here, args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    ran.stderr
}

#[test]
fn rectangular_mazes_stay_rectangular() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let size = ["--set=task.side=4", "--set=task.width=9", "--set=task.n_train=30"];
    let export = ["data", "export", "maze", "--preset=tiny", "--out=npy", "--set=task.n_eval=5"];
    notes(here, &[&export[..], &size].concat());
    let shape = |run: &str| {
        let text = fs::read_to_string(here.join(run).join("run.json")).unwrap();
        let task = serde_json::from_str::<Value>(&text).unwrap()["config"]["task"].clone();
        (task["side"].as_u64().unwrap(), task["width"].as_u64().unwrap())
    };
    let train = ["train", "maze", "--data=npy", "--preset=tiny"];
    notes(here, &[&train[..], &["--out=run"], &SHORT].concat());
    assert_eq!(shape("run"), (4, 9));
    notes(here, &[&train[..3], &["--init=run", "--out=next"], &SHORT[..2]].concat());
    assert_eq!(shape("next"), (4, 9));
    // How files are written is nothing to rows, but solving with the run obeys it.
    let symbols = ["--symbols=wall=1,free=0,start=2,goal=3,path=4", "--out=written"];
    notes(here, &[&train[..], &symbols, &SHORT].concat());
    notes(here, &["eval", "written", "--data=npy"]);

    let imported = hrm(here, &["data", "import", "npy", "maze", "--out=ours", "--json"]);
    let line: Value = serde_json::from_str(&imported.stdout).unwrap();
    assert_eq!((&line["puzzles"], &line["left_out"]), (&35.into(), &0.into()));
    let import = ["data", "import", "npy", "maze", "--set=task.side=4", "--set=task.width=9"];
    notes(here, &[&import[..], &["--out=again"]].concat());
    for name in ["train.csv", "test.csv"] {
        let read = |folder: &str| fs::read(here.join(folder).join(name)).unwrap();
        assert!(read("again") == read("ours"), "{name}");
    }
}

#[test]
fn data_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let export = ["data", "export", "arc", "--preset=tiny", "--set=task.augmentations=1"];
    for dialect in ["hrm", "trm"] {
        let out = format!("--out={dialect}");
        notes(here, &[&export[..], &SMALL, &["--dialect", dialect, &out]].concat());
    }
    let train = ["train", "arc", "--preset=tiny", "--out=run", "--data=hrm"];
    let want = "./hrm: expected each path of the data once, found it twice";
    let twice = refusal(here, &[&train[..], &["--data=./hrm"], &SHORT].concat());
    assert!(twice.contains(want), "{twice}");
    // The same rows under other names.
    let both = notes(here, &[&train[..], &["--data=trm"], &SHORT].concat());
    for side in ["train", "test"] {
        let line = both.lines().find(|line| line.contains(&format!("split `{side}`"))).unwrap();
        assert!(line.starts_with("trm: ") && line.contains(" are in hrm as well"), "{line}");
        let (n, rest) = line["trm: ".len()..].split_once(" of the ").unwrap();
        assert!(rest.starts_with(&format!("{n} puzzles")), "{line}");
    }
}

#[test]
fn settings_without_effect_on_data_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let export = ["data", "export", "sudoku", "--preset=tiny", "--out=npy"];
    notes(here, &[&export[..], &SMALL].concat());
    let train = ["train", "sudoku", "--preset=tiny", "--set=task.augmentations=10"];
    let train = [&train[..], &["--set=task.board=4", "--set=task.n_eval=7"], &SHORT].concat();
    let of_rows = "has no effect: prepared rows are used as they are, and obey only board";
    let said = notes(here, &[&train[..], &["--data=npy", "--out=run"]].concat());
    for setting in ["task.augmentations=10", "task.n_eval=7"] {
        assert!(said.contains(&format!("{setting} {of_rows}\n")), "{said}");
    }
    assert!(!said.contains("task.board=4 has"), "{said}");
    let said = notes(here, &["eval", "run", "--data=npy", "--set=task.eval_givens=9"]);
    assert!(said.contains(&format!("task.eval_givens=9 {of_rows}")), "{said}");

    let said =
        notes(here, &["data", "show", "sudoku", "--data=npy", "-n=1", "--columns=question=q"]);
    assert!(said.contains(&format!("task.table_columns=question=q {of_rows}")), "{said}");

    notes(here, &["data", "import", "npy", "sudoku", "--out=csv"]);
    let said = notes(here, &[&train[..], &["--data=csv", "--out=of-csv"]].concat());
    let want =
        "task.n_eval=7 has no effect: it is for built-in puzzles, and these are read from files";
    assert!(said.contains(want) && !said.contains("task.augmentations=10 has"), "{said}");
    assert!(!notes(here, &[&train[..], &["--out=built-in"]].concat()).contains("no effect"));
}

#[test]
fn rows_that_are_not_read_are_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let rows: String = (0..6).map(|n| format!("a{n}b,b{n}a\n")).collect();
    fs::write(here.join("words.csv"), format!("question,answer\n{rows}")).unwrap();
    let said = notes(here, &["data", "export", "grid", "--data=words.csv", "--out=npy"]);
    assert!(said.contains("Only the published code reads these data"), "{said}");
    let want = "error: npy: expected files of puzzles: prepared rows of grid are not read, found a \
                prepared data set\n";
    let alphabet = ["train", "grid", "--data=npy", "--set=task.alphabet=ab012345"];
    assert_eq!(refusal(here, &alphabet), want);
    assert_eq!(refusal(here, &["data", "import", "npy", "grid", "--out=ours"]), want);
    let said = refusal(here, &["data", "import", "npy", "--out=ours"]);
    let want = "npy: expected puzzles of one of the kinds arc, maze, sudoku, found none of them (arc: \
                task.canvas must be 1 to 30, found 3 cells; maze: ";
    assert!(said.contains(want), "{said}");
}

#[test]
fn nothing_is_replaced_and_damage_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let export = ["data", "export", "sudoku", "--out=npy", SMALL[0], SMALL[1]];
    assert_eq!(hrm(here, &export).code, 0);
    let again = hrm(here, &export);
    assert_eq!((again.code, again.stderr.trim()), (2, "error: npy already exists"));
    let import = hrm(here, &["data", "import", "npy", "--out=npy"]);
    assert_eq!((import.code, import.stderr.trim()), (2, "error: npy already exists"));

    fs::write(here.join("npy/train/all__inputs.npy"), "hello").unwrap();
    let train = hrm(here, &["train", "sudoku", "--data=npy", "--steps=1"]);
    let want = "error: npy/train/all__inputs.npy: expected a NumPy array, found 5 bytes that start \
                with \"hello\"";
    assert_eq!((train.code, train.stderr.trim()), (2, want));
    assert!(!here.join("runs").exists());
}
