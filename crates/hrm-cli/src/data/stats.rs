//! `hrm data stats`: figures about a set of puzzles.

use std::fmt::Write;

use clap::Args;
use serde_json::json;

use super::open;
use crate::choice::Choice;
use crate::term::result;

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
        let stats = open(&self.choice)?.stats();
        if self.json {
            let stats: serde_json::Map<_, _> =
                stats.into_iter().map(|(name, value)| (name, json!(value))).collect();
            return Ok(result(format!("{}\n", serde_json::Value::Object(stats)))?);
        }
        let mut text = String::new();
        for (name, value) in stats {
            let digits = if value.fract() == 0.0 { 0 } else { 2 };
            let _ = writeln!(text, "  {name:<32} {value:>12.digits$}");
        }
        Ok(result(text)?)
    }
}
