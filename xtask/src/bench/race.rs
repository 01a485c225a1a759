//! `cargo xtask bench race`: whole steps, compared with a PyTorch implementation.
//!
//! The sides take turns, so that changes in the speed of the machine affect both.
//! The best round of each side counts, since disturbances can only slow a program
//! down. Both sides have the same flags and report the same fields.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;
use serde::Deserialize;
use serde_json::{Map, Value};
use xshell::{Cmd, Shell, cmd};

use crate::python;

/// The other implementation, and its packages.
const PEER: &str = "benches/peer/torch_hrm.py";
const REQUIREMENTS: &str = "benches/peer/requirements.txt";

/// Variable that names an interpreter with these packages.
const PYTHON: &str = "HRM_PEER_PYTHON";

/// The file that each round is appended to.
const LOG: &str = "target/race.jsonl";

/// Flags of `cargo xtask bench race`.
#[derive(clap::Args)]
pub(crate) struct Race {
    /// Run only this case; may be repeated.
    #[arg(long = "case", value_name = "NAME", value_parser = case)]
    cases: Vec<&'static Case>,
    /// Number of rounds per case.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Skip the compiled variant of the other implementation.
    #[arg(long)]
    no_compile: bool,
}

/// One configuration to compare.
#[derive(Debug, PartialEq)]
struct Case {
    name: &'static str,
    /// Flags for both sides, which use two threads by default.
    flags: &'static str,
    /// Environment variables for our side.
    env: &'static [(&'static str, &'static str)],
    /// Required speed, relative to the faster variant of the other side.
    floor: f64,
}

/// All cases: training and inference of the published model, training of a small
/// model, and training on 30 by 30 grids.
const CASES: &[Case] = &[
    Case {
        name: "train-27m",
        flags: "--hidden 512 --heads 8 --layers 4 --seq 81 --batch 32 --dtype bfloat16",
        env: &[],
        floor: 1.3,
    },
    Case {
        name: "train-1m",
        flags: "--hidden 128 --heads 4 --layers 2 --seq 81 --batch 128 --dtype bfloat16",
        env: &[],
        floor: 2.0,
    },
    Case {
        name: "train-arc",
        flags: "--hidden 512 --heads 8 --layers 4 --seq 900 --vocab 12 --batch 4 --dtype bfloat16",
        env: &[],
        floor: 1.3,
    },
    Case {
        name: "infer-27m",
        flags: "--hidden 512 --heads 8 --layers 4 --seq 81 --batch 32 --dtype bfloat16 --eval",
        env: &[],
        floor: 1.3,
    },
    Case {
        name: "infer-27m-b1",
        flags: "--hidden 512 --heads 8 --layers 4 --seq 81 --batch 1 --dtype bfloat16 --eval",
        env: &[],
        floor: 1.5,
    },
    Case {
        name: "train-27m-f32",
        flags: "--hidden 512 --heads 8 --layers 4 --seq 81 --batch 32 --dtype float32",
        // Without bf16 instructions, which a case in f32 does not use.
        env: &[("HRM_CPU", "avx512")],
        floor: 1.8,
    },
];

/// The implementation that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Eager,
    Compiled,
}

/// The fields of a report that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Report {
    ms_per_step: f64,
    first_step_s: f64,
    /// In MiB; unknown on some systems.
    peak_rss_mb: Option<u64>,
}

/// The best results of one side in one case.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Best {
    side: Side,
    /// The minimum of each field over all rounds.
    report: Report,
}

/// The results of one case.
#[derive(Debug)]
struct Outcome {
    case: &'static Case,
    ours: Best,
    /// One per variant of the other implementation.
    peers: Vec<Best>,
}

impl Race {
    /// Runs the cases and prints the results.
    ///
    /// # Errors
    ///
    /// If a required speed is not reached.
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<()> {
        let programs = Programs::prepare(sh)?;
        let cases: Vec<&Case> =
            if self.cases.is_empty() { CASES.iter().collect() } else { self.cases };
        let peers: &[Side] =
            if self.no_compile { &[Side::Eager] } else { &[Side::Eager, Side::Compiled] };

        let mut outcomes = Vec::new();
        for case in cases {
            let mut ours = None;
            let mut theirs = vec![None; peers.len()];
            for round in 1..=self.rounds {
                let run = |side: Side, best: &mut Option<Best>| -> anyhow::Result<()> {
                    let report = programs.run(sh, case, side, round)?;
                    *best = Some(Best { side, report: report.best_with(best.map(|b| b.report)) });
                    Ok(())
                };
                run(Side::Ours, &mut ours)?;
                for (side, best) in peers.iter().zip(&mut theirs) {
                    run(*side, best)?;
                }
            }
            let ours = ours.expect("there is at least one round");
            outcomes.push(Outcome { case, ours, peers: theirs.into_iter().flatten().collect() });
        }
        print!("\n{}\n{}", speeds(&outcomes), starts(&outcomes));
        let unmet: Vec<&str> =
            outcomes.iter().filter(|o| !o.is_met()).map(|outcome| outcome.case.name).collect();
        anyhow::ensure!(
            unmet.is_empty(),
            "race: the required speed was not reached in {}",
            unmet.join(", ")
        );
        Ok(())
    }
}

