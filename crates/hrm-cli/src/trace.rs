//! `--trace FILE`: where the time of a run goes, span by span.
//!
//! The file is in Chrome's trace format, which Perfetto and `chrome://tracing`
//! draw. Spans of the thread that trains, all within `train`: `step`,
//! `evaluate`, `snapshot`, and waits for others. What is in none of them is
//! logging.

use std::path::Path;

use anyhow::Context;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::prelude::*;

use crate::outcome::usage;

/// Records until it is dropped.
pub(crate) struct Trace(Option<FlushGuard>);

impl Trace {
    /// Begins to record into a new file, if one is named.
    ///
    /// # Errors
    ///
    /// If the file is there already, or cannot be written.
    pub(crate) fn begin(path: Option<&Path>) -> anyhow::Result<Self> {
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
