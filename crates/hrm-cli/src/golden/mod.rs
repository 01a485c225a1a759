//! `hrm golden`: compares this implementation with a reference.
//!
//! A golden file records a few training steps of a reference implementation:
//! config, weights, inputs and random numbers, and the resulting logits, states,
//! losses, gradients and final weights. The check replays the steps and compares
//! all tensors by name, in f32 unless another precision is given.

mod replay;
mod table;
mod vectors;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hrm_testkit::Golden as GoldenFile;

use crate::checkpoint;
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
    /// Compare the output of a checkpoint with stored output of a reference.
    Vectors(Vectors),
}

#[derive(Args)]
struct Check {
    /// Golden files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Args)]
struct Vectors {
    /// Run or checkpoint folder, e.g. one written by `hrm import`.
    run: PathBuf,
    /// Vector file: inputs, and outputs of a reference after each segment.
    file: PathBuf,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    compute: Compute,
}

/// Format of the report.
#[derive(Args)]
struct Format {
    /// Print one line of JSON per file instead of a table.
    #[arg(long)]
    json: bool,
    /// List all tensors, not only the worst of each group.
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
        let compute = self.compute.with_f32_default();
        let (device, dtype) = (compute.device()?, compute.dtype()?);
        let mut n_failed = 0;
        for path in &self.files {
            let table = replay::replay(&GoldenFile::open(path)?, &device, dtype)?;
            n_failed += usize::from(!report(&table, path, &self.format)?);
        }
        verdict(n_failed, self.files.len())
    }
}

impl Vectors {
    fn run(self) -> anyhow::Result<()> {
        let checkpoint = checkpoint::open(&self.run, &self.compute.with_f32_default())?;
        let table = vectors::compare(&checkpoint.model, &GoldenFile::open(&self.file)?)?;
        let passes = report(&table, &self.file, &self.format)?;
        verdict(usize::from(!passes), 1)
    }
}

/// Prints a comparison. Returns whether it passes.
fn report(table: &Table, path: &Path, format: &Format) -> std::io::Result<bool> {
    table.print(path, format.json, format.all)?;
    Ok(table.passes())
}

fn verdict(n_failed: usize, n_files: usize) -> anyhow::Result<()> {
    if n_failed > 0 {
        return Err(Failed(format!(
            "files that differ from the reference: {n_failed} of {n_files}"
        ))
        .into());
    }
    Ok(())
}
