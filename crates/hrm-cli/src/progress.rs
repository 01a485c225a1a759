//! Progress on standard error: a bar on a terminal, a plain line at intervals
//! elsewhere.
//!
//! Training, evaluation and downloads have their own bars. Everything else that takes
//! seconds is a [`Stage`](hrm_base::progress::Stage), and a thread shows the current one.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::Term;
use hrm_base::progress::{self, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::duration::in_words;
use crate::width::n_columns;

/// Shortest time between two plain lines.
const PLAIN_LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Prints a line to standard error, where no bar is drawn at the moment.
pub(crate) fn print_line(text: impl AsRef<str>) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// A progress bar, or plain lines where standard error is not a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// When the next plain line may be printed.
    next_line: Instant,
}

impl Bar {
    /// A bar of `length` units, or without a length if it is unknown.
    ///
    /// # Panics
    ///
    /// If `template` is not a template of `indicatif`.
    pub(crate) fn new(length: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        let mut new = Self { bar, next_line: Instant::now() + PLAIN_LINE_INTERVAL };
        new.restart(0, length, template);
        new
    }

    /// A bar of `length` units with a message, which shrinks where the message needs the
    /// room.
    pub(crate) fn with_message(length: u64) -> Self {
        /// Columns for a bar of fixed width beside a long message.
        const N_COLUMNS_WIDE: usize = 110;

        let is_wide = n_columns(&Term::stderr()).is_none_or(|n| n >= N_COLUMNS_WIDE);
        let template = if is_wide { "{bar:24} {msg}" } else { "{wide_bar} {msg}" };
        Self::new(Some(length), template)
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

    /// Sets the message of the bar to as many of the parts as fit into a line, in order;
    /// parts of high rank are left out first. Without a terminal, all of them fit.
    pub(crate) fn set_parts(&mut self, parts: &[(u8, String)]) {
        let is_shown = !self.bar.is_hidden();
        let n_columns = n_columns(&Term::stderr()).filter(|_| is_shown);
        self.set_message(fitting(parts, n_columns.unwrap_or(usize::MAX)));
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
        if self.bar.is_hidden() && Instant::now() >= self.next_line {
            self.next_line = Instant::now() + PLAIN_LINE_INTERVAL;
            print_line(line());
        }
    }

    /// Prints a line above the bar.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| print_line(text));
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The parts in order, with commas between them, in less than `n_columns` columns. Parts of
/// the highest rank are left out first; one part always stays.
fn fitting(parts: &[(u8, String)], n_columns: usize) -> String {
    let mut kept: Vec<&(u8, String)> = parts.iter().collect();
    loop {
        let line = kept.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>().join(", ");
        let last = kept.iter().enumerate().max_by_key(|(_, (rank, _))| *rank);
        match last.map(|(idx, _)| idx) {
            Some(idx) if kept.len() > 1 && line.chars().count() >= n_columns => kept.remove(idx),
            _ => return line,
        };
    }
}

/// Shows the progress through `n_rows` examples. The result takes the number of
/// examples done.
pub(crate) fn rows(n_rows: u64) -> impl FnMut(u64) {
    let started = Instant::now();
    let mut bar = Bar { next_line: started + QUIET, ..Bar::with_message(n_rows) };
    move |n_done| {
        bar.set_position(n_done);
        if n_done >= n_rows {
            bar.finish();
        } else {
            bar.set_message(rows_done("", n_done, n_rows, started.elapsed()));
        }
    }
}

/// `12 of 40 rows, 5 s left`, after `prefix`, if `n_done` rows took `elapsed`.
pub(crate) fn rows_done(prefix: &str, n_done: u64, n_rows: u64, elapsed: Duration) -> String {
    let so_far = Progress { what: "rows", n_done, n_total: n_rows, elapsed };
    format!("{prefix}{n_done} of {n_rows} rows{}", left(&so_far))
}

/// The time left, as the end of a message.
fn left(so_far: &Progress) -> String {
    so_far.left().map_or(String::new(), |left| format!(", {} left", in_words(left)))
}

/// Time after which a stage is shown.
const QUIET: Duration = Duration::from_millis(1500);

/// Time between two looks at the current stage.
const TICK: Duration = Duration::from_millis(250);

/// The bar of the current stage, if it is shown.
static STAGE_BAR: Mutex<Option<Bar>> = Mutex::new(None);

/// Starts the thread that shows how far the current stage is.
pub(crate) fn show_stages() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(TICK);
            show_stage(progress::current());
        }
    });
}

