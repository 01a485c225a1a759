//! Progress on standard error: a bar on a terminal, a plain line at intervals
//! elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::term::note;

/// Shortest time between two plain lines.
const PLAIN_LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A progress bar, or plain lines where standard error is not a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    last_line: Instant,
}

impl Bar {
    /// A bar of `length` units, or without a length if it is unknown.
    ///
    /// # Panics
    ///
    /// If `template` is not a template of `indicatif`.
    pub(crate) fn new(length: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        let mut new = Self { bar, last_line: Instant::now() };
        new.restart(0, length, template);
        new
    }

    /// Changes length and template, and measures speed from `position` on.
    ///
    /// # Panics
    ///
    /// If `template` is not a template of `indicatif`.
    fn restart(&mut self, position: u64, length: Option<u64>, template: &str) {
        let style = ProgressStyle::with_template(template).expect("the templates are constant");
        self.bar.set_style(style);
        match length {
            Some(length) => self.bar.set_length(length),
            None => self.bar.unset_length(),
        }
        self.bar.set_position(position);
        self.bar.reset_eta();
    }

    /// Moves the bar to a share of its length.
    pub(crate) fn set_share(&self, share: f64) {
        let length = self.bar.length().unwrap_or(1);
        self.bar.set_position((share * length as f64) as u64);
    }

    /// Moves the bar to a position.
    fn set_position(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Sets the message of the bar. Without a terminal, prints it instead,
    /// unless a line was printed a moment ago.
    pub(crate) fn set_message(&mut self, message: String) {
        if self.bar.is_hidden() {
            self.print_at_intervals(|| message);
        } else {
            self.bar.set_message(message);
        }
    }

    /// Without a terminal, prints a line unless one was printed a moment ago.
    fn print_at_intervals(&mut self, line: impl FnOnce() -> String) {
        if self.bar.is_hidden() && self.last_line.elapsed() >= PLAIN_LINE_INTERVAL {
            self.last_line = Instant::now();
            note(line());
        }
    }

    /// Prints a line above the bar.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| note(text));
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows the progress through `n_rows` examples. The result takes the number of
/// examples done.
pub(crate) fn rows(n_rows: u64) -> impl FnMut(u64) {
    counter(n_rows, "rows")
}

/// Shows the progress through `n_puzzles` puzzles. The result takes the number
/// of puzzles done.
pub(crate) fn puzzles(n_puzzles: u64) -> impl FnMut(u64) {
    counter(n_puzzles, "puzzles")
}

fn counter(n: u64, unit: &'static str) -> impl FnMut(u64) {
    let template = format!("{{bar:24}} {{pos}} of {{len}} {unit}, {{eta}} left");
    let mut bar = Bar::new(Some(n), &template);
    move |n_done| {
        bar.set_position(n_done);
        if n_done >= n {
            bar.finish();
        } else {
            bar.print_at_intervals(|| format!("{n_done} of {n} {unit}"));
        }
    }
}

/// The progress of a download.
pub(crate) struct Transfer {
    bar: Bar,
    name: String,
    size: Option<u64>,
}

impl Transfer {
    /// A download of the file `name` that has not started.
    pub(crate) fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { bar: Bar::new(None, "{spinner} {msg}"), name, size: None }
    }

    /// Starts or resumes after the first `n_done` bytes. `size` is the size of
    /// the whole file, if known.
    pub(crate) fn start(&mut self, n_done: u64, size: Option<u64>) {
        let template = match size {
            Some(_) => "{bar:24} {msg}, {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{spinner} {msg}, {bytes}, {bytes_per_sec}",
        };
        self.size = size;
        self.bar.bar.set_message(self.name.clone());
        // Bytes from before the start say nothing about the speed.
        self.bar.restart(n_done, size, template);
    }

    /// Shows the number of bytes received so far.
    pub(crate) fn show(&mut self, n_done: u64) {
        self.bar.set_position(n_done);
        let (name, size) = (&self.name, self.size);
        self.bar.print_at_intervals(|| {
            let of = size.map_or(String::new(), |size| format!(" of {size}"));
            format!("{name}: {n_done}{of} bytes")
        });
    }

    /// Prints a line above the bar.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.bar.note(text);
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish();
    }
}