/// The programs of both sides.
struct Programs {
    hrm: PathBuf,
    python: PathBuf,
}

impl Programs {
    /// Builds our side, and finds or creates an environment for the other one.
    fn prepare(sh: &Shell) -> anyhow::Result<Self> {
        let root = sh.current_dir();
        // Before the build, since it fails sooner.
        let python = match std::env::var_os(PYTHON) {
            Some(python) => python.into(),
            None => {
                let environment = root.join("target/peer-env");
                python::environment(sh, &environment, &root.join(REQUIREMENTS)).with_context(
                    || format!("the race needs Python; set {PYTHON} to an interpreter with its packages"),
                )?
            }
        };
        cmd!(sh, "cargo build --release --package hrm-cli --bin hrm").run()?;
        let mut metadata = MetadataCommand::new();
        let metadata = metadata.manifest_path(root.join("Cargo.toml")).no_deps().exec();
        let target = metadata.context("cannot read the workspace's metadata")?.target_directory;
        let hrm = format!("release/hrm{}", std::env::consts::EXE_SUFFIX);
        Ok(Self { hrm: target.join(hrm).into(), python })
    }

    /// Runs one side once, and logs its report.
    fn run(&self, sh: &Shell, case: &Case, side: Side, round: u32) -> anyhow::Result<Report> {
        let turn = format!("{}, {}, round {round}", case.name, side.name());
        println!("race: {turn}");
        let line = self.command(sh, case, side).quiet().read();
        let line = line.with_context(|| format!("race: {turn} failed"))?;
        let report = || -> anyhow::Result<Report> {
            let fields: Map<String, Value> = serde_json::from_str(&line)?;
            log(sh, case, side, round, &fields)?;
            Ok(serde_json::from_value(Value::Object(fields))?)
        };
        report().with_context(|| format!("race: {turn}: cannot use the report `{line}`"))
    }

    fn command<'a>(&self, sh: &'a Shell, case: &Case, side: Side) -> Cmd<'a> {
        let Self { hrm, python } = self;
        let flags = case.flags.split_whitespace();
        match side {
            Side::Ours => cmd!(sh, "{hrm} bench step {flags...}").envs(case.env.iter().copied()),
            Side::Eager => cmd!(sh, "{python} {PEER} bench {flags...}"),
            Side::Compiled => cmd!(sh, "{python} {PEER} bench {flags...} --compile"),
        }
    }
}

/// Appends a report to the log, so that an interrupted race keeps its results.
fn log(
    sh: &Shell,
    case: &Case,
    side: Side,
    round: u32,
    fields: &Map<String, Value>,
) -> anyhow::Result<()> {
    let mut fields = fields.clone();
    fields.insert("case".to_owned(), case.name.into());
    fields.insert("side".to_owned(), side.name().into());
    fields.insert("round".to_owned(), round.into());
    let path = sh.current_dir().join(LOG);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| writeln!(file, "{}", Value::Object(fields)));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The case with this name.
fn case(name: &str) -> Result<&'static Case, String> {
    CASES.iter().find(|case| case.name == name).ok_or_else(|| {
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Eager => "eager",
            Self::Compiled => "compiled",
        }
    }
}

impl Report {
    /// The minimum of each field.
    fn best_with(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            ms_per_step: self.ms_per_step.min(other.ms_per_step),
            first_step_s: self.first_step_s.min(other.first_step_s),
            peak_rss_mb: self.peak_rss_mb.min(other.peak_rss_mb),
        }
    }
}

impl Outcome {
    /// The faster variant of the other implementation.
    fn rival(&self) -> Best {
        let by_time = |a: &&Best, b: &&Best| a.report.ms_per_step.total_cmp(&b.report.ms_per_step);
        *self.peers.iter().min_by(by_time).expect("a race has another side")
    }

