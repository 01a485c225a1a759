//! Sums over the steps since the last line of metrics.

use std::time::Instant;

use hrm_train::StepReport;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Sums over the steps since the last line of metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsWindow {
    /// When the window was opened. Only for display, so it is not saved.
    #[serde(skip, default = "Instant::now")]
    since: Instant,
    /// Steps that updated the weights.
    n_steps: u64,
    n_skipped: u64,
    loss: f64,
    cell_loss: f64,
    gradient_norm: f64,
    n_halted: usize,
    n_exact: usize,
    n_segments: u64,
    learning_rate: f64,
}

impl MetricsWindow {
    /// An empty window that starts now.
    pub(super) fn open() -> Self {
        Self {
            since: Instant::now(),
            n_steps: 0,
            n_skipped: 0,
            loss: 0.0,
            cell_loss: 0.0,
            gradient_norm: 0.0,
            n_halted: 0,
            n_exact: 0,
            n_segments: 0,
            learning_rate: 0.0,
        }
    }

    /// Adds a step.
    pub(super) fn add(&mut self, report: &StepReport) {
        self.learning_rate = report.learning_rate;
        if report.is_skipped {
            self.n_skipped += 1;
            return;
        }
        self.n_steps += 1;
        self.loss += report.loss;
        self.cell_loss += report.cell_loss;
        self.gradient_norm += report.gradient_norm;
        self.n_halted += report.n_halted;
        self.n_exact += report.n_exact;
        self.n_segments += report.n_segments;
    }

    /// Adds a step that was skipped and has no report.
    pub(super) fn add_skipped(&mut self) {
        self.n_skipped += 1;
    }

    /// A line of `metrics.jsonl`. It holds nothing that depends on the speed of
    /// the machine. A mean over no steps or a share of no puzzles is null.
    pub(super) fn to_json(&self, step: u64) -> Value {
        let per_step = |sum: f64| (self.n_steps > 0).then(|| sum / self.n_steps as f64);
        json!({
            "kind": "train",
            "step": step,
            "loss": per_step(self.loss),
            "cell_loss": per_step(self.cell_loss),
            "gradient_norm": per_step(self.gradient_norm),
            "skipped": self.n_skipped,
            "exact": self.exact(),
            "mean_segments": self.mean_segments(),
            "learning_rate": self.learning_rate,
        })
    }

    fn exact(&self) -> Option<f64> {
        (self.n_halted > 0).then(|| self.n_exact as f64 / self.n_halted as f64)
    }

    fn mean_segments(&self) -> Option<f64> {
        (self.n_halted > 0).then(|| self.n_segments as f64 / self.n_halted as f64)
    }

    fn examples_per_s(&self, batch_size: usize) -> f64 {
        let seconds = self.since.elapsed().as_secs_f64().max(1e-9);
        ((self.n_steps + self.n_skipped) * batch_size as u64) as f64 / seconds
    }

    /// A summary for the progress line: parts with their ranks, of which the lowest matter
    /// most.
    pub(super) fn describe(&self, batch_size: usize) -> Vec<(u8, String)> {
        let loss = match self.n_steps {
            0 => "-".to_owned(),
            n_steps => format!("{:.4}", self.loss / n_steps as f64),
        };
        let percent = |share: Option<f64>| match share {
            Some(share) => format!("{:.1} %", share * 100.0),
            None => "-".to_owned(),
        };
        let segments = self.mean_segments().map_or("-".to_owned(), |n| format!("{n:.1}"));
        let speed = self.examples_per_s(batch_size);
        let digits = if speed < 10.0 { 2 } else { 0 };
        let exact = percent(self.exact());
        vec![
            (4, format!("{speed:.digits$} examples/s")),
            (1, format!("loss {loss}")),
            (2, format!("exact {exact}")),
            (3, format!("segments {segments}")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_null_until_a_puzzle_halts() {
        let mut window = MetricsWindow::open();
        let report = StepReport {
            step: 1,
            is_skipped: false,
            loss: 2.0,
            cell_loss: 1.0,
            gradient_norm: 0.5,
            n_halted: 0,
            n_exact: 0,
            n_segments: 0,
            learning_rate: 0.1,
        };
        window.add(&report);
        assert_eq!(window.to_json(1)["exact"], Value::Null);
        window.add(&StepReport { n_halted: 4, n_exact: 1, n_segments: 12, ..report });
        assert_eq!(window.to_json(2)["exact"], json!(0.25));
        assert_eq!(window.to_json(2)["mean_segments"], json!(3.0));
        assert_eq!(window.to_json(2)["loss"], json!(2.0));
        assert_eq!(window.to_json(2)["gradient_norm"], json!(0.5));
    }

    #[test]
    fn a_skipped_step_is_only_counted() {
        let mut window = MetricsWindow::open();
        let skipped = StepReport {
            step: 1,
            is_skipped: true,
            loss: f64::NAN,
            cell_loss: f64::NAN,
            gradient_norm: f64::INFINITY,
            n_halted: 0,
            n_exact: 0,
            n_segments: 0,
            learning_rate: 0.1,
        };
        window.add(&skipped);
        assert_eq!(
            (&window.to_json(1)["loss"], &window.to_json(1)["skipped"]),
            (&Value::Null, &json!(1))
        );
        window.add(&StepReport { is_skipped: false, loss: 3.0, ..skipped });
        assert_eq!(window.to_json(2)["loss"], json!(3.0));
    }
}
