//! Ctrl-C and requests to end: noticed, so that a run can be saved first.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Notices the first signal. A second one ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Its number; 0 before it.
    signal: Arc<AtomicUsize>,
}

/// A run was interrupted, and saved.
#[derive(Debug, thiserror::Error)]
#[error("stopped and saved. Go on with: cargo xtask train --resume {}", .run.display())]
pub(crate) struct Interrupted {
    pub(crate) signal: i32,
    pub(crate) run: PathBuf,
}

impl Interrupted {
    /// As shells report a program that the signal ended.
    pub(crate) fn exit_code(&self) -> u8 {
        exit_code(self.signal) as u8
    }
}

fn exit_code(signal: i32) -> i32 {
    128 + signal
}

impl Interrupt {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// If the system does not let it.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let was_asked = Arc::new(AtomicBool::new(false));
        for number in [SIGINT, SIGTERM] {
            // In this order: only the second time finds that it was asked before.
            flag::register_conditional_shutdown(number, exit_code(number), was_asked.clone())?;
            flag::register(number, was_asked.clone())?;
            flag::register_usize(number, signal.clone(), number as usize)?;
        }
        Ok(Self { signal })
    }

    /// The signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            number => Some(number as i32),
        }
    }
}
