//! `hrm import`: converts a checkpoint of another tool into a checkpoint folder.
//!
//! The shapes of the weights determine most of the config: dimensions, layers,
//! vocabulary, puzzle identifiers. The rest (heads, cycles, segments) is read from
//! the configs that are saved beside them or with them; what they do not give is taken by default and
//! said.

mod identifiers;
mod published;
mod shapes;
mod task;

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args;
use hrm_base::words::counted;
use hrm_core::foreign::{self, Foreign};
use hrm_core::{Hrm, HrmConfig, ModelError, ParamSpec, Weights};
use hrm_tasks::TaskRecord;
use serde_json::json;

use self::published::Published;
pub(crate) use self::published::to_yaml;
use self::shapes::Shapes;
use self::task::Evidence;
use crate::checkpoint::save_new;
use crate::error::usage;
use crate::output;
use crate::paths;
use crate::task_args::task_names;
use crate::term::{note, result};

/// Names of configs, the likeliest first.
const CONFIGS: [&str; 8] = [
    "config.json",
    "all_config.yaml",
    "all_config.yml",
    "all_config.json",
    "config.yaml",
    "config.yml",
    "hparams.yaml",
    ".hydra/config.yaml",
];

#[derive(Args)]
pub(crate) struct Import {
    /// PyTorch checkpoint or safetensors file of any name, the index of its shards, or a
    /// folder with one of them (of several `step_N`, the newest).
    file: PathBuf,
    /// New checkpoint folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Config of the published code, YAML or JSON. Default: the one that `hrm export`
    /// wrote, else config.json, all_config.yaml and the like beside FILE and the settings in
    /// it (`hyper_parameters`, `config`, `args` and the like), else those files in the folder
    /// above.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The model to read if FILE holds several, such as a model and its average. Of a name
    /// with dots, some whole words between them are enough if no other has them.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Kind of puzzle. Default: as in the config, else the only one with the vocabulary
    /// size of the checkpoint.
    #[arg(long, value_parser = task_names())]
    task: Option<String>,
    /// Change one setting of the task, e.g. task.rows=6; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of cells per puzzle. Default: as in the config, else as in the
    /// published data set.
    #[arg(long)]
    cells: Option<usize>,
    /// Names of the puzzle embeddings, a list in JSON or an object with their numbers. Default: identifiers.json
    /// beside FILE, if it exists.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    identifiers: Option<PathBuf>,
    /// Data that the model was trained on: prepared data, for the names of its puzzle
    /// embeddings and the number of cells, or files of puzzles, for their size and
    /// characters.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        output::must_be_free(&self.out)?;
        refuse_own(&self.file)?;
        let data = self.data.as_deref().map(identifiers::Data::of).transpose()?;
        let read = foreign::read(&self.file, self.part.as_deref())?;
        describe(&self.file, &read, self.config.is_some());
        let folders = self.folders(&read);
        let published = match &self.config {
            Some(path) => Published::read(path)?,
            None => self.find_config(&read, &folders)?,
        };
        for passed_over in &published.passed_over {
            note(format!("Not read: {passed_over}."));
        }
        let place = self.file.display().to_string();
        let shapes = Shapes::of(&place, &read.tensors, read.rotary.as_ref())?;
        let mut defaults = Vec::new();
        let of_own = published.own.as_ref().map(|own| own.input.n_cells);
        let of_data = data.as_ref().and_then(|data| data.n_cells);
        let evidence = Evidence {
            place: &place,
            shapes: &shapes,
            published: &published,
            kind: self.task.as_deref(),
            set: &self.set,
            n_cells: (self.cells.or(published.count("seq_len")?).or(of_own).or(of_data))
                .or(shapes.n_cells(&published)?),
            puzzles: data.as_ref().and_then(identifiers::Data::puzzles),
        };
        let (task, n_cells) = evidence.task(&mut defaults)?;
        let (config, open) = shapes.config(&published, n_cells)?;
        defaults.extend(open);

        let context = match published.exists() {
            true => format!("{place}, with {}", published.place()),
            false => place.clone(),
        };
        let specs = config
            .params()
            .map_err(|err| usage(format!("{context}: {}", published.in_keys(&err))))?;
        must_fit(&place, &specs, &read)?;
        let weights = Weights::from_tensors(&specs, read.tensors, &Device::Cpu)
            .map_err(|err| anyhow::Error::from(ModelError::from(err)).context(context))?;
        shapes.check_architecture(&published)?;
        let model = Hrm::with_weights(config, weights)?;