fn show_stage(stage: Option<Progress>) {
    let mut bar = stage_bar();
    match stage.filter(|stage| stage.elapsed >= QUIET) {
        None => clear(&mut bar),
        Some(stage) => {
            let bar = bar.get_or_insert_with(|| {
                // Whoever has waited until now sees the first line at once.
                Bar { next_line: Instant::now(), ..Bar::with_message(stage.n_total) }
            });
            bar.set_position(stage.n_done);
            bar.set_message(describe(&stage));
        }
    }
}

/// `generating puzzles: 12 of 40, 5 s left`; large numbers, such as bytes of a file, are
/// shown in percent.
fn describe(stage: &Progress) -> String {
    const N_SHOWN_MAX: u64 = 1_000_000;

    let Progress { what, n_done, n_total, .. } = stage;
    let done = match n_total {
        0..=N_SHOWN_MAX => format!("{n_done} of {n_total}"),
        _ => format!("{:.1} %", stage.share() * 100.0),
    };
    format!("{what}: {done}{}", left(stage))
}

/// Removes the bar of the current stage, so that something else can be printed. It
/// reappears if the stage goes on.
pub(crate) fn hide_stage() {
    clear(&mut stage_bar());
}

fn clear(bar: &mut Option<Bar>) {
    if let Some(bar) = bar.take() {
        bar.finish();
    }
}

fn stage_bar() -> MutexGuard<'static, Option<Bar>> {
    STAGE_BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The progress of a download.
pub(crate) struct Transfer {
    bar: Bar,
    name: String,
    size: Option<u64>,
    /// Bytes from before the start, which say nothing about the speed.
    n_before: u64,
    started: Instant,
}

impl Transfer {
    /// A download of the file `name` that has not started.
    pub(crate) fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self {
            bar: Bar::new(None, "{spinner} {msg}"),
            name,
            size: None,
            n_before: 0,
            started: Instant::now(),
        }
    }

    /// Starts or resumes after the first `n_done` bytes. `size` is the size of
    /// the whole file, if known.
    pub(crate) fn start(&mut self, n_done: u64, size: Option<u64>) {
        let template = match size {
            Some(_) => "{bar:24} {msg}, {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{spinner} {msg}, {bytes}, {bytes_per_sec}",
        };
        (self.size, self.n_before, self.started) = (size, n_done, Instant::now());
        self.bar.bar.set_message(self.name.clone());
        self.bar.restart(n_done, size, template);
    }

    /// Shows the number of bytes received so far.
    pub(crate) fn show(&mut self, n_done: u64) {
        self.bar.set_position(n_done);
        let Self { bar, name, size, n_before, started } = self;
        bar.print_at_intervals(|| {
            let Some(size) = size else { return format!("{name}: {n_done} bytes") };
            let so_far = Progress {
                what: "bytes",
                n_done: n_done.saturating_sub(*n_before),
                n_total: size.saturating_sub(*n_before),
                elapsed: started.elapsed(),
            };
            format!("{name}: {n_done} of {size} bytes{}", left(&so_far))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_says_what_is_done_and_the_time_left() {
        let elapsed = Duration::from_secs(30);
        let stage = |n_done, n_total| Progress { what: "rating puzzles", n_done, n_total, elapsed };
        assert_eq!(describe(&stage(200, 800)), "rating puzzles: 200 of 800, 1 min 30 s left");
        assert_eq!(describe(&stage(0, 8)), "rating puzzles: 0 of 8");
        let million = 1_000_000;
        assert_eq!(
            describe(&stage(million, 4 * million)),
            "rating puzzles: 25.0 %, 1 min 30 s left"
        );
    }

    #[test]
    fn parts_that_do_not_fit_are_left_out_by_rank() {
        let parts = [(0, "step 7/9"), (2, "8 examples/s"), (1, "loss 0.5"), (0, "5 s left")];
        let parts = parts.map(|(rank, part)| (rank, part.to_owned()));
        let all = "step 7/9, 8 examples/s, loss 0.5, 5 s left";
        assert_eq!(fitting(&parts, usize::MAX), all);
        assert_eq!(fitting(&parts, all.len() + 1), all);
        assert_eq!(fitting(&parts, all.len()), "step 7/9, loss 0.5, 5 s left");
        assert_eq!(fitting(&parts, 28), "step 7/9, 5 s left");
        assert!(fitting(&parts, 1).len() > 1, "one part stays whole");
    }
}
