//! PyTorch checkpoints: a zip archive with a pickled state dict, and a file of
//! raw numbers for each storage.
//!
//! The archive's checksums are verified, so a damaged file is refused rather
//! than read as other weights. Nothing that the pickle names is ever run.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use candle_core::pickle::{Object, Stack};
use candle_core::{DType, Device, Tensor};
use zip::ZipArchive;

/// A file is not a PyTorch checkpoint that holds a state dict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// It is not a zip archive, or is cut short.
    #[error("expected a complete zip archive, as PyTorch writes since version 1.6")]
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

    /// The pickle itself cannot be read.
    #[error("`data.pkl` is not a pickle of tensors")]
    Syntax(#[source] candle_core::Error),

    /// The pickle holds something else than a state dict.
    #[error("`data.pkl` holds no dictionary of tensors")]
    NoStateDict,

    /// A tensor is not stored as it should be.
    #[error("tensor `{name}`: expected {expected}, found {found}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What would have been accepted.
        expected: &'static str,
        /// What is there.
        found: String,
    },

    /// The tensor backend failed.
    #[error("cannot hold tensor `{name}`")]
    Backend {
        /// The tensor.
        name: String,
        /// What the backend says.
        #[source]
        source: candle_core::Error,
    },
}

/// Largest pickle that is read. That of a large model has some thousand tensors
/// of a hundred bytes each.
const N_PICKLE_BYTES_MAX: u64 = 16 << 20;

/// Every tensor of the state dict in a checkpoint, contiguous, on the CPU.
/// Entries that are no tensors are left out.
///
/// # Errors
///
/// [`PickleError`] naming the tensor, or the file in the archive.
pub(crate) fn read(path: &Path) -> Result<HashMap<String, Tensor>, PickleError> {
    let file = std::fs::File::open(path).map_err(zip::result::ZipError::from)?;
    let mut archive = ZipArchive::new(std::io::BufReader::new(file))?;
    let names = archive.file_names().map(|name| Ok(name?.into_owned()));
    let names = names.collect::<Result<Vec<String>, PickleError>>()?;
    let pickle = names.iter().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let pickle = pickle.ok_or_else(|| PickleError::Missing { file: "data.pkl".to_owned() })?;
    let folder = pickle.strip_suffix("data.pkl").expect("that is how it was found");

    let bytes = read_file(&mut archive, pickle, N_PICKLE_BYTES_MAX)?;
    let mut stack = Stack::empty();
    stack.read_loop(&mut bytes.as_slice()).map_err(PickleError::Syntax)?;
    let Object::Dict(entries) = stack.finalize().map_err(PickleError::Syntax)? else {
        return Err(PickleError::NoStateDict);
    };

    let mut tensors = HashMap::new();
    for (key, value) in entries {
        let Object::Unicode(name) = key else { continue };
        let Some(view) = View::of(value, &name)? else { continue };
        let storage = format!("{folder}data/{}", view.storage);
        let bytes = read_file(&mut archive, &storage, u64::MAX)?;
        let tensor = view.tensor(&bytes, &name)?;
        tensors.insert(name, tensor);
    }
    if tensors.is_empty() { Err(PickleError::NoStateDict) } else { Ok(tensors) }
}

/// A whole file of the archive; its checksum is verified at its end.
fn read_file(
    archive: &mut ZipArchive<impl Read + std::io::Seek>,
    name: &str,
    n_bytes_max: u64,
) -> Result<Vec<u8>, PickleError> {
    let file = match archive.by_name(name) {
        Err(zip::result::ZipError::FileNotFound) => {
            return Err(PickleError::Missing { file: name.to_owned() });
        }
        file => file?,
    };
    let damaged = |source| PickleError::Damaged { file: name.to_owned(), source };
    // As PyTorch writes them. A compressed file could be far larger than it looks.
    if file.compression() != zip::CompressionMethod::Stored {
        return Err(damaged(std::io::Error::other("compressed")));
    }
    let mut bytes = Vec::new();
    file.take(n_bytes_max).read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 == n_bytes_max {
        return Err(damaged(std::io::Error::other(format!("longer than {n_bytes_max} bytes"))));
    }
    Ok(bytes)
}

/// A tensor as a view of a storage.
struct View {
    storage: String,
    dtype: DType,
    /// In elements.
    offset: usize,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<usize>,
}

