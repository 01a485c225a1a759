//! Results of benchmarks, and a comparison that finds slowdowns.
//!
//! The result of a benchmark is its ratio to the calibration of the same run, since
//! a slower machine is slower at both. It is slower than another if the ratio is
//! larger by more than [`MIN_GROWTH`], and by more than the noise of both runs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Relative growth that is always tolerated.
const MIN_GROWTH: f64 = 0.10;

/// Growth up to this many combined spreads is noise.
const NOISE_FACTOR: f64 = 3.0;

/// Tolerance above which the table calls a comparison too noisy.
const MAX_TOLERANCE: f64 = 0.5;

/// One benchmark in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Time per iteration of the best round, in nanoseconds.
    pub(crate) time_ns: f64,
    /// Relative difference to the second best round.
    pub(crate) spread: f64,
}

impl Measured {
    /// The measurement from the shortest time of each round, at least one.
    pub(crate) fn of(rounds: &[f64]) -> Self {
        let mut rounds = rounds.to_vec();
        rounds.sort_by(f64::total_cmp);
        let next = rounds.get(1).unwrap_or(&rounds[0]);
        Self { time_ns: rounds[0], spread: next / rounds[0] - 1.0 }
    }
}

/// The stored results of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Baseline {
    benchmarks: BTreeMap<String, Entry>,
}

/// One benchmark of a run, independent of the speed of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Time divided by that of the calibration.
    ratio: f64,
    /// Relative uncertainty of the ratio.
    spread: f64,
}

impl Baseline {
    /// The results of a run in which the calibration took `unit`.
    pub(crate) fn new(
        measured: impl IntoIterator<Item = (String, Measured)>,
        unit: Measured,
    ) -> Self {
        let entry = |measured: Measured| Entry {
            ratio: rounded(measured.time_ns / unit.time_ns),
            spread: rounded(combined(&[measured.spread, unit.spread])),
        };
        let benchmarks = measured.into_iter().map(|(name, measured)| (name, entry(measured)));
        Self { benchmarks: benchmarks.collect() }
    }

    /// Number of benchmarks.
    pub(crate) fn n_benchmarks(&self) -> usize {
        self.benchmarks.len()
    }

    /// The stored form: one line per number, sorted by name.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The comparison of a run with an earlier one. Displayed as a table.
#[derive(Debug)]
pub(crate) struct Verdict {
    changes: Vec<Change>,
    /// Only in the earlier run.
    gone: Vec<String>,
    /// Only in the later run.
    new: Vec<String>,
}

/// A benchmark of both runs.
#[derive(Debug)]
struct Change {
    name: String,
    /// Relative growth of the ratio: 0.3 is 30 % slower.
    growth: f64,
    /// Growth up to this is tolerated.
    tolerance: f64,
}

impl Verdict {
    /// Compares `after` with `before`.
    pub(crate) fn of(before: &Baseline, after: &Baseline) -> Self {
        let missing_in = |other: &Baseline, run: &Baseline| -> Vec<String> {
            let names = run.benchmarks.keys();
            names.filter(|name| !other.benchmarks.contains_key(*name)).cloned().collect()
        };
        let both = before.benchmarks.iter().filter_map(|(name, before)| {
            let after = after.benchmarks.get(name)?;
            let noise = NOISE_FACTOR * combined(&[before.spread, after.spread]);
            let growth = after.ratio / before.ratio - 1.0;
            Some(Change { name: name.clone(), growth, tolerance: noise.max(MIN_GROWTH) })
        });
        Self {
            changes: both.collect(),
            gone: missing_in(after, before),
            new: missing_in(before, after),
        }
    }

    /// Names of the slower benchmarks.
    pub(crate) fn slower(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().filter(|change| change.is_slower()).map(|change| change.name.as_str())
    }
}

impl Change {
    fn is_slower(&self) -> bool {
        // Written so that NaN counts as slower.
        let is_tolerated = self.growth <= self.tolerance;
        !is_tolerated
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<40} {:>8} {:>10}", "benchmark", "change", "tolerated")?;
        for change in &self.changes {
            let (growth, tolerance) = (100.0 * change.growth, 100.0 * change.tolerance);
            let mark = match change {
                _ if change.is_slower() => "  SLOWER",
                _ if change.tolerance > MAX_TOLERANCE => "  too noisy to compare",
                _ => "",
            };
            writeln!(f, "{:<40} {growth:>+7.1}% {tolerance:>9.1}%{mark}", change.name)?;
        }
        for name in &self.gone {
            writeln!(f, "{name:<40} only in the baseline, not compared")?;
        }
        for name in &self.new {
            writeln!(f, "{name:<40} not in the baseline, not compared")?;
        }
        Ok(())
    }
}

/// The relative spread of a product of independent factors.
fn combined(spreads: &[f64]) -> f64 {
    spreads.iter().map(|spread| spread * spread).sum::<f64>().sqrt()
}

