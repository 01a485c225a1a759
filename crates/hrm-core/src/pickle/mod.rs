//! PyTorch checkpoints: a zip archive with a pickled state dict, and a file of raw
//! numbers per storage.
//!
//! The archive's checksums are verified, so a damaged file is rejected rather than
//! read with wrong weights. Reading takes no more memory than the file's length plus
//! 16 MB: objects of the pickle are bounded in number, and tensors in total size. PyTorch
//! compresses nothing, but reads archives that were packed again; the tensors of such an
//! archive may take four times its length.

mod error;
mod machine;
mod settings;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{Read, Seek};
use std::path::Path;

use candle_core::{DType, Device, Tensor, WithDType};
use half::{bf16, f16};
use hrm_base::zip_entries;
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

pub use self::error::PickleError;
use self::machine::{Id, Node, Pickle};
use crate::listing::{Dictionary, Listed, Listing, N_AXES_MAX, N_NAME_BYTES_MAX, N_TENSORS_MAX};

/// Largest pickle that is read. That of a large model describes a few thousand tensors
/// in about a hundred bytes each.
const N_PICKLE_BYTES_MAX: u64 = 16 << 20;

/// Largest pickle of a short archive that is compressed.
const N_UNPACKED_PICKLE_BYTES_MAX: u64 = 4 << 20;

/// How many times its length the tensors of a compressed archive may take.
const N_TIMES_UNPACKED_MAX: u64 = 4;

/// Most files of an archive: the tensors, and a few others.
pub(crate) const N_FILES_MAX: u64 = 2 * N_TENSORS_MAX as u64;

/// Bytes that the tensors may take beyond the length of the file, because some view
/// the same storage.
const N_SHARED_BYTES_MAX: u64 = 6 << 20;

/// A generous estimate of the bytes that a tensor takes beside its elements.
const N_BYTES_PER_TENSOR: u64 = 1 << 10;

/// Bytes of a storage that are in memory at a time. A multiple of every element's size.
const N_CHUNK_BYTES: usize = 2 << 20;

/// Most dictionaries of a checkpoint that are looked into.
const N_DICTIONARIES_MAX: usize = 1 << 12;

/// The names in a checkpoint: those of the tensors in all dictionaries, however nested,
/// except optimiser state.
///
/// # Errors
///
/// [`PickleError`] naming the file in the archive.
pub(crate) fn list(path: &Path) -> Result<Listing, PickleError> {
    list_pickle(&Archive::open(path)?.read_pickle()?)
}

/// The names in the pickle of a checkpoint, as [`list`] returns them.
///
/// # Errors
///
/// [`PickleError`] naming the offset in the pickle.
pub(crate) fn list_pickle(bytes: &[u8]) -> Result<Listing, PickleError> {
    listing(&Pickle::read(bytes)?)
}

/// Reads the tensors of the outermost dictionary, as [`load`] does.
///
/// # Errors
///
/// [`PickleError`] naming the tensor, or the file in the archive.
pub(crate) fn read(
    path: &Path,
    own_name: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, Tensor)>, PickleError> {
    // The items of a list have no names.
    let is_name = |name: &str| name.parse::<u32>().is_err();
    let tensors = load(path, "", |name| own_name(name).filter(|_| is_name(name)))?;
    if tensors.is_empty() { Err(PickleError::NoStateDict) } else { Ok(tensors) }
}

/// Reads tensors of a dictionary or list, contiguous, on the CPU: those whose names
/// `own_name` maps to another, under that one. Entries that are not tensors are left out.
///
/// # Errors
///
/// [`PickleError`] naming the tensor, or the file in the archive.
pub(crate) fn load(
    path: &Path,
    dictionary: &str,
    own_name: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, Tensor)>, PickleError> {
    let mut archive = Archive::open(path)?;
    let bytes = archive.read_pickle()?;
    let pickle = Pickle::read(&bytes)?;
    let mut budget = Budget::new(archive.n_bytes, bytes.len() as u64);
    let mut tensors = BTreeMap::new();
    for Nested { path, entries, .. } in nested(&pickle) {
        if path != dictionary {
            continue;
        }
        for (name, value) in &entries {
            let Some(own) = own_name(name) else { continue };
            let Some(view) = View::of(&pickle, *value, name)? else { continue };
            // Of entries of one name, the last counts.
            tensors.insert(own, archive.read_view(&view, &mut budget)?);
        }
    }
    Ok(tensors.into_iter().collect())
}