impl View {
    /// The view that an entry of a state dict is, if it is a tensor.
    fn of(value: Object, name: &str) -> Result<Option<Self>, PickleError> {
        let Ok((callable, args)) = value.reduce() else { return Ok(None) };
        let (Object::Class { class_name, .. }, Object::Tuple(mut args)) = (callable, args) else {
            return Ok(None);
        };
        match class_name.as_str() {
            "_rebuild_tensor_v2" => {}
            // A parameter is a tensor that says it wants a gradient.
            "_rebuild_parameter" if !args.is_empty() => return Self::of(args.swap_remove(0), name),
            _ => return Ok(None),
        }
        let wrong = |expected, found: &dyn std::fmt::Debug| {
            // Debug output of a nested object has no bound.
            let found: String = format!("{found:?}").chars().take(80).collect();
            PickleError::Tensor { name: name.to_owned(), expected, found }
        };
        let [storage, offset, shape, strides] = match args.get(..4) {
            Some([storage, offset, shape, strides]) => [storage, offset, shape, strides],
            _ => return Err(wrong("a storage, an offset, a shape and strides", &args)),
        };
        let size = |object: &Object| match object {
            Object::Int(n) => usize::try_from(*n).ok(),
            Object::Long(n) => usize::try_from(*n).ok(),
            _ => None,
        };
        let sizes = |object: &Object| match object {
            Object::Tuple(items) => items.iter().map(size).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let offset = size(offset).ok_or_else(|| wrong("an offset", offset))?;
        let shape = sizes(shape).ok_or_else(|| wrong("a shape", shape))?;
        let strides = sizes(strides).filter(|strides| strides.len() == shape.len());
        let strides = strides.ok_or_else(|| wrong("a stride for each axis", &args[3]))?;

        let parts = match storage {
            Object::PersistentLoad(id) => match &**id {
                Object::Tuple(parts) => parts.as_slice(),
                _ => &[],
            },
            _ => &[],
        };
        // What it is, its kind, its file, its device, its length.
        let [_, Object::Class { class_name: kind, .. }, Object::Unicode(file), ..] = parts else {
            return Err(wrong("a storage in a file", storage));
        };
        let dtype = match kind.as_str() {
            "FloatStorage" => DType::F32,
            "DoubleStorage" => DType::F64,
            "HalfStorage" => DType::F16,
            "BFloat16Storage" => DType::BF16,
            "ByteStorage" => DType::U8,
            "IntStorage" => DType::I32,
            "LongStorage" => DType::I64,
            _ => return Err(wrong("a storage of floats or integers", kind)),
        };
        Ok(Some(Self { storage: file.clone(), dtype, offset, shape, strides }))
    }

    /// The tensor, given the bytes of its storage.
    fn tensor(&self, storage: &[u8], name: &str) -> Result<Tensor, PickleError> {
        let width = self.dtype.size_in_bytes();
        let outside = || PickleError::Tensor {
            name: name.to_owned(),
            expected: "a view within its storage",
            found: format!("shape {:?} in {} bytes", self.shape, storage.len()),
        };
        let n_elements = self.shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim));
        // Strides of 0 can make a view larger than its storage; no weight is.
        let n_elements = n_elements.filter(|n| *n <= storage.len() / width).ok_or_else(outside)?;

