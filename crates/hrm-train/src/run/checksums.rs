//! Checksums of the files of a checkpoint, written last, so that damage is detected
//! before the checkpoint is used.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::json::{read_json, reading, write_json};
use crate::error::TrainError;

/// File name of the checksums.
const CHECKSUMS: &str = "sha256.json";

/// Writes the checksums of all files in a folder to a file beside them.
///
/// # Errors
///
/// [`TrainError::Read`] or [`TrainError::Write`].
pub(super) fn write(folder: &Path) -> Result<(), TrainError> {
    write_json(&folder.join(CHECKSUMS), &hashes(folder)?)
}

/// Checks that a folder holds exactly the files with the recorded checksums.
///
/// # Errors
///
/// [`TrainError::Damaged`] naming the first file that is changed, missing or new;
/// [`TrainError::Read`].
pub(super) fn verify(folder: &Path) -> Result<(), TrainError> {
    let recorded: BTreeMap<String, String> = read_json(&folder.join(CHECKSUMS))?;
    let found = hashes(folder)?;
    let names = recorded.keys().chain(found.keys());
    let mut differing = names.filter(|name| recorded.get(*name) != found.get(*name));
    match differing.next() {
        None => Ok(()),
        Some(name) => Err(TrainError::Damaged { path: folder.join(name) }),
    }
}

fn hashes(folder: &Path) -> Result<BTreeMap<String, String>, TrainError> {
    let mut hashes = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(reading(folder))? {
        let path = entry.map_err(reading(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != CHECKSUMS {
            let hash = sha256(&path).map_err(reading(&path))?;
            hashes.insert(name, hash);
        }
    }
    Ok(hashes)
}

/// SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
///
/// If the file cannot be read.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
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
    fn any_change_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "abc").unwrap();
        fs::write(at("b"), "").unwrap();
        assert!(verify(folder.path()).is_err(), "no checksums yet");
        write(folder.path()).unwrap();
        verify(folder.path()).unwrap();
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&at("a")).unwrap(), want);

        let damaged = |name: &str| match verify(folder.path()) {
            Err(TrainError::Damaged { path }) => assert_eq!(path, at(name)),
            other => panic!("{other:?}"),
        };
        fs::write(at("a"), "abd").unwrap();
        damaged("a");
        fs::write(at("a"), "abc").unwrap();
        fs::write(at("c"), "").unwrap();
        damaged("c");
        fs::remove_file(at("c")).unwrap();
        fs::remove_file(at("b")).unwrap();
        damaged("b");
    }
}
