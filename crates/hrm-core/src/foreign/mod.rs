//! Checkpoints of other tools: one file or many, with the model's tensors under any
//! prefixes and in any dictionary, and with tensors beside them that no model needs.
//!
//! Names decide first, so the type of a tensor that no model needs never matters.
//! Reading takes no more memory than the files' lengths plus 16 MB.

mod error;
mod kind;
mod locate;
mod select;
mod tensors;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::Tensor;

pub use self::error::ForeignError;
use self::kind::Kind;
use self::select::Part;
use crate::listing::{Dictionary, Listing};
use crate::pickle;
use crate::weight_file::WeightFileError;

/// The model of a checkpoint of another tool.
#[derive(Debug)]
pub struct Foreign {
    /// Parameters by their own names, on the CPU. Which ones a model needs, and of which
    /// shape, is for the caller to say.
    pub tensors: HashMap<String, Tensor>,
    /// The files they are from.
    pub files: Vec<PathBuf>,
    /// Dictionary and prefix of the model's tensors, joined by `.`.
    pub part: String,
    /// What else the outermost dictionary holds.
    pub others: Vec<String>,
    /// Names of tensors that no model needs.
    pub passed_over: Vec<String>,
}

/// Reads the model in a file or folder: a safetensors file or a PyTorch checkpoint of any
/// name, shards with an index, or a folder with one of them. Of several checkpoints
/// `step_N`, the newest is read. `part` names one of several models.
///
/// # Errors
///
/// [`ForeignError`] naming the file, what was expected and what it holds.
pub fn read(path: &Path, part: Option<&str>) -> Result<Foreign, ForeignError> {
    let files = locate::files(path)?;
    let mut kinds = Vec::with_capacity(files.len());
    let mut dictionaries: BTreeMap<String, Dictionary> = BTreeMap::new();
    let mut others = Vec::new();
    for file in &files {
        let kind = Kind::of(file)
            .map_err(|source| WeightFileError::Read { path: file.clone(), source })?;
        let listing = match &kind {
            Kind::Safetensors => tensors::list(file)?,
            Kind::Torch => pickle::list(file).map_err(not_a_pickle(file))?,
            Kind::Other(found) => {
                return Err(ForeignError::Kind { path: file.clone(), found: found.clone() });
            }
        };
        // Shards have the same dictionaries.
        for Dictionary { path, tensors } in listing.dictionaries {
            let whole = dictionaries.entry(path.clone()).or_default();
            whole.path = path;
            whole.tensors.extend(tensors);
        }
        others.extend(listing.others);
        kinds.push(kind);
    }
    let listing = Listing { dictionaries: dictionaries.into_values().collect(), others };
    let part = select::choose(select::parts(&listing.dictionaries), &listing, part, path)?;
    let part = checked(part, path)?;

    let mut tensors = HashMap::new();
    for (file, kind) in files.iter().zip(kinds) {
        let found = match kind {
            Kind::Safetensors => tensors::load(file, &part.wanted)?,
            _ => pickle::load(file, &part.dictionary, &part.wanted).map_err(not_a_pickle(file))?,
        };
        for (name, tensor) in found {
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(WeightFileError::Duplicate { path: file.clone(), name }.into());
            }
        }
    }
    let top = part.dictionary.split('.').next().unwrap_or_default();
    let others = listing.others.into_iter().filter(|key| key != top).collect();
    Ok(Foreign { tensors, files, part: part.name, others, passed_over: part.passed_over })
}

/// A part all of whose tensors are understood.
fn checked(part: Part, path: &Path) -> Result<Part, ForeignError> {
    let path = path.to_owned();
    if !part.unknown.is_empty() {
        let names = part.unknown.iter().take(5).map(|name| format!("`{name}`")).collect();
        return Err(ForeignError::Unknown { path, n: part.unknown.len(), names });
    }
    if let Some(name) = part.not_real {
        let found = "integers or another type: perhaps it is quantised".to_owned();
        return Err(ForeignError::NotReal { path, name, found });
    }
    Ok(part)
}

/// Finds the model in the pickle of a checkpoint, `data.pkl`, without its storages. Returns
/// the number of its tensors.
///
/// # Errors
///
/// [`ForeignError`] naming what the pickle lacks.
pub fn check_state_dict(bytes: &[u8]) -> Result<usize, ForeignError> {
    let path = Path::new("data.pkl");
    let listing = pickle::list_pickle(bytes).map_err(not_a_pickle(path))?;
    let part = select::choose(select::parts(&listing.dictionaries), &listing, None, path)?;
    Ok(checked(part, path)?.wanted.len())
}

fn not_a_pickle(path: &Path) -> impl Fn(pickle::PickleError) -> WeightFileError + '_ {
    |source| WeightFileError::Pickle { path: path.to_owned(), source }
}
