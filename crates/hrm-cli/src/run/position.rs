//! Where a run is.

use hrm_train::DataCursor;
use serde::{Deserialize, Serialize};

use crate::progress::Window;

/// Where a run is, in a file of each checkpoint.
pub(super) const POSITION: &str = "position.json";

/// Where a run is, beside its model and its trainer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    pub(super) feed: DataCursor,
    /// Bytes of metrics.
    pub(super) n_metrics: u64,
    /// Time that training took.
    pub(super) seconds: f64,
    /// Steps that are not logged yet.
    pub(super) window: Window,
    /// Whether the model as it is has yet to be evaluated.
    pub(super) awaits_evaluation: bool,
    /// The best checkpoint so far by validation.
    pub(super) best: Option<Best>,
    /// Evaluations since then.
    pub(super) n_worse: u64,
    /// Times that the run has gone back to a checkpoint.
    pub(super) n_rollbacks: u64,
}

/// A checkpoint and how well it did in validation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Best {
    pub(super) step: u64,
    pub(super) exact: f64,
    pub(super) cells: f64,
}

impl Position {
    /// Before the first step.
    pub(crate) fn start(seed: u64) -> Self {
        let (feed, window) = (DataCursor::new(seed), Window::open());
        Self {
            feed,
            n_metrics: 0,
            seconds: 0.0,
            window,
            awaits_evaluation: false,
            best: None,
            n_worse: 0,
            n_rollbacks: 0,
        }
    }
}
