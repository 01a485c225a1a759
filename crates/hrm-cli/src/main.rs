//! `hrm`: train, evaluate and use Hierarchical Reasoning Models.
//!
//! Add a verb by adding a module with a `run(self)`, then a line in [`Verb`]
//! and a line in [`Verb::run`]. Results go to standard output, progress and remarks
//! to standard error. Exit code 2 means bad usage or input, 1 a failure.

mod ask;
mod bench;
mod challenge;
mod checkpoint;
mod choice;
mod compute;
mod data;
mod eval;
mod export;
mod golden;
mod import;
mod interrupt;
mod outcome;
mod output;
mod pictures;
mod pool;
mod progress;
mod record;
mod run;
mod runs;
mod settings;
mod solve;
mod term;
mod trace;
mod train;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "hrm", version, about, propagate_version = true)]
enum Verb {
    /// Train a model on built-in or your own puzzles.
    Train(train::Train),
    /// List training runs and compare them.
    Runs(runs::Runs),
    /// Score a trained model on its evaluation puzzles or on others.
    Eval(eval::Eval),
    /// Solve a puzzle with a trained model.
    Solve(solve::Solve),
    /// Fetch puzzles, generate them, or look at them.
    Data(data::Data),
    /// Compare this implementation with the reference, tensor by tensor.
    Golden(golden::Golden),
    /// Turn a published checkpoint into a checkpoint folder.
    Import(import::Import),
    /// Write the weights of a checkpoint for the published code.
    Export(export::Export),
    /// Measure how long the model takes on this machine.
    Bench(bench::Bench),
}

impl Verb {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Train(verb) => verb.run(),
            Self::Runs(verb) => verb.run(),
            Self::Eval(verb) => verb.run(),
            Self::Solve(verb) => verb.run(),
            Self::Data(verb) => verb.run(),
            Self::Golden(verb) => verb.run(),
            Self::Import(verb) => verb.run(),
            Self::Export(verb) => verb.run(),
            Self::Bench(verb) => verb.run(),
        }
    }

    /// Threads that compute, if it matters to the verb; else zero.
    fn n_threads(&self) -> usize {
        match self {
            Self::Bench(verb) => verb.n_threads(),
            _ => 0,
        }
    }
}

fn main() -> ExitCode {
    hrm_kernels::keep_freed_memory();
    let verb = Verb::parse();
    outcome::exit_code(pool::run(verb.n_threads(), || verb.run()))
}