        let names = self.names(model.config(), data.as_ref(), &read.files, &folders)?;
        if !defaults.is_empty() {
            let why = match (published.exists(), published.passed_over.is_empty()) {
                (true, _) if published.places.len() > 1 => {
                    format!("{} do not set them", published.place())
                }
                (true, _) => format!("{} does not set them", published.place()),
                (false, true) => "there is no config beside the weights".to_owned(),
                (false, false) => "nothing beside the weights is the config of a model".to_owned(),
            };
            note(format!("Using defaults, as {why}: {}.", defaults.join(", ")));
        }
        let kind = task.name();
        let record = TaskRecord { task, data: Vec::new() };
        save_new(&self.out, &model, &record, &names)?;
        let n_parameters = model.config().n_parameters()?;
        if self.json {
            let line = json!({"checkpoint": paths::to_json(&self.out), "task": kind, "parameters": n_parameters});
            return Ok(result(format!("{line}\n"))?);
        }
        let out = self.out.display();
        Ok(result(format!("{kind} model with {n_parameters} parameters written to {out}\n"))?)
    }

    /// The folders in which files that belong to the weights may lie.
    fn folders(&self, read: &Foreign) -> Vec<PathBuf> {
        let beside = read.files.first().and_then(|file| file.parent()).map(Path::to_owned);
        let mut folders: Vec<_> = beside.into_iter().collect();
        if self.file.is_dir() && !folders.contains(&self.file) {
            folders.push(self.file.clone());
        }
        folders
    }

    /// The config beside the weights: the one that was exported with them, or those of their
    /// folder and of the checkpoint itself, or of the folder above.
    fn find_config(&self, read: &Foreign, folders: &[PathBuf]) -> anyhow::Result<Published> {
        let exported = read.files.first().map(|file| output::beside(file, "config.yaml"));
        if let Some(exported) = present(exported)?.first() {
            return Published::read(exported);
        }
        let within = |folders: &[PathBuf]| {
            let named = folders.iter().flat_map(|folder| CONFIGS.map(|name| folder.join(name)));
            Published::find(present(named)?.into_iter())
        };
        let mut found = within(folders)?;
        for place in found.add_settings(read)? {
            note(format!("Config: {place}."));
        }
        let above = folders.first().and_then(|folder| fs::canonicalize(folder).ok());
        let above = above.as_deref().and_then(Path::parent).map(Path::to_owned);
        match above {
            Some(above) if !found.exists() => {
                let of_above: Published = within(&[above])?;
                if of_above.exists() {
                    note(format!("Config: {}.", of_above.place()));
                    return Ok(of_above);
                }
                Ok(found)
            }
            _ => Ok(found),
        }
    }

    /// Names of the puzzle identifiers, the blank one first.
    fn names(
        &self,
        config: &HrmConfig,
        data: Option<&identifiers::Data>,
        files: &[PathBuf],
        folders: &[PathBuf],
    ) -> anyhow::Result<Vec<String>> {
        let n = config.input.n_puzzle_ids;
        let place = self.file.display().to_string();
        let of_data = data.and_then(identifiers::Data::identifiers);
        if let Some(path) =
            self.identifiers.clone().or(of_data.filter(|path| n > 1 || path.is_file()))
        {
            return identifiers::read(&path, n, &place);
        }
        let exported = files.first().map(|file| output::beside(file, identifiers::FILE));
        let named = folders.iter().map(|folder| folder.join(identifiers::FILE));
        if let Some(path) = present(exported.into_iter().chain(named))?.first() {
            let names = identifiers::read(path, n, &place)?;
            note(format!("Names of the puzzle embeddings: {}.", path.display()));
            return Ok(names);
        }
        if n > 1 {
            note(format!(
                "No names of the {n} puzzle embeddings: they are called puzzle-1 and so on, so \
                 that eval cannot tell which is whose. The published data set has them: \
                 --identifiers FILE or --data DIR.",
            ));
        }
        let unnamed = (1..n).map(|id| format!("puzzle-{id}"));
        Ok(std::iter::once("<blank>".to_owned()).chain(unnamed).collect())
    }
}

