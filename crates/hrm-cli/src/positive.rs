//! Counts that the command line has checked to be positive.

use std::num::NonZeroUsize;

/// A count that the command line has checked to be positive.
pub(crate) fn positive(n: u32) -> NonZeroUsize {
    NonZeroUsize::new(n as usize).unwrap_or(NonZeroUsize::MIN)
}