/// Rounds to four significant digits: the others are noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().expect("a formatted number is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run on a machine that is slower by a factor `slowness`, with samples that
    /// vary by `spread`.
    fn run(slowness: f64, spread: f64, times: &[(&str, f64)]) -> Baseline {
        let measured = |time_ns: f64| Measured { time_ns: slowness * time_ns, spread };
        let benchmarks = times.iter().map(|(name, time)| ((*name).to_owned(), measured(*time)));
        Baseline::new(benchmarks, measured(1e6))
    }

    #[track_caller]
    fn check(before: &Baseline, after: &Baseline, want: &[&str]) {
        let verdict = Verdict::of(before, after);
        assert_eq!(verdict.slower().collect::<Vec<_>>(), want, "{verdict}");
    }

    #[test]
    fn a_slower_machine_is_not_a_regression() {
        let times = [("segment/tiny", 3e5), ("step/paper", 7e8)];
        check(&run(1.0, 0.01, &times), &run(4.0, 0.01, &times), &[]);
        check(&run(4.0, 0.01, &times), &run(1.0, 0.01, &times), &[]);
    }

    #[test]
    fn a_real_slowdown_is_found_on_any_machine() {
        let before = run(1.0, 0.01, &[("a", 3e5), ("b", 7e8)]);
        for slowness in [0.5, 1.0, 3.0] {
            check(&before, &run(slowness, 0.01, &[("a", 3.9e5), ("b", 7e8)]), &["a"]);
            check(&before, &run(slowness, 0.01, &[("a", 1e5), ("b", 9.1e8)]), &["b"]);
        }
    }

    #[test]
    fn small_growth_is_tolerated_without_noise() {
        let before = run(1.0, 0.0, &[("a", 1e6)]);
        check(&before, &run(1.0, 0.0, &[("a", 1.09e6)]), &[]);
        check(&before, &run(1.0, 0.0, &[("a", 1.11e6)]), &["a"]);
    }

    #[test]
    fn noise_in_either_run_explains_growth() {
        let (quiet, noisy) = (0.01, 0.1);
        let (before, after) = ([("a", 1e6)], [("a", 1.3e6)]);
        check(&run(1.0, noisy, &before), &run(1.0, quiet, &after), &[]);
        check(&run(1.0, quiet, &before), &run(1.0, noisy, &after), &[]);
        check(&run(1.0, quiet, &before), &run(1.0, quiet, &after), &["a"]);
    }

    #[test]
    fn a_noisy_comparison_is_marked() {
        let times = [("a", 1e6)];
        let verdict = |spread| Verdict::of(&run(1.0, spread, &times), &run(1.0, 0.0, &times));
        assert!(verdict(0.2).to_string().contains("too noisy to compare"));
        assert!(!verdict(0.02).to_string().contains("too noisy to compare"));
    }

    #[test]
    fn a_noisy_calibration_widens_the_tolerance() {
        let before = run(1.0, 0.01, &[("a", 1e6)]);
        let a = [("a".to_owned(), Measured { time_ns: 1.3e6, spread: 0.01 })];
        check(&before, &Baseline::new(a.clone(), Measured::of(&[1.01e6, 1e6, 1.5e6])), &["a"]);
        check(&before, &Baseline::new(a, Measured::of(&[1.2e6, 1e6, 1.5e6])), &[]);
    }

    #[test]
    fn the_two_best_rounds_give_time_and_spread() {
        let close = |found: Measured, time_ns: f64, spread: f64| {
            assert_eq!(found.time_ns, time_ns);
            assert!((found.spread - spread).abs() < 1e-12, "{found:?}");
        };
        close(Measured::of(&[3.0, 2.0, 2.5]), 2.0, 0.25);
        close(Measured::of(&[4.0]), 4.0, 0.0);
    }

    #[test]
    fn missing_benchmarks_are_listed_and_do_not_fail() {
        let verdict = Verdict::of(
            &run(1.0, 0.01, &[("kept", 1e6), ("old", 1e6)]),
            &run(1.0, 0.01, &[("fresh", 1e6), ("kept", 1e6)]),
        );
        assert_eq!(verdict.slower().count(), 0);
        let text = verdict.to_string();
        let has = |name: &str, note: &str| {
            text.lines().any(|line| line.starts_with(name) && line.ends_with(note))
        };
        assert!(has("old", "only in the baseline, not compared"), "{text}");
        assert!(has("fresh", "not in the baseline, not compared"), "{text}");
    }

    #[test]
    fn a_ratio_of_nan_counts_as_slower() {
        let before = run(1.0, 0.01, &[("a", 0.0)]);
        check(&before, &run(1.0, 0.01, &[("a", 0.0)]), &["a"]);
    }

    #[test]
    fn the_stored_form_is_sorted_and_can_be_read() {
        let baseline = run(1.0, 0.0, &[("b", 1_234_567.0), ("a", 1e6)]);
        let text = baseline.to_json().unwrap();
        let want = r#"{
  "a": {
    "ratio": 1.0,
    "spread": 0.0
  },
  "b": {
    "ratio": 1.235,
    "spread": 0.0
  }
}
"#;
        assert_eq!(text, want);
        assert_eq!(serde_json::from_str::<Baseline>(&text).unwrap(), baseline);
    }
}
