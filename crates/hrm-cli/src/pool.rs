//! The compute threads.

use anyhow::Context as _;

/// Stack size of a thread: that of a main thread on most systems, since commands
/// run on these threads.
const STACK_BYTES: usize = 8 << 20;

/// Runs `command` on one of `n_threads` threads; 0 means one per core.
///
/// A thread outside the pool would hand every operation to a pool thread and wait.
/// A pool thread starts the work itself, and others join in.
///
/// # Errors
///
/// If the threads cannot be started, or `command` fails.
pub(crate) fn run(
    n_threads: usize,
    command: impl FnOnce() -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).stack_size(STACK_BYTES);
    pool.build_global().context("cannot start the threads")?;
    rayon::scope(|_| command())
}
