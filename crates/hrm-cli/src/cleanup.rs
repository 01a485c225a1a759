//! Commands that are interrupted leave nothing behind.
//!
//! Training has its own [`Interrupt`](crate::interrupt::Interrupt), which saves first.

/// Starts the thread that removes incomplete files and ends the process when it is
/// interrupted.
///
/// # Errors
///
/// If the system refuses the handlers.
#[cfg(unix)]
pub(crate) fn listen() -> std::io::Result<()> {
    use hrm_base::durable;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            durable::remove_temporaries();
            // The exit code that shells report for a program ended by the signal.
            std::process::exit(128 + signal);
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