/// What a pickle holds.
fn listing(pickle: &Pickle<'_>) -> Result<Listing, PickleError> {
    let root = pickle.root();
    if let Some(class) = pickle.class(root) {
        if class.starts_with("_rebuild_") {
            return Err(PickleError::SingleTensor);
        }
        let class = class.chars().filter(|c| !c.is_control()).take(80).collect();
        return Err(PickleError::Object { class });
    }
    let mut n_tensors = 0;
    let mut listing = Listing::default();
    if !matches!(pickle.node(root), Node::Dict) {
        listing.instead = Some(pickle.describe(root));
    }
    for Nested { path, is_list, entries } in nested(pickle) {
        let mut tensors = Vec::new();
        for (name, value) in &entries {
            if name.len() > N_NAME_BYTES_MAX {
                continue;
            }
            let (shape, not_real) = match View::of(pickle, *value, name) {
                Ok(None) => continue,
                Ok(Some(view)) if view.dtype.is_float() => (view.shape, None),
                Ok(Some(view)) => (view.shape, Some(INTEGERS.to_owned())),
                Err(PickleError::Tensor { found, .. }) => (Vec::new(), Some(found)),
                Err(err) => (Vec::new(), Some(err.to_string())),
            };
            n_tensors += 1;
            if n_tensors > N_TENSORS_MAX {
                return Err(PickleError::TooManyTensors { limit: N_TENSORS_MAX });
            }
            tensors.push(Listed { name: name.clone().into_owned(), shape, not_real });
        }
        if path.is_empty() {
            let is_tensor = |name: &str| tensors.iter().any(|tensor| tensor.name == name);
            let short = entries.iter().filter(|(name, _)| name.len() <= N_NAME_BYTES_MAX);
            let others = short.filter(|(name, _)| !is_tensor(name)).take(32);
            listing.others = others.map(|(name, value)| described(pickle, name, *value)).collect();
            listing.settings = settings::of(pickle, &entries);
        }
        if !tensors.is_empty() {
            listing.dictionaries.push(Dictionary { path, is_list, tensors });
        }
    }
    Ok(listing)
}

const INTEGERS: &str = "integers, as quantised models have: save the model before it is quantised";

/// A key, and what is under it if that is not plain.
fn described(pickle: &Pickle<'_>, key: &str, value: Id) -> String {
    let key: String = key.chars().filter(|c| !c.is_control()).take(80).collect();
    match (pickle.class(value), pickle.node(value)) {
        (Some("_reconstruct"), _) => format!("{key} (a NumPy array)"),
        (Some(class), _) => {
            let class: String = class.chars().filter(|c| !c.is_control()).take(80).collect();
            format!("{key} (an object of the class {class})")
        }
        (None, Node::List) => format!("{key} (a list)"),
        (None, _) => key,
    }
}

/// A dictionary, list or tuple.
struct Nested<'a> {
    /// Keys and numbers that lead to it, joined by `.`; no two have the same.
    path: String,
    /// Whether it is a list or tuple.
    is_list: bool,
    /// Keys or numbers, and what is under them.
    entries: Vec<(Cow<'a, str>, Id)>,
}

/// All dictionaries and lists within each other, except optimiser state, which has tensors of
/// the same names and shapes as a model.
fn nested<'p, 'a>(pickle: &'p Pickle<'a>) -> impl Iterator<Item = Nested<'a>> + use<'p, 'a> {
    let (mut seen, mut paths) = (HashSet::from([pickle.root()]), HashSet::new());
    let mut queue = VecDeque::from([(pickle.root(), String::new())]);
    std::iter::from_fn(move || {
        let (id, path) = queue.pop_front()?;
        let entries = entries_of(pickle, id);
        for (key, value) in &entries {
            let is_optimiser = ["optim", "opt_state", "exp_avg"].iter().any(|w| key.contains(w));
            let is_short = key.len() <= N_NAME_BYTES_MAX && path.len() <= N_NAME_BYTES_MAX;
            let is_nested = match pickle.node(*value) {
                Node::Dict | Node::List | Node::Tuple { .. } => true,
                Node::Call { .. } => !pickle.entries(*value).is_empty(),
                _ => false,
            };
            let is_new = seen.len() < N_DICTIONARIES_MAX;
            if is_nested && !is_optimiser && is_short && is_new && seen.insert(*value) {
                let below = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                // The key `a.b`, and `b` under the key `a`.
                let again = (2..).map(|n| format!("{below} ({n})"));
                let mut unused = std::iter::once(below.clone()).chain(again);
                let below = unused.find(|path| !paths.contains(path)).unwrap_or(below);
                paths.insert(below.clone());
                queue.push_back((*value, below));
            }
        }
        let is_list = matches!(pickle.node(id), Node::List | Node::Tuple { .. });
        Some(Nested { path, is_list, entries })
    })
}

