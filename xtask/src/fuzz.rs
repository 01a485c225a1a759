//! `cargo xtask fuzz`: searches for files that crash a reader.
//!
//! Targets run in parallel, one per core. The fuzzer is installed below `target/`
//! if it is missing. It needs a nightly compiler.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use xshell::{Shell, cmd};

use crate::tools::Tool;

/// Folder of the targets.
const TARGETS: &str = "fuzz/fuzz_targets";

const FUZZER: Tool = Tool { name: "cargo-fuzz", version: "^0.13" };

#[derive(Args)]
pub(crate) struct Fuzz {
    /// Targets to run. Default: all.
    targets: Vec<String>,
    /// Minutes per target.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
}

/// The result of one target.
struct Outcome {
    target: String,
    /// Number of executions.
    n_runs: u64,
    /// The end of its output, if it found something or could not run.
    failure: Option<String>,
}

impl Fuzz {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<()> {
        ensure!(self.minutes > 0.0, "--minutes must be positive, found {}", self.minutes);
        let known = targets(sh)?;
        if let Some(unknown) = self.targets.iter().find(|target| !known.contains(target)) {
            bail!("no target `{unknown}`; the targets are: {}", known.join(", "));
        }
        let targets = if self.targets.is_empty() { known } else { self.targets };
        let runner = install(sh)?;
        cmd!(sh, "{runner} fuzz build -O -s none").env("RUSTUP_TOOLCHAIN", "nightly").run()?;

        let n_targets = targets.len();
        let seconds = (self.minutes * 60.0).ceil().to_string();
        let root = sh.current_dir();
        let waiting = Mutex::new(targets.into_iter());
        let outcomes = Mutex::new(Vec::new());
        let n_cores = std::thread::available_parallelism()?.get();
        std::thread::scope(|scope| {
            for _ in 0..n_cores {
                scope.spawn(|| {
                    // A shell belongs to one thread.
                    let Ok(sh) = Shell::new() else { return };
                    sh.change_dir(&root);
                    loop {
                        let next = waiting.lock().ok().and_then(|mut targets| targets.next());
                        let Some(target) = next else { return };
                        let outcome = fuzz(&sh, &runner, target, &seconds);
                        report(&outcome);
                        if let Ok(mut outcomes) = outcomes.lock() {
                            outcomes.push(outcome);
                        }
                    }
                });
            }
        });
        conclude(&outcomes.into_inner().unwrap_or_default(), n_targets)
    }
}

/// The conclusion from the outcomes of `n_targets` targets.
///
/// # Errors
///
/// If one found something, or was not run.
fn conclude(outcomes: &[Outcome], n_targets: usize) -> anyhow::Result<()> {
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .map(|outcome| outcome.target.as_str())
        .collect();
    ensure!(failed.is_empty(), "findings in {}; see fuzz/artifacts", failed.join(", "));
    let n_run = outcomes.len();
    ensure!(n_run == n_targets, "only {n_run} of {n_targets} targets were run");
    Ok(())
}

/// The names of all targets.
fn targets(sh: &Shell) -> anyhow::Result<Vec<String>> {
    let files = sh.read_dir(TARGETS)?;
    let names = files.iter().filter_map(|file| file.file_stem());
    Ok(names.map(|name| name.to_string_lossy().into_owned()).collect())
}

/// The path of the fuzzer.
fn install(sh: &Shell) -> anyhow::Result<PathBuf> {
    let runner = FUZZER.installed(sh)?;
    let has_nightly = cmd!(sh, "cargo --version").env("RUSTUP_TOOLCHAIN", "nightly").quiet();
    has_nightly
        .read()
        .context("fuzzing needs a nightly compiler: `rustup toolchain add nightly`")?;
    Ok(runner)
}

fn fuzz(sh: &Shell, runner: &Path, target: String, seconds: &str) -> Outcome {
    let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
    let limit = format!("-max_total_time={seconds}");
    let output = sh.create_dir(&corpus).and_then(|_| {
        let run = cmd!(
            sh,
            "{runner} fuzz run -O -s none {target} {corpus} {seeds} -- {limit} -max_len=4096 -timeout=10 -print_final_stats=1"
        );
        run.env("RUSTUP_TOOLCHAIN", "nightly").quiet().ignore_status().output()
    });
    match output {
        Err(err) => Outcome { target, n_runs: 0, failure: Some(err.to_string()) },
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last: Vec<&str> = text.lines().rev().take(40).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            let failure = (!output.status.success()).then(|| last.join("\n"));
            Outcome { target, n_runs: n_runs(&text), failure }
        }
    }
}

/// The number of executions that the fuzzer reports.
fn n_runs(text: &str) -> u64 {
    const NAME: &str = "stat::number_of_executed_units:";
    let line = text.lines().find_map(|line| line.strip_prefix(NAME));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn report(outcome: &Outcome) {
    let Outcome { target, n_runs, failure } = outcome;
    match failure {
        None => println!("{target:<16} {n_runs:>12} executions, nothing found"),
        Some(text) => println!("{target:<16} {n_runs:>12} executions, then:\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_statistics() {
        let text = "Done 5 runs\nstat::number_of_executed_units: 123456\nstat::peak_rss_mb: 3\n";
        assert_eq!(n_runs(text), 123_456);
        assert_eq!(n_runs("nothing"), 0);
    }

    #[test]
    fn targets_that_were_not_run_do_not_pass() {
        let outcome = |failure: Option<&str>| Outcome {
            target: "grids".to_owned(),
            n_runs: 9,
            failure: failure.map(str::to_owned),
        };
        conclude(&[outcome(None)], 1).unwrap();
        let message = |outcomes: &[Outcome]| conclude(outcomes, 1).unwrap_err().to_string();
        assert_eq!(message(&[]), "only 0 of 1 targets were run");
        assert_eq!(message(&[outcome(Some("x"))]), "findings in grids; see fuzz/artifacts");
    }
}
