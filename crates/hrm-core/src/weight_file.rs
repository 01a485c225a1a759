//! Weight files: reads and writes safetensors with the published tensor names, and
//! reads published PyTorch checkpoints.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use candle_core::Tensor;
use hrm_base::durable;
use hrm_base::file_kind::{FileKind, Group};
use hrm_blocks::Weights;

pub use crate::pickle::PickleError;
pub use crate::weight_error::WeightFileError;
use crate::weight_error::not_a_pickle;
use crate::{names, pickle, safetensors_file};

/// Reads a safetensors file or a PyTorch checkpoint, told apart by their content. Names are
/// returned without wrapper prefixes.
///
/// # Errors
///
/// [`WeightFileError`] naming the file and what is wrong with it.
pub fn read(path: &Path) -> Result<HashMap<String, Tensor>, WeightFileError> {
    let own_name = |name: &str| Some(own_name(name));
    let tensors = match is_safetensors(path)? {
        true => safetensors_file::load(path, own_name)?,
        false => pickle::read(path, own_name).map_err(not_a_pickle(path))?,
    };
    let mut named = HashMap::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        if named.insert(name.clone(), tensor).is_some() {
            return Err(WeightFileError::Duplicate { path: path.to_owned(), name });
        }
    }
    Ok(named)
}

/// Writes every parameter into a safetensors file with the published names.
///
/// An existing file is replaced as a whole; if writing fails, it stays as it was.
///
/// # Errors
///
/// [`WeightFileError`] naming the file.
pub fn write(weights: &Weights, path: &Path) -> Result<(), WeightFileError> {
    write_tensors(weights.tensors(), path)
}

/// Writes tensors under the given names, as [`write()`] does.
///
/// # Errors
///
/// [`WeightFileError`] naming the file.
pub fn write_tensors<N: AsRef<str> + Ord + std::fmt::Display>(
    tensors: impl IntoIterator<Item = (N, Tensor)>,
    path: &Path,
) -> Result<(), WeightFileError> {
    // Sorted, so that the same tensors give the same file.
    let tensors: BTreeMap<N, Tensor> = tensors.into_iter().collect();
    let bytes = safetensors::serialize(&tensors, None)
        .map_err(|source| WeightFileError::Safetensors { path: path.to_owned(), source })?;
    durable::replace(path, &bytes)
        .map_err(|source| WeightFileError::Write { path: path.to_owned(), source })
}

/// A parameter name without what a compiled or wrapped model adds.
fn own_name(name: &str) -> String {
    let parts = names::without_wrappers(name);
    parts[usize::from(parts[0] == "model")..].join(".")
}

/// By the content, or by the name if the content is cut short.
fn is_safetensors(path: &Path) -> Result<bool, WeightFileError> {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    read.map_err(|source| WeightFileError::Read { path: path.to_owned(), source })?;
    let is_named = path.extension().is_some_and(|ext| ext == "safetensors");
    let kind = FileKind::of(&head);
    if let Some(found) = kind.as_ref().and_then(FileKind::instead) {
        return Err(WeightFileError::Instead { path: path.to_owned(), found });
    }
    Ok(match kind.map(|kind| kind.group) {
        Some(Group::Safetensors) => true,
        Some(Group::Packed) => false,
        _ => is_named,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HrmConfig;
    use crate::model::Hrm;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close};

    fn model() -> Hrm {
        let config = HrmConfig::tiny().with(|config| {
            config.puzzle_embedding.dim = 8;
            config.block.hidden_dim = 8;
        });
        Hrm::seeded(config, 3, &Device::Cpu).unwrap()
    }

    #[test]
    fn weights_are_read_back_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let model = model();
        write(model.weights(), &path).unwrap();
        let specs = model.config().params().unwrap();
        let back = Weights::from_tensors(&specs, read(&path).unwrap(), &Device::Cpu).unwrap();
        for ((name, found), (_, wanted)) in back.tensors().zip(model.weights().tensors()) {
            assert_close(name, &found, &wanted, Tol::EXACT);
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "temporary files are left"
        );
    }

    #[test]
    fn the_content_decides_not_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pth");
        let model = model();
        write(model.weights(), &path).unwrap();
        assert_eq!(read(&path).unwrap().len(), model.weights().tensors().count());
    }

    #[test]
    fn wrapper_prefixes_are_stripped() {
        assert_eq!(own_name("_orig_mod.model.inner.H_init"), "inner.H_init");
        assert_eq!(own_name("model.inner.H_init"), "inner.H_init");
        assert_eq!(own_name("inner.H_init"), "inner.H_init");
        assert_eq!(own_name("mean.inner.H_init"), "mean.inner.H_init");
    }

    #[test]
    fn a_truncated_file_is_rejected_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        write(model().weights(), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for len in [0, 1, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            let err = read(&path).unwrap_err().to_string();
            assert!(err.ends_with("is not a complete safetensors file"), "{len}: {err}");
        }
        std::fs::write(&path, b"version https://git-lfs.github.com/spec/v1\n").unwrap();
        let pointer = read(&path).unwrap_err().to_string();
        let expected = "model.safetensors is a pointer of Git LFS to a file that is not here: run \
                        `git lfs pull`";
        assert!(pointer.ends_with(expected), "{pointer}");
        let missing = read(&folder.path().join("none.pth")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read "), "{missing}");
        std::fs::write(folder.path().join("x.pth"), b"not a zip").unwrap();
        let wrong = read(&folder.path().join("x.pth")).unwrap_err().to_string();
        assert!(wrong.ends_with("is not a PyTorch state dict"), "{wrong}");
    }
}
