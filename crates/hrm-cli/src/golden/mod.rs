//! `hrm golden`: is this the published model?
//!
//! A golden file holds what a reference implementation computed in a few
//! training steps: its configuration, weights, inputs and draws, and then
//! logits, states, losses, gradients and final weights. The check replays the
//! steps and compares everything by name, in f32 unless another precision is
//! asked for.

mod replay;
mod table;
mod vectors;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hrm_testkit::Golden as GoldenFile;

use crate::checkpoint::Checkpoint;
use crate::compute::Compute;
use crate::error::Failed;
use table::Table;

#[derive(Args)]
pub(crate) struct Golden {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Replay the training steps of golden files and compare every tensor.
    Check(Check),
    /// Compare what a checkpoint computes with stored vectors.
    Vectors(Vectors),
}

#[derive(Args)]
struct Check {
    /// Golden files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Args)]
struct Vectors {
    /// Run or checkpoint folder, e.g. one that `hrm import` wrote.
    run: PathBuf,
    /// Vector file: inputs, and what the reference computes in each segment.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    compute: Compute,
}

/// How to report.
#[derive(Args)]
struct Form {
    /// Print one line of JSON per file instead of a table.
    #[arg(long)]
    json: bool,
    /// List every tensor, not only the worst of each group.
    #[arg(long, conflicts_with = "json")]
    all: bool,
}

impl Golden {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Check(check) => check.run(),
            Action::Vectors(vectors) => vectors.run(),
        }
    }
}

impl Check {
    fn run(self) -> anyhow::Result<()> {
        let compute = self.compute.exactly();
        let (device, dtype) = (compute.device()?, compute.dtype()?);
        let mut n_failed = 0;
        for path in &self.files {
            let table = replay::replay(&GoldenFile::open(path)?, &device, dtype)?;
            n_failed += usize::from(!report(&table, path, &self.form)?);
        }
        verdict(n_failed, self.files.len())
    }
}

impl Vectors {
    fn run(self) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::open(&self.run, &self.compute.exactly())?;
        let table = vectors::compare(&checkpoint.model, &GoldenFile::open(&self.file)?)?;
        let passes = report(&table, &self.file, &self.form)?;
        verdict(usize::from(!passes), 1)
    }
}

/// Prints a comparison and says whether it passes.
fn report(table: &Table, path: &Path, form: &Form) -> std::io::Result<bool> {
    table.print(path, form.json, form.all)?;
    Ok(table.passes())
}

fn verdict(n_failed: usize, n_files: usize) -> anyhow::Result<()> {
    if n_failed > 0 {
        return Err(Failed(format!("{n_failed} of {n_files} golden files differ")).into());
    }
    Ok(())
}