/// Keys or numbers of a dictionary, list or tuple, and what is under them.
fn entries_of<'a>(pickle: &Pickle<'a>, id: Id) -> Vec<(Cow<'a, str>, Id)> {
    let number = |idx: usize, item: Id| (Cow::Owned(idx.to_string()), item);
    match pickle.node(id) {
        Node::List => pickle
            .listed(id)
            .iter()
            .enumerate()
            .map(|(idx, [_, item])| number(idx, *item))
            .collect(),
        Node::Tuple { .. } => {
            pickle.items(id).iter().enumerate().map(|(idx, item)| number(idx, *item)).collect()
        }
        // An instance may be of a class of dictionaries.
        Node::Dict | Node::Call { .. } => {
            let own = pickle.entries(id);
            let mut entries = Vec::with_capacity(own.len());
            for [_, key, value] in own {
                match pickle.node(*key) {
                    Node::Text(key) => entries.push((Cow::Borrowed(key), *value)),
                    Node::Int(key) => entries.push((Cow::Owned(key.to_string()), *value)),
                    _ => {}
                }
            }
            entries
        }
        _ => Vec::new(),
    }
}

/// A checkpoint.
struct Archive {
    zip: ZipArchive<std::io::BufReader<std::fs::File>>,
    /// Name of the pickle.
    pickle: String,
    /// Length of the file, or of what it may unpack to.
    n_bytes: u64,
    /// Whether numbers are stored with the high byte first.
    is_big_endian: bool,
}

impl Archive {
    fn open(path: &Path) -> Result<Self, PickleError> {
        let mut file = std::fs::File::open(path).map_err(zip::result::ZipError::from)?;
        let n_bytes = file.metadata().map_err(zip::result::ZipError::from)?.len();
        match zip_entries::count(&mut file).map_err(zip::result::ZipError::from)? {
            Some(n) if n > N_FILES_MAX => {
                return Err(PickleError::TooManyFiles { n, limit: N_FILES_MAX });
            }
            _ => {}
        }
        let mut zip = ZipArchive::new(std::io::BufReader::new(file))?;
        let pickle = find_pickle(&zip)?;
        let n_bytes = match is_compressed(&mut zip)? {
            true => n_bytes.saturating_mul(N_TIMES_UNPACKED_MAX),
            false => n_bytes,
        };
        let file = format!("{}byteorder", folder(&pickle));
        let is_big_endian = match open(&mut zip, &file) {
            // Written before there was a choice.
            Err(PickleError::Missing { .. }) => false,
            order => {
                let mut text = Vec::new();
                order?.take(16).read_to_end(&mut text).map_err(damaged(&file))?;
                text.trim_ascii() == b"big"
            }
        };
        Ok(Self { zip, pickle, n_bytes, is_big_endian })
    }

    fn read_pickle(&mut self) -> Result<Vec<u8>, PickleError> {
        read_pickle(&mut self.zip, &self.pickle, self.n_bytes)
    }

    /// Reads a tensor that is within the budget.
    fn read_view(&mut self, view: &View<'_>, budget: &mut Budget) -> Result<Tensor, PickleError> {
        budget.charge(view)?;
        let file = format!("{}data/{}", folder(&self.pickle), view.storage);
        let mut storage = open(&mut self.zip, &file)?;
        let (n_bytes, limit) = (storage.size(), self.n_bytes.saturating_add(N_SHARED_BYTES_MAX));
        if n_bytes > limit && storage.compression() != CompressionMethod::Stored {
            return Err(PickleError::Unpacked { file, n_bytes, limit });
        }
        view.read(&mut storage, &file, self.is_big_endian)
    }
}

