//! Which files of a folder hold the weights.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Component, Path, PathBuf};

use hrm_base::file_kind::FileKind;
use hrm_base::words;
use serde::Deserialize;

use super::error::ForeignError;
use super::file;
use super::kind::Kind;
use crate::listing::Listing;
use crate::weight_error::WeightFileError;

/// Folders below the one that was named in which weights are looked for.
const N_LEVELS: usize = 3;

/// Most entries of a folder that are looked at.
const N_ENTRIES_MAX: usize = 10_000;

/// Longest index of shards, in bytes.
const N_INDEX_BYTES_MAX: u64 = 1 << 20;

/// Beginnings of the names of files that trainers write beside the weights.
const NOT_WEIGHTS: [&str; 5] = ["optim", "scheduler", "rng_state", "training_args", "scaler"];

/// The files that hold the weights.
pub(super) struct Located {
    pub(super) files: Vec<PathBuf>,
    /// Their index, if they are shards.
    pub(super) index: Option<Index>,
}

/// The index of a checkpoint in shards.
pub(super) struct Index {
    path: PathBuf,
    /// The file of each tensor.
    file_of: BTreeMap<String, String>,
}

impl Index {
    /// Refuses a shard that lacks a tensor.
    pub(super) fn check(&self, shard: &Path, listing: &Listing) -> Result<(), ForeignError> {
        let tensors = listing.dictionaries.iter().flat_map(|dictionary| &dictionary.tensors);
        let held: HashSet<_> = tensors.map(|tensor| tensor.name.as_str()).collect();
        let name = name_of(shard);
        let of_shard = self.file_of.iter().filter(|(_, file)| **file == name);
        match of_shard.map(|(tensor, _)| tensor).find(|tensor| !held.contains(tensor.as_str())) {
            Some(tensor) => {
                let tensor: String = tensor.chars().take(120).collect();
                let what = format!(
                    "expected `{tensor}` in {name}, which does not hold it: download that shard again"
                );
                Err(ForeignError::Folder { path: self.path.clone(), what })
            }
            None => Ok(()),
        }
    }
}

/// The files that hold the weights: `path` itself, its shards if it is their index, or what
/// is found if it is a folder.
///
/// # Errors
///
/// [`ForeignError`] if nothing is found, or more than one checkpoint.
pub(super) fn files(path: &Path) -> Result<Located, ForeignError> {
    let refuse = |what| Err(ForeignError::Folder { path: path.to_owned(), what });
    if is_index(path) {
        return shards(path);
    }
    if is_distributed(path) {
        return refuse(DISTRIBUTED.to_owned());
    }
    if !path.is_dir() {
        if is_shard(path) && path.is_file() {
            return refuse("it is one of several shards: name their folder or index".to_owned());
        }
        return Ok(Located { files: vec![path.to_owned()], index: None });
    }
    let mut folders = Vec::new();
    search(path, N_LEVELS, &mut folders)?;
    if folders.len() > 1 {
        let holds_model = |path: &PathBuf| is_index(path) || file::holds_model(path);
        let models = folders.iter().filter(|candidates| candidates.iter().any(holds_model));
        let models: Vec<_> = models.cloned().collect();
        if !models.is_empty() {
            folders = models;
        }
    }
    // Checkpoints in a folder each.
    let homes: Vec<_> = folders
        .iter()
        .filter_map(|candidates| Some(candidates.first()?.parent()?.to_owned()))
        .collect();
    let located = match folders.as_slice() {
        [] => return refuse(nothing_found(path)),
        [candidates] => choose(path, candidates)?,
        _ => match newest(&homes).and_then(|home| homes.iter().position(|other| other == home)) {
            Some(at) => choose(&homes[at], &folders[at])?,
            None => {
                let homes = list(homes.iter());
                return refuse(format!("several folders hold weights, name one: {homes}"));
            }
        },
    };
    refuse_older(path, &located.files)?;
    Ok(located)
}