/// Those of these files that are there.
///
/// # Errors
///
/// If one of them is something else than a file, such as a link to a file that was not
/// downloaded: what it would say must not be taken by default.
fn present(paths: impl IntoIterator<Item = PathBuf>) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        match path.symlink_metadata() {
            Err(_) => {}
            Ok(_) if path.is_file() => found.push(path),
            Ok(at) => {
                let instead = match at.is_symlink() && !path.exists() {
                    true => "a link to a file that is not here: download that",
                    false => "not a file: replace it",
                };
                return Err(usage(format!(
                    "{} is {instead}, or move it away and name what to use with --config or \
                     --identifiers",
                    path.display()
                )));
            }
        }
    }
    Ok(found)
}

/// Refuses a run or a checkpoint folder of hrm, or a file of one.
fn refuse_own(path: &Path) -> anyhow::Result<()> {
    let refuse = |what: &str, folder: &Path| {
        let (is, it) = if folder == path { ("is", "it") } else { ("belongs to", "that") };
        let (path, folder) = (path.display(), folder.display());
        Err(usage(format!(
            "{path} {is} a {what} of hrm, which needs no import: use {it} as it is, e.g. \
             `hrm eval {folder}`"
        )))
    };
    let is_run = |folder: &Path| folder.join("run.json").is_file();
    let is_checkpoint = |folder: &Path| {
        ["task.json", "config.json", "model.safetensors"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    match path.parent() {
        _ if is_run(path) => refuse("run", path),
        _ if is_checkpoint(path) => refuse("checkpoint", path),
        Some(above) if path.is_dir() && path.ends_with("checkpoints") && is_run(above) => {
            refuse("run", above)
        }
        Some(above) if path.is_file() && is_checkpoint(above) => refuse("checkpoint", above),
        _ => Ok(()),
    }
}

/// Says what was read, where it was not all of what was named. `has_config` says that a
/// config was given, so that settings in the checkpoint are not read.
fn describe(path: &Path, read: &Foreign, has_config: bool) {
    let Foreign { files, part, passed_over, completed, settings, .. } = read;
    let is_read = |other: &String| {
        let key = other.split(" (").next().unwrap_or_default();
        !has_config && settings.iter().any(|(setting, _)| setting == key)
    };
    let others: Vec<String> = read.others.iter().filter(|key| !is_read(key)).cloned().collect();
    if let Some(file) = files.first().filter(|file| *file != path) {
        let others = files.len() - 1;
        let more = match others {
            0 => String::new(),
            n => format!(" and {}", counted(n, "other shard", "other shards")),
        };
        note(format!("Read: {}{more}.", file.display()));
    }
    if !others.is_empty() {
        let part = if part.is_empty() { "the tensors of the model" } else { part };
        let n = others.len();
        note(format!("Read: {part}. Not read, beside it: {}.", first(&others, n)));
    }
    if let Some((names, from)) = completed {
        note(format!(
            "The part {part} lacks {}, which averages of parameters leave out: read from {from}.",
            names.join(", ")
        ));
    }
    if !passed_over.is_empty() {
        let n = passed_over.len();
        let tensors = counted(n, "tensor", "tensors");
        note(format!(
            "Passed over {tensors} that the model does not need: {}.",
            first(passed_over, n)
        ));
    }
}

/// The first few of `n` names.
fn first(names: &[String], n: usize) -> String {
    let shown = names.iter().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
    if n > 6 { format!("{shown} and {} more", n - 6) } else { shown }
}

/// Refuses tensors that are not those of the model, naming some of what is missing and of
/// what is there instead.
fn must_fit(place: &str, specs: &[ParamSpec], read: &Foreign) -> anyhow::Result<()> {
    let missing: Vec<String> = specs
        .iter()
        .filter(|spec| !read.tensors.contains_key(&spec.name))
        .map(|spec| format!("`{}` {:?}", spec.name, spec.shape))
        .collect();
    let is_needed = |name: &String| specs.iter().any(|spec| spec.name == *name);
    let mut surplus: Vec<String> = read
        .tensors
        .iter()
        .filter(|(name, _)| !is_needed(name))
        .map(|(name, tensor)| format!("`{name}` {:?}", tensor.dims()))
        .collect();
    surplus.sort();
    let list = |what: &str, names: &[String]| match names.len() {
        0 => None,
        n => Some(format!("{what} {}", first(names, n))),
    };
    let lists = [list("missing:", &missing), list("unexpected:", &surplus)];
    match lists.into_iter().flatten().collect::<Vec<_>>().join("; ") {
        text if text.is_empty() => Ok(()),
        text => Err(usage(format!("{place} does not fit the model: {text}"))),
    }
}
