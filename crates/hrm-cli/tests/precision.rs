//! Training in bf16 goes where training in f32 goes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Mean loss of the last hundred of 500 steps on 4 by 4 Sudokus.
fn last_loss(folder: &Path, dtype: &str, seed: u32) -> f64 {
    let run = folder.join(format!("{dtype}-{seed}"));
    let output = Command::new(env!("CARGO_BIN_EXE_hrm"))
        .args(["train", "sudoku", "--preset", "tiny", "--steps", "500", "--dtype", dtype])
        .args(["--set", "train.batch_size=32", "--seed", &seed.to_string(), "--out"])
        .arg(&run)
        .output()
        .expect("hrm starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).expect("a run has metrics");
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let losses: Vec<f64> = lines
        .filter(|line| line["kind"] == "train" && line["step"].as_u64() > Some(400))
        .map(|line| line["loss"].as_f64().expect("a loss is a number"))
        .collect();
    assert_eq!(losses.len(), 10, "a line per ten steps");
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn five_hundred_steps_in_bf16_end_within_the_noise_of_f32() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let losses = |dtype| [1, 2, 3].map(|seed| last_loss(folder.path(), dtype, seed));
    let (f32, bf16) = (losses("f32"), losses("bf16"));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let spread = |losses: &[f64]| {
        let square = |loss: &f64| (loss - mean(losses)).powi(2);
        (losses.iter().map(square).sum::<f64>() / (losses.len() - 1) as f64).sqrt()
    };
    // Two means of three runs each, whose own deviation three runs hardly tell:
    // 3 percent of the loss is the least that is taken for it.
    let noise = spread(&f32).max(spread(&bf16)).max(0.03 * mean(&f32));
    let apart = (mean(&f32) - mean(&bf16)).abs();
    assert!(apart < 2.5 * noise, "f32 {f32:?}, bf16 {bf16:?}: {apart:.4} apart, noise {noise:.4}");
    // All of them have learnt something: a blank answer costs ln 4 a cell.
    assert!(f32.iter().chain(&bf16).all(|loss| *loss < 1.3), "f32 {f32:?}, bf16 {bf16:?}");
}
