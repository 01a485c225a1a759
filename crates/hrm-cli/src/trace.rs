//! `--trace FILE`: a timing trace of a run.
//!
//! The file is in Chrome's trace format, which Perfetto and `chrome://tracing`
//! display. The training thread has a span `train` with the spans `step`,
//! `evaluate`, `snapshot` and waits for other threads inside. The rest of its
//! time is logging.

use std::path::Path;

use anyhow::Context;
use hrm_base::durable;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::prelude::*;

use crate::error::usage;
use crate::output;

/// Records spans until it is dropped.
pub(crate) struct Trace(Option<FlushGuard>);

/// Refuses a path at which a trace cannot be written, before anything else is done.
///
/// # Errors
///
/// If `path` exists, or its folder does not.
pub(crate) fn check(path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    output::must_be_free(path)?;
    let folder = durable::parent(path);
    match folder.is_dir() {
        true => Ok(()),
        false => {
            Err(usage(format!("cannot write {}: no folder {}", path.display(), folder.display())))
        }
    }
}

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
