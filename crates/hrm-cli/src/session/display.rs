//! What a run shows while it trains: one progress line, and notes above it.

use std::time::Instant;

use super::clock::{Clock, Estimate, Limit};
use super::metrics_window::MetricsWindow;
use crate::duration::in_words;
use crate::progress::{Bar, rows_done};

/// The progress line of a run.
pub(super) struct Display {
    bar: Bar,
    clock: Clock,
    /// Steps before this process started.
    n_steps_before: u64,
    /// Examples per step.
    batch_size: usize,
    /// When the current evaluation was first shown.
    evaluating_since: Instant,
}

impl Display {
    /// The display of a run that has made `n_steps_before` steps.
    pub(super) fn start(clock: Clock, n_steps_before: u64, batch_size: usize) -> Self {
        let length = match clock.limit() {
            Limit::Steps(n) => n,
            Limit::Time(time) => time.as_secs().max(1),
        };
        Self {
            bar: Bar::with_message(length),
            clock,
            n_steps_before,
            batch_size,
            evaluating_since: Instant::now(),
        }
    }

    /// Shows how far the run is, and the metrics of the last steps.
    pub(super) fn show_step(&mut self, step: u64, window: &MetricsWindow) {
        let n_here = step.saturating_sub(self.n_steps_before);
        let Estimate { share, left } = self.clock.estimate(step, n_here);
        let step = match self.clock.limit() {
            Limit::Steps(n) => format!("step {step}/{n}"),
            Limit::Time(_) => format!("step {step}"),
        };
        self.bar.set_share(share);
        let mut parts = vec![(0, step)];
        parts.extend(window.describe(self.batch_size));
        parts.push((0, format!("{} left", in_words(left))));
        self.bar.set_parts(&parts);
    }

    /// Shows how far an evaluation is.
    pub(super) fn show_evaluation(&mut self, n_done: u64, n_rows: u64) {
        if n_done <= 1 {
            self.evaluating_since = Instant::now();
        }
        let elapsed = self.evaluating_since.elapsed();
        self.bar.set_message(rows_done("evaluating, ", n_done, n_rows, elapsed));
    }

    /// Prints a line above the progress line.
    pub(super) fn note(&self, text: impl AsRef<str>) {
        self.bar.note(text);
    }

    /// Removes the progress line.
    pub(super) fn finish(&self) {
        self.bar.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_huge_number_of_steps_is_shown() {
        let clock = Clock::start(Limit::Steps(u64::MAX), 0.0);
        Display::start(clock, 0, 4).show_step(1, &MetricsWindow::open());
    }
}
