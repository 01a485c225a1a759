//! Runs the benchmarks and reads the results of criterion.
//!
//! Times depend on the machine, and vary on one machine over hours. So each time is
//! divided by that of a calibration loop in the same run, which uses none of our
//! code. All benchmarks run in several rounds, minutes apart, and the fastest sample
//! of each counts, since other work on the machine can only add to a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::baseline::{Baseline, Measured};

/// The bench targets of package `hrm-benches` that are compared.
const TARGETS: &[&str] = &["data", "kernels", "segment", "step"];

/// The bench target that runs before each round of the others, and after the last.
const CALIBRATION: &str = "calibration";

/// Number of rounds.
const ROUNDS: usize = 2;

/// Warm-up and measurement time in seconds per benchmark, so that a run takes
/// minutes. A benchmark may have fewer samples, not more.
const SETTINGS: &[&str] = &["--warm-up-time=0.5", "--measurement-time=1.5", "--sample-size=15"];

/// Runs all benchmarks.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<Baseline> {
    // Not the default folder of criterion: it may contain results of benchmarks that
    // no longer exist, and comparisons of the user.
    let folder = sh.current_dir().join("target/bench");
    sh.remove_path(&folder)?;
    let mut times = BTreeMap::<String, Vec<f64>>::new();
    let mut calibrations = Vec::new();
    for round in 0..=ROUNDS {
        let (_, time_ns) = bench(sh, &[CALIBRATION], &folder.join(format!("unit-{round}")))?
            .pop()
            .context("the calibration was not measured")?;
        calibrations.push(time_ns);
        if round < ROUNDS {
            for (name, time_ns) in bench(sh, TARGETS, &folder.join(format!("round-{round}")))? {
                times.entry(name).or_default().push(time_ns);
            }
        }
    }
    let measured = times.into_iter().map(|(name, times)| (name, Measured::of(&times)));
    Ok(Baseline::new(measured, Measured::of(&calibrations)))
}

/// Runs bench targets with results in `folder`. Returns the shortest time of each
/// benchmark in nanoseconds.
fn bench(sh: &Shell, targets: &[&str], folder: &Path) -> anyhow::Result<Vec<(String, f64)>> {
    let targets = targets.iter().flat_map(|target| ["--bench", target]);
    let _home = sh.push_env("CRITERION_HOME", folder);
    cmd!(sh, "cargo bench --package hrm-benches {targets...} -- {SETTINGS...}").run()?;
    let mut results = Vec::new();
    for folder in result_folders(folder)? {
        let read = || -> anyhow::Result<(String, f64)> {
            let read = |file: &str| std::fs::read_to_string(folder.join(file));
            let benchmark: Benchmark = serde_json::from_str(&read("benchmark.json")?)?;
            let samples: Samples = serde_json::from_str(&read("sample.json")?)?;
            Ok((benchmark.full_id, samples.shortest().context("there are no samples")?))
        };
        results.push(read().with_context(|| format!("cannot read {}", folder.display()))?);
    }
    Ok(results)
}

/// The folders named `new` below `root`, one per benchmark.
fn result_folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut pending) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = pending.pop() {
        let entries = folder.read_dir();
        for entry in entries.with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.ends_with("new") {
                found.push(path);
            } else if path.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(found)
}

/// The fields of `benchmark.json` that are used.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// The fields of `sample.json` that are used.
#[derive(Deserialize)]
struct Samples {
    /// Number of iterations of each sample.
    iters: Vec<f64>,
    /// Their total time in nanoseconds.
    times: Vec<f64>,
}

impl Samples {
    /// Time per iteration of the fastest sample.
    fn shortest(&self) -> Option<f64> {
        let per_iteration = self.times.iter().zip(&self.iters).map(|(time, iters)| time / iters);
        per_iteration.min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a/b/new", "a/b/base", "c/new", "report"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        let mut found = result_folders(folder.path()).unwrap();
        found.sort();
        assert_eq!(found, [folder.path().join("a/b/new"), folder.path().join("c/new")]);
    }

    #[test]
    fn the_fastest_sample_counts() {
        let text = r#"{"sampling_mode": "Linear", "iters": [1.0, 2.0], "times": [9.0, 16.0]}"#;
        let samples: Samples = serde_json::from_str(text).unwrap();
        assert_eq!(samples.shortest(), Some(8.0));
    }
}
