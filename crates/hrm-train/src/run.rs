//! The folder of a training run.
//!
//! ```text
//! runs/<name>/
//!   run.json            what produced the run; written before the first step
//!   metrics.jsonl       one line per logged step and per evaluation
//!   checkpoints/
//!     step-000123/      config.json  model.safetensors  ...  describes itself
//!     latest            the name of the newest checkpoint
//! ```
//!
//! A checkpoint is written under another name, synced, and renamed, and only
//! then named in `latest`: a run killed at any instant has its last checkpoint
//! whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::Device;
use hrm_core::{Hrm, HrmConfig, ModelError, Weights, durable, weight_file};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::TrainError;

/// File names of a run.
pub mod files {
    /// What produced the run.
    pub const RECORD: &str = "run.json";
    /// Figures over time.
    pub const METRICS: &str = "metrics.jsonl";
    /// Folder of checkpoints.
    pub const CHECKPOINTS: &str = "checkpoints";
    /// Name of the newest checkpoint.
    pub const LATEST: &str = "latest";
    /// Model config of a checkpoint.
    pub const CONFIG: &str = "config.json";
    /// Weights of a checkpoint.
    pub const WEIGHTS: &str = "model.safetensors";
}

/// A run folder that is open for writing.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
}

impl RunFolder {
    /// Creates the folder and writes `record`. An existing run is replaced only
    /// if `force` is set; any other existing folder never is.
    ///
    /// # Errors
    ///
    /// [`TrainError::RunExists`], [`TrainError::NotARun`] for an existing
    /// folder that `force` would not replace, [`TrainError::Write`].
    pub fn create(path: &Path, record: &impl Serialize, force: bool) -> Result<Self, TrainError> {
        if path.exists() {
            let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            if !is_empty && !force {
                return Err(TrainError::RunExists { path: path.to_owned() });
            }
            if !is_empty && !path.join(files::RECORD).is_file() {
                return Err(TrainError::NotARun { path: path.to_owned(), missing: files::RECORD });
            }
            fs::remove_dir_all(path).map_err(writing(path))?;
        }
        let checkpoints = path.join(files::CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(writing(&checkpoints))?;
        write_json(&path.join(files::RECORD), record)?;
        let metrics = path.join(files::METRICS);
        let file = File::create(&metrics).map_err(writing(&metrics))?;
        Ok(Self { path: path.to_owned(), metrics: file })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line to the metrics.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`].
    pub fn log(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let path = self.path.join(files::METRICS);
        let mut text = to_json(&path, line, false)?;
        text.push('\n');
        self.metrics.write_all(text.as_bytes()).map_err(writing(&path))
    }

    /// Writes a checkpoint of `model` after `step` optimiser steps, more than
    /// any before, and makes it the latest. `extra` writes what else belongs to
    /// it into the folder that it is given.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`], also if there is a checkpoint of this step, or
    /// [`TrainError::Weights`]; the checkpoints written before are then
    /// untouched.
    pub fn checkpoint<E: From<TrainError>>(
        &self,
        model: &Hrm,
        step: u64,
        extra: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let name = format!("step-{step:06}");
        let checkpoints = self.path.join(files::CHECKPOINTS);
        let (partial, done) = (checkpoints.join(format!("{name}.tmp")), checkpoints.join(&name));
        // What a killed run left half written; nothing names it.
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(writing(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(writing(&partial))?;
        save_model(model, &partial)?;
        extra(&partial)?;
        durable::sync_folder(&partial).map_err(writing(&partial))?;
        fs::rename(&partial, &done).map_err(writing(&done))?;
        durable::sync_folder(&checkpoints).map_err(writing(&checkpoints))?;
        let latest = checkpoints.join(files::LATEST);
        durable::replace(&latest, name.as_bytes()).map_err(writing(&latest))?;
        Ok(done)
    }
}

/// Writes config and weights of a model into a folder that exists.
///
/// # Errors
///
/// [`TrainError::Write`] or [`TrainError::Weights`].
pub fn save_model(model: &Hrm, folder: &Path) -> Result<(), TrainError> {
    write_json(&folder.join(files::CONFIG), model.config())?;
    weight_file::write(model.weights(), &folder.join(files::WEIGHTS))?;
    Ok(())
}

/// Reads a model from a folder that [`save_model`] wrote.
///
/// # Errors
///
/// Whatever is wrong with its config or weights.
pub fn load_model(folder: &Path, device: &Device) -> Result<Hrm, LoadError> {
    let config: HrmConfig = read_json(&folder.join(files::CONFIG))?;
    let path = folder.join(files::WEIGHTS);
    let tensors = weight_file::read(&path).map_err(TrainError::from)?;
    let misfit = |source| LoadError::Model { path: path.clone(), source };
    let specs = config.params().map_err(|err| misfit(err.into()))?;
    let weights =
        Weights::from_tensors(&specs, tensors, device).map_err(|err| misfit(err.into()))?;
    Hrm::with_weights(config, weights).map_err(misfit)
}

/// A checkpoint could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Its files could not be read.
    #[error("the checkpoint is not readable")]
    Files(#[from] TrainError),

    /// Its weights do not fit its config.
    #[error("{} does not fit the config beside it", .path.display())]
    Model {
        /// The weight file.
        path: PathBuf,
        /// What does not fit.
        #[source]
        source: ModelError,
    },
}

/// The checkpoint that `path` means: itself if it holds a model, else the
/// latest of the run folder that it is.
///
/// # Errors
///
/// [`TrainError::NotARun`] if it is neither.
pub fn find_checkpoint(path: &Path) -> Result<PathBuf, TrainError> {
    if path.join(files::WEIGHTS).is_file() {
        return Ok(path.to_owned());
    }
    let checkpoints = path.join(files::CHECKPOINTS);
    let latest = checkpoints.join(files::LATEST);
    if !latest.is_file() {
        return Err(TrainError::NotARun { path: path.to_owned(), missing: "checkpoint" });
    }
    let name = fs::read_to_string(&latest).map_err(reading(&latest))?;
    Ok(checkpoints.join(name.trim()))
}

/// Reads a JSON file.
///
/// # Errors
///
/// [`TrainError::Read`] or [`TrainError::Json`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let text = fs::read(path).map_err(reading(path))?;
    serde_json::from_slice(&text)
        .map_err(|source| TrainError::Json { path: path.to_owned(), source })
}

/// Writes a JSON file, whole or not at all.
///
/// # Errors
///
/// [`TrainError::Write`] or [`TrainError::Json`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut text = to_json(path, value, true)?;
    text.push('\n');
    durable::replace(path, text.as_bytes()).map_err(writing(path))
}

fn to_json(path: &Path, value: &impl Serialize, pretty: bool) -> Result<String, TrainError> {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map_err(|source| TrainError::Json { path: path.to_owned(), source })
}

fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
    move |source| TrainError::Read { path: path.to_owned(), source }
}

fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
    move |source| TrainError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model(seed: u64) -> Hrm {
        let config = HrmConfig { hidden_dim: 8, puzzle_dim: 8, n_heads: 2, ..HrmConfig::tiny() };
        Hrm::seeded(config, seed, &Device::Cpu).unwrap()
    }

    fn nothing_else(_: &Path) -> Result<(), TrainError> {
        Ok(())
    }

    #[test]
    fn the_latest_checkpoint_is_found_and_loads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut run = RunFolder::create(&path, &json!({"seed": 1}), false).unwrap();
        run.log(&json!({"step": 1, "loss": 2.5})).unwrap();
        run.checkpoint(&model(1), 1, nothing_else).unwrap();
        let newest = run.checkpoint(&model(2), 20, nothing_else).unwrap();
        assert_eq!(find_checkpoint(&path).unwrap(), newest);
        assert_eq!(find_checkpoint(&newest).unwrap(), newest);

        let back = load_model(&newest, &Device::Cpu).unwrap();
        let wanted = model(2);
        for ((name, found), (_, wanted)) in back.weights().tensors().zip(wanted.weights().tensors())
        {
            hrm_testkit::assert_close(name, &found, &wanted, hrm_testkit::Tol::EXACT);
        }
        let metrics = fs::read_to_string(path.join(files::METRICS)).unwrap();
        assert_eq!(metrics, "{\"loss\":2.5,\"step\":1}\n");
    }

    #[test]
    fn an_existing_folder_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let create = |force| RunFolder::create(&path, &json!({}), force).map(drop);
        create(false).unwrap();
        assert!(matches!(create(false), Err(TrainError::RunExists { .. })));
        create(true).unwrap();

        // A folder that is no run is not deleted, whatever is asked.
        fs::remove_file(path.join(files::RECORD)).unwrap();
        assert!(matches!(create(true), Err(TrainError::NotARun { .. })));
        assert!(path.join(files::METRICS).exists());
    }

    #[test]
    fn a_failed_checkpoint_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let first = run.checkpoint(&model(1), 1, nothing_else).unwrap();
        let fails = |_: &Path| Err(TrainError::NoExamples { what: "no" });
        run.checkpoint(&model(2), 2, fails).unwrap_err();
        assert_eq!(find_checkpoint(&path).unwrap(), first);
        // Nor is the one that `latest` names ever replaced.
        run.checkpoint(&model(2), 1, nothing_else).unwrap_err();
        let kept = load_model(&first, &Device::Cpu).unwrap();
        let wanted = model(1);
        for ((name, kept), (_, wanted)) in kept.weights().tensors().zip(wanted.weights().tensors())
        {
            hrm_testkit::assert_close(name, &kept, &wanted, hrm_testkit::Tol::EXACT);
        }
    }

    #[test]
    fn weights_that_do_not_fit_their_config_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        save_model(&model(1), folder.path()).unwrap();
        let config = HrmConfig { hidden_dim: 16, ..model(1).config().clone() };
        write_json(&folder.path().join(files::CONFIG), &config).unwrap();
        let err = load_model(folder.path(), &Device::Cpu).unwrap_err();
        assert!(err.to_string().ends_with("does not fit the config beside it"), "{err}");
        assert!(find_checkpoint(&folder.path().join("none")).is_err());
    }
}
