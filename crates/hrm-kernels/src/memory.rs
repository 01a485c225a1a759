//! Keeping freed memory.
//!
//! Every training step allocates and frees large tensors of the same sizes. An
//! allocator that returns them to the system in between causes each page to be
//! mapped and cleared again.

/// Asks the system's allocator to keep freed memory for later requests instead of
/// returning it to the system. Call it at the start of a program that spends most of its
/// time computing. It has an effect only on Linux with glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const TOP_PAD_BYTES: libc::c_int = 64 << 20;
        // SAFETY: `mallopt` accepts any pair of integers and touches no Rust memory.
        unsafe {
            // Allocate large blocks from the heap, which keeps them, ...
            libc::mallopt(libc::M_MMAP_MAX, 0);
            // ... never return its end, and let it grow in large steps.
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, TOP_PAD_BYTES);
        }
    }
}
