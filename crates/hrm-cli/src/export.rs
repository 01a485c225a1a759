//! `hrm export`: writes a checkpoint for other programs: its weights for the published code,
//! with its config and the names of its puzzle embeddings beside them, or one segment as an
//! ONNX graph.

use std::path::PathBuf;

use candle_core::Tensor;
use clap::{Args, ValueEnum};
use hrm_core::{InitialStates, Modules, weight_file};
use serde_json::json;

use crate::checkpoint;
use crate::compute::Compute;
use crate::error::usage;
use crate::import::to_yaml;
use crate::onnx;
use crate::output;
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Export {
    /// Run or checkpoint folder.
    run: PathBuf,
    /// New file. Beside weights, the config and the names of the puzzle embeddings are
    /// written, as NAME.config.yaml and NAME.identifiers.json.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the file holds.
    #[arg(long, value_enum, default_value_t = Format::Safetensors)]
    format: Format,
    /// Naming scheme of the tensors in a safetensors file.
    #[arg(long, value_enum, default_value_t = Names::Plain)]
    names: Names,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Weights, for the published code.
    Safetensors,
    /// One segment as a graph for ONNX runtimes: tokens and states in; states, logits and
    /// halting logits out, in f32.
    Onnx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Names {
    /// The names of the model: `inner.H_init`.
    Plain,
    /// With the prefix of the published training code: `model.inner.H_init`.
    Wrapped,
    /// As the published code saves compiled models: `_orig_mod.model.inner.H_init`.
    Compiled,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.format == Format::Onnx {
            output::must_be_free(&self.out)?;
            return self.write_onnx();
        }
        let config_file = self.out.with_extension("config.yaml");
        let names_file = self.out.with_extension("identifiers.json");
        for path in [&self.out, &config_file, &names_file] {
            output::must_be_free(path)?;
        }
        let prefix = match self.names {
            Names::Plain => "",
            Names::Wrapped => "model.",
            Names::Compiled => "_orig_mod.model.",
        };
        let checkpoint = checkpoint::open(&self.run, &self.compute)?;
        let tensors: Vec<(String, Tensor)> = checkpoint
            .model
            .weights()
            .tensors()
            .map(|(name, tensor)| (format!("{prefix}{name}"), tensor))
            .collect();
        let config = &checkpoint.model.config().recurrence;
        let is_unsupported = config.modules == Modules::Flat
            || config.initial_states == InitialStates::Random
            || config.damping > 0.0;
        if is_unsupported {
            note("The published code does not support this variant: it can only read the weights.");
        }
        let n_tensors = tensors.len();
        let task = &checkpoint.record.task;
        let text = to_yaml(checkpoint.model.config(), task)?;
        let names = serde_json::to_vec_pretty(&checkpoint.identifiers)?;
        output::write_new(&config_file, text.as_bytes())?;
        output::write_new(&names_file, &names)?;
        output::new_file(&self.out, |file| Ok(weight_file::write_tensors(tensors, file)?))?;
        if self.json {
            let line = json!({"file": self.out, "config": config_file, "tensors": n_tensors});
            return Ok(result(format!("{line}\n"))?);
        }
        Ok(result(format!("{n_tensors} tensors written to {}\n", self.out.display()))?)
    }

    /// Writes one segment as a graph.
    fn write_onnx(&self) -> anyhow::Result<()> {
        if self.names != Names::Plain {
            return Err(usage("--names is for safetensors files: an ONNX graph has no such names"));
        }
        let checkpoint = checkpoint::open(&self.run, &self.compute)?;
        let model = &checkpoint.model;
        let metadata = [
            ("config", serde_json::to_string(model.config())?),
            ("task", checkpoint.record.task.name().to_owned()),
            // The characters of the ids from 1.
            ("vocabulary", checkpoint.record.task.puzzle_kind().vocabulary().symbols()),
        ];
        let bytes = onnx::to_bytes(model, &metadata)?;
        output::write_new(&self.out, &bytes)?;
        let n_segments = model.n_segments_max().get();
        if self.json {
            let line = json!({"file": self.out, "bytes": bytes.len(), "segments": n_segments});
            return Ok(result(format!("{line}\n"))?);
        }
        let out = self.out.display();
        Ok(result(format!(
            "One segment of the model written to {out}: run it {n_segments} times\n"
        ))?)
    }
}
