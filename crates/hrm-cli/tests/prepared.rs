//! Data prepared in the format of the published code, or by `hrm data prepare`.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

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
