//! `cargo xtask bench`: benchmarks, and comparisons with a baseline or a peer.
//!
//! Without flags it runs the benchmarks of the package `hrm-benches`. `--save` and
//! `--check` compare two versions, on one machine or on two. `race` compares whole
//! training steps with an implementation in Python.

mod baseline;
mod measure;
mod race;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use xshell::{Shell, cmd};

use baseline::{Baseline, Verdict};

/// Folder of committed baselines.
const BASELINES: &str = "benches/baselines";

/// Flags of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    /// Measure, and write the results to benches/baselines/NAME.json.
    #[arg(long, value_name = "NAME", value_parser = file_stem, conflicts_with_all = ["check", "criterion"])]
    save: Option<String>,
    /// Measure, compare with benches/baselines/NAME.json, and fail on a slowdown.
    #[arg(long, value_name = "NAME", value_parser = file_stem, conflicts_with = "criterion")]
    check: Option<String>,
    /// Arguments for the benchmarks, e.g. a name to select some.
    #[arg(last = true, value_name = "ARGS")]
    criterion: Vec<OsString>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Compare whole steps with a PyTorch implementation of the same model.
    Race(race::Race),
}

impl Bench {
    /// Runs the benchmarks as the flags say.
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<()> {
        if let Some(Action::Race(race)) = self.action {
            return race.run(sh);
        }
        if let Some(name) = self.save {
            return save(sh, &name);
        }
        if let Some(name) = self.check {
            return check(sh, &name);
        }
        let arguments = self.criterion;
        cmd!(sh, "cargo bench --package hrm-benches -- {arguments...}").run()?;
        Ok(())
    }
}

fn save(sh: &Shell, name: &str) -> anyhow::Result<()> {
    let path = path(&sh.current_dir(), name);
    let baseline = measure::run(sh)?;
    sh.write_file(&path, baseline.to_json()?)?;
    println!("bench: {} benchmarks written to {}", baseline.n_benchmarks(), path.display());
    Ok(())
}

fn check(sh: &Shell, name: &str) -> anyhow::Result<()> {
    let path = path(&sh.current_dir(), name);
    // Read before measuring, which takes minutes.
    let read = || -> anyhow::Result<Baseline> { Ok(serde_json::from_str(&sh.read_file(&path)?)?) };
    let before = read().with_context(|| format!("cannot read the baseline {}", path.display()))?;
    let verdict = Verdict::of(&before, &measure::run(sh)?);
    print!("{verdict}");
    let slower: Vec<&str> = verdict.slower().collect();
    anyhow::ensure!(slower.is_empty(), "bench: slower than `{name}`: {}", slower.join(", "));
    Ok(())
}

fn path(root: &Path, name: &str) -> PathBuf {
    root.join(BASELINES).join(format!("{name}.json"))
}

/// Parses a name that stays inside the folder of baselines.
fn file_stem(name: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err("must be letters, digits, `-` and `_`".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        bench: Bench,
    }

    fn parse(arguments: &[&str]) -> Result<Bench, clap::Error> {
        let typed = ["bench"].iter().chain(arguments);
        CommandLine::try_parse_from(typed).map(|line| line.bench)
    }

    #[test]
    fn actions_exclude_each_other() {
        assert_eq!(parse(&["--save", "main"]).unwrap().save.as_deref(), Some("main"));
        assert_eq!(parse(&["--", "step/tiny", "--quick"]).unwrap().criterion.len(), 2);
        assert!(parse(&["race", "--rounds", "3"]).unwrap().action.is_some());
        for arguments in [
            &["--save", "a", "--check", "b"][..],
            &["--save", "a", "--", "tiny"],
            &["--check", "a", "--", "tiny"],
            &["--save", "a", "race"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_baseline_stays_in_its_folder() {
        for name in ["", "../main", "a/b", "a.json"] {
            assert!(parse(&["--save", name]).is_err(), "{name}");
        }
    }
}