/// Refuses the checkpoint of a step, found in `folder`, if there is one of a later step beside
/// it, which could not be used.
fn refuse_older(folder: &Path, found: &[PathBuf]) -> Result<(), ForeignError> {
    let Some(first) = found.first() else { return Ok(()) };
    for path in first.ancestors().take_while(|path| *path != folder) {
        let (Some(step_of_path), Some(beside)) = (step(&name_of(path)), path.parent()) else {
            continue;
        };
        let is_later = |other: &PathBuf| {
            step(&name_of(other)).is_some_and(|step| step > step_of_path)
                && without_numbers(other) == without_numbers(path)
        };
        let later = entries(beside)?.into_iter().filter(is_later);
        if let Some(later) = later.max_by_key(|other| step(&name_of(other))) {
            let what = format!(
                "the newest checkpoint, {}, cannot be used: {}; to read an older one, name {}",
                name_of(&later),
                in_words(&later),
                path.display()
            );
            return Err(ForeignError::Folder { path: beside.to_owned(), what });
        }
    }
    Ok(())
}

/// What is at a path instead of weights.
fn in_words(path: &Path) -> String {
    let is_link = path.symlink_metadata().is_ok_and(|at| at.is_symlink());
    match Kind::of(path) {
        _ if is_link && !path.exists() => "a link to a file that is not here".to_owned(),
        _ if path.is_dir() => "a folder without weights".to_owned(),
        Ok(Kind::Other(what)) => what,
        Ok(_) => "it holds no model".to_owned(),
        Err(err) => err.to_string(),
    }
}

const DISTRIBUTED: &str = "it is a distributed checkpoint, of which every process has written a part: \
                           make one file of it, `python -m torch.distributed.checkpoint.format_utils \
                           dcp_to_torch FOLDER FILE`";

/// Whether a file is a part of a checkpoint of `torch.distributed`.
fn is_distributed(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext == "distcp") && path.is_file()
}

/// The weight files of the first folders from `folder` down that have any.
fn search(
    folder: &Path,
    n_levels: usize,
    found: &mut Vec<Vec<PathBuf>>,
) -> Result<(), ForeignError> {
    let entries = entries(folder)?;
    if entries.iter().any(|path| is_distributed(path)) {
        let what = DISTRIBUTED.to_owned();
        return Err(ForeignError::Folder { path: folder.to_owned(), what });
    }
    if is_cache(folder) {
        return search(&snapshot(folder), n_levels, found);
    }
    let indices: Vec<_> = entries.iter().filter(|path| is_index(path)).cloned().collect();
    if !indices.is_empty() {
        refuse_whole(folder, &indices)?;
        found.push(indices);
        return Ok(());
    }
    let weights: Vec<_> = entries.iter().filter(|path| may_hold_weights(path)).cloned().collect();
    if !weights.is_empty() {
        found.push(weights);
    } else if folder.join("data.pkl").is_file() && folder.join("data").is_dir() {
        let what = "it is an unpacked PyTorch checkpoint: pack it again without compression, \
                    `zip -0 -r FILE FOLDER`";
        return Err(ForeignError::Folder { path: folder.to_owned(), what: what.to_owned() });
    } else if n_levels > 0 {
        for folder in entries.iter().filter(|path| path.is_dir()) {
            search(folder, n_levels - 1, found)?;
        }
    }
    Ok(())
}

/// Refuses the index of shards beside a whole file of its name that is none of them.
fn refuse_whole(folder: &Path, indices: &[PathBuf]) -> Result<(), ForeignError> {
    for index in indices {
        let whole = index.with_file_name(name_of(index).trim_end_matches(".index.json"));
        if whole.is_file() && !shards(index)?.files.contains(&whole) {
            let (index, whole) = (name_of(index), name_of(&whole));
            let what = format!(
                "{whole} and the shards of {index} may hold different weights: name one of the two \
                 files"
            );
            return Err(ForeignError::Folder { path: folder.to_owned(), what });
        }
    }
    Ok(())
}

/// Whether a folder is the cache of a model hub, where every file is there twice.
fn is_cache(folder: &Path) -> bool {
    folder.join("blobs").is_dir() && folder.join("snapshots").is_dir()
}

