//! Data prepared by, and for, the published code.

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
fn exported_data_train_a_model_and_come_back() {
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
        // The same figures from the run's own data and from those named.
        let own = run(&["eval", "run", "--json"]);
        let named = run(&["eval", "run", "--data=npy", "--json"]);
        assert_eq!(own, named, "{kind}");
        assert_eq!(own["exact"], trained["evaluation"]["exact"]);

        // Mazes and boards of four by four look alike.
        let imported = run(&["data", "import", "npy", kind, "--out=ours", "--json"]);
        assert_eq!(imported["left_out"], 0);
        let shown = hrm(folder.path(), &["data", "show", kind, "--data=ours", "-n=1"]);
        assert_eq!(shown.code, 0, "{}", shown.stderr);
    }
}

#[test]
fn nothing_is_written_over_and_damage_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let export = ["data", "export", "sudoku", "--out=npy", SMALL[0], SMALL[1]];
    assert_eq!(hrm(here, &export).code, 0);
    let again = hrm(here, &export);
    assert_eq!((again.code, again.stderr.trim()), (2, "error: npy exists already"));
    let import = hrm(here, &["data", "import", "npy", "--out=npy"]);
    assert_eq!((import.code, import.stderr.trim()), (2, "error: npy exists already"));

    fs::write(here.join("npy/train/all__inputs.npy"), "hello").unwrap();
    let train = hrm(here, &["train", "sudoku", "--data=npy", "--steps=1"]);
    let want = "error: npy/train/all__inputs.npy: expected a NumPy array, found 5 bytes that start \
                with \"hello\"";
    assert_eq!((train.code, train.stderr.trim()), (2, want));
    assert!(!here.join("runs").exists());
}
