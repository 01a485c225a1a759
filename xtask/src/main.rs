//! `cargo xtask <verb>`: the one front door of the workspace.
//!
//! Verbs about models (`train`, `solve`, ...) are handed to the `hrm` binary,
//! built in release mode. Verbs about the repository (`test`, `tidy`, `bench`, ...)
//! each have a module here.
//!
//! Add a verb by adding a module with a `run`, then a line in [`Verb`] and a
//! line in [`run`].

// A program may talk to its terminal; the libraries may not.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod check_cuda;
mod ci;
mod fuzz;
mod hrm;
mod python;
mod test;
mod tidy;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use xshell::Shell;

/// Train, try and maintain Hierarchical Reasoning Models.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    /// Train a model, e.g. `cargo xtask train sudoku`.
    Train(PassedOn),
    /// List training runs and compare them.
    Runs(PassedOn),
    /// Score a trained model on evaluation puzzles.
    Eval(PassedOn),
    /// Solve puzzles with a trained model.
    Solve(PassedOn),
    /// Generate, show and describe puzzle data.
    Data(PassedOn),
    /// Compare the model with reference fixtures.
    Golden(PassedOn),
    /// Read a model from another program's file.
    Import(PassedOn),
    /// Write a model to a file that other programs read.
    Export(PassedOn),
    /// Run all tests, or those that `cargo test` would pick from ARGS.
    Test(PassedOn),
    /// Check layering, manifests, documentation links and committed text.
    Tidy,
    /// Everything a pull request needs, cheapest check first.
    Ci(ci::Ci),
    /// Run benchmarks; compare with a baseline or with another implementation.
    Bench(bench::Bench),
    /// Look for files that a reader does not survive.
    Fuzz(fuzz::Fuzz),
    /// Compile the workspace for CUDA; needs Linux and Python, and no card.
    CheckCuda,
}

/// Arguments that belong to the program behind the verb, `--help` included.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
struct PassedOn {
    // Only makes clap accept anything: it would drop a leading `--`, which
    // means something to the program behind, so `typed` is read instead.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    _accepted: Vec<OsString>,
}

fn main() -> ExitCode {
    run(Verb::parse()).unwrap_or_else(|err| {
        // Not returned: a backtrace of xtask explains nobody's failing check.
        eprintln!("xtask: {err:#}");
        ExitCode::FAILURE
    })
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let root = workspace_root()?;
    let sh = Shell::new()?;
    sh.change_dir(&root);

    let typed = std::env::args_os().skip(1);
    match verb {
        Verb::Train(_)
        | Verb::Runs(_)
        | Verb::Eval(_)
        | Verb::Solve(_)
        | Verb::Data(_)
        | Verb::Golden(_)
        | Verb::Import(_)
        | Verb::Export(_) => return hrm::run(&root, typed),
        Verb::Test(_) => test::run(&sh, typed.skip(1).collect())?,
        Verb::Tidy => tidy::run(&sh)?,
        Verb::Ci(ci) => ci.run(&sh)?,
        Verb::Bench(bench) => bench.run(&sh)?,
        Verb::Fuzz(verb) => verb.run(&sh)?,
        Verb::CheckCuda => check_cuda::run(&sh)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder of the workspace that cargo was called in.
fn workspace_root() -> anyhow::Result<PathBuf> {
    // Asked when run, not when compiled: checkouts that share a build folder
    // share one xtask.
    let own_folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let own_folder = own_folder.context("xtask is started by cargo: `cargo xtask <verb>`")?;
    let root = own_folder.parent().context("xtask is a folder of the workspace")?;
    Ok(root.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Verb::command().debug_assert();
    }

    #[test]
    fn arguments_of_hrm_are_never_ours() {
        for arguments in [
            vec!["--help"],
            vec!["-h"],
            vec!["-j", "2"],
            vec!["--", "-x"],
            vec!["sudoku", "--seed=7", "--", "--version"],
            vec![],
        ] {
            let typed = ["cargo xtask", "train"].into_iter().chain(arguments.iter().copied());
            let verb = Verb::try_parse_from(typed);
            assert!(matches!(verb, Ok(Verb::Train(_))), "{arguments:?}");
        }
    }

    #[test]
    fn a_mistyped_verb_is_refused() {
        assert!(Verb::try_parse_from(["cargo xtask", "trian"]).is_err());
    }
}