/// The newest snapshot in the cache of a model hub.
fn snapshot(cache: &Path) -> PathBuf {
    let snapshots = cache.join("snapshots");
    let main = std::fs::read_to_string(cache.join("refs/main")).unwrap_or_default();
    let named = snapshots.join(main.trim());
    let is_named = !main.trim().is_empty() && named.parent() == Some(&snapshots) && named.is_dir();
    if is_named { named } else { snapshots }
}

/// What is in a folder, sorted, without hidden files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, ForeignError> {
    let failed = |source| WeightFileError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in entries {
        if paths.len() == N_ENTRIES_MAX {
            let what =
                format!("it has more than {N_ENTRIES_MAX} files: name the one with the weights");
            return Err(ForeignError::Folder { path: folder.to_owned(), what });
        }
        let path = entry.map_err(failed)?.path();
        if !name_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn may_hold_weights(path: &Path) -> bool {
    let name = name_of(path);
    path.is_file()
        && !NOT_WEIGHTS.iter().any(|start| name.starts_with(start))
        && !name.contains("optim_states")
        && matches!(Kind::of(path), Ok(Kind::Safetensors | Kind::Torch))
}

fn is_index(path: &Path) -> bool {
    let name = name_of(path);
    let is_named = name.ends_with(".safetensors.index.json") || name.ends_with(".bin.index.json");
    is_named && path.is_file()
}

/// One checkpoint among the weight files of a folder.
fn choose(folder: &Path, candidates: &[PathBuf]) -> Result<Located, ForeignError> {
    let refuse = |what| Err(ForeignError::Folder { path: folder.to_owned(), what });
    let alone = |path: &Path| Ok(Located { files: vec![path.to_owned()], index: None });
    let named = |name: &str| candidates.iter().find(|path| name_of(path) == name);
    if let [only] = candidates {
        if is_index(only) {
            return shards(only);
        }
        if is_shard(only) {
            return refuse(format!(
                "{} is one of several shards, and their index (`*.index.json`) is missing",
                name_of(only)
            ));
        }
        return alone(only);
    }
    if let Some(newest) = newest(candidates) {
        return alone(newest);
    }
    // One model in two formats, as hubs offer it.
    let both = (named("model.safetensors"), named("pytorch_model.bin"));
    let indices = (named("model.safetensors.index.json"), named("pytorch_model.bin.index.json"));
    match (both, indices) {
        ((Some(first), Some(_)), _) if candidates.len() == 2 => return alone(first),
        (_, (Some(first), Some(_))) if candidates.len() == 2 => return shards(first),
        _ if candidates.iter().all(|path| is_shard(path)) => {
            return refuse(format!(
                "the index of the shards (`*.index.json`) is missing: {}",
                list(candidates.iter())
            ));
        }
        _ => {}
    }
    // Beside what an evaluation or an optimiser has left.
    let (models, others): (Vec<_>, Vec<_>) =
        candidates.iter().cloned().partition(|path| is_index(path) || file::holds_model(path));
    if !models.is_empty() && !others.is_empty() {
        return choose(folder, &models);
    }
    let is_part = |path: &PathBuf| {
        name_of(path).contains("rank") && without_numbers(path) == without_numbers(&candidates[0])
    };
    // The last of several by its name.
    let (last, steps): (Vec<_>, Vec<_>) =
        candidates.iter().cloned().partition(|path| name_of(path) == "last.ckpt");
    match (last.as_slice(), newest(&steps)) {
        ([last], Some(_)) => alone(last),
        _ if candidates.iter().all(is_part) => refuse(format!(
            "each file holds a part of the model, which several processes have written: make one \
             file of them first, those of DeepSpeed with `python zero_to_fp32.py FOLDER FILE`: {}",
            list(candidates.iter())
        )),
        _ => refuse(format!("several files hold weights, name one: {}", list(candidates.iter()))),
    }
}

/// The checkpoint of the last step, if all are checkpoints of one run at different steps.
fn newest(candidates: &[PathBuf]) -> Option<&PathBuf> {
    let steps = candidates.iter().map(|path| Some((step(&name_of(path))?, path)));
    let steps = steps.collect::<Option<BTreeMap<_, _>>>()?;
    let family = |path: &PathBuf| (path.parent().map(Path::to_owned), without_numbers(path));
    let families: BTreeSet<_> = candidates.iter().map(family).collect();
    let are_one = steps.len() == candidates.len() && families.len() == 1;
    are_one.then(|| steps.into_values().next_back()).flatten()
}

/// A name that all checkpoints of a run have in common.
fn without_numbers(path: &Path) -> String {
    name_of(path).replace(|c: char| c.is_ascii_digit(), "")
}

/// The step of `step_100`, `step=100.ckpt`, `epoch=3-step=100.ckpt` or `checkpoint-100.pt`.
fn step(name: &str) -> Option<u64> {
    let stem = ["ckpt", "pt", "pth", "bin", "safetensors"]
        .iter()
        .find_map(|end| name.strip_suffix(end)?.strip_suffix('.'))
        .unwrap_or(name);
    let digits = stem.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let before = stem[..digits].trim_end_matches(['_', '-', '=']);
    let is_step = ["step", "steps", "checkpoint", "epoch"].iter().any(|w| before.ends_with(w));
    if is_step && before.len() < digits { stem[digits..].parse().ok() } else { None }
}

/// Whether a file is named like `model-00001-of-00002.safetensors`.
fn is_shard(path: &Path) -> bool {
    let name = name_of(path);
    let Some((before, after)) = name.split_once("-of-") else { return false };
    let ends_in_digit = before.ends_with(|c: char| c.is_ascii_digit());
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    ends_in_digit && after[..end].parse::<u64>().is_ok_and(|n| n > 1)
}

/// The shards that an index names.
fn shards(index: &Path) -> Result<Located, ForeignError> {
    #[derive(Deserialize)]
    struct Text {
        weight_map: BTreeMap<String, String>,
    }
    let refuse = |what: String| ForeignError::Folder { path: index.to_owned(), what };
    let read = |source| WeightFileError::Read { path: index.to_owned(), source };
    let len = index.metadata().map_err(read)?.len();
    if len > N_INDEX_BYTES_MAX {
        return Err(refuse(format!(
            "expected an index of at most {N_INDEX_BYTES_MAX} bytes, found {len}"
        )));
    }
    let text = std::fs::read(index).map_err(read)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let Text { weight_map: file_of } = serde_json::from_slice(text).map_err(|err| {
        let found = FileKind::instead_of(index).unwrap_or_else(|| words::of_json(&err));
        refuse(format!(
            "expected an index with the file of each tensor (`weight_map`), found {found}"
        ))
    })?;
    let names: BTreeSet<&String> = file_of.values().collect();
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let mut parts = Path::new(name).components();
        if !parts.all(|part| matches!(part, Component::Normal(_))) || name.is_empty() {
            let name: String = name.chars().take(80).collect();
            return Err(refuse(format!("expected names of files beside it, found {name:?}")));
        }
        files.push(index.with_file_name(name));
    }
    let missing: Vec<_> = files.iter().filter(|path| !path.is_file()).collect();
    if !missing.is_empty() {
        let what = format!(
            "{} of {} shards {} missing: {}",
            missing.len(),
            files.len(),
            if missing.len() == 1 { "is" } else { "are" },
            list(missing.into_iter())
        );
        return Err(refuse(what));
    }
    if files.is_empty() {
        return Err(refuse("the index names no file".to_owned()));
    }
    Ok(Located { files, index: Some(Index { path: index.to_owned(), file_of }) })
}

