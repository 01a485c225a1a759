//! Golden files: results of a reference implementation.
//!
//! A golden file is a safetensors file. Its metadata holds the configuration, and its
//! tensors are inputs, random samples, outputs and gradients by name.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

/// A golden file that cannot be read or is incomplete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// The file could not be opened.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },

    /// A folder holds no golden file.
    #[error("{} holds no golden file (*.safetensors)", .path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },

    /// The file is not a safetensors file.
    #[error("{} is not a safetensors file", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: safetensors::SafeTensorError,
    },

    /// A tensor of the file cannot be loaded.
    #[error("cannot read tensor `{name}` of {}", .path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The cause.
        #[source]
        source: candle_core::Error,
    },

    /// A tensor that the comparison needs is missing.
    #[error("{} has no tensor `{name}`", .path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },

    /// A tensor of the file is not as expected.
    #[error("{}: tensor `{name}` must be {expected}, found {found}", .path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is accepted.
        expected: String,
        /// What was found.
        found: String,
    },

    /// A metadata value is missing or not as expected.
    #[error("{}: metadata `{key}` must be {expected}, found {found}", .path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is accepted.
        expected: String,
        /// What was found.
        found: String,
    },
}

/// An opened golden file.
#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
}

impl Golden {
    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// [`GoldenError`] naming the file and the cause.
    pub fn open(path: &Path) -> Result<Self, GoldenError> {
        let format = |source| GoldenError::Format { path: path.to_owned(), source };
        let bytes = std::fs::read(path)
            .map_err(|source| GoldenError::Read { path: path.to_owned(), source })?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let file = SafeTensors::deserialize(&bytes).map_err(format)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let tensor =
                candle_core::safetensors::Load::load(&view, &Device::Cpu).map_err(|source| {
                    GoldenError::Tensor { path: path.to_owned(), name: name.clone(), source }
                })?;
            tensors.insert(name, tensor);
        }
        Ok(Self { path: path.to_owned(), metadata, tensors })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A tensor by name.
    ///
    /// # Errors
    ///
    /// [`GoldenError::MissingTensor`].
    pub fn tensor(&self, name: &str) -> Result<&Tensor, GoldenError> {
        self.find(name).ok_or_else(|| GoldenError::MissingTensor {
            path: self.path.clone(),
            name: name.to_owned(),
        })
    }

    /// A tensor by name, if the file has it.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Tensors whose names start with `prefix`, by name without the prefix.
    pub fn tensors_under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        self.tensors
            .iter()
            .filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
    }

    /// Every metadata value by key.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// A metadata value, if the file has it.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A metadata value, parsed as a number.
    ///
    /// # Errors
    ///
    /// [`GoldenError::Metadata`] if it is missing or cannot be parsed as `T`.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, GoldenError> {
        let found = self.text(key).unwrap_or("nothing");
        found.parse().map_err(|_| self.wrong(key, std::any::type_name::<T>()))
    }

    /// The error for a metadata value that is not what was `expected`.
    pub fn wrong(&self, key: &str, expected: impl Into<String>) -> GoldenError {
        GoldenError::Metadata {
            path: self.path.clone(),
            key: key.to_owned(),
            expected: expected.into(),
            found: self.text(key).map_or("nothing".to_owned(), |text| format!("`{text}`")),
        }
    }
}
