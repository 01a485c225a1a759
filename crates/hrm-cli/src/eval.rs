//! `hrm eval`: how many puzzles a trained model gets right.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use hrm_core::Budget;
use hrm_train::{Evaluation, evaluate};
use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::compute::Compute;
use crate::progress;
use crate::term::{remark, result};

#[derive(Args)]
pub(crate) struct Eval {
    /// Run or checkpoint folder.
    run: PathBuf,
    /// Puzzles to score on, all of them; default: those held out in training.
    #[arg(long, value_name = "PATH")]
    data: Vec<PathBuf>,
    /// Segments per puzzle; default: as many as in training.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    segments: Option<u32>,
    /// Let the halting head stop early.
    #[arg(long)]
    halt: bool,
    /// Puzzles at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

impl Eval {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::open(&self.run, &self.compute)?;
        let puzzles = &checkpoint.puzzles.task;
        let task = if self.data.is_empty() {
            puzzles.open(&checkpoint.puzzles.data)?
        } else {
            puzzles.open_for_eval(&self.data, &checkpoint.identifiers)?
        };
        for note in task.notes() {
            remark(note);
        }
        let model = &checkpoint.model;
        let n_segments = self.segments.map_or(model.config().n_segments_max, |n| n as usize);
        let budget =
            if self.halt { Budget::UntilHalt(n_segments) } else { Budget::Fixed(n_segments) };
        let progress = progress::rows(task.eval().row_ids().count() as u64);
        let evaluation = evaluate(model, task.as_ref(), budget, self.batch as usize, progress)?;

        if self.json {
            let mut line = to_json(&evaluation, None);
            line["checkpoint"] = json!(checkpoint.path);
            return Ok(result(format!("{line}\n"))?);
        }
        Ok(result(table(&evaluation))?)
    }
}

/// Every figure by name.
pub(crate) fn to_json(evaluation: &Evaluation, step: Option<u64>) -> Value {
    let mut line = json!({
        "kind": "eval",
        "rows": evaluation.n_rows,
        "exact": evaluation.exact(),
        "cells": evaluation.cells(),
        "halting": evaluation.halting(),
        "mean_segments": evaluation.mean_segments(),
    });
    if let Some(step) = step {
        line["step"] = json!(step);
    }
    for (name, share) in &evaluation.scores {
        line[*name] = json!(share);
    }
    line
}

/// The figures on one line.
pub(crate) fn describe(evaluation: &Evaluation) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut text = format!(
        "{} of {} exact ({}), cells {}",
        evaluation.n_exact,
        evaluation.n_rows,
        percent(evaluation.exact()),
        percent(evaluation.cells()),
    );
    for (name, share) in &evaluation.scores {
        let _ = write!(text, ", {name} {}", percent(*share));
    }
    text
}

/// The figures, one per line.
pub(crate) fn table(evaluation: &Evaluation) -> String {
    let mut rows = vec![
        ("exact", evaluation.exact()),
        ("cells", evaluation.cells()),
        ("halting head is right", evaluation.halting()),
    ];
    rows.extend(evaluation.scores.iter().copied());
    let mut text = format!(
        "{} evaluation rows, {:.1} segments each\n",
        evaluation.n_rows,
        evaluation.mean_segments()
    );
    for (name, share) in rows {
        let _ = writeln!(text, "  {name:<22} {:>6.2} %", share * 100.0);
    }
    text
}
