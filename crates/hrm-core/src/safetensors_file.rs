//! Reads safetensors files, one tensor at a time.
//!
//! Memory is bounded by the length of the file plus a few MB: the header is parsed where it
//! lies, and what no tensor needs of it is not kept.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use candle_core::{Device, Tensor, WithDType};
use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensorError};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::listing::{Dictionary, Listed, Listing, N_AXES_MAX, N_NAME_BYTES_MAX, N_TENSORS_MAX};
use crate::weight_error::WeightFileError;

/// Longest header, as the format allows.
const N_HEADER_BYTES_MAX: u64 = 100_000_000;

/// Bytes of a tensor that are in memory at a time beside its numbers. A multiple of every
/// number's size.
const N_CHUNK_BYTES: usize = 1 << 20;

/// The names in a safetensors file.
///
/// # Errors
///
/// [`WeightFileError`] naming what is wrong with the file.
pub(crate) fn list(path: &Path) -> Result<Listing, WeightFileError> {
    let (_, _, metadata) = open(path)?;
    let tensors = metadata.offset_keys().into_iter().filter_map(|name| {
        let TensorInfo { dtype, shape, .. } = metadata.info(&name)?;
        let not_real = (!is_real(*dtype)).then(|| match dtype {
            Dtype::BOOL => "values that are true or false".to_owned(),
            _ => format!(
                "numbers of the type {dtype:?}, as quantised models have: save the model before \
                     it is quantised"
            ),
        });
        Some(Listed { shape: shape.clone(), not_real, name })
    });
    let dictionary = Dictionary { tensors: tensors.collect(), ..Dictionary::default() };
    Ok(Listing { dictionaries: vec![dictionary], ..Listing::default() })
}

/// Reads the tensors whose names `own_name` maps to another, under that one.
///
/// # Errors
///
/// [`WeightFileError`] naming the tensor, or what is wrong with the file.
pub(crate) fn load(
    path: &Path,
    own_name: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, Tensor)>, WeightFileError> {
    let (mut file, start, metadata) = open(path)?;
    let read = |source| WeightFileError::Read { path: path.to_owned(), source };
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let (Some(own), Some(info)) = (own_name(&name), metadata.info(&name)) else { continue };
        let (from, to) = info.data_offsets;
        file.seek(SeekFrom::Start(start + from as u64)).map_err(read)?;
        let n_bytes = to - from;
        let tensor = match info.dtype {
            Dtype::F32 => numbers(&mut file, n_bytes, f32::from_le_bytes, &info.shape),
            Dtype::F64 => numbers(&mut file, n_bytes, f64::from_le_bytes, &info.shape),
            Dtype::F16 => numbers(&mut file, n_bytes, f16::from_le_bytes, &info.shape),
            Dtype::BF16 => numbers(&mut file, n_bytes, bf16::from_le_bytes, &info.shape),
            _ => small(&mut file, n_bytes, info.dtype, &info.shape),
        };
        let tensor = tensor.map_err(read)?.map_err(|source| {
            let path = path.to_owned();
            WeightFileError::Tensor { path, name, source }
        })?;
        tensors.push((own, tensor));
    }
    Ok(tensors)
}

/// A tensor of the next numbers, from a chunk of the file at a time.
fn numbers<T: WithDType, const WIDTH: usize>(
    file: &mut File,
    n_bytes: usize,
    from_bytes: fn([u8; WIDTH]) -> T,
    shape: &[usize],
) -> std::io::Result<candle_core::Result<Tensor>> {
    let mut values = Vec::with_capacity(n_bytes / WIDTH);
    let mut chunk = vec![0; N_CHUNK_BYTES.min(n_bytes)];
    let mut n_left = n_bytes;
    while n_left > 0 {
        let next = &mut chunk[..n_left.min(N_CHUNK_BYTES)];
        file.read_exact(next)?;
        n_left -= next.len();
        values.extend(next.as_chunks::<WIDTH>().0.iter().map(|bytes| from_bytes(*bytes)));
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu))
}

/// A tensor of numbers of one byte.
fn small(
    file: &mut File,
    n_bytes: usize,
    dtype: Dtype,
    shape: &[usize],
) -> std::io::Result<candle_core::Result<Tensor>> {
    let mut bytes = vec![0; n_bytes];
    file.read_exact(&mut bytes)?;
    let load = |view: TensorView<'_>| candle_core::safetensors::Load::load(&view, &Device::Cpu);
    let view = TensorView::new(dtype, shape.to_vec(), &bytes).map_err(candle_core::Error::wrap);
    Ok(view.and_then(load))
}

