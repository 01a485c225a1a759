//! Runs the benchmarks and reads what criterion leaves behind.
//!
//! Times mean nothing on another machine, and little on the same one an hour
//! later. Each is divided by that of a calibration loop from the same run,
//! which knows none of our code.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::baseline::{Baseline, Measured};

/// The bench targets of package `hrm-benches` that are compared.
const TARGETS: &[&str] = &["kernels", "segment", "step"];

/// Run before the others and after them.
const CALIBRATION: &str = "calibration";

/// Seconds of warm-up and of measurement for each benchmark, so that a whole
/// run stays within minutes. A benchmark may ask for fewer samples, not more.
const SETTINGS: &[&str] = &["--warm-up-time=1", "--measurement-time=2", "--sample-size=10"];

/// Measures everything once.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<Baseline> {
    // Not criterion's usual folder: results of benchmarks that are gone would
    // be read with the others, and a person's own comparisons lost.
    let folder = sh.current_dir().join("target/bench");
    sh.remove_path(&folder)?;
    let before = calibrate(sh, &folder.join("before"))?;
    let measured = bench(sh, TARGETS, &folder.join("measured"))?;
    let after = calibrate(sh, &folder.join("after"))?;
    Ok(Baseline::new(measured, before, after))
}

fn calibrate(sh: &Shell, folder: &Path) -> anyhow::Result<Measured> {
    let results = bench(sh, &[CALIBRATION], folder)?;
    let (_, measured) = results.into_iter().next().context("the calibration was not measured")?;
    Ok(measured)
}

/// Runs bench targets into `folder` and reads the results from there.
fn bench(sh: &Shell, targets: &[&str], folder: &Path) -> anyhow::Result<Vec<(String, Measured)>> {
    let targets = targets.iter().flat_map(|target| ["--bench", target]);
    let _home = sh.push_env("CRITERION_HOME", folder);
    cmd!(sh, "cargo bench --package hrm-benches {targets...} -- {SETTINGS...}").run()?;
    let mut results = Vec::new();
    for folder in result_folders(folder)? {
        let read = || -> anyhow::Result<(String, Measured)> {
            let read = |file: &str| std::fs::read_to_string(folder.join(file));
            let benchmark: Benchmark = serde_json::from_str(&read("benchmark.json")?)?;
            let estimates: Estimates = serde_json::from_str(&read("estimates.json")?)?;
            Ok((benchmark.full_id, estimates.measured()))
        };
        results.push(read().with_context(|| format!("cannot read {}", folder.display()))?);
    }
    Ok(results)
}

/// The folders named `new` below `root`: one per benchmark.
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

/// Of criterion's `benchmark.json`, the part that is needed.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// Of criterion's `estimates.json`, the part that is needed.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
    /// Scaled to the standard deviation of a normal distribution.
    median_abs_dev: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// Nanoseconds.
    point_estimate: f64,
}

impl Estimates {
    /// Both figures shrug off the few samples that something else disturbed.
    fn measured(&self) -> Measured {
        let time_ns = self.median.point_estimate;
        Measured { time_ns, spread: self.median_abs_dev.point_estimate / time_ns }
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
    fn the_spread_is_relative_to_the_time() {
        let text = r#"{"mean": {"point_estimate": 9.0}, "slope": null,
            "median": {"point_estimate": 8.0, "standard_error": 1.0},
            "median_abs_dev": {"point_estimate": 2.0}}"#;
        let estimates: Estimates = serde_json::from_str(text).unwrap();
        assert_eq!(estimates.measured(), Measured { time_ns: 8.0, spread: 0.25 });
    }
}