/// Why a folder has no weights: what its files are instead.
fn nothing_found(folder: &Path) -> String {
    let expected = "expected a folder with weights (model.safetensors, pytorch_model.bin, step_N, \
                    a checkpoint of any name)";
    let mut files = Vec::new();
    files_below(folder, N_LEVELS, &mut files);
    let describe = |path: &PathBuf| {
        let name = path.strip_prefix(folder).unwrap_or(path).display();
        format!("{name} ({})", in_words(path))
    };
    match files.as_slice() {
        [] => format!("{expected}, found no files"),
        files => {
            let shown: Vec<_> = files.iter().take(5).map(describe).collect();
            let more = files.len().saturating_sub(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{expected}, found {}{more}", shown.join(", "))
        }
    }
}

/// The files in the folders in which [`search`] looks, and links that lead nowhere.
fn files_below(folder: &Path, n_levels: usize, found: &mut Vec<PathBuf>) {
    if is_cache(folder) {
        return files_below(&snapshot(folder), n_levels, found);
    }
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder).unwrap_or_default().into_iter().partition(|path| path.is_dir());
    found.extend(files);
    for folder in folders {
        if n_levels > 0 && found.len() < N_ENTRIES_MAX {
            files_below(&folder, n_levels - 1, found);
        }
    }
}