/// The file, the place of its first number, and what its header says.
fn open(path: &Path) -> Result<(File, u64, Metadata), WeightFileError> {
    let read = |source| WeightFileError::Read { path: path.to_owned(), source };
    let incomplete = |source| WeightFileError::Safetensors { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read)?;
    let len = file.metadata().map_err(read)?.len();
    let mut n_header = [0; 8];
    if len < 8 {
        return Err(incomplete(SafeTensorError::HeaderTooSmall));
    }
    file.read_exact(&mut n_header).map_err(read)?;
    let n_header = u64::from_le_bytes(n_header);
    if n_header > N_HEADER_BYTES_MAX {
        return Err(incomplete(SafeTensorError::HeaderTooLarge));
    }
    let start = 8 + n_header;
    if start > len {
        return Err(incomplete(SafeTensorError::InvalidHeaderLength));
    }
    let mut header = vec![0; n_header as usize];
    file.read_exact(&mut header).map_err(read)?;
    if has_long_escapes(&header) {
        let err = serde_json::Error::custom("a long name with escapes");
        return Err(incomplete(SafeTensorError::InvalidHeaderDeserialization(err)));
    }
    let Header(mut tensors) = serde_json::from_slice(&header)
        .map_err(|err| incomplete(SafeTensorError::InvalidHeaderDeserialization(err)))?;
    drop(header);
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let metadata = Metadata::new(None, tensors).map_err(incomplete)?;
    if start.checked_add(metadata.data_len() as u64) != Some(len) {
        return Err(incomplete(SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok((file, start, metadata))
}

fn is_real(dtype: Dtype) -> bool {
    matches!(
        dtype,
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F8_E4M3 | Dtype::F8_E5M2
    )
}

/// What a header says about each tensor.
struct Header(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;

        impl<'de> Visitor<'de> for Tensors {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the place of each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut tensors = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if name.len() > N_NAME_BYTES_MAX {
                        let n = name.len();
                        return Err(A::Error::custom(format!("a name of {n} bytes")));
                    }
                    if tensors.len() == N_TENSORS_MAX {
                        let what = format!("more than {N_TENSORS_MAX} tensors");
                        return Err(A::Error::custom(what));
                    }
                    let Info { dtype, shape: Axes(shape), data_offsets } = map.next_value()?;
                    let info = TensorInfo { dtype, shape, data_offsets };
                    tensors.push((name.into_owned(), info));
                }
                Ok(Header(tensors))
            }
        }

        deserializer.deserialize_map(Tensors)
    }
}

/// A name that is not copied.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether a string outside `__metadata__` is long and has escapes, for which the parser
/// would need as much memory again.
fn has_long_escapes(header: &[u8]) -> bool {
    let (mut depth, mut is_in_metadata) = (0i64, false);
    let mut bytes = header.iter().enumerate();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let (mut end, mut has_escapes) = (header.len(), false);
                while let Some((at, byte)) = bytes.next() {
                    match byte {
                        b'\\' => {
                            has_escapes = true;
                            bytes.next();
                        }
                        b'"' => {
                            end = at;
                            break;
                        }
                        _ => {}
                    }
                }
                if depth == 1 {
                    is_in_metadata = header[start + 1..end] == *b"__metadata__";
                }
                if has_escapes && end - start > N_NAME_BYTES_MAX && !is_in_metadata {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// As in [`TensorInfo`].
#[derive(serde::Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Axes,
    data_offsets: (usize, usize),
}

/// A shape with few axes.
struct Axes(Vec<usize>);

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;

        impl<'de> Visitor<'de> for Sizes {
            type Value = Axes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a shape of at most {N_AXES_MAX} axes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Axes, A::Error> {
                let mut sizes = Vec::new();
                while let Some(size) = items.next_element()? {
                    if sizes.len() == N_AXES_MAX {
                        return Err(A::Error::invalid_length(N_AXES_MAX + 1, &self));
                    }
                    sizes.push(size);
                }
                Ok(Axes(sizes))
            }
        }

        deserializer.deserialize_seq(Sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in a file with this header and four bytes, or the message with its causes.
    fn listed(header: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let length = (header.len() as u64).to_le_bytes();
        std::fs::write(&path, [&length[..], header.as_bytes(), &[0; 4]].concat()).unwrap();
        let listing = list(&path).map_err(|err| {
            let source = std::error::Error::source(&err);
            source.map_or(err.to_string(), ToString::to_string)
        })?;
        Ok(listing.dictionaries[0].tensors.iter().map(|tensor| tensor.name.clone()).collect())
    }

    #[test]
    fn headers_may_be_long() {
        let tensor = r#"{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}"#;
        let notes = r#"{\"key\": 1}, "#.repeat(100_000);
        let header = format!(r#"{{"__metadata__": {{"notes": "{notes}"}}, "a.b": {tensor}}}"#);
        assert_eq!(listed(&header), Ok(vec!["a.b".to_owned()]));
        let header = format!(r#"{{"\u0061": {tensor}}}"#);
        assert_eq!(listed(&header), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn headers_that_would_take_much_memory_are_refused() {
        let tensor = r#"{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}"#;
        let message = |header: &str| listed(header).unwrap_err();
        let long = message(&format!(r#"{{"{}": {tensor}}}"#, "n".repeat(300)));
        assert!(long.contains("a name of 300 bytes"), "{long}");
        let escaped = message(&format!(r#"{{"{}": {tensor}}}"#, r"\n".repeat(300)));
        assert!(escaped.contains("a long name with escapes"), "{escaped}");
        let axes = tensor.replace("[1]", &format!("[{}1]", "1, ".repeat(8)));
        let axes = message(&format!(r#"{{"a": {axes}}}"#));
        assert!(axes.contains("a shape of at most 8 axes"), "{axes}");
    }
}
