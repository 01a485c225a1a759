//! `hrm data stats`: prints statistics of a data set.

use std::fmt::Write;

use clap::Args;
use hrm_puzzles::stats::Distribution;
use hrm_tasks::PuzzleTask;
use serde_json::{Map, Value, json};

use crate::task_args::TaskArgs;
use crate::term::{note, result};

/// Maximum number of leaks that are listed.
const N_LEAKS_SHOWN: usize = 10;

#[derive(Args)]
pub(super) struct Stats {
    #[command(flatten)]
    task_args: TaskArgs,
    /// Print the statistics as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (config, args) = (self.task_args.config()?.task, &self.task_args.data_args);
        let task = config.open_for_inspection(&args.data)?;
        task.notes().into_iter().for_each(note);
        args.ignored(&config, &args.data)?.into_iter().for_each(note);
        let text = if self.json { as_json(task.as_ref()) } else { as_text(task.as_ref()) };
        Ok(result(text)?)
    }
}

/// A table of statistics, then a histogram per distribution and a line per leak.
fn as_text(task: &dyn PuzzleTask) -> String {
    let mut text = String::new();
    for (name, value) in task.stats() {
        let digits = if value.fract() == 0.0 { 0 } else { 2 };
        let _ = writeln!(text, "  {name:<32} {value:>12.digits$}");
    }
    let leaks = task.leaks();
    let _ = writeln!(text, "  {:<32} {:>12}", "leaked evaluation puzzles", leaks.len());
    for distribution in task.distributions() {
        text.push_str(&histogram(&distribution));
    }
    for leak in leaks.iter().take(N_LEAKS_SHOWN) {
        let _ = writeln!(text, "leak: {} is {} ({})", leak.eval, leak.train, leak.why);
    }
    if leaks.len() > N_LEAKS_SHOWN {
        let _ =
            writeln!(text, "... {} more; use --json to list them all", leaks.len() - N_LEAKS_SHOWN);
    }
    text
}

/// One line per value or range, with a bar for its count.
fn histogram(distribution: &Distribution) -> String {
    const N_CHARS_MAX: u64 = 40;

    let most = distribution.bins.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let mut text = format!("{}\n", distribution.name);
    for (value, n) in &distribution.bins {
        // Any count above 0 shows.
        let n_chars = (n * N_CHARS_MAX).div_ceil(most);
        let bar = "#".repeat(n_chars as usize);
        let _ = writeln!(text, "  {value:>12} {n:>8}  {bar}");
    }
    text
}

/// The statistics by name, and the fields `distributions` and `leaks`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_count_above_zero_has_a_bar() {
        let bins = [("1", 80), ("2", 1), ("3", 0)].map(|(value, n)| (value.to_owned(), n));
        let distribution = Distribution { name: "moves".to_owned(), bins: bins.into() };
        let text = histogram(&distribution);
        let bars: Vec<usize> = text.lines().skip(1).map(|l| l.matches('#').count()).collect();
        assert_eq!(bars, [40, 1, 0], "{text}");
    }
}
