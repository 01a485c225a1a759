//! Commands that are interrupted leave nothing behind.
//!
//! Training has its own [`Interrupt`](crate::interrupt::Interrupt), which saves first, from the
//! moment that there is something to save.

use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether something else decides what a signal does.
static IS_STOPPED: AtomicBool = AtomicBool::new(false);

/// Starts the thread that removes incomplete files and ends the process when it is
/// interrupted. A file that outgrows what the system allows does not end it.
///
/// # Errors
///
/// If the system refuses the handlers.
#[cfg(unix)]
pub(crate) fn listen() -> std::io::Result<()> {
    use std::sync::Arc;

    use hrm_base::durable;
    use signal_hook::consts::signal::SIGXFSZ;
    use signal_hook::iterator::Signals;

    // A file that outgrows its limit is an error of the write then, like a full disk.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new(signals())?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if !IS_STOPPED.load(Ordering::SeqCst) {
                durable::remove_temporaries();
                std::process::exit(exit_code(signal));
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

/// The exit code that shells report for a program ended by the signal.
pub(crate) fn exit_code(signal: i32) -> i32 {
    128 + signal
}

/// The signals that ask a program to end: Ctrl-C, a request to terminate, and the end of its
/// terminal or connection, unless `nohup` has the program survive that.
pub(crate) fn signals() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    // Only Linux tells without further ado; elsewhere the end of the terminal ends the program.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if ignored(&status).is_some_and(|ignored| ignored >> (SIGHUP - 1) & 1 == 0) {
        signals.push(SIGHUP);
    }
    signals
}

/// The signals that a process ignores, one bit each, from its status as Linux writes it.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_are_ignored_are_read_from_the_status_of_a_process() {
        let status = "Name:\thrm\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored(status), Some(0x1001));
        assert_eq!(ignored("Name:\thrm\n"), None);
    }
}
