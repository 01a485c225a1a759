//! One file with weights, of either format.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use super::error::ForeignError;
use super::kind::Kind;
use super::select;
use crate::listing::Listing;
use crate::weight_error::{WeightFileError, not_a_pickle};
use crate::{pickle, safetensors_file};

/// What a file holds.
///
/// # Errors
///
/// [`ForeignError`] if it cannot be read, or holds something other than weights.
pub(super) fn list(path: &Path) -> Result<Listing, ForeignError> {
    match kind(path)? {
        Kind::Safetensors => Ok(safetensors_file::list(path)?),
        Kind::Torch => Ok(pickle::list(path).map_err(not_a_pickle(path))?),
        Kind::Other(found) => Err(ForeignError::Kind { path: path.to_owned(), found }),
    }
}

/// Whether a file holds a model.
pub(super) fn holds_model(path: &Path) -> bool {
    list(path).is_ok_and(|listing| !select::parts(&listing.dictionaries).is_empty())
}

/// Reads the tensors of a dictionary whose names are keys of `wanted`, under the names that
/// are its values.
///
/// # Errors
///
/// As [`list`].
pub(super) fn load(
    path: &Path,
    dictionary: &str,
    wanted: &BTreeMap<String, String>,
) -> Result<Vec<(String, Tensor)>, ForeignError> {
    let own_name = |name: &str| wanted.get(name).cloned();
    match kind(path)? {
        Kind::Torch => Ok(pickle::load(path, dictionary, own_name).map_err(not_a_pickle(path))?),
        _ => Ok(safetensors_file::load(path, own_name)?),
    }
}

fn kind(path: &Path) -> Result<Kind, ForeignError> {
    let read = |source| WeightFileError::Read { path: path.to_owned(), source };
    Ok(Kind::of(path).map_err(read)?)
}
