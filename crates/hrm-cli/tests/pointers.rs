//! Files that version control has left as pointers: wherever one is read, the message says
//! what it is and how to get the file.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::hrm;

/// Replaces a file by its pointer, and returns what it was.
fn replace(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).unwrap_or_default();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    fs::write(path, pointer).unwrap();
    whole
}

#[test]
fn pointers_are_named_wherever_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let small = [
        "--preset=tiny",
        "--set=task.n_train=4",
        "--set=task.n_eval=2",
        "--set=model.hidden_dim=16",
        "--set=model.n_heads=2",
    ];
    let train = |more: &[&str]| hrm(here, &[&["train", "sudoku"], &small[..], more].concat());
    assert_eq!(train(&["--steps=1", "--out=run"]).code, 0);
    for args in [
        &["export", "run", "--out=hub/w.safetensors"][..],
        &["import", "hub/w.safetensors", "--out=imported"],
        &["data", "export", "sudoku", "--set=task.n_train=4", "--set=task.n_eval=2", "--out=data"],
    ] {
        let ran = hrm(here, args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    fs::rename(here.join("hub/w.config.yaml"), here.join("hub/all_config.yaml")).unwrap();

    for (file, args) in [
        ("imported/model.safetensors", &["eval", "imported"][..]),
        ("imported/config.json", &["eval", "imported"]),
        ("imported/task.json", &["eval", "imported"]),
        ("imported/identifiers.json", &["eval", "imported"]),
        ("imported/tokenizer.json", &["eval", "imported"]),
        ("run/checkpoints/step-000001/model.safetensors", &["eval", "run"]),
        ("run/checkpoints/step-000001/trainer.json", &["train", "--resume=run", "--steps=2"]),
        ("run/run.json", &["train", "--resume=run", "--steps=2"]),
        ("run/run.json", &["runs", "run"]),
        ("hub/w.safetensors", &["import", "hub", "--out=again"]),
        ("hub/w.safetensors", &["golden", "check", "hub/w.safetensors"]),
        ("hub/all_config.yaml", &["import", "hub", "--out=again"]),
        ("hub/w.identifiers.json", &["import", "hub", "--out=again"]),
        ("hub/w.safetensors.index.json", &["import", "hub", "--out=again"]),
        ("data/train/all__inputs.npy", &["data", "show", "sudoku", "--data=data"]),
        ("data/train/dataset.json", &["data", "show", "sudoku", "--data=data"]),
        ("data/identifiers.json", &["data", "show", "sudoku", "--data=data"]),
    ] {
        let path = here.join(file);
        let is_there = path.exists();
        let whole = replace(&path);
        let ran = hrm(here, args);
        let name = path.file_name().unwrap().to_str().unwrap();
        let message = ran.stderr.lines().find(|line| line.contains(name)).unwrap_or(&ran.stderr);
        assert!(
            message.contains("a pointer of Git LFS to a file that is not here"),
            "{file}: {message}"
        );
        assert!(message.contains("`git lfs pull`"), "{file}: {message}");
        assert_eq!(ran.code, if args[0] == "runs" { 0 } else { 2 }, "{file}: {}", ran.stderr);
        match is_there {
            true => fs::write(&path, whole).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
    }
    assert!(!here.join("again").exists());
}
