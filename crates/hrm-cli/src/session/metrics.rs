//! Metrics of a run, as lines of JSON and as TensorBoard events.

use std::path::Path;

use hrm_train::run::{Checkpoints, RunFolder};
use serde_json::Value;

use super::metrics_window::MetricsWindow;
use super::tensorboard::EventFile;

/// Writes `metrics.jsonl` and the TensorBoard events beside it.
///
/// It owns the run folder: the lock that it holds makes this process the only
/// writer.
pub(super) struct Metrics {
    folder: RunFolder,
    events: EventFile,
}

impl Metrics {
    /// Metrics of a run that has made `n_steps` steps.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub(super) fn open(folder: RunFolder, n_steps: u64) -> anyhow::Result<Self> {
        let events = EventFile::create(folder.path(), n_steps)?;
        Ok(Self { folder, events })
    }

    /// The run folder.
    pub(super) fn run(&self) -> &Path {
        self.folder.path()
    }

    /// The checkpoints of the run folder.
    pub(super) fn checkpoints(&self) -> Checkpoints {
        self.folder.checkpoints()
    }

    /// Length of `metrics.jsonl` in bytes.
    pub(super) fn n_bytes(&self) -> u64 {
        self.folder.metrics_len()
    }

    /// Writes one line of metrics.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn write(&mut self, step: u64, line: &Value) -> anyhow::Result<()> {
        self.folder.log(line)?;
        self.events.add(step, line)
    }

    /// Writes the line of a window.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn write_window(&mut self, step: u64, window: &MetricsWindow) -> anyhow::Result<()> {
        self.write(step, &window.to_json(step))
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    ///
    /// If syncing fails.
    pub(super) fn sync(&mut self) -> anyhow::Result<()> {
        self.events.sync()?;
        Ok(self.folder.sync_metrics()?)
    }

    /// Tells TensorBoard to discard events after the first `n_steps` steps.
    ///
    /// # Errors
    ///
    /// If the event file cannot be written.
    pub(super) fn discard_events_after(&mut self, n_steps: u64) -> anyhow::Result<()> {
        self.events.discard_after(n_steps)
    }
}
