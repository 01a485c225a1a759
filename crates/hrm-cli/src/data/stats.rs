//! `hrm data stats`: figures about a set of puzzles.

use std::fmt::Write;

use clap::Args;
use hrm_tasks::PuzzleTask;
use serde_json::{Map, Value, json};

use crate::choice::Choice;
use crate::term::{remark, result};

#[derive(Args)]
pub(super) struct Stats {
    #[command(flatten)]
    choice: Choice,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let task = self.choice.config()?.task.family().survey(&self.choice.data)?;
        task.notes().into_iter().for_each(remark);
        let text = if self.json { as_json(task.as_ref()) } else { as_text(task.as_ref()) };
        Ok(result(text)?)
    }
}

/// A table of figures, then a line per distribution and per leak.
fn as_text(task: &dyn PuzzleTask) -> String {
    let mut text = String::new();
    for (name, value) in task.stats() {
        let digits = if value.fract() == 0.0 { 0 } else { 2 };
        let _ = writeln!(text, "  {name:<32} {value:>12.digits$}");
    }
    let leaks = task.leaks();
    let _ = writeln!(text, "  {:<32} {:>12}", "evaluation puzzles that leak", leaks.len());
    for distribution in task.distributions() {
        let bins = distribution.bins.iter().map(|(value, n)| format!("{value}: {n}"));
        let _ = writeln!(text, "{}\n  {}", distribution.name, bins.collect::<Vec<_>>().join("  "));
    }
    for leak in leaks {
        let _ = writeln!(text, "leak: {} is {} ({})", leak.eval, leak.train, leak.why);
    }
    text
}

/// The figures by name; distributions and leaks under names of their own.
fn as_json(task: &dyn PuzzleTask) -> String {
    let mut object: Map<_, _> =
        task.stats().into_iter().map(|(name, value)| (name, json!(value))).collect();
    let distributions = task.distributions().into_iter().map(|distribution| {
        let bins = distribution.bins.into_iter().map(|(value, n)| json!([value, n]));
        (distribution.name, bins.collect::<Value>())
    });
    object.insert("distributions".to_owned(), Value::Object(distributions.collect()));
    let leaks = task.leaks();
    let leaks =
        leaks.iter().map(|leak| json!({"eval": leak.eval, "train": leak.train, "why": leak.why}));
    object.insert("leaks".to_owned(), leaks.collect());
    format!("{}\n", Value::Object(object))
}