/// Whether a file of the archive is compressed.
fn is_compressed(archive: &mut ZipArchive<impl Read + Seek>) -> Result<bool, PickleError> {
    for idx in 0..archive.len() {
        if archive.by_index_raw(idx)?.compression() != CompressionMethod::Stored {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The folder of the pickle in the archive, with its slash.
fn folder(pickle: &str) -> &str {
    pickle.strip_suffix("data.pkl").unwrap_or_default()
}

/// The name of the first pickled state dict of an archive.
fn find_pickle(archive: &ZipArchive<impl Read + Seek>) -> Result<String, PickleError> {
    for name in archive.file_names() {
        let name = name?;
        if name == "data.pkl" || name.ends_with("/data.pkl") {
            return Ok(name.into_owned());
        }
    }
    Err(PickleError::Missing { file: "data.pkl".to_owned() })
}

/// Opens a file of the archive. Its checksum is verified at its end.
fn open<'a, R: Read + Seek>(
    archive: &'a mut ZipArchive<R>,
    name: &str,
) -> Result<ZipFile<'a, R>, PickleError> {
    let Some(idx) = archive.index_for_name(name) else {
        return Err(PickleError::Missing { file: name.to_owned() });
    };
    let method = archive.by_index_raw(idx)?.compression();
    match method {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(archive.by_index(idx)?),
        _ => Err(PickleError::Compressed { file: name.to_owned() }),
    }
}

/// Reads the pickle of an archive of `n_file_bytes`.
fn read_pickle(
    archive: &mut ZipArchive<impl Read + Seek>,
    name: &str,
    n_file_bytes: u64,
) -> Result<Vec<u8>, PickleError> {
    let file = open(archive, name)?;
    let len = file.size();
    let limit = match file.compression() {
        CompressionMethod::Stored => N_PICKLE_BYTES_MAX.min(n_file_bytes),
        _ => N_UNPACKED_PICKLE_BYTES_MAX,
    };
    if len > limit {
        let err = std::io::Error::other(format!("longer than {limit} bytes"));
        return Err(damaged(name)(err));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    // The checksum is verified only at the end of the file.
    file.take(len + 1).read_to_end(&mut bytes).map_err(damaged(name))?;
    match bytes.len() as u64 {
        n_read if n_read == len => Ok(bytes),
        n_read => Err(other_length(name, n_read, len)),
    }
}

fn other_length(file: &str, n_read: u64, len: u64) -> PickleError {
    let found = if n_read > len { "more".to_owned() } else { n_read.to_string() };
    damaged(file)(std::io::Error::other(format!("{found} bytes instead of {len}")))
}

fn damaged(file: &str) -> impl Fn(std::io::Error) -> PickleError {
    move |source| PickleError::Damaged { file: file.to_owned(), source }
}

/// Bytes that tensors may still take.
struct Budget {
    limit: u64,
    n_used: u64,
}

impl Budget {
    fn new(n_file_bytes: u64, n_pickle_bytes: u64) -> Self {
        let limit = n_file_bytes.saturating_sub(n_pickle_bytes) + N_SHARED_BYTES_MAX;
        Self { limit, n_used: 0 }
    }

    fn charge(&mut self, view: &View<'_>) -> Result<(), PickleError> {
        let n_bytes = view.n_elements().and_then(|n| n.checked_mul(view.dtype.size_in_bytes()));
        let n_bytes = n_bytes.map_or(u64::MAX, |n| n as u64);
        self.n_used = self.n_used.saturating_add(n_bytes).saturating_add(N_BYTES_PER_TENSOR);
        if self.n_used > self.limit {
            return Err(PickleError::TooLarge { name: view.name.to_owned(), limit: self.limit });
        }
        Ok(())
    }
}

/// A tensor as a view of a storage.
struct View<'a> {
    name: &'a str,
    /// File name of the storage.
    storage: &'a str,
    dtype: DType,
    /// In elements.
    offset: usize,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<usize>,
    /// Whether it holds the negated numbers of the storage.
    is_negated: bool,
}

impl<'a> View<'a> {
    /// The view that an entry of a state dict describes, if it is a tensor.
    fn of(
        pickle: &'a Pickle<'_>,
        mut value: Id,
        name: &'a str,
    ) -> Result<Option<Self>, PickleError> {
        let wrong = |expected, found| PickleError::Tensor {
            name: name.chars().take(N_NAME_BYTES_MAX).collect(),
            expected,
            found,
        };
        let args = loop {
            let Node::Call { callable, args } = pickle.node(value) else { return Ok(None) };
            match (pickle.node(callable), pickle.items(args)) {
                (Node::Class("_rebuild_tensor_v2"), _) => break args,
                // A parameter is a tensor that requires a gradient.
                (
                    Node::Class("_rebuild_parameter" | "_rebuild_parameter_with_state"),
                    [tensor, ..],
                ) => value = *tensor,
                // A subclass of tensors, or a tensor with attributes.
                (Node::Class("_rebuild_from_type_v2"), [function, _, args, ..])
                    if matches!(pickle.node(*function), Node::Class("_rebuild_tensor_v2")) =>
                {
                    break *args;
                }
                // Sparse, quantised, distributed: never silently left out.
                (Node::Class(name), args) if name.starts_with("_rebuild_") => {
                    return Err(wrong("a plain tensor", special(pickle, name, args)));
                }
                _ => return Ok(None),
            }
        };
        if name.len() > N_NAME_BYTES_MAX {
            return Err(wrong("a short name", format!("{} bytes", name.len())));
        }
        let &[storage, offset, shape, strides, ref others @ ..] = pickle.items(args) else {
            let expected = "a storage, an offset, a shape and strides";
            return Err(wrong(expected, pickle.describe(args)));
        };
        let size = |id: &Id| match pickle.node(*id) {
            Node::Int(n) => usize::try_from(n).ok(),
            _ => None,
        };
        let sizes = |id: Id| match pickle.node(id) {
            Node::Tuple { len, .. } if len as usize <= N_AXES_MAX => {
                pickle.items(id).iter().map(size).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let offset = size(&offset).ok_or_else(|| wrong("an offset", pickle.describe(offset)))?;
        let axes = sizes(shape).ok_or_else(|| wrong("a shape", pickle.describe(shape)))?;
        let per_axis = sizes(strides).filter(|strides| strides.len() == axes.len());
        let strides =
            per_axis.ok_or_else(|| wrong("a stride for each axis", pickle.describe(strides)))?;

        let parts = match pickle.node(storage) {
            Node::Persistent(id) => pickle.items(id),
            _ => &[],
        };
        // The word `storage`, its class, its file, its device, its length.
        let (class, file) = match parts {
            [_, class, file, ..] => (pickle.node(*class), pickle.node(*file)),
            _ => (Node::Other, Node::Other),
        };
        if matches!(parts, [_, _, _, device, ..] if matches!(pickle.node(*device), Node::Text("meta")))
        {
            return Err(wrong("a storage in a file", META.to_owned()));
        }
        let (Node::Class(class), Node::Text(file)) = (class, file) else {
            return Err(wrong("a storage in a file", pickle.describe(storage)));
        };
        if file.len() > N_NAME_BYTES_MAX {
            return Err(wrong("a storage with a short name", format!("{} bytes", file.len())));
        }
        let dtype = match class {
            "FloatStorage" => DType::F32,
            "DoubleStorage" => DType::F64,
            "HalfStorage" => DType::F16,
            "BFloat16Storage" => DType::BF16,
            "ByteStorage" => DType::U8,
            "IntStorage" => DType::I32,
            "LongStorage" => DType::I64,
            "CharStorage" | "ShortStorage" => {
                return Err(wrong("a storage of floats or integers", INTEGERS.to_owned()));
            }
            _ => {
                let found = format!("`{}`", class.chars().take(80).collect::<String>());
                return Err(wrong("a storage of floats or integers", found));
            }
        };
        // Whether it requires a gradient, its hooks, then what else its numbers depend on.
        let mut is_negated = false;
        for [_, key, _] in others.get(2).map_or(&[][..], |metadata| pickle.entries(*metadata)) {
            match pickle.node(*key) {
                Node::Text("neg") if dtype.is_float() => is_negated = true,
                // Real numbers are their own conjugates.
                Node::Text("conj") => {}
                _ => {
                    let found = format!(
                        "a view that changes its numbers ({}): save `tensor.resolve_neg()`, or a \
                         clone",
                        pickle.describe(*key)
                    );
                    return Err(wrong("a plain tensor", found));
                }
            }
        }
        Ok(Some(Self { name, storage: file, dtype, offset, shape: axes, strides, is_negated }))
    }

    fn n_elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim))
    }

    /// Reads the tensor from its storage, `file`.
    fn read<R: Read>(
        &self,
        file: &mut ZipFile<'_, R>,
        name: &str,
        is_big_endian: bool,
    ) -> Result<Tensor, PickleError> {
        let order = is_big_endian;
        match self.dtype {
            DType::F32 => self.read_as::<f32, 4>(file, name, order, f32::from_le_bytes),
            DType::F64 => self.read_as::<f64, 8>(file, name, order, f64::from_le_bytes),
            DType::F16 => self.read_as::<f16, 2>(file, name, order, f16::from_le_bytes),
            DType::BF16 => self.read_as::<bf16, 2>(file, name, order, bf16::from_le_bytes),
            DType::U8 => self.read_as::<u8, 1>(file, name, order, u8::from_le_bytes),
            DType::I32 => self.read_as::<i32, 4>(file, name, order, i32::from_le_bytes),
            _ => self.read_as::<i64, 8>(file, name, order, i64::from_le_bytes),
        }
    }

    fn read_as<T: WithDType, const WIDTH: usize>(
        &self,
        file: &mut ZipFile<'_, impl Read>,
        name: &str,
        is_big_endian: bool,
        from_bytes: fn([u8; WIDTH]) -> T,
    ) -> Result<Tensor, PickleError> {
        let len = file.size();
        let mut file = file.take(len + 1);
        let n_stored = usize::try_from(len).unwrap_or(usize::MAX) / WIDTH;
        let wrong =
            |expected, found| PickleError::Tensor { name: self.name.to_owned(), expected, found };
        let n_elements = self.n_elements_within(n_stored).ok_or_else(|| {
            wrong("a view within its storage", format!("shape {:?} in {len} bytes", self.shape))
        })?;
        let mut places = self.places(n_elements).ok_or_else(|| {
            wrong("a view that does not overlap itself", format!("strides {:?}", self.strides))
        })?;

        let mut values = vec![T::zero(); n_elements];
        let mut next = places.next();
        let mut chunk = vec![0; N_CHUNK_BYTES.min(n_stored * WIDTH)];
        let (mut first, mut n_read) = (0, 0);
        loop {
            let n_bytes = fill(&mut file, &mut chunk).map_err(damaged(name))?;
            n_read += n_bytes as u64;
            let (stored, _) = chunk[..n_bytes].as_chunks::<WIDTH>();
            while let Some((place, element)) = next {
                let Some(bytes) = stored.get(place - first) else { break };
                let mut bytes = *bytes;
                if is_big_endian {
                    bytes.reverse();
                }
                if self.is_negated {
                    // The sign of a real number of any width.
                    bytes[WIDTH - 1] ^= 0x80;
                }
                values[element] = from_bytes(bytes);
                next = places.next();
            }
            first += stored.len();
            if n_bytes < N_CHUNK_BYTES {
                break;
            }
        }
        // The checksum is verified only at the end of the file.
        n_read += std::io::copy(&mut file, &mut std::io::sink()).map_err(damaged(name))?;
        if n_read != len {
            return Err(other_length(name, n_read, len));
        }
        Tensor::from_vec(values, self.shape.as_slice(), &Device::Cpu)
            .map_err(|source| PickleError::Backend { name: self.name.to_owned(), source })
    }

    /// Number of elements, if all are within a storage of `n_stored` elements.
    fn n_elements_within(&self, n_stored: usize) -> Option<usize> {
        // Without the axes of length 0, the product must not overflow either.
        self.shape.iter().try_fold(1usize, |n, dim| n.checked_mul((*dim).max(1)))?;
        // Strides of 0 can make a view larger than its storage; no weight is.
        let n_elements = self.n_elements().filter(|n| *n <= n_stored)?;
        if n_elements == 0 {
            return Some(0);
        }
        let mut last = self.offset;
        for (dim, stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((dim - 1).checked_mul(*stride)?)?;
        }
        (last < n_stored).then_some(n_elements)
    }

    /// The elements in the order of the storage, as places there and in the tensor; `None` if
    /// the view overlaps itself other than by repeating elements.
    fn places(&self, n_elements: usize) -> Option<Places> {
        let mut axes = Vec::with_capacity(self.shape.len());
        let mut n_inner = 1;
        for (dim, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *dim > 1 {
                axes.push(Axis { dim: *dim, stride: *stride, n_inner, idx: 0 });
            }
            n_inner *= dim.max(&1);
        }
        axes.sort_by_key(|axis| axis.stride);
        let mut span = 0;
        for axis in &axes {
            if axis.stride < span {
                return None;
            }
            span += (axis.dim - 1) * axis.stride;
        }
        Some(Places { axes, next: (self.offset, 0), n_left: n_elements })
    }
}

