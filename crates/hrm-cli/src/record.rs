//! `run.json`: everything needed to repeat a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hrm_core::Hrm;
use hrm_puzzles::PuzzleError;
use hrm_tasks::{PuzzleTask, RunConfig, TaskError, TaskRecord};
use hrm_train::run::read_json;
use serde::{Deserialize, Serialize};

use crate::compute::Compute;
use crate::error::usage;
use crate::term::note;

/// The content of `run.json`, written before the first step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// Version of this program.
    pub(crate) version: String,
    /// Commit that this program was built from, with `-dirty` appended if the
    /// source had changes.
    pub(crate) revision: String,
    /// All settings, in full.
    pub(crate) config: RunConfig,
    /// Training data; empty for built-in puzzles.
    pub(crate) data: Vec<PathBuf>,
    /// SHA-256 of each data file, by path.
    pub(crate) data_sha256: BTreeMap<PathBuf, String>,
    /// Seed for weight initialisation, data order and halting exploration.
    pub(crate) seed: u64,
    /// Training time in minutes after which the run ends. `None`: it ends after a
    /// number of steps.
    #[serde(default)]
    pub(crate) minutes: Option<f64>,
    /// Device that computes.
    pub(crate) device: String,
    /// Data type of activations.
    pub(crate) dtype: String,
    /// Cargo features of the build.
    pub(crate) cargo_features: Vec<String>,
    /// The machine.
    pub(crate) host: Host,
}

impl RunRecord {
    /// Reads the record of a run, and checks that its data files have not changed.
    ///
    /// # Errors
    ///
    /// If the file is not a record, or a data file has changed.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let record: Self = read_json(path)?;
        record.check_data(path)?;
        Ok(record)
    }

    /// Checks that the data files have not changed since the record was written to
    /// `path`.
    ///
    /// # Errors
    ///
    /// If one has.
    pub(crate) fn check_data(&self, path: &Path) -> anyhow::Result<()> {
        let found = hashes(&self.data)?;
        let names = self.data_sha256.keys().chain(found.keys());
        let mut changed = names.filter(|name| self.data_sha256.get(*name) != found.get(*name));
        match changed.next() {
            None => Ok(()),
            Some(name) => {
                let (name, run) = (name.display(), path.display());
                Err(usage(format!("{name} has changed since {run} was written")))
            }
        }
    }

    /// The puzzles of the run, for its checkpoints.
    pub(crate) fn task_record(&self) -> TaskRecord {
        TaskRecord { task: self.config.task.clone(), data: self.data.clone() }
    }

    /// Opens the puzzles at `data`, and sets the sizes of the model that depend on
    /// them. Messages name these paths.
    ///
    /// # Errors
    ///
    /// As [`TaskConfig::open`](hrm_tasks::TaskConfig::open).
    pub(crate) fn open_task(&mut self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let task = self.config.task.open(data)?;
        let model = &mut self.config.model;
        model.input.vocab_size = task.vocab_size();
        model.input.n_cells = task.n_cells();
        model.input.n_puzzle_ids = task.n_puzzle_ids();
        Ok(task)
    }

    /// Device and precision of the run.
    ///
    /// # Errors
    ///
    /// If this program does not know a name.
    pub(crate) fn compute(&self) -> anyhow::Result<Compute> {
        Compute::named(&self.device, &self.dtype)
    }

    /// The model before the first step.
    ///
    /// # Errors
    ///
    /// If sizes do not fit together, or the device is not available.
    pub(crate) fn first_model(&self) -> anyhow::Result<Hrm> {
        let compute = self.compute()?;
        let model = Hrm::seeded(self.config.model.clone(), self.seed, &compute.device()?)?;
        Ok(model.with_dtype(compute.dtype()?))
    }

    /// Warns of differences that make a resumed run differ in its last bits.
    pub(crate) fn warn_if_host_differs(&self) {
        let here = Host::here();
        if here != self.host {
            let Host { platform, n_threads } = &self.host;
            note(format!(
                "The run started on {platform} with {n_threads} threads; on {} with {}, results \
                 are rounded differently.",
                here.platform, here.n_threads
            ));
        }
        if self.version != env!("CARGO_PKG_VERSION") {
            note(format!("The run started with version {} of this program.", self.version));
        }
    }
}

