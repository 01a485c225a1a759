//! Ctrl-C, requests to terminate and closed terminals, deferred until the run is saved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::cleanup::{self, exit_code, signals};
use crate::duration::in_words;
use crate::term::note;

/// Signals within this time count as one: a terminal, or a program such as `timeout`,
/// may signal a process both directly and through its group.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// Time to stop before the user is told what is still going on.
const SILENCE: Duration = Duration::from_millis(400);

/// Records the first request to stop. A second one ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Number of the signal; 0 if none has arrived.
    signal: Arc<AtomicUsize>,
    work: Arc<Mutex<Work>>,
}

/// The work that has to end before the process can stop.
#[derive(Debug)]
struct Work {
    name: &'static str,
    started: Instant,
    /// The longest time of each kind of work so far, or its estimate.
    longest: BTreeMap<&'static str, Duration>,
}

/// A run was interrupted, after it was saved unless its last step cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{}; resume with: hrm train --resume {}", how(*.is_saved), .run.display())]
pub(crate) struct Interrupted {
    pub(crate) signal: i32,
    pub(crate) run: PathBuf,
    /// Whether the last step has a checkpoint.
    pub(crate) is_saved: bool,
}

/// How a run was stopped.
fn how(is_saved: bool) -> &'static str {
    match is_saved {
        true => "stopped and saved",
        false => {
            "stopped at the last checkpoint: the steps since then are not saved, because the loss \
             or a weight is not finite"
        }
    }
}

impl Interrupted {
    /// As [`exit_code`].
    pub(crate) fn exit_code(&self) -> u8 {
        exit_code(self.signal) as u8
    }
}

impl Interrupt {
    /// Starts to listen for signals.
    ///
    /// # Errors
    ///
    /// If the system refuses the handlers or the thread.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let work = Work::new("the start of the run");
        let new = Self { signal: Arc::default(), work: Arc::new(Mutex::new(work)) };
        let (mut signals, listener) = (Signals::new(signals())?, new.clone());
        cleanup::stop();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = None;
            for number in signals.forever() {
                let first = *first.get_or_insert_with(|| {
                    listener.signal.store(number as usize, Ordering::Relaxed);
                    listener.announce();
                    Instant::now()
                });
                // That a terminal is gone is no wish of its user, however often it is said.
                if number != SIGHUP && first.elapsed() > ONE_REQUEST {
                    low_level::exit(exit_code(number));
                }
            }
        })?;
        Ok(new)
    }

    /// States how long some work is expected to take, before it is done once.
    pub(crate) fn expect(&self, name: &'static str, time: Duration) {
        self.work().longest.insert(name, time);
    }

    /// States what the process is about to do.
    pub(crate) fn begin(&self, name: &'static str) {
        self.work().begin(name);
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the user what the process is still doing, unless it ends very soon.
    fn announce(&self) {
        let interrupt = self.clone();
        thread::spawn(move || {
            thread::sleep(SILENCE);
            let work = interrupt.work();
            note(describe(work.name, work.left()));
        });
    }

    /// Succeeds unless a signal has arrived.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], for the run folder `run`.
    pub(crate) fn check(&self, run: &Path) -> Result<(), Interrupted> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => {
                let (signal, run) = (number as i32, run.to_owned());
                Err(Interrupted { signal, run, is_saved: true })
            }
        }
    }
}

impl Work {
    fn new(name: &'static str) -> Self {
        Self { name, started: Instant::now(), longest: BTreeMap::new() }
    }

    fn begin(&mut self, name: &'static str) {
        let (ended, now) = (self.name, Instant::now());
        let longest = self.longest.entry(ended).or_default();
        *longest = (*longest).max(now - self.started);
        (self.name, self.started) = (name, now);
    }

    /// Time that the work goes on at most, if it is known how long it takes.
    fn left(&self) -> Option<Duration> {
        let longest = self.longest.get(self.name)?;
        Some(longest.saturating_sub(self.started.elapsed()))
    }
}

/// What a user who wants to stop has to know about the work that is going on.
fn describe(name: &str, left: Option<Duration>) -> String {
    let left = left.map(|left| format!(", which takes up to {}", in_words(left)));
    format!(
        "Stopping after {name}{}. Ctrl-C again stops at once; the run can then be resumed \
         from its last checkpoint.",
        left.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_told_what_a_stop_waits_for() {
        let text = |left| describe("this step", left);
        assert!(text(None).starts_with("Stopping after this step. Ctrl-C again"));
        let minute = Some(Duration::from_secs(61));
        assert!(
            text(minute)
                .starts_with("Stopping after this step, which takes up to 1 min 01 s. Ctrl-C")
        );
    }

    #[test]
    fn a_step_that_cannot_be_saved_is_not_said_to_be() {
        let text =
            |is_saved| Interrupted { signal: SIGHUP, run: "runs/a".into(), is_saved }.to_string();
        assert_eq!(text(true), "stopped and saved; resume with: hrm train --resume runs/a");
        let want = "stopped at the last checkpoint: the steps since then are not saved, because \
                    the loss or a weight is not finite; resume with: hrm train --resume runs/a";
        assert_eq!(text(false), want);
    }

    #[test]
    fn work_is_expected_to_take_the_longest_time_so_far_or_its_estimate() {
        let mut work = Work::new("x");
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        work.begin("a");
        assert_eq!(work.left(), None);
        work.begin("b");
        work.begin("a");
        assert!(work.left().unwrap() < second);
        work.longest.insert("b", hour);
        work.begin("b");
        assert!(work.left().unwrap() > hour - second);
        work.begin("b");
        assert!(work.left().unwrap() > hour - second);
    }
}
