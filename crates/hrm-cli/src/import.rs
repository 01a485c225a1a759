//! `hrm import`: converts a published checkpoint into a checkpoint folder.
//!
//! The shapes of the weights determine most of the config: dimensions, layers,
//! vocabulary, puzzle identifiers. The rest (heads, cycles, segments) is read from
//! the config that the published code saves beside them, or has its defaults.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use clap::Args;
use hrm_core::{Hrm, HrmConfig, Mixer, ModelError, Positions, Weights, names, weight_file};
use hrm_tasks::{RunConfig, TaskConfig, TaskError, TaskRecord};
use serde::Deserialize;
use serde_json::json;

use crate::checkpoint::save_new;
use crate::error::usage;
use crate::output;
use crate::task_args::task_names;
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Import {
    /// PyTorch checkpoint or safetensors file.
    file: PathBuf,
    /// New checkpoint folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Config of the published code, YAML or JSON. Default: config.json or
    /// all_config.yaml beside FILE, if either exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kind of puzzle. Default: the one with the vocabulary size of the checkpoint.
    #[arg(long, value_parser = task_names())]
    task: Option<String>,
    /// Number of cells per puzzle. Default: as in the config, else as in the
    /// published data set.
    #[arg(long)]
    cells: Option<usize>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The fields of a published config that are used. The published training code
/// saves those of the architecture in a section `arch`.
#[derive(Debug, Default, Deserialize)]
struct Published {
    arch: Option<Box<Published>>,
    seq_len: Option<usize>,
    num_heads: Option<usize>,
    expansion: Option<f64>,
    #[serde(rename = "H_cycles")]
    h_cycles: Option<usize>,
    #[serde(rename = "L_cycles")]
    l_cycles: Option<usize>,
    halt_max_steps: Option<usize>,
    halt_exploration_prob: Option<f64>,
    rope_theta: Option<f64>,
    rms_norm_eps: Option<f64>,
    pos_encodings: Option<Positions>,
    /// Positions of a puzzle embedding; 0 means as many as its channels need.
    puzzle_emb_len: Option<usize>,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        output::must_be_free(&self.out)?;
        let mut tensors = weight_file::read(&self.file)?;
        let published = self.published()?;
        let shapes = Shapes::of(&self.file, &tensors)?;
        let kind = match &self.task {
            Some(kind) => kind.as_str(),
            None => task_with_vocabulary(shapes.vocab_size)?,
        };
        let (task, n_cells_default) = published_task(kind)?;
        let n_cells = self.cells.or(published.seq_len).unwrap_or_else(|| {
            note(format!("No config gives the number of cells: using {n_cells_default}."));
            n_cells_default
        });
        if let Some(n_positions) = shapes.n_positions.filter(|n| *n < n_cells) {
            return Err(usage(format!(
                "{}: `mlp_t` mixes {n_positions} positions, but a puzzle has {n_cells} cells: give \
                 their number with --cells",
                self.file.display()
            )));
        }
        let task = task.with_cells(n_cells)?;
        let config = config(&shapes, &published, n_cells);

        let specs = config.params()?;
        // Some versions save tables that can be computed from the config.
        let is_param = |name: &str| specs.iter().any(|spec| spec.name == name);
        tensors.retain(|name, _| is_param(name) || !name.contains("rotary_emb"));
        let weights = Weights::from_tensors(&specs, tensors, &Device::Cpu).map_err(|err| {
            anyhow::Error::from(ModelError::from(err)).context(self.file.display().to_string())
        })?;
        let model = Hrm::with_weights(config, weights)?;

        let blank = "<blank>".to_owned();
        let unnamed = (1..model.config().input.n_puzzle_ids).map(|id| format!("puzzle-{id}"));
        let identifiers: Vec<String> = std::iter::once(blank).chain(unnamed).collect();
        let record = TaskRecord { task, data: Vec::new() };
        save_new(&self.out, &model, &record, &identifiers)?;
        let n_parameters = model.config().n_parameters()?;
        if self.json {
            let line = json!({"checkpoint": self.out, "task": kind, "parameters": n_parameters});
            return Ok(result(format!("{line}\n"))?);
        }
        let out = self.out.display();
        Ok(result(format!("{kind} model with {n_parameters} parameters written to {out}\n"))?)
    }

    /// Reads the published config. It is empty if there is none.
    fn published(&self) -> anyhow::Result<Published> {
        let beside = ["config.json", "all_config.yaml"].map(|name| self.file.with_file_name(name));
        let found = self.config.clone().or_else(|| beside.into_iter().find(|path| path.is_file()));
        let Some(path) = found else {
            note(
                "No config found beside the weights: using the published heads, cycles and segments.",
            );
            return Ok(Published::default());
        };
        let text = std::fs::read_to_string(&path).map_err(TaskError::read(&path))?;
        // Every JSON document is YAML.
        let read: Published = serde_saphyr::from_str(&text)
            .map_err(|err| usage(format!("{} is not a config: {err}", path.display())))?;
        Ok(match read.arch {
            Some(arch) => Published { seq_len: read.seq_len.or(arch.seq_len), ..*arch },
            None => read,
        })
    }
}

