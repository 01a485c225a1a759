//! Checksums of the files of a checkpoint, written last, so that damage is detected
//! before the checkpoint is used.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::json::{read_json, reading, write_json};
use crate::error::{Damage, TrainError};

/// File name of the checksums.
const CHECKSUMS: &str = "sha256.json";

/// Writes the checksums of all files in a folder to a file beside them.
///
/// # Errors
///
/// [`TrainError::Read`] or [`TrainError::Write`].
pub fn write_checksums(folder: &Path) -> Result<(), TrainError> {
    write_json(&folder.join(CHECKSUMS), &hashes(folder)?)
}

/// Checks the files of a folder whose checksums are recorded; others do not matter.
///
/// # Errors
///
/// [`TrainError::Damaged`] naming the first file that is changed or missing, such as that of
/// the checksums; [`TrainError::Read`] if a file that exists cannot be read, which says
/// nothing about its content.
pub(super) fn verify(folder: &Path) -> Result<(), TrainError> {
    let recorded = recorded(folder)?;
    recorded.iter().try_for_each(|(name, hash)| verify_file(&folder.join(name), hash))
}

/// Checks those of the files `names` of a folder whose checksums are recorded in it, if any
/// are.
///
/// # Errors
///
/// [`TrainError::Damaged`] naming the first file that is changed or missing;
/// [`TrainError::Read`].
pub fn verify_files(folder: &Path, names: &[&str]) -> Result<(), TrainError> {
    if !folder.join(CHECKSUMS).exists() {
        return Ok(());
    }
    let recorded = recorded(folder)?;
    let hashes = names.iter().filter_map(|name| Some((name, recorded.get(*name)?)));
    hashes.into_iter().try_for_each(|(name, hash)| verify_file(&folder.join(name), hash))
}

/// The recorded checksums of a folder, by file name.
fn recorded(folder: &Path) -> Result<BTreeMap<String, String>, TrainError> {
    let path = folder.join(CHECKSUMS);
    match read_json(&path) {
        Err(TrainError::Json { .. }) => {
            let damage = damage(&path);
            Err(TrainError::Damaged { path, damage })
        }
        Err(TrainError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Err(TrainError::Damaged { path, damage: Damage::Missing })
        }
        recorded => recorded,
    }
}

fn verify_file(path: &Path, hash: &str) -> Result<(), TrainError> {
    let damage = match sha256(path) {
        Ok(found) if found == hash => return Ok(()),
        Ok(_) => damage(path),
        Err(err) if err.kind() == ErrorKind::NotFound => Damage::Missing,
        Err(err) => return Err(reading(path)(err)),
    };
    Err(TrainError::Damaged { path: path.to_owned(), damage })
}

/// What is wrong with a file that is not as it was written.
fn damage(path: &Path) -> Damage {
    Damage::instead_of(path).unwrap_or(Damage::Changed)
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

    /// A folder with the sealed files `a` and `b`.
    fn sealed() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        write_checksums(folder.path()).unwrap();
        folder
    }

    /// The file that is found to be damaged, and how.
    fn damaged(verified: Result<(), TrainError>) -> (String, Damage) {
        match verified {
            Err(TrainError::Damaged { path, damage }) => {
                (path.file_name().unwrap().to_string_lossy().into_owned(), damage)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_change_is_detected() {
        let folder = sealed();
        let at = |name: &str| folder.path().join(name);
        verify(folder.path()).unwrap();
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&at("a")).unwrap(), want);

        fs::write(at("a"), "abd").unwrap();
        assert_eq!(damaged(verify(folder.path())), ("a".to_owned(), Damage::Changed));
        fs::write(at("a"), "abc").unwrap();
        fs::remove_file(at("b")).unwrap();
        assert_eq!(damaged(verify(folder.path())), ("b".to_owned(), Damage::Missing));
        verify_files(folder.path(), &["a", "c"]).unwrap();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n";
        fs::write(at("a"), pointer).unwrap();
        let (_, damage) = damaged(verify_files(folder.path(), &["a"]));
        let want = "it is a pointer of Git LFS to a file that is not here: run `git lfs pull`";
        assert_eq!(damage.to_string(), want);

        fs::write(at(CHECKSUMS), "{\"a\": ").unwrap();
        let checksums = CHECKSUMS.to_owned();
        assert_eq!(damaged(verify(folder.path())), (checksums.clone(), Damage::Changed));
        fs::remove_file(at(CHECKSUMS)).unwrap();
        assert_eq!(damaged(verify(folder.path())), (checksums, Damage::Missing));
        verify_files(folder.path(), &["a"]).unwrap();
    }

    #[test]
    fn what_others_put_beside_the_files_does_not_matter() {
        let folder = sealed();
        fs::write(folder.path().join(".DS_Store"), "x").unwrap();
        fs::write(folder.path().join("m.onnx"), "x").unwrap();
        fs::create_dir(folder.path().join("notes")).unwrap();
        verify(folder.path()).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_taken_for_damaged() {
        let folder = sealed();
        fs::remove_file(folder.path().join("a")).unwrap();
        // Reading a folder as a file fails, whoever tries.
        fs::create_dir(folder.path().join("a")).unwrap();
        let err = verify(folder.path()).unwrap_err();
        assert!(matches!(err, TrainError::Read { .. }), "{err:?}");
    }
}