/// The first few of some paths.
fn list<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> String {
    let short = |path: &PathBuf| path.display().to_string().chars().take(200).collect::<String>();
    let mut shown: Vec<_> = paths.take(7).map(short).collect();
    if shown.len() > 6 {
        "...".clone_into(&mut shown[6]);
    }
    shown.join(", ")
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &[u8])]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, bytes) in files {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            Self(folder)
        }

        /// Names of the files that are found, or the message.
        fn found(&self) -> Result<Vec<String>, String> {
            let Located { files, .. } = files(self.0.path()).map_err(|err| err.to_string())?;
            let below = |path: &PathBuf| path.strip_prefix(self.0.path()).unwrap().to_owned();
            Ok(files.iter().map(|path| below(path).display().to_string()).collect())
        }
    }

    #[test]
    fn the_weights_of_a_folder_are_found() {
        for (names, expected) in [
            (&["checkpoint", "all_config.yaml"][..], &["checkpoint"][..]),
            (&["a/b/model.safetensors", "a/config.json"], &["a/b/model.safetensors"]),
            (&["step_9", "step_10", "step_2"], &["step_10"]),
            (&["epoch=1-step=20.ckpt", "epoch=2-step=40.ckpt"], &["epoch=2-step=40.ckpt"]),
            (&["model.safetensors", "optimizer.pt", ".hidden"], &["model.safetensors"]),
            (&["model.safetensors", "pytorch_model.bin"], &["model.safetensors"]),
        ] {
            let files: Vec<_> = names
                .iter()
                .map(|name| {
                    let is_text = name.ends_with(".yaml") || name.ends_with(".json");
                    (*name, if is_text { b"{}" } else { WEIGHTS })
                })
                .collect();
            let expected: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(Folder::with(&files).found(), Ok(expected));
        }
    }

    #[test]
    fn shards_are_found_by_their_index() {
        let index =
            br#"{"weight_map": {"a": "m-1-of-2.safetensors", "b": "m-2-of-2.safetensors"}}"#;
        let name = "model.safetensors.index.json";
        let [one, two] = ["m-1-of-2.safetensors", "m-2-of-2.safetensors"];
        let whole = Folder::with(&[(name, index), (one, WEIGHTS), (two, WEIGHTS)]);
        assert_eq!(whole.found(), Ok(vec![one.to_owned(), two.to_owned()]));
        assert_eq!(files(&whole.0.path().join(name)).unwrap().files.len(), 2);
        let message = |folder: Folder| folder.found().unwrap_err();
        let missing = message(Folder::with(&[(name, index), (one, WEIGHTS)]));
        assert!(missing.contains("1 of 2 shards is missing"), "{missing}");
        let bare = message(Folder::with(&[(one, WEIGHTS), (two, WEIGHTS)]));
        assert!(bare.contains("index of the shards"), "{bare}");
        let outside = message(Folder::with(&[(name, br#"{"weight_map": {"a": "../x"}}"#)]));
        assert!(outside.contains("names of files beside it"), "{outside}");
        let wrong = message(Folder::with(&[(name, b"[]")]));
        assert!(wrong.contains("weight_map"), "{wrong}");
        let wrong = message(Folder::with(&[(name, b"{\"weight_map\": [1]}")]));
        let expected =
            "(`weight_map`), found a list where an object is expected (line 1, column 15)";
        assert!(wrong.ends_with(expected), "{wrong}");
        let pointer = message(Folder::with(&[(name, b"version https://git-lfs.github.com/")]));
        assert!(pointer.ends_with("to a file that is not here: run `git lfs pull`"), "{pointer}");
    }

    /// A safetensors file with a tensor of this name.
    fn holding(tensor: &str) -> Vec<u8> {
        let header =
            format!(r#"{{"{tensor}": {{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}}}"#);
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn the_model_is_found_beside_what_other_tools_leave() {
        let model = holding("model.inner.embed_tokens.embedding_weight");
        let other = holding("logits");
        for (names, expected) in [
            (&["step_100", "step_100_all_preds.0"][..], "step_100"),
            (&["step_9", "step_10", "step_10_all_preds.0"], "step_10"),
            (&["pytorch_model.bin", "random_states_0.pkl", "optimizer.bin"], "pytorch_model.bin"),
            (
                &["mp_rank_00_model_states.pt", "zero_pp_rank_0_optim_states.pt"],
                "mp_rank_00_model_states.pt",
            ),
            (&["last.ckpt", "epoch=1-step=20.ckpt", "epoch=2-step=40.ckpt"], "last.ckpt"),
            (
                &["checkpoint-500/model.safetensors", "checkpoint-1000/model.safetensors"],
                "checkpoint-1000/model.safetensors",
            ),
            (&["weights/model.pt", "states/other.pt"], "weights/model.pt"),
            (
                &["refs/main", "blobs/12", "snapshots/ab/step_1", "snapshots/cd/step_1"],
                "snapshots/cd/step_1",
            ),
        ] {
            let files: Vec<_> = names
                .iter()
                .map(|name| {
                    let is_other = name.contains("preds") || name.contains("states");
                    let bytes = match *name {
                        "refs/main" => b"cd\n",
                        _ if is_other && !name.contains("model") => other.as_slice(),
                        _ => model.as_slice(),
                    };
                    (*name, bytes)
                })
                .collect();
            assert_eq!(Folder::with(&files).found(), Ok(vec![expected.to_owned()]), "{names:?}");
        }
    }

    #[test]
    fn an_older_checkpoint_never_stands_for_the_newest() {
        let torn = &b"PK\x03\x04 cut short"[..];
        for (names, later, what, named) in [
            (&["step_10", "step_9", "step_8"][..], b"".as_slice(), "the file is empty", "step_9"),
            (&["step=4.ckpt", "step=3.ckpt"], torn, "cut short or damaged", "step=3.ckpt"),
            (
                &["checkpoint-20/model.safetensors", "checkpoint-10/model.safetensors"],
                b"",
                "a folder without weights",
                "checkpoint-10",
            ),
        ] {
            let files: Vec<_> = names
                .iter()
                .map(|name| (*name, if *name == names[0] { later } else { WEIGHTS }))
                .collect();
            let folder = Folder::with(&files);
            let message = folder.found().unwrap_err();
            let newest = names[0].split('/').next().unwrap();
            let start = format!("the newest checkpoint, {newest}, cannot be used: ");
            assert!(message.contains(&start) && message.contains(what), "{message}");
            let advice =
                format!("; to read an older one, name {}", folder.0.path().join(named).display());
            assert!(message.ends_with(&advice), "{message}");
            // An older one that is damaged is not needed.
            let files: Vec<_> = names
                .iter()
                .map(|name| (*name, if *name == names[0] { WEIGHTS } else { later }))
                .collect();
            assert_eq!(Folder::with(&files).found(), Ok(vec![names[0].to_owned()]));
        }
        // The later file belongs to another run.
        let other = Folder::with(&[("step_9", WEIGHTS), ("ema_step_10", b"")]);
        assert_eq!(other.found(), Ok(vec!["step_9".to_owned()]));
    }

    #[test]
    fn whole_weights_beside_an_index_are_not_passed_over() {
        let (index, shard) = ("model.safetensors.index.json", "model-00001-of-00002.safetensors");
        let map = br#"{"weight_map": {"a": "model-00001-of-00002.safetensors"}}"#;
        let both = [(index, &map[..]), (shard, WEIGHTS), ("model.safetensors", WEIGHTS)];
        let message = Folder::with(&both).found().unwrap_err();
        let expected = "model.safetensors and the shards of model.safetensors.index.json may hold \
                        different weights: name one of the two files";
        assert!(message.ends_with(expected), "{message}");
        // The same model in another format, and an index of the one file.
        let formats = [both[0], both[1], ("pytorch_model.bin", WEIGHTS)];
        assert_eq!(Folder::with(&formats).found(), Ok(vec![shard.to_owned()]));
        let map = br#"{"weight_map": {"a": "model.safetensors"}}"#;
        let one = Folder::with(&[(index, map), both[2]]);
        assert_eq!(one.found(), Ok(vec!["model.safetensors".to_owned()]));
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_are_named() {
        let link = |folder: &Folder, name: &str| {
            let path = folder.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink("../../blobs/fetched-later", path).unwrap();
        };
        let hub = Folder::with(&[("refs/main", b"ab"), ("blobs/12.incomplete", b"1")]);
        link(&hub, "snapshots/ab/model.safetensors");
        let message = hub.found().unwrap_err();
        let found = "snapshots/ab/model.safetensors (a link to a file that is not here)";
        assert!(message.ends_with(&format!("found {found}")), "{message}");
        let steps = Folder::with(&[("step_9", WEIGHTS)]);
        link(&steps, "step_10");
        let message = steps.found().unwrap_err();
        assert!(message.contains("step_10, cannot be used: a link to a file"), "{message}");
    }

    #[test]
    fn checkpoints_in_other_forms_are_named() {
        let message = |files: &[(&str, &[u8])]| Folder::with(files).found().unwrap_err();
        let distributed = message(&[("step_5/__0_0.distcp", WEIGHTS), ("step_5/.metadata", b"")]);
        assert!(distributed.contains("format_utils dcp_to_torch FOLDER FILE"), "{distributed}");
        let parts =
            [("mp_rank_00_model_states.pt", WEIGHTS), ("mp_rank_01_model_states.pt", WEIGHTS)];
        let parts = message(&parts);
        assert!(parts.contains("each file holds a part of the model"), "{parts}");
        let families = message(&[("step_100", WEIGHTS), ("ema_step_200", WEIGHTS)]);
        assert!(families.contains("several files hold weights"), "{families}");
        let unpacked = message(&[("x/data.pkl", b"\x80\x02}."), ("x/data/0", b"1234")]);
        assert!(unpacked.contains("zip -0 -r FILE FOLDER"), "{unpacked}");
        let folder = Folder::with(&[("m-00001-of-00002.safetensors", WEIGHTS)]);
        let shard = files(&folder.0.path().join("m-00001-of-00002.safetensors"));
        let shard = shard.map(|_| ()).unwrap_err().to_string();
        assert!(
            shard.ends_with("it is one of several shards: name their folder or index"),
            "{shard}"
        );
        let whole = Folder::with(&[("m-00001-of-00001.safetensors", WEIGHTS)]);
        assert_eq!(whole.found().unwrap().len(), 1);
    }

    #[test]
    fn a_folder_without_one_checkpoint_is_refused() {
        let message = |files: &[(&str, &[u8])]| Folder::with(files).found().unwrap_err();
        let several = message(&[("a.pt", WEIGHTS), ("b.pt", WEIGHTS)]);
        assert!(several.contains("name one") && several.contains("b.pt"), "{several}");
        let folders = message(&[("a/x.pt", WEIGHTS), ("b/x.pt", WEIGHTS)]);
        assert!(folders.contains("several folders"), "{folders}");
        let pointer = message(&[("model.safetensors", b"version https://git-lfs")]);
        assert!(pointer.contains("git lfs pull"), "{pointer}");
        assert!(message(&[]).contains("found no files"));
    }
}
