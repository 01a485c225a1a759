//! The names of the tensors in a file, before any of their numbers are read.

/// Longest name of a tensor, in bytes.
pub(crate) const N_NAME_BYTES_MAX: usize = 256;

/// Most tensors of a file, optimiser state included.
pub(crate) const N_TENSORS_MAX: usize = 1 << 14;

/// A dictionary of tensors in a file.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// Keys that lead to it, joined by `.`; empty for the outermost one.
    pub(crate) path: String,
    pub(crate) tensors: Vec<Listed>,
}

/// A tensor of a file.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// Whether it is stored as real numbers.
    pub(crate) is_real: bool,
}

/// What a file holds, without its numbers.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) dictionaries: Vec<Dictionary>,
    /// What else the outermost dictionary holds: keys, and what is under them.
    pub(crate) others: Vec<String>,
}
