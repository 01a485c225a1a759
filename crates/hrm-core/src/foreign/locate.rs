//! Which files of a folder hold the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::error::ForeignError;
use super::kind::Kind;
use crate::weight_file::WeightFileError;

/// Folders below the one that was named in which weights are looked for.
const N_LEVELS: usize = 3;

/// Most entries of a folder that are looked at.
const N_ENTRIES_MAX: usize = 10_000;

/// Longest index of shards, in bytes.
const N_INDEX_BYTES_MAX: u64 = 1 << 20;

/// Beginnings of the names of files that trainers write beside the weights.
const NOT_WEIGHTS: [&str; 5] = ["optim", "scheduler", "rng_state", "training_args", "scaler"];

/// The index of a checkpoint in shards.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that hold the weights: `path` itself, its shards if it is their index, or what
/// is found if it is a folder.
///
/// # Errors
///
/// [`ForeignError`] if nothing is found, or more than one checkpoint.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, ForeignError> {
    if is_index(path) {
        return shards(path);
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut folders = Vec::new();
    search(path, N_LEVELS, &mut folders)?;
    let refuse = |what| Err(ForeignError::Folder { path: path.to_owned(), what });
    match folders.as_slice() {
        [] => refuse(nothing_found(path)),
        [candidates] => choose(path, candidates),
        _ => {
            let firsts = folders.iter().filter_map(|candidates| candidates.first());
            refuse(format!("several folders hold weights, name one: {}", list(firsts)))
        }
    }
}

/// The weight files of the first folders from `folder` down that have any.
fn search(
    folder: &Path,
    n_levels: usize,
    found: &mut Vec<Vec<PathBuf>>,
) -> Result<(), ForeignError> {
    let entries = entries(folder)?;
    let indices: Vec<_> = entries.iter().filter(|path| is_index(path)).cloned().collect();
    if !indices.is_empty() {
        found.push(indices);
        return Ok(());
    }
    let weights: Vec<_> = entries.iter().filter(|path| may_hold_weights(path)).cloned().collect();
    if !weights.is_empty() {
        found.push(weights);
    } else if n_levels > 0 {
        for folder in entries.iter().filter(|path| path.is_dir()) {
            search(folder, n_levels - 1, found)?;
        }
    }
    Ok(())
}

/// What is in a folder, sorted, without hidden files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, ForeignError> {
    let failed = |source| WeightFileError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in entries.take(N_ENTRIES_MAX) {
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
        && matches!(Kind::of(path), Ok(Kind::Safetensors | Kind::Torch))
}

fn is_index(path: &Path) -> bool {
    let name = name_of(path);
    let is_named = name.ends_with(".safetensors.index.json") || name.ends_with(".bin.index.json");
    is_named && path.is_file()
}

/// One checkpoint among the weight files of a folder.
fn choose(folder: &Path, candidates: &[PathBuf]) -> Result<Vec<PathBuf>, ForeignError> {
    let refuse = |what| Err(ForeignError::Folder { path: folder.to_owned(), what });
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
        return Ok(vec![only.clone()]);
    }
    let named = |name: &str| candidates.iter().find(|path| name_of(path) == name);
    if let Some(newest) = newest(candidates) {
        return Ok(vec![newest.clone()]);
    }
    // One model in two formats, as hubs offer it.
    let both = (named("model.safetensors"), named("pytorch_model.bin"));
    let indices = (named("model.safetensors.index.json"), named("pytorch_model.bin.index.json"));
    match (both, indices) {
        ((Some(first), Some(_)), _) if candidates.len() == 2 => Ok(vec![first.clone()]),
        (_, (Some(first), Some(_))) if candidates.len() == 2 => shards(first),
        _ if candidates.iter().all(|path| is_shard(path)) => refuse(format!(
            "the index of the shards (`*.index.json`) is missing: {}",
            list(candidates.iter())
        )),
        _ => refuse(format!("several files hold weights, name one: {}", list(candidates.iter()))),
    }
}

/// The checkpoint of the last step, if all are checkpoints of different steps.
fn newest(candidates: &[PathBuf]) -> Option<&PathBuf> {
    let steps = candidates.iter().map(|path| Some((step(&name_of(path))?, path)));
    let steps = steps.collect::<Option<BTreeMap<_, _>>>()?;
    (steps.len() == candidates.len()).then(|| steps.into_values().next_back()).flatten()
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
    ends_in_digit && after.starts_with(|c: char| c.is_ascii_digit())
}

/// The shards that an index names.
fn shards(index: &Path) -> Result<Vec<PathBuf>, ForeignError> {
    let refuse = |what: String| ForeignError::Folder { path: index.to_owned(), what };
    let read = |source| WeightFileError::Read { path: index.to_owned(), source };
    let len = index.metadata().map_err(read)?.len();
    if len > N_INDEX_BYTES_MAX {
        return Err(refuse(format!(
            "expected an index of at most {N_INDEX_BYTES_MAX} bytes, found {len}"
        )));
    }
    let text = std::fs::read(index).map_err(read)?;
    let read: Index = serde_json::from_slice(&text).map_err(|err| {
        let err: String = err.to_string().chars().take(200).collect();
        refuse(format!("expected an index with the file of each tensor (`weight_map`): {err}"))
    })?;
    let names: BTreeSet<String> = read.weight_map.into_values().collect();
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let mut parts = Path::new(&name).components();
        if !parts.all(|part| matches!(part, Component::Normal(_))) || name.is_empty() {
            let name: String = name.chars().take(80).collect();
            return Err(refuse(format!("expected names of files beside it, found {name:?}")));
        }
        files.push(index.with_file_name(&name));
    }
    let missing: Vec<_> = files.iter().filter(|path| !path.is_file()).collect();
    if !missing.is_empty() {
        let what = format!(
            "{} of {} shards are missing: {}",
            missing.len(),
            files.len(),
            list(missing.into_iter())
        );
        return Err(refuse(what));
    }
    if files.is_empty() {
        return Err(refuse("the index names no file".to_owned()));
    }
    Ok(files)
}

/// Why a folder has no weights: what its files are instead.
fn nothing_found(folder: &Path) -> String {
    let expected = "expected a folder with weights (model.safetensors, pytorch_model.bin, step_N, \
                    a checkpoint of any name)";
    let files: Vec<_> =
        entries(folder).unwrap_or_default().into_iter().filter(|path| path.is_file()).collect();
    let describe = |path: &PathBuf| match Kind::of(path) {
        Ok(Kind::Other(what)) => format!("{} ({what})", name_of(path)),
        _ => name_of(path),
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
            let files = files(self.0.path()).map_err(|err| err.to_string())?;
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
        assert_eq!(files(&whole.0.path().join(name)).unwrap().len(), 2);
        let message = |folder: Folder| folder.found().unwrap_err();
        let missing = message(Folder::with(&[(name, index), (one, WEIGHTS)]));
        assert!(missing.contains("1 of 2 shards are missing"), "{missing}");
        let bare = message(Folder::with(&[(one, WEIGHTS), (two, WEIGHTS)]));
        assert!(bare.contains("index of the shards"), "{bare}");
        let outside = message(Folder::with(&[(name, br#"{"weight_map": {"a": "../x"}}"#)]));
        assert!(outside.contains("names of files beside it"), "{outside}");
        let wrong = message(Folder::with(&[(name, b"[]")]));
        assert!(wrong.contains("weight_map"), "{wrong}");
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
