//! How long a run has trained, and when it ends.

use std::time::{Duration, Instant};

use crate::error::usage;

/// The condition that ends a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// A number of steps.
    Steps(u64),
    /// An amount of training time.
    Time(Duration),
}

impl Limit {
    /// `minutes` of training if given, else `steps`.
    ///
    /// # Errors
    ///
    /// If `minutes` is not a length of time.
    pub(super) fn new(steps: u64, minutes: Option<f64>) -> anyhow::Result<Self> {
        let Some(minutes) = minutes else { return Ok(Self::Steps(steps)) };
        let time = Duration::try_from_secs_f64(minutes * 60.0);
        Ok(Self::Time(time.map_err(|err| usage(format!("minutes {minutes}: {err}")))?))
    }
}

/// Measures training time, across all processes that have worked on the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    limit: Limit,
    started: Instant,
    /// Training time before this process started, in seconds.
    seconds_before: f64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Share of the run that is done.
    pub(super) share: f64,
    /// Expected time to the end.
    pub(super) left: Duration,
}

impl Clock {
    /// Starts to measure, for a run that has trained for `seconds_before`.
    pub(super) fn start(limit: Limit, seconds_before: f64) -> Self {
        Self { limit, started: Instant::now(), seconds_before }
    }

    pub(super) fn limit(&self) -> Limit {
        self.limit
    }

    /// Training time so far, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Whether the run has reached its time limit, if it has one.
    pub(super) fn is_time_up(&self) -> bool {
        matches!(self.limit, Limit::Time(time) if self.seconds() >= time.as_secs_f64())
    }

    /// How far the run has come after `step` steps, of which this process has
    /// made `n_here`.
    pub(super) fn estimate(&self, step: u64, n_here: u64) -> Estimate {
        match self.limit {
            Limit::Steps(n) => {
                let left = time_left(self.started.elapsed(), n_here, n.saturating_sub(step));
                Estimate { share: step as f64 / n as f64, left }
            }
            Limit::Time(time) => {
                let (done, time) = (self.seconds(), time.as_secs_f64());
                let left = Duration::try_from_secs_f64((time - done).max(0.0));
                Estimate { share: done / time, left: left.unwrap_or(Duration::MAX) }
            }
        }
    }
}

/// Expected time for `n_left` steps, if `n_done` took `elapsed`. At most
/// [`Duration::MAX`].
fn time_left(elapsed: Duration, n_done: u64, n_left: u64) -> Duration {
    let seconds = elapsed.as_secs_f64() * (n_left as f64 / n_done.max(1) as f64);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_pace_so_far() {
        let minute = Duration::from_secs(60);
        assert_eq!(time_left(minute, 10, 20), 2 * minute);
        assert_eq!(time_left(minute, 0, 1), minute, "the first step is under way");
        assert_eq!(time_left(minute, 10, 0), Duration::ZERO);
    }

    #[test]
    fn a_huge_number_of_steps_does_not_overflow() {
        assert_eq!(time_left(Duration::from_secs(3600), 1, u64::MAX), Duration::MAX);
        let clock = Clock::start(Limit::Steps(u64::MAX), 0.0);
        assert!(clock.estimate(1, 1).share < 1e-9);
    }

    #[test]
    fn time_before_this_process_counts() {
        let hour = Duration::from_secs(3600);
        assert!(Clock::start(Limit::Time(hour), 3600.0).is_time_up());
        let clock = Clock::start(Limit::Time(hour), 1800.0);
        let Estimate { share, left } = clock.estimate(5, 1);
        assert!(!clock.is_time_up() && (0.5..0.6).contains(&share), "{share}");
        assert!(left <= hour / 2 && left > hour / 3, "{left:?}");
        assert!(!Clock::start(Limit::Steps(1), 1e9).is_time_up(), "steps have no time limit");
    }

    #[test]
    fn minutes_that_are_not_a_length_of_time_are_refused() {
        assert!(matches!(Limit::new(7, None).unwrap(), Limit::Steps(7)));
        for minutes in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Limit::new(7, Some(minutes)).is_err(), "{minutes}");
        }
    }
}
