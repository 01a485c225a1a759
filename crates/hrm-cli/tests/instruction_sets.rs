//! `HRM_CPU`: every instruction set of this machine reproduces the reference, and
//! every command that runs a model rejects an unknown one.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Ran, hrm, hrm_in};
use hrm_kernels::Isa;
use serde_json::Value;

/// Golden files, from the folder of this crate.
const FILES: [&str; 3] = [
    "tests/golden/rope.safetensors",
    "tests/golden/learned_wide_prefix.safetensors",
    "tests/golden/no_prefix.safetensors",
];

/// Settings that make a run take a second.
const SHORT: [&str; 7] = [
    "--steps=1",
    "--set=train.batch_size=2",
    "--set=task.n_train=2",
    "--set=task.n_eval=1",
    "--set=model.hidden_dim=16",
    "--set=model.puzzle_dim=16",
    "--set=model.n_segments_max=2",
];

/// A step that takes milliseconds.
const BENCH: [&str; 9] = [
    "bench",
    "step",
    "--hidden=16",
    "--heads=2",
    "--layers=1",
    "--seq=5",
    "--batch=1",
    "--steps=1",
    "--warmup=0",
];

fn golden_check() -> Vec<&'static str> {
    ["golden", "check", "--json"].into_iter().chain(FILES).collect()
}

/// Runs `hrm` with `HRM_CPU` set.
fn forced(isa: &str, folder: &Path, args: &[&str]) -> Ran {
    hrm_in(folder, args, "", &[(Isa::VARIABLE, isa)])
}

#[test]
fn every_instruction_set_reproduces_the_reference() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for isa in Isa::available() {
        let ran = forced(isa.name(), here, &golden_check());
        assert_eq!(ran.code, 0, "{isa}: {} {}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout.lines().count(), FILES.len(), "{isa}: each file is reported");
    }
}

#[test]
fn the_selected_instruction_set_is_used() {
    for isa in Isa::available() {
        let ran = forced(isa.name(), Path::new("."), &BENCH);
        assert_eq!(ran.code, 0, "{isa}: {}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["cpu"], isa.name());
    }
}

#[test]
fn an_unknown_instruction_set_is_refused_with_the_known_ones() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let train = |out| ["train", "sudoku", out].into_iter().chain(SHORT).collect::<Vec<_>>();
    let trained = hrm(folder.path(), &train("--out=run"));
    assert_eq!(trained.code, 0, "{}", trained.stderr);

    let names: Vec<_> = Isa::available().iter().map(|isa| isa.name()).collect();
    let why =
        format!("HRM_CPU must be one of this machine's instruction sets ({})", names.join(", "));
    let commands = [
        (here, golden_check()),
        (folder.path(), train("--out=other")),
        (folder.path(), vec!["eval", "run"]),
        (folder.path(), vec!["solve", "sudoku", "--run=run"]),
        (folder.path(), BENCH.to_vec()),
    ];
    for (folder, args) in commands {
        let ran = forced("sse9", folder, &args);
        assert_eq!(ran.code, 2, "{args:?}: {} {}", ran.stdout, ran.stderr);
        let is_named = ran.stderr.contains(&why) && ran.stderr.contains("found `sse9`");
        assert!(is_named, "{args:?}: expected {why:?} in {}", ran.stderr);
    }
    assert!(!folder.path().join("other").exists(), "a refused command leaves nothing behind");
}