        let mut bytes = Vec::with_capacity(n_elements * width);
        for element in 0..n_elements {
            let at =
                self.place(element).and_then(|at| at.checked_mul(width)).ok_or_else(outside)?;
            let end = at.checked_add(width).ok_or_else(outside)?;
            bytes.extend_from_slice(storage.get(at..end).ok_or_else(outside)?);
        }
        Tensor::from_raw_buffer(&bytes, self.dtype, &self.shape, &Device::Cpu)
            .map_err(|source| PickleError::Backend { name: name.to_owned(), source })
    }

    /// Where in the storage an element is, counted row by row.
    fn place(&self, mut element: usize) -> Option<usize> {
        let mut at = self.offset;
        for (dim, stride) in self.shape.iter().zip(&self.strides).rev() {
            at = at.checked_add((element % dim).checked_mul(*stride)?)?;
            element /= dim;
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Pickle opcodes of a tensor: a view of storage `0`, made of `kind`.
    fn tensor(kind: &str, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
        let mut ops = Vec::new();
        let int = |n: &u8| [b'K', *n];
        let text = |ops: &mut Vec<u8>, text: &str| {
            ops.push(b'X');
            ops.extend((text.len() as u32).to_le_bytes());
            ops.extend(text.as_bytes());
        };
        ops.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut ops, "storage");
        ops.extend(format!("ctorch\n{kind}\n").as_bytes());
        text(&mut ops, "0");
        text(&mut ops, "cpu");
        ops.extend(b"K\x09tQ");
        ops.extend(int(&offset));
        for sizes in [shape, strides] {
            ops.push(b'(');
            ops.extend(sizes.iter().flat_map(int));
            ops.push(b't');
        }
        ops.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        ops
    }

    /// A checkpoint whose state dict has the entry `x`, pickled as `value`.
    fn checkpoint(value: &[u8], storage: Option<&[u8]>) -> Vec<u8> {
        let pickle = [b"\x80\x02}X\x01\0\0\0x", value, b"s."].concat();
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let files = [("model/data.pkl", Some(pickle.as_slice())), ("model/data/0", storage)];
        for (name, bytes) in files {
            let Some(bytes) = bytes else { continue };
            let stored = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            writer.start_file(name, stored).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn opened(file: &[u8]) -> Result<Vec<Vec<f32>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pth");
        std::fs::write(&path, file).unwrap();
        let tensors = read(&path).map_err(|err| err.to_string())?;
        Ok(tensors["x"].to_dtype(DType::F32).unwrap().to_vec2().unwrap())
    }

    fn six_floats() -> Vec<u8> {
        (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect()
    }

    #[test]
    fn views_of_a_storage_are_read() {
        let floats = six_floats();
        let view = |offset, shape: &[u8], strides: &[u8]| {
            opened(&checkpoint(&tensor("FloatStorage", offset, shape, strides), Some(&floats)))
                .unwrap()
        };
        assert_eq!(view(0, &[2, 3], &[3, 1]), [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        assert_eq!(view(0, &[3, 2], &[1, 3]), [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]);
        assert_eq!(view(1, &[2, 1], &[2, 1]), [[1.0], [3.0]]);

        let halves: Vec<u8> =
            [0x3f80u16, 0xc000].iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let file = checkpoint(&tensor("BFloat16Storage", 0, &[1, 2], &[2, 1]), Some(&halves));
        assert_eq!(opened(&file).unwrap(), [[1.0, -2.0]]);
        let ints = [7, 0, 0, 0];
        let file = checkpoint(&tensor("IntStorage", 0, &[1, 1], &[1, 1]), Some(&ints));
        assert_eq!(opened(&file).unwrap(), [[7.0]]);
    }

    #[test]
    fn what_is_no_state_dict_is_refused() {
        let floats = six_floats();
        let message = |value: &[u8]| opened(&checkpoint(value, Some(&floats))).unwrap_err();
        // A number instead of a tensor.
        assert_eq!(message(b"K\x01"), "`data.pkl` holds no dictionary of tensors");
        // Rebuilt from nothing at all.
        let bare = b"ctorch._utils\n_rebuild_tensor_v2\n)R";
        let want = "tensor `x`: expected a storage, an offset, a shape and strides, found []";
        assert_eq!(message(bare), want);
        let want = "tensor `x`: expected a storage of floats or integers, found \"BoolStorage\"";
        assert_eq!(message(&tensor("BoolStorage", 0, &[1], &[1])), want);
        let want = "tensor `x`: expected a view within its storage, found shape [2, 4] in 24 bytes";
        assert_eq!(message(&tensor("FloatStorage", 0, &[2, 4], &[4, 1])), want);
        let want = "tensor `x`: expected a view within its storage, found shape [2, 3] in 24 bytes";
        assert_eq!(message(&tensor("FloatStorage", 1, &[2, 3], &[3, 1])), want);
        let axes = message(&tensor("FloatStorage", 0, &[2, 3], &[1]));
        assert!(axes.starts_with("tensor `x`: expected a stride for each axis"), "{axes}");
        assert!(message(b"\xff").starts_with("`data.pkl` is not a pickle of tensors"));
        let missing = checkpoint(&tensor("FloatStorage", 0, &[1, 1], &[1, 1]), None);
        assert_eq!(opened(&missing).unwrap_err(), "the archive has no `model/data/0`");
    }

    #[test]
    fn a_damaged_or_short_file_is_refused() {
        let floats = six_floats();
        let whole = checkpoint(&tensor("FloatStorage", 0, &[2, 3], &[3, 1]), Some(&floats));
        for len in [0, 1, whole.len() / 2, whole.len() - 1] {
            let err = opened(&whole[..len]).unwrap_err();
            assert!(err.starts_with("expected a complete zip archive"), "{len}: {err}");
        }
        let at = whole.windows(floats.len()).position(|window| window == floats).unwrap();
        let mut flipped = whole.clone();
        flipped[at + 5] ^= 1;
        assert_eq!(opened(&flipped).unwrap_err(), "`model/data/0` in the archive is damaged");
    }
}
