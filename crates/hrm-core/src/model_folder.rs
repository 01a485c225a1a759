//! A model in a folder: its config and its weights.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use hrm_base::durable;
use hrm_base::file_kind::FileKind;
use hrm_blocks::Weights;

use crate::config::HrmConfig;
use crate::error::ModelError;
use crate::model::Hrm;
use crate::weight_file::{self, WeightFileError};

/// File name of the config.
pub const CONFIG: &str = "config.json";
/// File name of the weights.
pub const WEIGHTS: &str = "model.safetensors";

/// A model could not be loaded from a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The config could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The config file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    /// The config file holds something else.
    #[error("{} is not a model config", .path.display())]
    Config {
        /// The config file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },

    /// Something else is in place of the config, such as a pointer of Git LFS.
    #[error("{} is {found}", .path.display())]
    Instead {
        /// The config file.
        path: PathBuf,
        /// What it is, and what to do.
        found: String,
    },

    /// The weights could not be read.
    #[error("cannot load the weights of the model")]
    Weights(#[from] WeightFileError),

    /// The weights do not fit the config.
    #[error("{} does not fit the config beside it", .path.display())]
    Model {
        /// The weight file.
        path: PathBuf,
        /// What does not fit.
        #[source]
        source: ModelError,
    },
}

/// A model could not be saved in a folder.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The config could not be written.
    #[error("cannot write {}", .path.display())]
    Config {
        /// The config file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },

    /// The weights could not be written.
    #[error("cannot save the weights of the model")]
    Weights(#[from] WeightFileError),
}

impl Hrm {
    /// Loads a model from a folder that [`save`](Self::save) wrote. Activations are
    /// f32.
    ///
    /// # Errors
    ///
    /// [`LoadError`] naming the file that cannot be read or does not fit.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<Self, LoadError> {
        let path = folder.as_ref().join(CONFIG);
        let text = std::fs::read(&path)
            .map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let config: HrmConfig =
            serde_json::from_slice(&text).map_err(|source| match FileKind::instead_of(&path) {
                Some(found) => LoadError::Instead { path: path.clone(), found },
                None => LoadError::Config { path: path.clone(), source },
            })?;

        let path = folder.as_ref().join(WEIGHTS);
        let tensors = weight_file::read(&path)?;
        let misfit = |source| LoadError::Model { path: path.clone(), source };
        let specs = config.params().map_err(|err| misfit(err.into()))?;
        let weights =
            Weights::from_tensors(&specs, tensors, device).map_err(|err| misfit(err.into()))?;
        Self::with_weights(config, weights).map_err(misfit)
    }

    /// Saves the model in a folder that exists. Each file is replaced as a whole or
    /// left as it was, and is on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`SaveError`] naming the file.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<(), SaveError> {
        write(self.config(), self.weights().tensors(), folder.as_ref())
    }
}

/// As [`Hrm::save`], for a model in parts: its config, and its parameters by name.
///
/// # Errors
///
/// [`SaveError`] naming the file.
pub fn write<N: AsRef<str> + Ord + Display>(
    config: &HrmConfig,
    tensors: impl IntoIterator<Item = (N, Tensor)>,
    folder: &Path,
) -> Result<(), SaveError> {
    let path = folder.join(CONFIG);
    let written = serde_json::to_string_pretty(config)
        .map_err(std::io::Error::from)
        .and_then(|text| durable::replace(&path, format!("{text}\n").as_bytes()));
    written.map_err(|source| SaveError::Config { path, source })?;
    Ok(weight_file::write_tensors(tensors, &folder.join(WEIGHTS))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{Tol, assert_close};

    fn model() -> Hrm {
        let config = HrmConfig::tiny().with(|config| {
            config.puzzle_embedding.dim = 8;
            config.block.hidden_dim = 8;
        });
        Hrm::seeded(config, 3, &Device::Cpu).unwrap()
    }

    fn chain(err: &dyn std::error::Error) -> String {
        let source = err.source().map(|source| format!(": {}", chain(source)));
        format!("{err}{}", source.unwrap_or_default())
    }

    #[test]
    fn a_saved_model_loads() {
        let folder = tempfile::tempdir().unwrap();
        let model = model();
        model.save(folder.path()).unwrap();
        model.save(folder.path()).unwrap();
        let loaded = Hrm::load(folder.path(), &Device::Cpu).unwrap();
        assert_eq!(loaded.config(), model.config());
        for ((name, found), (_, wanted)) in
            loaded.weights().tensors().zip(model.weights().tensors())
        {
            assert_close(name, &found, &wanted, Tol::EXACT);
        }
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, [CONFIG, WEIGHTS]);
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = || chain(&Hrm::load(folder.path(), &Device::Cpu).unwrap_err());
        let (config, weights) = (folder.path().join(CONFIG), folder.path().join(WEIGHTS));
        assert!(message().starts_with(&format!("cannot read {}: ", config.display())));
        assert!(model().save(folder.path().join("none")).is_err());

        model().save(folder.path()).unwrap();
        let other = model().config().clone().with(|config| config.block.hidden_dim = 16);
        std::fs::write(&config, serde_json::to_string(&other).unwrap()).unwrap();
        let misfit = format!("{} does not fit the config beside it: ", weights.display());
        assert!(message().starts_with(&misfit), "{}", message());
        let unusable = other.with(|config| config.recurrence.n_l_cycles = 0);
        std::fs::write(&config, serde_json::to_string(&unusable).unwrap()).unwrap();
        assert!(message().contains("`recurrence.n_l_cycles` must be at least 1"), "{}", message());
        std::fs::write(&config, "{}").unwrap();
        let wrong = format!("{} is not a model config: ", config.display());
        assert!(message().starts_with(&wrong), "{}", message());
        std::fs::write(&config, "version https://git-lfs.github.com/spec/v1\n").unwrap();
        let pointer = format!("{} is a pointer of Git LFS", config.display());
        assert!(message().starts_with(&pointer), "{}", message());

        model().save(folder.path()).unwrap();
        std::fs::write(&weights, "").unwrap();
        assert!(message().contains(&weights.display().to_string()), "{}", message());
    }
}
