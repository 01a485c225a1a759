//! `--trace FILE`: a timing trace of a run.
//!
//! The file is in Chrome's trace format, which Perfetto and `chrome://tracing`
//! display. The training thread has a span `train` with the spans `step`,
//! `evaluate`, `snapshot` and waits for other threads inside. The rest of its
//! time is logging.

use std::fs::File;
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
/// If `path` exists, or no file can be created there.
pub(crate) fn check(path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    output::must_be_free(path)?;
    let folder = durable::parent(path);
    if !folder.is_dir() {
        return Err(usage(format!(
            "cannot write {}: no folder {}",
            path.display(),
            folder.display()
        )));
    }
    create(path)?;
    std::fs::remove_file(path).map_err(|err| cannot_write(path, &err))
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create_new(path).map_err(|err| cannot_write(path, &err))
}

fn cannot_write(path: &Path, err: &std::io::Error) -> anyhow::Error {
    usage(format!("cannot write {}: {err}", path.display()))
}

impl Trace {
    /// Starts to record into a new file, if `path` names one.
    ///
    /// # Errors
    ///
    /// If the file exists, or cannot be written.
    pub(crate) fn start(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let (layer, guard) = ChromeLayerBuilder::new().writer(create(path)?).build();
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
