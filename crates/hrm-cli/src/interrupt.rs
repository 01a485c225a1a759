//! Ctrl-C and requests to terminate, deferred until the run is saved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Records the first signal. A second one ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Number of the signal; 0 if none has arrived.
    signal: Arc<AtomicUsize>,
}

/// A run was interrupted, after it was saved.
#[derive(Debug, thiserror::Error)]
#[error("stopped and saved; resume with: hrm train --resume {}", .run.display())]
pub(crate) struct Interrupted {
    pub(crate) signal: i32,
    pub(crate) run: PathBuf,
}

impl Interrupted {
    /// The exit code that shells report for a program ended by the signal.
    pub(crate) fn exit_code(&self) -> u8 {
        exit_code(self.signal) as u8
    }
}

fn exit_code(signal: i32) -> i32 {
    128 + signal
}

impl Interrupt {
    /// Starts to listen for signals.
    ///
    /// # Errors
    ///
    /// If the system refuses the handlers.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let has_signal = Arc::new(AtomicBool::new(false));
        for number in [SIGINT, SIGTERM] {
            // The order matters: only the second signal finds the flag set.
            flag::register_conditional_shutdown(number, exit_code(number), has_signal.clone())?;
            flag::register(number, has_signal.clone())?;
            flag::register_usize(number, signal.clone(), number as usize)?;
        }
        Ok(Self { signal })
    }

    /// Succeeds unless a signal has arrived.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], for the run folder `run`.
    pub(crate) fn check(&self, run: &Path) -> Result<(), Interrupted> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => Err(Interrupted { signal: number as i32, run: run.to_owned() }),
        }
    }
}
