//! Commands that are interrupted leave nothing behind.
//!
//! Training has its own [`Interrupt`](crate::interrupt::Interrupt), which saves first, from the
//! moment that there is something to save.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something else decides what a signal does.
static IS_STOPPED: AtomicBool = AtomicBool::new(false);

/// Starts the thread that removes incomplete files and ends the process when it is
/// interrupted.
///
/// # Errors
///
/// If the system refuses the handlers.
#[cfg(unix)]
pub(crate) fn listen() -> std::io::Result<()> {
    use hrm_base::durable;
    use signal_hook::iterator::Signals;

    use crate::interrupt;

    let mut signals = Signals::new(interrupt::signals())?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if !IS_STOPPED.load(Ordering::SeqCst) {
                durable::remove_temporaries();
                std::process::exit(interrupt::exit_code(signal));
            }
        }
    });
    Ok(())
}

/// Does nothing: the system ends the process.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub(crate) fn listen() -> std::io::Result<()> {
    Ok(())
}

/// From now on, signals are for others that listen to them.
pub(crate) fn stop() {
    IS_STOPPED.store(true, Ordering::SeqCst);
}
