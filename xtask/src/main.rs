//! `cargo xtask <command>`: the entry point to the workspace.
//!
//! Developer commands (`test`, `tidy`, `bench`, ...) each have a module here. The
//! commands of `hrm` (`train`, `solve`, ...) are passed on to its release build, so
//! that a fresh checkout can be tried without installing anything.
//!
//! To add a developer command, add a module with a `run`, a line in [`Developer`]
//! and a line in [`run`].

// A program may write to its terminal; the libraries may not.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod check_cuda;
mod check_onnx;
mod ci;
mod fuzz;
mod hrm;
mod package;
mod python;
mod test;
mod tidy;
mod tools;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use xshell::Shell;

/// Maintain the workspace, or run `hrm` from its source.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    #[command(flatten)]
    Developer(Developer),
    #[command(flatten)]
    Hrm(Hrm),
}

/// Commands about the repository.
#[derive(Subcommand)]
enum Developer {
    /// Run all tests, or those that ARGS select, as for `cargo test`.
    Test(PassedOn),
    /// Run everything a pull request must pass, cheapest check first.
    Ci(ci::Ci),
    /// Check layering, imports, manifests, documentation links and committed text.
    Tidy,
    /// Pack the library crates, and run the examples of their READMEs on the packages.
    Package,
    /// Run benchmarks; compare with a baseline or with another implementation.
    Bench(bench::Bench),
    /// Fuzz the readers of external files.
    Fuzz(fuzz::Fuzz),
    /// Compile the workspace for CUDA; needs Linux and Python, but no GPU.
    CheckCuda,
    /// Compare exported ONNX graphs with a runtime; needs Python.
    CheckOnnx,
}

/// Commands of `hrm`.
#[derive(Subcommand)]
enum Hrm {
    /// Train a model, e.g. `cargo xtask train sudoku`.
    Train(PassedOn),
    /// Explain the settings of a run.
    Settings(PassedOn),
    /// List and compare training runs.
    Runs(PassedOn),
    /// Evaluate a trained model.
    Eval(PassedOn),
    /// Solve puzzles with a trained model.
    Solve(PassedOn),
    /// Download, generate, inspect and convert puzzles.
    Data(PassedOn),
    /// Compare the model with a reference, tensor by tensor.
    Golden(PassedOn),
    /// Convert a published checkpoint.
    Import(PassedOn),
    /// Export weights for the published code.
    Export(PassedOn),
}

/// Arguments of the program behind the command, `--help` included.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
struct PassedOn {
    // Only makes clap accept any arguments. It would drop a leading `--`, which has a
    // meaning for the program, so the raw arguments are passed on instead.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    _accepted: Vec<OsString>,
}

fn main() -> ExitCode {
    let matches = command().get_matches();
    let command = Command::from_arg_matches(&matches).unwrap_or_else(|err| err.exit());
    run(command).unwrap_or_else(|err| {
        // Not returned from `main`: a backtrace of xtask does not explain a failure.
        eprintln!("xtask: {err:#}");
        ExitCode::FAILURE
    })
}

/// The command line, with a help text that lists the commands in groups.
fn command() -> clap::Command {
    let developer = group::<Developer>("Developer commands");
    let hrm = group::<Hrm>("Commands of hrm, passed on to its release build");
    Command::command()
        .help_template("{about-with-newline}\n{usage-heading} {usage}{after-help}")
        .after_help(format!(
            "{developer}\n{hrm}\n`cargo xtask COMMAND --help` lists the flags of a command."
        ))
}

/// A list of commands under a heading.
fn group<C: Subcommand>(heading: &str) -> String {
    let mut text = format!("{heading}:\n");
    for command in C::augment_subcommands(clap::Command::new("")).get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text += &format!("  {:<12}{about}\n", command.get_name());
    }
    text
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let root = workspace_root()?;
    let sh = Shell::new()?;
    sh.change_dir(&root);

    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match command {
        Command::Hrm(_) => return hrm::run(&root, &arguments),
        Command::Developer(command) => match command {
            Developer::Test(_) => test::run(&sh, &arguments[1..])?,
            Developer::Ci(ci) => ci.run(&sh)?,
            Developer::Tidy => tidy::run(&sh)?,
            Developer::Package => package::run(&sh)?,
            Developer::Bench(bench) => bench.run(&sh)?,
            Developer::Fuzz(fuzz) => fuzz.run(&sh)?,
            Developer::CheckCuda => check_cuda::run(&sh)?,
            Developer::CheckOnnx => check_onnx::run(&sh)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder of the workspace that cargo was called in.
fn workspace_root() -> anyhow::Result<PathBuf> {
    // Read at run time: checkouts that share a build folder share one xtask.
    let own_folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let own_folder = own_folder.context("xtask must be run by cargo: `cargo xtask <command>`")?;
    let root = own_folder.parent().context("xtask must be a folder of the workspace")?;
    Ok(root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn the_help_lists_developer_commands_apart_from_those_of_hrm() {
        let help = command().render_help().to_string();
        let (developer, hrm) = help.split_once("Commands of hrm").unwrap();
        for command in
            ["test", "ci", "tidy", "package", "bench", "fuzz", "check-cuda", "check-onnx"]
        {
            let line = format!("\n  {command} ");
            assert!(developer.contains(&line) && !hrm.contains(&line), "{command}: {help}");
        }
        for command in
            ["train", "settings", "runs", "eval", "solve", "data", "golden", "import", "export"]
        {
            let line = format!("\n  {command} ");
            assert!(hrm.contains(&line) && !developer.contains(&line), "{command}: {help}");
        }
        let n_commands = Command::command().get_subcommands().count();
        assert_eq!(help.lines().filter(|line| line.starts_with("  ")).count(), n_commands);
    }

    #[test]
    fn arguments_of_hrm_are_not_parsed_by_xtask() {
        for arguments in [
            vec!["--help"],
            vec!["-h"],
            vec!["-j", "2"],
            vec!["--", "-x"],
            vec!["sudoku", "--seed=7", "--", "--version"],
            vec![],
        ] {
            let typed = ["cargo xtask", "train"].into_iter().chain(arguments.iter().copied());
            let command = Command::try_parse_from(typed);
            assert!(matches!(command, Ok(Command::Hrm(Hrm::Train(_)))), "{arguments:?}");
        }
    }

    #[test]
    fn a_mistyped_command_is_refused() {
        assert!(Command::try_parse_from(["cargo xtask", "trian"]).is_err());
    }
}
