//! `hrm`: train, evaluate and use Hierarchical Reasoning Models.
//!
//! To add a command, add a module with a `run(self)`, a line in [`Command`] and a
//! line in [`Command::run`]. Results go to standard output, progress and notes to
//! standard error. Exit code 2 means bad usage or bad input, 1 any other failure.

mod bench;
mod challenge;
mod checkpoint;
mod cleanup;
mod compute;
mod cost;
mod data;
mod data_checks;
mod duration;
mod error;
mod eval;
mod exit;
mod export;
mod golden;
mod history;
mod import;
mod interrupt;
mod onnx;
mod output;
mod paths;
mod pictures;
mod pool;
mod positive;
mod progress;
mod puzzle_text;
mod record;
mod runs;
mod scores;
mod session;
mod settings;
mod solve;
mod sparkline;
mod task_args;
mod term;
mod trace;
mod train;
mod warm_start;
mod width;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "hrm", version, about, propagate_version = true)]
enum Command {
    /// Train a model on built-in puzzles or your own.
    Train(train::Train),
    /// Explain the settings of a run.
    Settings(settings::Settings),
    /// List and compare training runs.
    Runs(runs::Runs),
    /// Evaluate a trained model on its test set or on other puzzles.
    Eval(eval::Eval),
    /// Solve puzzles with a trained model.
    Solve(solve::Solve),
    /// Download, generate, inspect and convert puzzles.
    Data(data::Data),
    /// Compare this implementation with a reference, tensor by tensor.
    Golden(golden::Golden),
    /// Convert a published checkpoint into a checkpoint folder.
    Import(import::Import),
    /// Export the weights of a checkpoint for the published code.
    Export(export::Export),
    /// Measure the speed of the model on this machine.
    Bench(bench::Bench),
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Settings(command) => command.run(),
            Self::Runs(command) => command.run(),
            Self::Eval(command) => command.run(),
            Self::Solve(command) => command.run(),
            Self::Data(command) => command.run(),
            Self::Golden(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Bench(command) => command.run(),
        }
    }

    /// Number of compute threads; 0 for one per core.
    fn n_threads(&self) -> usize {
        match self {
            Self::Bench(command) => command.n_threads(),
            _ => 0,
        }
    }
}

fn main() -> ExitCode {
    hrm_kernels::keep_freed_memory();
    let command = Command::parse();
    progress::show_stages();
    let n_threads = command.n_threads();
    let run = || {
        cleanup::listen()?;
        command.run()
    };
    exit::exit_code(pool::run(n_threads, run))
}