/// An axis of a view.
struct Axis {
    dim: usize,
    /// In elements of the storage.
    stride: usize,
    /// In elements of the tensor.
    n_inner: usize,
    idx: usize,
}

/// See [`View::places`].
struct Places {
    /// By ascending strides.
    axes: Vec<Axis>,
    next: (usize, usize),
    n_left: usize,
}

impl Iterator for Places {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        self.n_left = self.n_left.checked_sub(1)?;
        let current = self.next;
        let (place, element) = &mut self.next;
        for axis in &mut self.axes {
            if axis.idx + 1 < axis.dim {
                axis.idx += 1;
                *place += axis.stride;
                *element += axis.n_inner;
                break;
            }
            *place -= axis.idx * axis.stride;
            *element -= axis.idx * axis.n_inner;
            axis.idx = 0;
        }
        Some(current)
    }
}

/// What `function` makes of `args` instead of a plain tensor, and what to do.
fn special(pickle: &Pickle<'_>, function: &str, args: &[Id]) -> String {
    let class = |idx: usize| match args.get(idx).map(|id| pickle.node(*id)) {
        Some(Node::Class(class)) => class.chars().take(80).collect::<String>(),
        _ => "unknown".to_owned(),
    };
    match function {
        "_rebuild_qtensor" => {
            "a quantised tensor: save the model before it is quantised".to_owned()
        }
        "_rebuild_sparse_tensor" => "a sparse tensor: save `tensor.to_dense()`".to_owned(),
        "_rebuild_meta_tensor_no_storage" => META.to_owned(),
        "_rebuild_tensor_v3" => {
            format!("numbers of the type `{}`: save them as another, `tensor.float()`", class(6))
        }
        "_rebuild_from_type_v2" | "_rebuild_wrapper_subclass" => {
            let class = class(usize::from(function == "_rebuild_from_type_v2"));
            match class.as_str() {
                "DTensor" | "ShardedTensor" => format!(
                    "a part of a distributed tensor (`{class}`): save the full state dict, with \
                     `full_tensor()` of each or `StateDictOptions(full_state_dict=True)`"
                ),
                _ => format!("a tensor of the class `{class}`: save plain tensors"),
            }
        }
        _ => format!("`{}`", function.chars().take(80).collect::<String>()),
    }
}