/// The machine of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// Operating system and architecture.
    pub(crate) platform: String,
    /// Number of compute threads.
    pub(crate) n_threads: usize,
}

impl Host {
    pub(crate) fn here() -> Self {
        Self {
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            n_threads: candle_core::utils::get_num_threads(),
        }
    }
}

/// Cargo features that change what a build can do.
pub(crate) fn cargo_features() -> Vec<String> {
    let features = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_owned()).collect()
}

/// The commit that this program was built from, with `-dirty` appended if its
/// source had changes; `unknown` if it was built outside a git repository.
pub(crate) fn revision() -> String {
    env!("HRM_REVISION").to_owned()
}

/// SHA-256 of each file in `data`, and of all files in its folders.
///
/// # Errors
///
/// [`PuzzleError::Read`] if a path cannot be read.
pub(crate) fn hashes(data: &[PathBuf]) -> Result<BTreeMap<PathBuf, String>, TaskError> {
    let mut hashes = BTreeMap::new();
    let mut pending = data.to_vec();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).map_err(TaskError::read(&path))?;
            for entry in entries {
                pending.push(entry.map_err(TaskError::read(&path))?.path());
            }
        } else {
            let hash = sha256(&path)?;
            hashes.insert(path, hash);
        }
    }
    Ok(hashes)
}

/// SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
///
/// [`PuzzleError::Read`] if the file cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<String, PuzzleError> {
    hrm_train::run::sha256(path).map_err(PuzzleError::read(path))
}

// Tested here, since cargo runs no tests of a build script.
#[cfg(test)]
#[allow(dead_code)] // Only cargo calls its `main`.
#[path = "../build.rs"]
mod build;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs git in a repository of the test; whether git is installed.
    fn git(folder: &Path, arguments: &[&str]) -> bool {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
        let command = &mut std::process::Command::new("git");
        command.current_dir(folder).args(identity).args(arguments);
        command.output().is_ok_and(|output| output.status.success())
    }

    #[test]
    fn the_revision_is_that_of_the_source_and_says_whether_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let write = |name: &str, text: &str| std::fs::write(here.join(name), text).unwrap();
        let sources = ["Cargo.toml", "src.rs"].map(PathBuf::from);
        let revision = || build::revision(here, &sources);
        write("Cargo.toml", "one");
        write("notes.txt", "one");
        assert_eq!(revision(), "unknown", "outside a repository");
        if !git(here, &["init"]) {
            return;
        }
        assert_eq!(revision(), "unknown", "a package that the repository does not know");
        assert!(git(here, &["add", "Cargo.toml"]) && git(here, &["commit", "-m", "one"]));
        let first = revision();
        assert!(first.len() >= 40 && first.bytes().all(|c| c.is_ascii_hexdigit()), "{first}");
        write("notes.txt", "two");
        assert_eq!(revision(), first, "other files do not count");
        for (name, text) in [("Cargo.toml", "two"), ("src.rs", "new")] {
            write(name, text);
            assert_eq!(revision(), format!("{first}-dirty"), "{name}");
            assert!(git(here, &["add", name]) && git(here, &["commit", "-m", name]));
            assert!(revision() != first && !revision().ends_with("-dirty"));
            assert!(git(here, &["reset", "--hard", &first]));
        }
    }

    #[test]
    fn files_and_folders_are_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "abc").unwrap();
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hashes = hashes(&[folder.path().to_owned()]).unwrap();
        assert_eq!(hashes.into_iter().collect::<Vec<_>>(), [(path, want.to_owned())]);
        assert!(super::hashes(&["/no/such/file".into()]).is_err());
    }
}
