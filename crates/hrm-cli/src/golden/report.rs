//! What is printed about golden files: a table per file, or a line per file.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use super::reference::Extent;
use super::table::{Group, MULTIPLE_MAX, Table};
use crate::paths;

/// The comparison of one file.
pub(crate) struct Report {
    pub(crate) path: PathBuf,
    /// The configuration in a few words.
    pub(crate) configuration: String,
    /// Steps in the file, if it holds training steps.
    pub(crate) n_steps: Option<u64>,
    pub(crate) extent: Extent,
    pub(crate) table: Table,
}

impl Report {
    /// Whether nothing that could be compared differs.
    pub(crate) fn passes(&self) -> bool {
        self.table.passes() || self.is_skipped()
    }

    /// Whether nothing can be compared.
    fn is_skipped(&self) -> bool {
        self.extent.n_steps == 0 && self.extent.note.is_some()
    }

    pub(crate) fn print_json(&self, out: &mut impl Write) -> std::io::Result<()> {
        let line = json!({
            "file": paths::to_json(&self.path),
            "configuration": self.configuration,
            "steps": self.n_steps,
            "steps_compared": self.extent.n_steps,
            "note": self.extent.note,
            "passes": self.passes(),
            "groups": self.table.json(),
        });
        writeln!(out, "{line}")
    }

    /// Prints all groups of the file.
    pub(crate) fn print(&self, all: bool, out: &mut impl Write) -> std::io::Result<()> {
        self.table.print(&self.path, all, out)?;
        match &self.extent.note {
            Some(note) => writeln!(out, "  not compared from here on: {note}"),
            None => Ok(()),
        }
    }

    fn result(&self) -> &'static str {
        match (self.is_skipped(), self.table.passes()) {
            (true, _) => "skipped",
            (false, true) => "ok",
            (false, false) => "DIFFER",
        }
    }
}

/// Prints one line per file, and below them whatever differs or is not compared.
pub(crate) fn print_lines(reports: &[Report], out: &mut impl Write) -> std::io::Result<()> {
    let name = |report: &Report| {
        let stem = report.path.file_stem().unwrap_or(report.path.as_os_str());
        stem.to_string_lossy().into_owned()
    };
    let width = |text: &dyn Fn(&Report) -> String, least: usize| {
        reports.iter().map(|r| text(r).chars().count()).fold(least, usize::max)
    };
    let files = width(&name, "file".len());
    let configurations = width(&|r| r.configuration.clone(), "configuration".len());

    writeln!(
        out,
        "Largest error in units of the reference's own, by group; the limit is {MULTIPLE_MAX}."
    )?;
    write!(out, "{:<files$}  {:<configurations$}", "file", "configuration")?;
    for group in Group::ALL {
        write!(out, " {:>9}", group.name())?;
    }
    writeln!(out, "  steps  result")?;
    for report in reports {
        write!(out, "{:<files$}  {:<configurations$}", name(report), report.configuration)?;
        for group in Group::ALL {
            let cell = match report.table.figure(group) {
                None => "-".to_owned(),
                Some((Some(times), _)) if group != Group::Decisions => format!("{times:.1}"),
                Some((_, true)) => "ok".to_owned(),
                Some((_, false)) => "DIFFER".to_owned(),
            };
            write!(out, " {cell:>9}")?;
        }
        let steps = format!("{}/{}", report.extent.n_steps, report.n_steps.unwrap_or(0));
        writeln!(out, "  {steps:<5}  {}", report.result())?;
    }
    for report in reports {
        for line in report.table.failures() {
            writeln!(out, "{}: {line}", name(report))?;
        }
        if let Some(note) = &report.extent.note {
            writeln!(out, "{}: not compared from here on: {note}", name(report))?;
        }
    }
    Ok(())
}
