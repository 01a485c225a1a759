//! Everything a pull request must pass, cheapest check first.
//!
//! It stops at the first failure: later checks take longer and are less specific.

use std::time::Instant;

use anyhow::Context as _;
use clap::ValueEnum;
use xshell::{Shell, cmd};

use crate::tools::Tool;
use crate::{check_onnx, package, test, tidy};

/// Finds dependencies that no source file of a crate mentions.
const MACHETE: Tool = Tool { name: "cargo-machete", version: "^0.9" };

/// Flags of `cargo xtask ci`.
#[derive(clap::Args)]
pub(crate) struct Ci {
    /// Skip a step; may be repeated.
    #[arg(long, value_name = "STEP")]
    skip: Vec<Step>,
}

/// One check. They run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Formatting, as `cargo fmt` writes it.
    Fmt,
    /// The checks of `cargo xtask tidy`.
    Tidy,
    /// Dependencies that are declared but not used.
    Unused,
    /// Lints of libraries, programs, tests and benchmarks.
    Clippy,
    /// Documentation, and the links in it.
    Doc,
    /// All tests.
    Test,
    /// Exported ONNX graphs in a runtime: `cargo xtask check-onnx`.
    Onnx,
    /// The library crates as packages: `cargo xtask package`.
    Package,
}

impl Ci {
    /// Runs all steps that are not skipped.
    ///
    /// # Errors
    ///
    /// That of the first step that fails.
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<()> {
        for step in self.steps() {
            let value = step.to_possible_value().expect("no step is hidden");
            let name = value.get_name();
            println!("ci: {name}");
            let start = Instant::now();
            step.run(sh).with_context(|| format!("ci step `{name}` failed"))?;
            println!("ci: {name} took {:.1} s", start.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn steps(&self) -> impl Iterator<Item = &'static Step> {
        Step::value_variants().iter().filter(|step| !self.skip.contains(step))
    }
}

impl Step {
    fn run(self, sh: &Shell) -> anyhow::Result<()> {
        match self {
            Self::Fmt => cmd!(sh, "cargo fmt --all --check").run()?,
            Self::Tidy => tidy::run(sh)?,
            Self::Unused => {
                let machete = MACHETE.installed(sh)?;
                cmd!(sh, "{machete} crates benches xtask").run()?;
            }
            Self::Clippy => {
                cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings").run()?;
            }
            Self::Doc => {
                let doc = cmd!(sh, "cargo doc --workspace --no-deps");
                doc.env("RUSTDOCFLAGS", "-D warnings").run()?;
            }
            Self::Test => test::run(sh, &[])?,
            Self::Onnx => check_onnx::run(sh)?,
            Self::Package => package::run(sh)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        ci: Ci,
    }

    #[track_caller]
    fn check(arguments: &[&str], want: &[Step]) {
        let typed = ["ci"].iter().chain(arguments);
        let line = CommandLine::try_parse_from(typed).expect("a valid command line");
        let steps: Vec<Step> = line.ci.steps().copied().collect();
        assert_eq!(steps, want);
    }

    #[test]
    fn steps_run_cheapest_first_except_skipped_ones() {
        use Step::{Clippy, Doc, Fmt, Onnx, Package, Test, Tidy, Unused};
        check(&[], &[Fmt, Tidy, Unused, Clippy, Doc, Test, Onnx, Package]);
        check(&["--skip", "test"], &[Fmt, Tidy, Unused, Clippy, Doc, Onnx, Package]);
        check(&["--skip=fmt", "--skip=clippy"], &[Tidy, Unused, Doc, Test, Onnx, Package]);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let err = CommandLine::try_parse_from(["ci", "--skip", "tests"]).err().unwrap();
        assert!(
            err.to_string().contains("fmt, tidy, unused, clippy, doc, test, onnx, package"),
            "{err}"
        );
    }
}
