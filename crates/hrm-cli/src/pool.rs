//! The threads that compute.

use anyhow::Context as _;

/// Stack of a thread: what a program's first thread has on most systems, since
/// verbs run on one of these.
const STACK_BYTES: usize = 8 << 20;

/// Runs `verb` on one of `n_threads` threads; zero: as many as there are cores.
///
/// From outside, every operation would wake another thread and wait for it.
/// From inside, the thread that asks begins with the work, and others join in.
///
/// # Errors
///
/// Those of `verb`, or if the threads cannot be started.
pub(crate) fn run(
    n_threads: usize,
    verb: impl FnOnce() -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).stack_size(STACK_BYTES);
    pool.build_global().context("cannot start the threads")?;
    rayon::scope(|_| verb())
}
