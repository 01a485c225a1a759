//! The names of the tensors in a file, before any of their numbers are read.

use serde_json::Value;

/// Longest name of a tensor, in bytes.
pub(crate) const N_NAME_BYTES_MAX: usize = 256;

/// Most tensors of a file, optimiser state included.
pub(crate) const N_TENSORS_MAX: usize = 1 << 14;

/// Largest number of axes of a tensor.
pub(crate) const N_AXES_MAX: usize = 8;

/// A dictionary of tensors in a file, or a list of them, which are called by their number.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// Keys that lead to it, joined by `.`; empty for the outermost one.
    pub(crate) path: String,
    /// Whether it is a list.
    pub(crate) is_list: bool,
    /// In the order of the file.
    pub(crate) tensors: Vec<Listed>,
}

/// A tensor of a file.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    /// What it is stored as, and what to do, if that is not floating-point numbers.
    pub(crate) not_real: Option<String>,
}

/// What a file holds, without its numbers.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) dictionaries: Vec<Dictionary>,
    /// What else the outermost dictionary holds: keys, and what is under them.
    pub(crate) others: Vec<String>,
    /// What the outermost object is, if not a dictionary.
    pub(crate) instead: Option<String>,
    /// Groups of settings in the outermost dictionary, by their keys.
    pub(crate) settings: Vec<(String, Value)>,
}
