//! What becomes of memory that is freed.
//!
//! A training step frees and asks for the same large tensors again and again.
//! An allocator that returns them to the system in between makes it clear each
//! page anew.

/// Asks the system's allocator to keep what is freed for the next request, up
/// to the most that was ever held. For programs that compute most of the time,
/// at their start; a wish that not every system grants.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const TOP_PAD_BYTES: libc::c_int = 64 << 20;
        // SAFETY: `mallopt` takes any two integers, and knows these.
        unsafe {
            // Large blocks come from the heap, which keeps them, ...
            libc::mallopt(libc::M_MMAP_MAX, 0);
            // ... and its end is not given back, and grows in large steps.
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, TOP_PAD_BYTES);
        }
    }
}
