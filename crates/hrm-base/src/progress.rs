//! How far long computations have come, for whoever shows it.
//!
//! A computation that may take seconds is a [`Stage`]. It counts its parts, from any
//! number of threads, and knows nothing of terminals. A program that wants to show
//! progress asks for the [`current`] stage now and then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The stages that have started and not ended, outermost first.
static STAGES: Mutex<Vec<Arc<Count>>> = Mutex::new(Vec::new());

/// A computation of many parts of about the same cost. It ends when it is dropped.
#[derive(Debug)]
pub struct Stage(Arc<Count>);

#[derive(Debug)]
struct Count {
    what: &'static str,
    n_total: u64,
    n_done: AtomicU64,
    started: Instant,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done, e.g. `generating puzzles`.
    pub what: &'static str,
    /// Number of parts that are done.
    pub n_done: u64,
    /// Number of parts.
    pub n_total: u64,
    /// Time since the start.
    pub elapsed: Duration,
}

impl Stage {
    /// Starts a stage of `n_total` parts; `what` says what is done.
    pub fn start(what: &'static str, n_total: u64) -> Self {
        let count = Count { what, n_total, n_done: AtomicU64::new(0), started: Instant::now() };
        let count = Arc::new(count);
        stages().push(Arc::clone(&count));
        Self(count)
    }

    /// Counts `n` more parts as done.
    pub fn advance(&self, n: u64) {
        self.0.n_done.fetch_add(n, Ordering::Relaxed);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        stages().retain(|count| !Arc::ptr_eq(count, &self.0));
    }
}

/// The outermost stage in progress, in the whole process.
pub fn current() -> Option<Progress> {
    let stages = stages();
    let Count { what, n_total, n_done, started } = &**stages.first()?;
    // Some of the parts may be repeated, e.g. puzzles that turn out to be equal.
    let n_done = n_done.load(Ordering::Relaxed).min(*n_total);
    Some(Progress { what, n_done, n_total: *n_total, elapsed: started.elapsed() })
}

impl Progress {
    /// Share of the stage that is done, in `0..=1`.
    pub fn share(&self) -> f64 {
        self.n_done as f64 / self.n_total.max(1) as f64
    }

    /// Expected time to the end, at the pace so far; `None` while no part is done.
    pub fn left(&self) -> Option<Duration> {
        let n_left = self.n_total.saturating_sub(self.n_done);
        let seconds = self.elapsed.as_secs_f64() * n_left as f64 / self.n_done as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// The list is only pushed to and filtered, so a panic elsewhere does not spoil it.
fn stages() -> MutexGuard<'static, Vec<Arc<Count>>> {
    STAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_stage_is_reported_until_it_ends() {
        assert_eq!(current(), None);
        let outer = Stage::start("reading", 4);
        let inner = Stage::start("checking", 9);
        outer.advance(1);
        inner.advance(5);
        let found = current().unwrap();
        assert_eq!((found.what, found.n_done, found.n_total), ("reading", 1, 4));
        outer.advance(7);
        assert_eq!(current().unwrap().n_done, 4, "never more than all");
        drop(outer);
        assert_eq!(current().unwrap().what, "checking");
        drop(inner);
        assert_eq!(current(), None);
    }

    #[test]
    fn the_time_left_follows_the_pace_so_far() {
        let elapsed = Duration::from_secs(6);
        let at = |n_done, n_total| Progress { what: "x", n_done, n_total, elapsed };
        assert_eq!(at(2, 8).left(), Some(Duration::from_secs(18)));
        assert_eq!((at(8, 8).left(), at(2, 8).share()), (Some(Duration::ZERO), 0.25));
        assert_eq!((at(0, 8).left(), at(0, 0).left()), (None, None));
    }
}
