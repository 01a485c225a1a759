//! `hrm export`: writes a checkpoint for other programs: its weights for the published code,
//! with its config and the names of its puzzle embeddings beside them, or one segment as an
//! ONNX graph.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use clap::{Args, ValueEnum};
use hrm_core::{HaltRule, HrmConfig, InitialStates, Mixer, Modules, Positions, weight_file};
use serde_json::json;

use crate::checkpoint;
use crate::compute::Compute;
use crate::error::usage;
use crate::import::to_yaml;
use crate::onnx;
use crate::output;
use crate::paths;
use crate::term::{note, result};

#[derive(Args)]
pub(crate) struct Export {
    /// Run or checkpoint folder.
    run: PathBuf,
    /// New file. Beside weights, the config and the names of the puzzle embeddings are
    /// written, as NAME.config.yaml and NAME.identifiers.json.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the file holds. Default: what its name says, or weights.
    #[arg(long, value_enum)]
    format: Option<Format>,
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

/// Endings of PyTorch checkpoints, which programs read according to their names.
const OF_PYTORCH: &[&str] = &["pt", "pth", "ckpt", "bin"];

/// Endings of other files, which say what is in them; another ending is part of a name (`v1.5`).
const OF_OTHERS: &[&str] = &[
    "bz2", "csv", "gguf", "ggml", "gz", "h5", "hdf5", "json", "keras", "mlmodel", "msgpack", "npy",
    "npz", "pb", "pickle", "pkl", "tar", "tflite", "tgz", "toml", "txt", "xz", "yaml", "yml",
    "zip", "zst",
];

impl Format {
    /// The format of the file `out`: the one that is `given`, or else that of its name.
    ///
    /// # Errors
    ///
    /// If they contradict each other, or the name promises something else.
    fn of(out: &Path, given: Option<Self>) -> anyhow::Result<Self> {
        let ending = out.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let named = Self::value_variants().iter().find(|format| format.name() == ending).copied();
        let shown = out.display();
        match (given, named) {
            _ if out == Path::new("-") => {
                Err(usage("--out must be a file: an export is not written to standard output"))
            }
            _ if OF_PYTORCH.contains(&ending.as_str()) => Err(usage(format!(
                "{shown} has the name of a PyTorch checkpoint, which is not written: name a file \
                 that ends in .safetensors or .onnx"
            ))),
            _ if OF_OTHERS.contains(&ending.as_str()) => Err(usage(format!(
                "{shown} has the name of a file in another format, {ending}, which is not written: \
                 name a file that ends in .safetensors or .onnx"
            ))),
            (Some(given), Some(named)) if given != named => Err(usage(format!(
                "{shown} has the name of a file in the format {}, but --format is {}: change one of \
                 them",
                named.name(),
                given.name()
            ))),
            _ => Ok(given.or(named).unwrap_or(Self::Safetensors)),
        }
    }

    /// Its name on the command line, and the ending of its files.
    fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
        }
    }
}