const META: &str = "a tensor of the device `meta`, which has no numbers: save the model once its \
                    weights are loaded";

/// Reads until `buffer` is full or the file ends. Returns the number of bytes.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match file.read(&mut buffer[n_read..])? {
            0 => break,
            n => n_read += n,
        }
    }
    Ok(n_read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Pickle opcodes of a tensor: a view of storage `0`, of the class `storage_class`.
    fn tensor(storage_class: &str, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
        tensor_with(b"", storage_class, offset, shape, strides)
    }

    /// As [`tensor`], with opcodes of what else its numbers depend on.
    fn tensor_with(
        metadata: &[u8],
        storage_class: &str,
        offset: u8,
        shape: &[u8],
        strides: &[u8],
    ) -> Vec<u8> {
        let mut ops = Vec::new();
        let int = |n: &u8| [b'K', *n];
        let text = |ops: &mut Vec<u8>, text: &str| {
            ops.push(b'X');
            ops.extend((text.len() as u32).to_le_bytes());
            ops.extend(text.as_bytes());
        };
        ops.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut ops, "storage");
        ops.extend(format!("ctorch\n{storage_class}\n").as_bytes());
        text(&mut ops, "0");
        text(&mut ops, "cpu");
        ops.extend(b"K\x09tQ");
        ops.extend(int(&offset));
        for sizes in [shape, strides] {
            ops.push(b'(');
            ops.extend(sizes.iter().flat_map(int));
            ops.push(b't');
        }
        ops.extend(b"\x89ccollections\nOrderedDict\n)R");
        ops.extend(metadata);
        ops.extend(b"tR");
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
        let tensors = read(&path, |name| Some(name.to_owned())).map_err(|err| err.to_string())?;
        Ok(tensors[0].1.to_dtype(DType::F32).unwrap().to_vec2().unwrap())
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
        assert_eq!(view(2, &[2, 2], &[2, 1]), [[2.0, 3.0], [4.0, 5.0]]);
        assert_eq!(view(0, &[2, 0], &[0, 1]), [[0.0; 0]; 2]);

        let halves: Vec<u8> =
            [0x3f80u16, 0xc000].iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let file = checkpoint(&tensor("BFloat16Storage", 0, &[1, 2], &[2, 1]), Some(&halves));
        assert_eq!(opened(&file).unwrap(), [[1.0, -2.0]]);
        let ints = [7, 0, 0, 0];
        let file = checkpoint(&tensor("IntStorage", 0, &[1, 1], &[1, 1]), Some(&ints));
        assert_eq!(opened(&file).unwrap(), [[7.0]]);
    }

    #[test]
    fn negated_views_are_negated_and_others_refused() {
        let read = |metadata: &[u8], class: &str, numbers: &[u8]| {
            opened(&checkpoint(&tensor_with(metadata, class, 0, &[1, 2], &[2, 1]), Some(numbers)))
        };
        let (neg, conj) = (b"}X\x03\0\0\0neg\x88s", b"}X\x04\0\0\0conj\x88s");
        let floats = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
        assert_eq!(read(neg, "FloatStorage", &floats).unwrap(), [[-1.5, 2.0]]);
        assert_eq!(read(conj, "FloatStorage", &floats).unwrap(), [[1.5, -2.0]]);
        for nothing in [&b"}"[..], b"N"] {
            assert_eq!(read(nothing, "FloatStorage", &floats).unwrap(), [[1.5, -2.0]]);
        }
        let halves = [0x3f80u16, 0xc000].map(u16::to_le_bytes).concat();
        assert_eq!(read(neg, "BFloat16Storage", &halves).unwrap(), [[-1.0, 2.0]]);
        let other = read(b"}X\x05\0\0\0scale\x88s", "FloatStorage", &floats).unwrap_err();
        let expected = "tensor `x`: expected a plain tensor, found a view that changes its numbers \
                        (the text \"scale\"): save `tensor.resolve_neg()`, or a clone";
        assert_eq!(other, expected);
        let whole = [1i32, 2].map(i32::to_le_bytes).concat();
        assert!(read(neg, "IntStorage", &whole).unwrap_err().contains("(the text \"neg\")"));
    }

    #[test]
    fn anything_but_a_state_dict_is_rejected() {
        let floats = six_floats();
        let message = |value: &[u8]| opened(&checkpoint(value, Some(&floats))).unwrap_err();
        // A number instead of a tensor.
        assert_eq!(message(b"K\x01"), "`data.pkl` holds no dictionary of tensors");
        // A tensor without arguments.
        let bare = b"ctorch._utils\n_rebuild_tensor_v2\n)R";
        let want = "tensor `x`: expected a storage, an offset, a shape and strides, found a tuple of length 0";
        assert_eq!(message(bare), want);
        let want = "tensor `x`: expected a storage of floats or integers, found `BoolStorage`";
        assert_eq!(message(&tensor("BoolStorage", 0, &[1], &[1])), want);
        let want = "tensor `x`: expected a view within its storage, found shape [2, 4] in 24 bytes";
        assert_eq!(message(&tensor("FloatStorage", 0, &[2, 4], &[4, 1])), want);
        let want = "tensor `x`: expected a view within its storage, found shape [2, 3] in 24 bytes";
        assert_eq!(message(&tensor("FloatStorage", 1, &[2, 3], &[3, 1])), want);
        let axes = message(&tensor("FloatStorage", 0, &[2, 3], &[1]));
        assert!(axes.starts_with("tensor `x`: expected a stride for each axis"), "{axes}");
        assert!(message(b"\xff").starts_with("`data.pkl` is not a pickle of tensors"));
        let long = [&[1; 9][..]; 2];
        let axes = message(&tensor("FloatStorage", 0, long[0], long[1]));
        assert_eq!(axes, "tensor `x`: expected a shape, found a tuple of length 9");
        let missing = checkpoint(&tensor("FloatStorage", 0, &[1, 1], &[1, 1]), None);
        assert_eq!(opened(&missing).unwrap_err(), "the archive has no `model/data/0`");
    }

    #[test]
    fn a_damaged_or_short_file_is_rejected() {
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
