//! The error of reading and writing weight files.

use std::path::{Path, PathBuf};

use crate::pickle::PickleError;

/// A weight file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightFileError {
    /// The file could not be opened.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    /// Something else is in place of the file, such as a pointer of Git LFS.
    #[error("{} is {found}", .path.display())]
    Instead {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        found: String,
    },

    /// The file is not a safetensors file, or is truncated.
    #[error("{} is not a complete safetensors file", .path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: safetensors::SafeTensorError,
    },

    /// The file is not a PyTorch checkpoint that holds a state dict.
    #[error("{} is not a PyTorch state dict", .path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: PickleError,
    },

    /// Two tensors of the file have the same name without their wrapper prefixes.
    #[error("{} holds `{name}` twice under different prefixes", .path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The name without prefixes.
        name: String,
    },

    /// The tensor backend failed.
    #[error("cannot create tensor `{name}` of {}", .path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The error of the backend.
        #[source]
        source: candle_core::Error,
    },
}

/// The error of a file that is not a PyTorch checkpoint.
pub(crate) fn not_a_pickle(path: &Path) -> impl Fn(PickleError) -> WeightFileError + '_ {
    |source| WeightFileError::Pickle { path: path.to_owned(), source }
}
