//! Training in bf16 reaches the same loss as in f32.

mod common;

use std::path::Path;

use common::hrm;
use serde_json::Value;

/// Mean loss of the last hundred of 500 steps on 4 by 4 Sudokus.
fn last_loss(folder: &Path, dtype: &str, seed: u32) -> f64 {
    let run = format!("{dtype}-{seed}");
    let (seed, out) = (format!("--seed={seed}"), format!("--out={run}"));
    let args = ["train", "sudoku", "--preset=tiny", "--steps=500", "--dtype", dtype];
    let more = ["--set=train.batch_size=32", seed.as_str(), out.as_str()];
    let ran = hrm(folder, &[args.as_slice(), &more].concat());
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let metrics =
        std::fs::read_to_string(folder.join(run).join("metrics.jsonl")).expect("a run has metrics");
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let losses: Vec<f64> = lines
        .filter(|line| line["kind"] == "train" && line["step"].as_u64() > Some(400))
        .map(|line| line["loss"].as_f64().expect("a loss is a number"))
        .collect();
    assert_eq!(losses.len(), 10, "one line per ten steps");
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn the_loss_after_500_steps_in_bf16_is_within_the_noise_of_f32() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let losses = |dtype| [1, 2, 3].map(|seed| last_loss(folder.path(), dtype, seed));
    let (f32, bf16) = (losses("f32"), losses("bf16"));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let spread = |losses: &[f64]| {
        let square = |loss: &f64| (loss - mean(losses)).powi(2);
        (losses.iter().map(square).sum::<f64>() / (losses.len() - 1) as f64).sqrt()
    };
    // The deviation of three runs is a rough estimate, so the noise is taken to be at
    // least 3 percent of the loss.
    let noise = spread(&f32).max(spread(&bf16)).max(0.03 * mean(&f32));
    let apart = (mean(&f32) - mean(&bf16)).abs();
    assert!(apart < 2.5 * noise, "f32 {f32:?}, bf16 {bf16:?}: {apart:.4} apart, noise {noise:.4}");
    // All runs have learnt: guessing costs ln 4 per cell.
    assert!(f32.iter().chain(&bf16).all(|loss| *loss < 1.3), "f32 {f32:?}, bf16 {bf16:?}");
}
