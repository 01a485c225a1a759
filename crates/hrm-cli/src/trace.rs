//! `--trace FILE`: a timing trace of a run.
//!
//! The file is in Chrome's trace format, which Perfetto and `chrome://tracing`
//! display. The training thread has a span `train` with the spans `step`,
//! `evaluate`, `snapshot` and waits for other threads inside. The rest of its
//! time is logging.

use std::path::Path;

use anyhow::Context;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::prelude::*;

use crate::error::usage;

/// Records spans until it is dropped.
pub(crate) struct Trace(Option<FlushGuard>);

impl Trace {
    /// Starts to record into a new file, if `path` names one.
    ///
    /// # Errors
    ///
    /// If the file exists, or cannot be written.
    pub(crate) fn start(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = std::fs::File::create_new(path)
            .map_err(|err| usage(format!("cannot write {}: {err}", path.display())))?;
        let (layer, guard) = ChromeLayerBuilder::new().writer(file).build();
        tracing_subscriber::registry().with(layer).try_init().context("cannot trace twice")?;
        Ok(Self(Some(guard)))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(guard) = &self.0 {
            guard.flush();
        }
    }
}