    /// Our speed relative to it.
    fn ratio(&self) -> f64 {
        self.rival().report.ms_per_step / self.ours.report.ms_per_step
    }

    fn is_met(&self) -> bool {
        self.ratio() >= self.case.floor
    }
}

/// The table of step times.
fn speeds(outcomes: &[Outcome]) -> String {
    let mut table = format!(
        "{:<16} {:>10} {:>10} {:<9} {:>6} {:>6}  {}\n",
        "case", "ours, ms", "peer, ms", "as", "ratio", "floor", "met"
    );
    for outcome in outcomes {
        let (name, rival) = (outcome.case.name, outcome.rival());
        let (ours, theirs) = (outcome.ours.report.ms_per_step, rival.report.ms_per_step);
        let (side, ratio, floor) = (rival.side.name(), outcome.ratio(), outcome.case.floor);
        let met = if outcome.is_met() { "yes" } else { "no" };
        writeln!(
            table,
            "{name:<16} {ours:>10.1} {theirs:>10.1} {side:<9} {ratio:>6.2} {floor:>6.2}  {met}"
        )
        .expect("a string takes any text");
    }
    table
}

/// The table of start-up times and memory.
fn starts(outcomes: &[Outcome]) -> String {
    let mut table =
        format!("{:<16} {:<9} {:>13} {:>12}\n", "case", "side", "first step, s", "memory, MiB");
    for outcome in outcomes {
        for Best { side, report } in std::iter::once(&outcome.ours).chain(&outcome.peers) {
            let (name, side, seconds) = (outcome.case.name, side.name(), report.first_step_s);
            let memory = report.peak_rss_mb.map_or("unknown".to_owned(), |mib| mib.to_string());
            writeln!(table, "{name:<16} {side:<9} {seconds:>13.2} {memory:>12}")
                .expect("a string takes any text");
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(side: Side, ms_per_step: f64) -> Best {
        Best { side, report: Report { ms_per_step, first_step_s: 2.5, peak_rss_mb: Some(900) } }
    }

    fn outcome(ours: f64, eager: f64, compiled: f64) -> Outcome {
        let peers = vec![best(Side::Eager, eager), best(Side::Compiled, compiled)];
        Outcome { case: case("train-27m").unwrap(), ours: best(Side::Ours, ours), peers }
    }

    #[test]
    fn the_faster_variant_of_the_peer_counts() {
        assert_eq!(outcome(100.0, 150.0, 120.0).ratio(), 1.2);
        assert!(!outcome(100.0, 150.0, 120.0).is_met());
        assert_eq!(outcome(100.0, 130.0, 140.0).ratio(), 1.3);
        assert!(outcome(100.0, 130.0, 140.0).is_met());
    }

    #[test]
    fn tables_have_a_line_per_case() {
        let outcomes = [outcome(100.0, 150.0, 120.0)];
        let want = "\
case               ours, ms   peer, ms as         ratio  floor  met
train-27m             100.0      120.0 compiled    1.20   1.30  no
";
        assert_eq!(speeds(&outcomes), want);
        let want = "\
case             side      first step, s  memory, MiB
train-27m        ours               2.50          900
train-27m        eager              2.50          900
train-27m        compiled           2.50          900
";
        assert_eq!(starts(&outcomes), want);
    }

    #[test]
    fn the_best_of_all_rounds_is_kept() {
        let report = |ms_per_step, first_step_s, peak_rss_mb| Report {
            ms_per_step,
            first_step_s,
            peak_rss_mb: Some(peak_rss_mb),
        };
        let first = report(10.0, 3.0, 500);
        assert_eq!(first.best_with(None), first);
        assert_eq!(report(9.0, 4.0, 400).best_with(Some(first)), report(9.0, 3.0, 400));
    }

    #[test]
    fn reports_of_both_sides_can_be_read() {
        let line = r#"{"peer": "x", "ms_per_step": 1.5, "first_step_s": 2, "peak_rss_mb": null}"#;
        let report: Report = serde_json::from_str(line).unwrap();
        assert_eq!(report, Report { ms_per_step: 1.5, first_step_s: 2.0, peak_rss_mb: None });
    }

    #[test]
    fn an_unknown_case_is_refused_with_the_known_ones() {
        assert!(case("train-1m").is_ok());
        assert!(case("train").unwrap_err().starts_with("must be one of train-27m, train-1m, "));
    }
}
