//! The error of reading a PyTorch checkpoint.

/// A file is not a PyTorch checkpoint that holds a state dict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// It is not a zip archive, or is cut short.
    #[error("expected a complete zip archive, as written by PyTorch 1.6 and later")]
    Archive(#[from] zip::result::ZipError),

    /// A file of the archive is damaged.
    #[error("`{file}` in the archive is damaged")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },

    /// The archive lacks a file.
    #[error("the archive has no `{file}`")]
    Missing {
        /// The file.
        file: String,
    },

    /// The archive has more files than any checkpoint.
    #[error("the archive has {n} files, expected at most {limit}")]
    TooManyFiles {
        /// Number of files.
        n: u64,
        /// Number of files that are accepted.
        limit: u64,
    },

    /// A compressed file of the archive unpacks to more than the length of the archive allows.
    #[error(
        "`{file}` in the archive unpacks to {n_bytes} bytes, expected at most {limit} for an \
         archive of this length: pack it again without compression, `zip -0`"
    )]
    Unpacked {
        /// The file.
        file: String,
        /// Its length.
        n_bytes: u64,
        /// Largest length that is accepted.
        limit: u64,
    },

    /// A file of the archive is compressed with a method other than deflate.
    #[error(
        "`{file}` in the archive is compressed: pack it again without compression, `zip -0`, or \
         save it again, `torch.save(torch.load(OLD, map_location=\"cpu\"), NEW)`"
    )]
    Compressed {
        /// The file.
        file: String,
    },

    /// The pickle itself cannot be read.
    #[error("`data.pkl` is not a pickle of tensors: {what} (byte {at})")]
    Syntax {
        /// Offset of the opcode.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },

    /// The pickle holds something other than a state dict.
    #[error("`data.pkl` holds no dictionary of tensors")]
    NoStateDict,

    /// The pickle holds one tensor instead of a dictionary.
    #[error(
        "it holds a single tensor, not a dictionary of tensors: save the whole model, \
         `torch.save(model.state_dict(), FILE)`"
    )]
    SingleTensor,

    /// The pickle holds an object instead of a dictionary.
    #[error(
        "it holds a pickled object of the class `{class}`, not a dictionary of tensors: save its \
         `state_dict()`, `torch.save(model.state_dict(), FILE)`"
    )]
    Object {
        /// The class.
        class: String,
    },

    /// There are more tensors than any model has.
    #[error("`data.pkl` holds more than {limit} tensors")]
    TooManyTensors {
        /// Number of tensors that are accepted.
        limit: usize,
    },

    /// A tensor is not stored as expected.
    #[error("tensor `{name}`: expected {expected}, found {found}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What would be accepted.
        expected: &'static str,
        /// What the file holds.
        found: String,
    },

    /// The tensors together take more memory than the length of the file allows.
    #[error("tensor `{name}`: the tensors take more than the {limit} bytes that the file allows")]
    TooLarge {
        /// The first tensor beyond the limit.
        name: String,
        /// Bytes that all tensors together may take.
        limit: u64,
    },

    /// The tensor backend failed.
    #[error("cannot create tensor `{name}`")]
    Backend {
        /// The tensor.
        name: String,
        /// The error of the backend.
        #[source]
        source: candle_core::Error,
    },
}
