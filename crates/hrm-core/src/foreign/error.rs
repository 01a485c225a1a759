//! The error of reading a checkpoint of another tool.

use std::path::PathBuf;

use hrm_base::words::counted;

use crate::weight_error::WeightFileError;

/// A checkpoint of another tool could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] WeightFileError),

    /// The file holds something other than weights.
    #[error(
        "{} is not a safetensors file or a PyTorch checkpoint, but {found}", .path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        found: String,
    },

    /// The weights of a folder cannot be told.
    #[error("{}: {what}", .path.display())]
    Folder {
        /// The folder, or the index of its files.
        path: PathBuf,
        /// What was expected, and what was found.
        what: String,
    },

    /// No tensors have the names of a model.
    #[error(
        "{}: no tensors of HRM or TRM: expected names such as `inner.L_level.layers.0.mlp.\
         down_proj.weight` and `inner.embed_tokens.embedding_weight`, found {found}",
        .path.display()
    )]
    NoModel {
        /// The file or folder.
        path: PathBuf,
        /// Some of the names, and whose they are.
        found: String,
    },

    /// Several parts of the file hold a model.
    #[error(
        "{} holds several models: name one of them with --part: {}",
        .path.display(), .parts.join(", ")
    )]
    Ambiguous {
        /// The file or folder.
        path: PathBuf,
        /// Names of the parts.
        parts: Vec<String>,
    },

    /// The part that was asked for does not exist.
    #[error("{} has no model in a part `{part}`, only in {}", .path.display(), .parts.join(", "))]
    NoPart {
        /// The file or folder.
        path: PathBuf,
        /// The part that was asked for.
        part: String,
        /// Names of the parts with a model.
        parts: Vec<String>,
    },

    /// Some tensors look trained, but no HRM or TRM has them.
    #[error(
        "{}: the model has {} of HRM or TRM, such as {}: it would compute something \
         else without them",
        .path.display(), counted(*.n, "tensor that is no parameter", "tensors that are no parameters"), .names.join(", ")
    )]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// Number of such tensors.
        n: usize,
        /// Some of their names.
        names: Vec<String>,
    },

    /// The part that was asked for is a list of tensors without names.
    #[error(
        "{}: `{part}` is a list of {} without names, and no model beside it has as many parameters \
         of the same shapes in the same order",
        .path.display(), counted(*.n, "tensor", "tensors")
    )]
    List {
        /// The file or folder.
        path: PathBuf,
        /// The part that was asked for.
        part: String,
        /// Number of tensors.
        n: usize,
    },

    /// Two tensors become the same parameter once wrappers are removed from their names.
    #[error(
        "{}: `{}` and `{}` are both the parameter `{own}`: save one of the two models alone",
        .path.display(), .names[0], .names[1]
    )]
    Twice {
        /// The file or folder.
        path: PathBuf,
        /// Name of the parameter.
        own: String,
        /// Names in the file.
        names: [String; 2],
    },

    /// A tensor is in two of the files that hold a model together.
    #[error("`{name}` is in two shards, {} and {}", .files[0].display(), .files[1].display())]
    InTwoShards {
        /// The tensor.
        name: String,
        /// The files.
        files: [PathBuf; 2],
    },

    /// A parameter is not stored as floating-point numbers.
    #[error("{}: tensor `{name}`: expected floating-point numbers, found {found}", .path.display())]
    NotReal {
        /// The file or folder.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// How it is stored, and what to do.
        found: String,
    },
}