/// Settings that the published code does not have, in the code that the config of a model
/// names.
fn not_published(config: &HrmConfig) -> Vec<&'static str> {
    let HrmConfig { puzzle_embedding, block, recurrence, halting, .. } = config;
    let is_two = recurrence.modules == Modules::Two;
    let n_positions = puzzle_embedding.dim.div_ceil(block.hidden_dim);
    let settings = [
        (recurrence.modules == Modules::Flat, "model.recurrence.modules = flat"),
        (
            recurrence.initial_states == InitialStates::Random,
            "model.recurrence.initial_states = random",
        ),
        (recurrence.damping > 0.0, "model.recurrence.damping"),
        (halting.rule == HaltRule::Fixed, "model.halting.rule = fixed"),
        (is_two && halting.rule == HaltRule::HaltOnly, "model.halting.rule = halt-only"),
        (is_two && block.mixer == Mixer::Mlp, "model.block.mixer = mlp"),
        (is_two && block.positions == Positions::None, "model.block.positions = none"),
        (
            is_two && puzzle_embedding.n_positions != n_positions,
            "more model.puzzle_embedding.n_positions than the embedding fills",
        ),
    ];
    settings.into_iter().filter_map(|(is_set, name)| is_set.then_some(name)).collect()
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if Format::of(&self.out, self.format)? == Format::Onnx {
            output::must_be_free(&self.out)?;
            return self.write_onnx();
        }
        let config_file = output::beside(&self.out, "config.yaml");
        let names_file = output::beside(&self.out, "identifiers.json");
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
        let not_published = not_published(checkpoint.model.config());
        if !not_published.is_empty() {
            note(format!(
                "The published code does not support this variant ({}): it can only read the \
                 weights.",
                not_published.join(", ")
            ));
        }
        let n_tensors = tensors.len();
        let task = &checkpoint.record.task;
        let text = to_yaml(checkpoint.model.config(), task)?;
        let names = serde_json::to_vec_pretty(&checkpoint.identifiers)?;
        output::all_or_none(&[
            (&self.out, &|path| {
                let tensors = tensors.clone();
                output::new_file(path, |file| Ok(weight_file::write_tensors(tensors, file)?))
            }),
            (&config_file, &|path| Ok(output::write_new(path, text.as_bytes())?)),
            (&names_file, &|path| Ok(output::write_new(path, &names)?)),
        ])?;
        if self.json {
            let line = json!({
                "file": paths::to_json(&self.out),
                "config": paths::to_json(&config_file),
                "tensors": n_tensors,
            });
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
        let n_segments = model.n_segments_max().get();
        let bytes = onnx::to_bytes(checkpoint.model, &metadata)?;
        output::write_new(&self.out, &bytes)?;
        if self.json {
            let file = paths::to_json(&self.out);
            let line = json!({"file": file, "bytes": bytes.len(), "segments": n_segments});
            return Ok(result(format!("{line}\n"))?);
        }
        let out = self.out.display();
        Ok(result(format!(
            "One segment of the model written to {out}: run it {n_segments} times\n"
        ))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_its_format() {
        let of =
            |out: &str, given| Format::of(Path::new(out), given).map_err(|err| err.to_string());
        assert_eq!(of("x.onnx", None), Ok(Format::Onnx));
        assert_eq!(of("x.ONNX", Some(Format::Onnx)), Ok(Format::Onnx));
        assert_eq!(of("x.safetensors", None), Ok(Format::Safetensors));
        assert_eq!(of("v1.5", None), Ok(Format::Safetensors));
        assert_eq!(of("v1.5", Some(Format::Onnx)), Ok(Format::Onnx));
        let want = "x.onnx has the name of a file in the format onnx, but --format is safetensors: \
                    change one of them";
        assert_eq!(of("x.onnx", Some(Format::Safetensors)), Err(want.to_owned()));
        assert!(
            of("a/x.safetensors", Some(Format::Onnx)).unwrap_err().contains("--format is onnx")
        );
        let want = "m.pt has the name of a PyTorch checkpoint, which is not written: name a file \
                    that ends in .safetensors or .onnx";
        assert_eq!(of("m.pt", None), Err(want.to_owned()));
        let want = "m.npz has the name of a file in another format, npz, which is not written: \
                    name a file that ends in .safetensors or .onnx";
        assert_eq!(of("m.npz", None), Err(want.to_owned()));
        for name in ["m.safetensors.gz", "m.GGUF", "config.json", "m.onnx.zip"] {
            assert!(of(name, None).is_err() && of(name, Some(Format::Onnx)).is_err(), "{name}");
        }
        assert!(of("-", None).unwrap_err().starts_with("--out must be a file"));
    }

    #[test]
    fn every_setting_that_the_published_code_lacks_is_named() {
        let of = |change: fn(&mut HrmConfig)| not_published(&HrmConfig::paper().with(change));
        assert_eq!(of(|_| ()), [""; 0]);
        assert_eq!(
            of(|config| config.halting.rule = HaltRule::Fixed),
            ["model.halting.rule = fixed"]
        );
        assert_eq!(
            of(|config| {
                config.block.mixer = Mixer::Mlp;
                config.block.positions = Positions::None;
                config.halting.rule = HaltRule::HaltOnly;
                config.puzzle_embedding.n_positions += 1;
            })
            .len(),
            4
        );
        // The code of TRM has them.
        let shared = of(|config| {
            config.recurrence.modules = Modules::Shared;
            config.block.mixer = Mixer::Mlp;
            config.block.positions = Positions::None;
            config.halting.rule = HaltRule::HaltOnly;
            config.puzzle_embedding.n_positions = 16;
        });
        assert_eq!(shared, [""; 0]);
        assert_eq!(
            of(|config| {
                config.recurrence.modules = Modules::Flat;
                config.recurrence.damping = 0.1;
                config.recurrence.initial_states = InitialStates::Random;
            }),
            [
                "model.recurrence.modules = flat",
                "model.recurrence.initial_states = random",
                "model.recurrence.damping"
            ]
        );
    }
}
