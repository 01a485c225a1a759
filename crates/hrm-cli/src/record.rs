//! `run.json`: enough to know, and to repeat, what a run did.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use hrm_tasks::{RunConfig, TaskError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Written before the first step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// Version of this program.
    pub(crate) version: String,
    /// Commit of the source, with `-dirty` appended if the tree had changes.
    pub(crate) revision: String,
    /// Every setting, in full. Never a path to one.
    pub(crate) config: RunConfig,
    /// Files trained on; none for built-in data.
    pub(crate) data: Vec<PathBuf>,
    /// SHA-256 of each data file, by path.
    pub(crate) data_sha256: BTreeMap<PathBuf, String>,
    /// Decides weights, batches and halting draws.
    pub(crate) seed: u64,
    /// Where it ran.
    pub(crate) device: String,
    /// Precision of activations.
    pub(crate) dtype: String,
    /// Cargo features of the build.
    pub(crate) cargo_features: Vec<String>,
    /// The machine.
    pub(crate) host: Host,
}

/// The machine of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Host {
    /// Operating system and architecture.
    pub(crate) platform: String,
    /// Threads available to the run.
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

/// Features that change what a build can do.
pub(crate) fn cargo_features() -> Vec<String> {
    let features = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_owned()).collect()
}

/// The commit of the source tree that this program was built in, `unknown` if
/// that tree is gone.
pub(crate) fn revision() -> String {
    let git = |args: &[&str]| {
        let output =
            Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output();
        let output = output.ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    match (git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit}-dirty"),
        (None, _) => "unknown".to_owned(),
    }
}

/// SHA-256 of each file among `data`; a folder stands for the files in it.
///
/// # Errors
///
/// [`TaskError::Read`] for a path that cannot be read.
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
/// [`TaskError::Read`] for a file that cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<String, TaskError> {
    let mut file = File::open(path).map_err(TaskError::read(path))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(TaskError::read(path))? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
