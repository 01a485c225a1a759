//! `hrm import`: converts a checkpoint of another tool into a checkpoint folder.
//!
//! The shapes of the weights determine most of the config: dimensions, layers,
//! vocabulary, puzzle identifiers. The rest (heads, cycles, segments) is read from
//! the config that is saved beside them; what it does not give is taken by default and
//! said.

mod identifiers;
mod published;
mod shapes;

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args;
use hrm_core::foreign::{self, Foreign};
use hrm_core::{Hrm, HrmConfig, ModelError, ParamSpec, Weights};
use hrm_tasks::{RunConfig, TaskConfig, TaskRecord};
use serde_json::json;

use self::published::Published;
pub(crate) use self::published::to_yaml;
use self::shapes::Shapes;
use crate::checkpoint::save_new;
use crate::error::usage;
use crate::output;
use crate::paths;
use crate::task_args::task_names;
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Import {
    /// PyTorch checkpoint or safetensors file of any name, the index of its shards, or a
    /// folder with one of them (of several `step_N`, the newest).
    file: PathBuf,
    /// New checkpoint folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Config of the published code, YAML or JSON. Default: config.json or
    /// all_config.yaml beside FILE, or the one that `hrm export` wrote, if any exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The model to read if FILE holds several, such as a model and its average.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Kind of puzzle. Default: the one with the vocabulary size of the checkpoint.
    #[arg(long, value_parser = task_names())]
    task: Option<String>,
    /// Number of cells per puzzle. Default: as in the config, else as in the
    /// published data set.
    #[arg(long)]
    cells: Option<usize>,
    /// Names of the puzzle embeddings, a list in JSON. Default: identifiers.json
    /// beside FILE, if it exists.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    identifiers: Option<PathBuf>,
    /// Prepared data that the model was trained on, for the names of its puzzle
    /// embeddings and the number of cells.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        output::must_be_free(&self.out)?;
        let read = foreign::read(&self.file, self.part.as_deref())?;
        describe(&self.file, &read);
        let folders = self.folders(&read);
        let published = match &self.config {
            Some(path) => Published::read(path)?,
            None => Published::find(self.configs(&read, &folders))?,
        };
        let place = self.file.display().to_string();
        let shapes = Shapes::of(&place, &read.tensors)?;
        let of_data = self.data.as_deref().map(identifiers::n_cells).transpose()?.flatten();
        let mut defaults = Vec::new();
        let (task, n_cells) = match (&self.task, &published.task) {
            (None, Some(task)) if self.cells.is_none() => {
                let n_cells = published.count("seq_len")?;
                let n_cells =
                    n_cells.ok_or_else(|| published.wrong("`seq_len` is missing beside `task`"))?;
                (task.clone(), n_cells)
            }
            (kind, _) => {
                let kind = match kind {
                    Some(kind) => kind.as_str(),
                    None => task_with_vocabulary(shapes.vocab_size)?,
                };
                let (task, n_cells_default) = published_task(kind)?;
                let of_own = published.own.as_ref().map(|own| own.input.n_cells);
                let given = self.cells.or(published.count("seq_len")?).or(of_own).or(of_data);
                let n_cells = given.unwrap_or_else(|| {
                    defaults.push(format!("seq_len {n_cells_default}"));
                    n_cells_default
                });
                (task.with_cells(n_cells)?, n_cells)
            }
        };
        let (config, open) = shapes.config(&published, n_cells)?;
        defaults.extend(open);
        if !defaults.is_empty() {
            let why = match published.exists() {
                true => format!("{} does not give them", published.place()),
                false => "there is no config beside the weights".to_owned(),
            };
            note(format!("Taken by default, as {why}: {}.", defaults.join(", ")));
        }

        let specs = config.params()?;
        must_fit(&place, &specs, &read)?;
        let weights = Weights::from_tensors(&specs, read.tensors, &Device::Cpu).map_err(|err| {
            let context = match published.exists() {
                true => format!("{place}, with {}", published.place()),
                false => place.clone(),
            };
            anyhow::Error::from(ModelError::from(err)).context(context)
        })?;
        let model = Hrm::with_weights(config, weights)?;

        let names = self.names(model.config(), &read.files, &folders)?;
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

    /// Where a config may lie, the likeliest place first.
    fn configs(&self, read: &Foreign, folders: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
        let exported = read.files.first().map(|file| output::beside(file, "config.yaml"));
        let names = ["config.json", "all_config.yaml", "config.yaml", ".hydra/config.yaml"];
        let named = folders.iter().flat_map(move |folder| names.map(|name| folder.join(name)));
        exported.into_iter().chain(named).collect::<Vec<_>>().into_iter()
    }

    /// Names of the puzzle identifiers, the blank one first.
    fn names(
        &self,
        config: &HrmConfig,
        files: &[PathBuf],
        folders: &[PathBuf],
    ) -> anyhow::Result<Vec<String>> {
        let n = config.input.n_puzzle_ids;
        let place = self.file.display().to_string();
        let of_data = self.data.as_deref().map(identifiers::of_data);
        if let Some(path) =
            self.identifiers.clone().or(of_data.filter(|path| n > 1 || path.is_file()))
        {
            return identifiers::read(&path, n, &place);
        }
        let exported = files.first().map(|file| output::beside(file, identifiers::FILE));
        let named = folders.iter().map(|folder| folder.join(identifiers::FILE));
        if let Some(path) = exported.into_iter().chain(named).find(|path| path.is_file()) {
            let names = identifiers::read(&path, n, &place)?;
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

/// Says what was read, where it was not all of what was named.
fn describe(path: &Path, read: &Foreign) {
    let Foreign { files, part, others, passed_over, .. } = read;
    if let Some(file) = files.first().filter(|file| *file != path) {
        let others = files.len() - 1;
        let more = if others > 0 { format!(" and {others} other shards") } else { String::new() };
        note(format!("Read: {}{more}.", file.display()));
    }
    if !others.is_empty() {
        let part = if part.is_empty() { "the tensors of the model" } else { part };
        let n = others.len();
        note(format!("Read: {part}. Not read, beside it: {}.", first(others, n)));
    }
    if !passed_over.is_empty() {
        let n = passed_over.len();
        let tensors = if n == 1 { "tensor" } else { "tensors" };
        note(format!(
            "Passed over {n} {tensors} that the model does not need: {}.",
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
    let lists = [list("missing:", &missing), list("not of this model:", &surplus)];
    match lists.into_iter().flatten().collect::<Vec<_>>().join("; ") {
        text if text.is_empty() => Ok(()),
        text => Err(usage(format!("{place} does not fit the model: {text}"))),
    }
}

/// The task whose published vocabulary has this size.
fn task_with_vocabulary(vocab_size: usize) -> anyhow::Result<&'static str> {
    let known = TaskConfig::NAMES.iter().copied();
    let mut with_size = known.filter(|kind| {
        published_task(kind)
            .is_ok_and(|(task, _)| task.puzzle_kind().vocabulary().len() == vocab_size)
    });
    with_size.next().ok_or_else(|| {
        usage(format!("no task has a vocabulary of size {vocab_size}: name the task with --task"))
    })
}

/// A task with its published settings, and its number of cells.
fn published_task(kind: &str) -> anyhow::Result<(TaskConfig, usize)> {
    let config = RunConfig::preset(kind, "paper").map_err(|err| usage(err.to_string()))?;
    Ok((config.task, config.model.input.n_cells))
}
