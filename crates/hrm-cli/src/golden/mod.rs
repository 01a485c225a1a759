//! `hrm golden`: compares this implementation with a reference.
//!
//! A golden file records a few training steps of a reference implementation:
//! config, weights, inputs and random numbers, and the resulting logits, states,
//! losses, gradients and final weights. The check replays the steps and compares
//! all tensors by name, in f32 unless another precision is given. If the file also holds
//! the same run in f64, errors are measured in units of those of the reference.

mod reference;
mod replay;
mod report;
mod table;
mod vectors;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hrm_base::file_kind::{FileKind, Group};
use hrm_testkit::{Golden as GoldenFile, GoldenError};

use crate::checkpoint;
use crate::compute::Compute;
use crate::error::{Failed, usage};
use reference::Extent;
use report::Report;

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
    /// Golden files, or folders of them.
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
    /// Print one line of JSON per file instead of tables.
    #[arg(long)]
    json: bool,
    /// Print a table per file with all tensors, not only the worst of each group.
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
        let paths = golden_files(&self.files)?;
        let replayed = |path: &PathBuf| replay::replay(&open(path)?, &device, dtype);
        print(paths.iter().map(replayed), &self.format)
    }
}

impl Vectors {
    fn run(self) -> anyhow::Result<()> {
        let checkpoint = checkpoint::open(&self.run, &self.compute.with_f32_default())?;
        let table = vectors::compare(&checkpoint.model, &open(&self.file)?)?;
        let extent = Extent { n_steps: 0, note: None };
        let (path, configuration) = (self.file, String::new());
        let report = Report { path, configuration, n_steps: None, extent, table };
        print([Ok(report)].into_iter(), &self.format)
    }
}

/// Opens a golden file.
///
/// # Errors
///
/// If it cannot be read, or is something else.
fn open(path: &Path) -> anyhow::Result<GoldenFile> {
    GoldenFile::open(path).map_err(|err| {
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
        let kind = read.ok().and_then(|_| FileKind::of(&head));
        match (&err, kind) {
            (GoldenError::Format { .. }, Some(kind)) if kind.group != Group::Safetensors => {
                usage(format!(
                    "{}: expected a golden file, which is in the format safetensors, found {}",
                    path.display(),
                    kind.instead().unwrap_or(kind.name.into_owned())
                ))
            }
            _ => err.into(),
        }
    })
}

/// The given files, and the golden files in the given folders in the order of their
/// names.
fn golden_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let read = |source| GoldenError::Read { path: path.clone(), source };
        let entries =
            path.read_dir().map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
        let is_golden = |file: &PathBuf| file.extension().is_some_and(|ext| ext == "safetensors");
        let mut found: Vec<_> =
            entries.iter().map(std::fs::DirEntry::path).filter(is_golden).collect();
        if found.is_empty() {
            return Err(GoldenError::Empty { path: path.clone() }.into());
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

/// Prints comparisons: one in full, several with a line each.
///
/// # Errors
///
/// If a file cannot be compared, or differs from the reference.
fn print(
    reports: impl ExactSizeIterator<Item = anyhow::Result<Report>>,
    format: &Format,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let n_files = reports.len();
    let in_full = format.all || n_files == 1;
    let mut done = Vec::new();
    for report in reports {
        let report = report?;
        match (format.json, in_full) {
            (true, _) => report.print_json(&mut out)?,
            (false, true) => report.print(format.all, &mut out)?,
            (false, false) => {}
        }
        done.push(report);
    }
    if !format.json && !in_full {
        report::print_lines(&done, &mut out)?;
    }
    let n_failed = done.iter().filter(|report| !report.passes()).count();
    if n_failed > 0 {
        return Err(Failed(format!(
            "files that differ from the reference: {n_failed} of {n_files}"
        ))
        .into());
    }
    Ok(())
}
