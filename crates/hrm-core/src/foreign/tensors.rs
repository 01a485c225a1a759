//! Some of the tensors of a safetensors file, one at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use candle_core::{Device, Tensor, WithDType};
use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensorError};

use crate::listing::{Dictionary, Listed, Listing, N_NAME_BYTES_MAX, N_TENSORS_MAX};
use crate::weight_file::WeightFileError;

/// Longest header that is read, which takes many times its length in memory. Each tensor has
/// about a hundred bytes of it.
const N_HEADER_BYTES_MAX: u64 = 512 << 10;

/// Bytes of a tensor that are in memory at a time beside its numbers. A multiple of every
/// number's size.
const N_CHUNK_BYTES: usize = 1 << 20;

/// The names in a safetensors file.
pub(super) fn list(path: &Path) -> Result<Listing, WeightFileError> {
    let (_, _, metadata) = open(path)?;
    let tensors = metadata.offset_keys().into_iter().take(N_TENSORS_MAX).map(|name| {
        let is_real = metadata.info(&name).is_some_and(|info| is_real(info.dtype));
        Listed { name, is_real }
    });
    let tensors = tensors.filter(|tensor| tensor.name.len() <= N_NAME_BYTES_MAX).collect();
    let dictionary = Dictionary { path: String::new(), tensors };
    Ok(Listing { dictionaries: vec![dictionary], others: Vec::new() })
}

/// Reads the tensors whose names are keys of `wanted`, under the names that are its values.
pub(super) fn load(
    path: &Path,
    wanted: &BTreeMap<String, String>,
) -> Result<Vec<(String, Tensor)>, WeightFileError> {
    let (mut file, start, metadata) = open(path)?;
    let read = |source| WeightFileError::Read { path: path.to_owned(), source };
    let mut tensors = Vec::new();
    for (name, own) in wanted {
        let Some(info) = metadata.info(name) else { continue };
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
            let (path, name) = (path.to_owned(), name.clone());
            WeightFileError::Tensor { path, name, source }
        })?;
        tensors.push((own.clone(), tensor));
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
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|err| incomplete(SafeTensorError::InvalidHeaderDeserialization(err)))?;
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
