//! Checkpoints of other tools: one file or many, with the model's tensors under any
//! prefixes and in any dictionary, and with tensors beside them that no model needs.
//!
//! Names decide first, so the type of a tensor that no model needs never matters.
//! Reading takes no more memory than the files' lengths plus 16 MB.

mod error;
mod file;
mod kind;
mod locate;
mod select;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde_json::Value;

pub use self::error::ForeignError;
use self::locate::{Index, Located};
use self::select::{Chosen, Part};
use crate::listing::{Dictionary, Listing};
use crate::pickle;
use crate::weight_error::not_a_pickle;

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
    /// The table of rotary position embeddings (cosines, one row per position), or else their
    /// frequencies (one row), if they are saved: no model needs them, but they say which model
    /// this is.
    pub rotary: Option<Tensor>,
    /// Names of tensors that no model needs.
    pub passed_over: Vec<String>,
    /// Parameters that an average of parameters lacks, as the published code keeps them as
    /// buffers, and the part that they are from.
    pub completed: Option<(Vec<String>, String)>,
    /// What the checkpoint says of itself: groups of settings in its outermost dictionary, by
    /// their keys, such as `hyper_parameters`. Of an object that is not plain, there is only
    /// the name of its class, in words.
    pub settings: Vec<(String, Value)>,
}

/// Reads the model in a file or folder: a safetensors file or a PyTorch checkpoint of any
/// name, shards with an index, or a folder with one of them. Of several checkpoints
/// `step_N`, the newest is read. `part` names one of several models, or is a part of its name
/// that no other has.
///
/// # Errors
///
/// [`ForeignError`] naming the file, what was expected and what it holds.
pub fn read(path: &Path, part: Option<&str>) -> Result<Foreign, ForeignError> {
    let Located { files, index } = locate::files(path)?;
    let listing = list(&files, index.as_ref())?;
    let Chosen { part, beside } =
        select::choose(select::parts(&listing.dictionaries), &listing, part, path)?;
    let part = checked(part, path)?;

    let mut tensors = HashMap::new();
    for source in std::iter::once(&part).chain(&beside) {
        for file in &files {
            tensors.extend(file::load(file, &source.dictionary, &source.wanted)?);
        }
    }
    let mut rotary = None;
    if let Some(name) = &part.rotary {
        let wanted = BTreeMap::from([(name.clone(), name.clone())]);
        for file in &files {
            let loaded = file::load(file, &part.dictionary, &wanted)?;
            rotary = rotary.or(loaded.into_iter().next().map(|(_, tensor)| tensor));
        }
    }
    // Without what follows a key in brackets.
    let is_above = |other: &str| {
        let key = other.split(" (").next().unwrap_or_default();
        let rest = part.dictionary.strip_prefix(key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let others = listing.others.into_iter().filter(|key| !is_above(key)).collect();
    let completed = beside.map(|beside| (beside.wanted.into_values().collect(), beside.name));
    let Part { name, passed_over, .. } = part;
    let settings = listing.settings;
    Ok(Foreign { tensors, files, part: name, others, rotary, passed_over, completed, settings })
}

/// What the files of a checkpoint hold together.
fn list(files: &[PathBuf], index: Option<&Index>) -> Result<Listing, ForeignError> {
    if let ([file], None) = (files, index) {
        return file::list(file);
    }
    // Shards have the same dictionaries.
    let mut dictionaries: BTreeMap<String, Dictionary> = BTreeMap::new();
    let mut file_of: HashMap<(String, String), &PathBuf> = HashMap::new();
    let (mut others, mut settings) = (Vec::new(), Vec::new());
    for file in files {
        let listing = file::list(file)?;
        if let Some(index) = index {
            index.check(file, &listing)?;
        }
        for Dictionary { path, is_list, tensors } in listing.dictionaries {
            for tensor in &tensors {
                let name = tensor.name.clone();
                if let Some(other) = file_of.insert((path.clone(), name.clone()), file) {
                    return Err(ForeignError::InTwoShards {
                        name,
                        files: [other.clone(), file.clone()],
                    });
                }
            }
            let whole = dictionaries.entry(path.clone()).or_default();
            (whole.path, whole.is_list) = (path, is_list);
            whole.tensors.extend(tensors);
        }
        others.extend(listing.others);
        if settings.is_empty() {
            settings = listing.settings;
        }
    }
    let dictionaries = dictionaries.into_values().collect();
    Ok(Listing { dictionaries, others, instead: None, settings })
}

/// A part all of whose tensors are understood.
fn checked(part: Part, path: &Path) -> Result<Part, ForeignError> {
    let path = path.to_owned();
    if !part.unknown.is_empty() {
        let names = part.unknown.iter().take(5).map(|name| format!("`{name}`")).collect();
        return Err(ForeignError::Unknown { path, n: part.unknown.len(), names });
    }
    if let Some((name, found)) = part.not_real {
        return Err(ForeignError::NotReal { path, name, found });
    }
    if let Some((own, names)) = part.twice {
        return Err(ForeignError::Twice { path, own, names });
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
    let chosen = select::choose(select::parts(&listing.dictionaries), &listing, None, path)?;
    Ok(checked(chosen.part, path)?.wanted.len())
}