/// The sizes that the shapes of the weights determine.
struct Shapes {
    vocab_size: usize,
    hidden_dim: usize,
    /// The largest expansion that gives the inner dimensions of a block.
    expansion: f64,
    n_h_layers: usize,
    n_l_layers: usize,
    n_puzzle_ids: usize,
    puzzle_dim: usize,
    has_positions: bool,
    mixer: Mixer,
    /// Number of positions, puzzle embedding included, if weights depend on it.
    n_positions: Option<usize>,
}

impl Shapes {
    fn of(path: &Path, tensors: &HashMap<String, Tensor>) -> anyhow::Result<Self> {
        let matrix = |name: &str| match tensors.get(name).map(Tensor::dims) {
            Some(&[rows, columns]) => Ok((rows, columns)),
            Some(dims) => Err(usage(format!(
                "{}: `{name}` has shape {dims:?}, expected a matrix",
                path.display()
            ))),
            None => Err(usage(format!(
                "{}: no tensor `{name}`: not a checkpoint of HRM or TRM",
                path.display()
            ))),
        };
        let n_layers = |module: &str| {
            let weight = |layer| format!("{}.mlp.down_proj.weight", names::layer(module, layer));
            (0..).take_while(|layer| tensors.contains_key(&weight(*layer))).count()
        };
        let (vocab_size, hidden_dim) = matrix(names::TOKENS)?;
        let first = names::layer(names::L_MODULE, 0);
        let (_, inner_dim) = matrix(&format!("{first}.mlp.down_proj.weight"))?;
        let over_positions = format!("{first}.mlp_t.down_proj.weight");
        let over_positions = match tensors.contains_key(&over_positions) {
            true => Some(matrix(&over_positions)?),
            false => None,
        };
        // An inner dimension is rounded up, so any expansion within a range gives it. The
        // ranges of two overlap at the end of one of them.
        let expansions = [Some((hidden_dim, inner_dim)), over_positions].into_iter().flatten();
        let expansion = expansions
            .map(|(width, inner_dim)| inner_dim as f64 * 1.5 / width.max(1) as f64)
            .fold(f64::INFINITY, f64::min);
        let n_positions = over_positions.map(|(n_positions, _)| n_positions);
        let (n_puzzle_ids, puzzle_dim) =
            if tensors.contains_key(names::PUZZLES) { matrix(names::PUZZLES)? } else { (1, 0) };
        Ok(Self {
            vocab_size,
            hidden_dim,
            expansion,
            n_h_layers: n_layers(names::H_MODULE),
            n_l_layers: n_layers(names::L_MODULE),
            n_puzzle_ids,
            puzzle_dim,
            has_positions: tensors.contains_key(names::POSITIONS),
            mixer: if n_positions.is_some() { Mixer::Mlp } else { Mixer::Attention },
            n_positions,
        })
    }
}

fn config(shapes: &Shapes, published: &Published, n_cells: usize) -> HrmConfig {
    // A checkpoint without an H module is a Tiny Recursive Model.
    let is_recursive = shapes.n_h_layers == 0;
    let defaults = if is_recursive { HrmConfig::tiny_recursive() } else { HrmConfig::paper() };
    let hidden_dim = shapes.hidden_dim;
    let positions = match shapes.mixer {
        _ if shapes.has_positions => Positions::Learned,
        Mixer::Attention => Positions::Rope,
        Mixer::Mlp => Positions::None,
    };
    let n_prefix_least = shapes.puzzle_dim.div_ceil(hidden_dim.max(1));
    let n_prefix_published = match published.puzzle_emb_len {
        None if is_recursive => defaults.puzzle_embedding.n_positions,
        None | Some(0) => n_prefix_least,
        Some(n) => n,
    };
    let n_prefix = match shapes.n_positions {
        _ if shapes.puzzle_dim == 0 => 0,
        Some(n_positions) => n_positions.saturating_sub(n_cells),
        None => n_prefix_published,
    };
    defaults.with(|HrmConfig { input, puzzle_embedding, block, recurrence, halting }| {
        input.vocab_size = shapes.vocab_size;
        input.n_cells = n_cells;
        input.n_puzzle_ids = shapes.n_puzzle_ids;
        puzzle_embedding.dim = shapes.puzzle_dim;
        puzzle_embedding.n_positions = n_prefix;
        block.hidden_dim = hidden_dim;
        block.mixer = shapes.mixer;
        block.n_heads = published.num_heads.unwrap_or_else(|| (hidden_dim / 64).max(1));
        block.expansion = published.expansion.unwrap_or(shapes.expansion);
        block.positions = published.pos_encodings.unwrap_or(positions);
        block.rope_base = published.rope_theta.unwrap_or(block.rope_base);
        block.norm_eps = published.rms_norm_eps.unwrap_or(block.norm_eps);
        recurrence.n_h_layers = if is_recursive { shapes.n_l_layers } else { shapes.n_h_layers };
        recurrence.n_l_layers = shapes.n_l_layers;
        recurrence.n_h_cycles = published.h_cycles.unwrap_or(recurrence.n_h_cycles);
        recurrence.n_l_cycles = published.l_cycles.unwrap_or(recurrence.n_l_cycles);
        halting.n_segments_max = published.halt_max_steps.unwrap_or(halting.n_segments_max);
        halting.exploration = published.halt_exploration_prob.unwrap_or(halting.exploration);
    })
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
