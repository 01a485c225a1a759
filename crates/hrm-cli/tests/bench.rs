//! `hrm bench`: one line of JSON, and messages about invalid sizes.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Ran, hrm};
use serde_json::Value;

/// Sizes that make a step take milliseconds.
const SMALL: [&str; 8] = [
    "--hidden=16",
    "--heads=2",
    "--layers=1",
    "--seq=5",
    "--batch=3",
    "--steps=2",
    "--warmup=1",
    "--threads=1",
];

fn step(more: &[&str]) -> Ran {
    let flag = |arg: &str| arg.split('=').next().map(str::to_owned);
    // A flag given twice is refused.
    let is_new = |small: &&str| !more.iter().any(|other| flag(other) == flag(small));
    let args: Vec<&str> = ["bench", "step"]
        .into_iter()
        .chain(SMALL.into_iter().filter(is_new))
        .chain(more.iter().copied())
        .collect();
    hrm(Path::new("."), &args)
}

#[test]
fn a_step_is_timed_in_every_mode() {
    for (more, mode, dtype) in [
        (["--dtype=float32", "--ids=4"], "train", "f32"),
        (["--pos=learned", "--dtype=bfloat16"], "train", "bf16"),
        (["--dtype=bf16", "--eval"], "eval", "bf16"),
        (["--eval", "--emb-dim=0"], "eval", ""),
        (["--halt=1", "--warmup=0"], "train", ""),
    ] {
        let ran = step(&more);
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1), "{more:?}: {}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["mode"], mode, "{more:?}");
        if !dtype.is_empty() {
            assert_eq!(report["dtype"], dtype, "{more:?}");
        }
        for (field, want) in [("hidden", 16), ("layers", 1), ("seq", 5), ("batch", 3)] {
            assert_eq!(report[field], want, "{more:?}: {field}");
        }
        assert!(report["peer"].as_str().unwrap().starts_with("hrm "));
        let measured = ["ms_per_step", "examples_per_s", "first_step_s", "peak_rss_mb"];
        for field in ["params", "threads"].into_iter().chain(measured) {
            let is_known = cfg!(target_os = "linux") || field != "peak_rss_mb";
            assert!(!is_known || report[field].as_f64().unwrap() > 0.0, "{more:?}: {field}");
        }
    }
}

#[test]
fn every_report_is_available_as_json() {
    for action in ["step", "roofline"] {
        let args: Vec<&str> = ["bench", action, "--json"].into_iter().chain(SMALL).collect();
        let ran = hrm(Path::new("."), &args);
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1), "{action}: {}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        if action == "roofline" {
            assert_eq!(report["step"]["hidden"], 16);
            let parts = report["parts"].as_array().unwrap();
            let sum: f64 = parts.iter().map(|part| part["share"].as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-9 && report["peak_gflops"].as_f64() > Some(0.0));
        }
    }
}

#[test]
fn sizes_that_do_not_fit_are_named() {
    for (more, want) in [
        (
            &["--heads=3"][..],
            "`block.hidden_dim` must be a multiple of `block.n_heads`, found 16 and 3",
        ),
        (&["--hidden=0"], "`block.hidden_dim` must be at least 1, found 0"),
        (&["--batch=0"], "train.batch_size must be in 1..=1048576, found 0"),
        (&["--batch=0", "--eval"], "train.batch_size must be in 1..=1048576, found 0"),
        (&["--vocab=1"], "--vocab must be at least 2, found 1"),
        (&["--steps=0"], "--steps"),
        (&["--threads=0"], "--threads"),
        (&["--dtype=half"], "--dtype"),
    ] {
        let ran = step(more);
        assert_eq!(ran.code, 2, "{more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(want), "{more:?}: {}", ran.stderr);
    }
}
