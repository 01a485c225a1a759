//! How a run is going: one live line on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use hrm_train::StepReport;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::term::remark;

/// Seconds between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// What has happened over some steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// Not a part of what happened.
    #[serde(skip, default = "Instant::now")]
    since: Instant,
    /// Skipped ones not included.
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

impl Window {
    pub(crate) fn open() -> Self {
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

    pub(crate) fn add(&mut self, report: &StepReport) {
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

    /// A step that was skipped and is not reported.
    pub(crate) fn add_skipped(&mut self) {
        self.n_skipped += 1;
    }

    /// One line of `metrics.jsonl`, without anything that depends on the speed
    /// of the machine. Means over no step and shares of no puzzle are null.
    pub(crate) fn to_json(&self, step: u64) -> Value {
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

    fn describe(&self, batch_size: usize) -> String {
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
        format!("{speed:.digits$} examples/s, loss {loss}, exact {exact}, segments {segments}")
    }
}

/// The progress of a run.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
    limit: Limit,
    /// Where the run was when this process took it up.
    n_steps_before: u64,
    seconds_before: f64,
}

/// What ends a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// This many steps.
    Steps(u64),
    /// This much time.
    Time(Duration),
}

impl Progress {
    /// For a run that had made `n_steps_before` steps in `seconds_before`.
    pub(crate) fn start(limit: Limit, n_steps_before: u64, seconds_before: f64) -> Self {
        let length = match limit {
            Limit::Steps(n) => n,
            Limit::Time(time) => time.as_secs().max(1),
        };
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let template = "{bar:24} {msg}";
        bar.set_style(ProgressStyle::with_template(template).expect("the template is constant"));
        let now = Instant::now();
        Self { bar, started: now, last_line: now, limit, n_steps_before, seconds_before }
    }

    /// Shows where the run is.
    pub(crate) fn show(&mut self, step: u64, window: &Window, batch_size: usize) {
        let elapsed = self.started.elapsed();
        let (share, left, of) = match self.limit {
            Limit::Steps(n) => {
                let n_here = step.saturating_sub(self.n_steps_before).max(1);
                let left = elapsed.mul_f64(n.saturating_sub(step) as f64 / n_here as f64);
                (step as f64 / n as f64, left, format!("step {step}/{n}"))
            }
            Limit::Time(time) => {
                let done = Duration::from_secs_f64(self.seconds_before) + elapsed;
                let share = done.as_secs_f64() / time.as_secs_f64();
                (share, time.saturating_sub(done), format!("step {step}"))
            }
        };
        let line = format!("{of}, {}, {} left", window.describe(batch_size), clock(left));
        let length = self.bar.length().unwrap_or(1);
        self.bar.set_position((share * length as f64) as u64);
        self.say(line);
    }

    /// Shows how far an evaluation in between is.
    pub(crate) fn show_evaluation(&mut self, n_done: u64, n_rows: u64) {
        self.say(format!("evaluating, {n_done} of {n_rows} rows"));
    }

    /// Replaces the live line, or prints a plain one now and then.
    fn say(&mut self, line: String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(line);
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            remark(line);
        }
    }

    /// Prints a line above the live one.
    pub(crate) fn remark(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| remark(text));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of an evaluation of `n_rows` rows, told the rows done.
pub(crate) fn rows(n_rows: u64) -> impl FnMut(u64) {
    counted(n_rows, "rows")
}

/// The progress of `n_puzzles` puzzles, told those done.
pub(crate) fn puzzles(n_puzzles: u64) -> impl FnMut(u64) {
    counted(n_puzzles, "puzzles")
}

/// The progress of `n` things, told those done.
fn counted(n: u64, what: &'static str) -> impl FnMut(u64) {
    let bar = ProgressBar::with_draw_target(Some(n), ProgressDrawTarget::stderr());
    let template = format!("{{bar:24}} {{pos}} of {{len}} {what}, {{eta}} left");
    bar.set_style(ProgressStyle::with_template(&template).expect("the template is constant"));
    let mut last_line = Instant::now();
    move |n_done| {
        bar.set_position(n_done);
        if n_done >= n {
            bar.finish_and_clear();
        } else if bar.is_hidden() && last_line.elapsed() >= PLAIN_EVERY {
            last_line = Instant::now();
            remark(format!("{n_done} of {n} {what}"));
        }
    }
}

/// The progress of a file over the network.
pub(crate) struct Transfer {
    bar: ProgressBar,
    name: String,
    last_line: Instant,
}

impl Transfer {
    pub(crate) fn start(name: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { bar, name: name.to_owned(), last_line: Instant::now() }
    }

    /// Shows that a file of `size` bytes, if that is known, goes on after the
    /// first `n_done`.
    pub(crate) fn begin(&mut self, n_done: u64, size: Option<u64>) {
        let template = match size {
            Some(_) => "{bar:24} {msg}, {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{spinner} {msg}, {bytes}, {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates are constant");
        self.bar.set_style(style);
        self.bar.set_message(self.name.clone());
        match size {
            Some(size) => self.bar.set_length(size),
            None => self.bar.unset_length(),
        }
        // What came in an earlier run says nothing about speed.
        self.bar.set_position(n_done);
        self.bar.reset_eta();
    }

    /// Shows how many bytes are there.
    pub(crate) fn show(&mut self, n_done: u64) {
        self.bar.set_position(n_done);
        if self.bar.is_hidden() && self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            let of = self.bar.length().map_or(String::new(), |size| format!(" of {size}"));
            remark(format!("{}: {n_done}{of} bytes", self.name));
        }
    }

    /// Prints a line above the live one.
    pub(crate) fn remark(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| remark(text));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Hours, minutes and seconds as far as they matter.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let text = |s| clock(Duration::from_secs(s));
        assert_eq!([text(5), text(65), text(3725)], ["5 s", "1 min 05 s", "1 h 02 min"]);
    }

    #[test]
    fn shares_of_nothing_are_absent() {
        let mut window = Window::open();
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
    fn skipped_steps_are_counted_and_nothing_else() {
        let mut window = Window::open();
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
