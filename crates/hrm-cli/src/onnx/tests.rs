//! Models of every kind as graphs: well formed, and the same numbers in a runtime.
//!
//! The runtime is a Python package, so the comparison needs an interpreter that has it:
//! the developer command `check-onnx` installs one and runs this file.

// The differences are for people who run the comparison.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::HashSet;
use std::process::Command;

use candle_core::Device;
use hrm_core::{HaltRule, Modules};
use serde_json::json;

use super::*;

/// Environment variable with the path of the interpreter.
const PYTHON: &str = "HRM_ONNX_PYTHON";

/// Largest difference of a logit or a state.
const TOLERANCE: f64 = 1e-4;

const N_PUZZLES: usize = 3;

fn models() -> Vec<(&'static str, Hrm)> {
    type Change = fn(&mut HrmConfig);
    let changes: [(&str, Change); 6] = [
        ("rope", |_| ()),
        ("learned positions, wide prefix, damped", |config| {
            config.block.positions = Positions::Learned;
            config.puzzle_embedding.n_positions = 3;
            config.puzzle_embedding.dim = 40;
            config.recurrence.damping = 0.25;
        }),
        ("no puzzle embedding", |config| {
            config.puzzle_embedding.n_positions = 0;
            config.puzzle_embedding.dim = 0;
        }),
        ("mixed by weights", |config| {
            config.block.mixer = Mixer::Mlp;
            config.block.positions = Positions::None;
        }),
        ("one module", |config| {
            config.recurrence.modules = Modules::Shared;
            config.halting.rule = HaltRule::HaltOnly;
        }),
        ("one state", |config| {
            config.recurrence.modules = Modules::Flat;
            config.recurrence.n_h_layers = 2;
        }),
    ];
    let model = |(name, change): (&'static str, Change)| {
        let config = HrmConfig::tiny().with(|config| {
            config.input.n_puzzle_ids = 4;
            config.block.hidden_dim = 16;
            config.puzzle_embedding.dim = 16;
            config.recurrence.n_h_cycles = 3;
            change(config);
        });
        (name, Hrm::seeded(config, 5, &Device::Cpu).unwrap())
    };
    changes.map(model).into()
}

#[test]
fn every_value_is_defined_once_and_before_its_use() {
    for (name, model) in models() {
        let bytes = to_bytes(model.fork().unwrap(), &[("key", "value".to_owned())]).unwrap();
        let read = proto::Model::decode(bytes.as_slice()).unwrap();
        assert_eq!(read.metadata_props[0].value, "value");
        let graph = read.graph.unwrap();
        let mut defined = HashSet::new();
        let given = graph.input.iter().map(|input| &input.name);
        for value in given.chain(graph.initializer.iter().map(|constant| &constant.name)) {
            assert!(defined.insert(value), "{name}: {value}");
        }
        for node in &graph.node {
            for input in &node.input {
                assert!(defined.contains(input), "{name}: {input} of {}", node.name);
            }
            assert!(defined.insert(&node.output[0]), "{name}: {}", node.name);
        }
        for output in &graph.output {
            assert!(defined.contains(&output.name), "{name}: {}", output.name);
        }

        // Every weight is part of the graph, and only once.
        let n_stored: usize = graph.initializer.iter().map(|stored| stored.raw_data.len()).sum();
        let n_weights: usize =
            model.config().params().unwrap().iter().map(hrm_core::ParamSpec::len).sum();
        assert!(n_stored >= 4 * n_weights && n_stored < 5 * n_weights, "{name}: {n_stored}");
        let table = graph.initializer.iter().find(|stored| stored.name == names::PUZZLES);
        let config = &model.config().puzzle_embedding;
        let n_table = table.map(|stored| stored.raw_data.len() / 4);
        // Not padded to the width of its positions.
        assert_eq!(n_table, (config.n_positions > 0).then_some(4 * config.dim), "{name}");
    }
}

#[test]
fn the_dtype_of_activations_does_not_matter() {
    for (name, model) in models() {
        let in_bf16 = to_bytes(model.fork().unwrap().with_dtype(DType::BF16), &[]).unwrap();
        assert!(in_bf16 == to_bytes(model, &[]).unwrap(), "{name}");
    }
}

#[test]
fn a_graph_that_no_runtime_reads_is_refused() {
    check_length((1 << 31) - 1).unwrap();
    let want = "the graph takes 28.7 GB, and an ONNX file must be smaller than 2.1 GB: export the \
                weights with --format safetensors";
    assert_eq!(check_length(28_700_000_000).unwrap_err().to_string(), want);
}

#[test]
fn a_runtime_computes_the_same_segments() {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("not compared with a runtime: {PYTHON} is not set (see `check-onnx`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, model) in models() {
        let (file, expected) = (folder.path().join("model.onnx"), folder.path().join("run.json"));
        std::fs::write(&file, to_bytes(model.fork().unwrap(), &[]).unwrap()).unwrap();
        std::fs::write(&expected, segments(&model).unwrap()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/onnx/check.py");
        let ran = Command::new(&python).arg(script).args([&file, &expected]).output().unwrap();
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&ran.stderr));
        let worst: f64 = text.trim().parse().unwrap();
        println!("{name}: largest difference {worst:e}");
        assert!(worst < TOLERANCE, "{name}: {worst}");
    }
}

/// Inputs and outputs of three segments, as JSON. The second puzzle starts again in the
/// second segment.
fn segments(model: &Hrm) -> Result<String> {
    let config = model.config();
    let (n_cells, vocab_size) = (config.input.n_cells, config.input.vocab_size);
    let tokens: Vec<u32> =
        (0..N_PUZZLES * n_cells).map(|idx| (idx * 7 % vocab_size) as u32).collect();
    let ids = [2u32, 0, 3];
    let network = model.frozen()?;
    let batch = Tensor::from_slice(&tokens, (N_PUZZLES, n_cells), &Device::Cpu)?;
    let input = network.encode(&batch, model.puzzle_embeddings(&ids)?.as_ref())?;
    let initial = network.initial_states(N_PUZZLES)?;
    let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    let mut states = initial.clone();
    let mut segments = Vec::new();
    for reset in [[true; 3], [false, true, false], [false; 3]] {
        let restarted = |state: &Tensor, initial: &Tensor| {
            let rows: Result<Vec<_>> = (0..N_PUZZLES)
                .map(|row| if reset[row] { initial } else { state }.narrow(0, row, 1))
                .collect();
            Tensor::cat(&rows?, 0)
        };
        states.z_h = restarted(&states.z_h, &initial.z_h)?;
        states.z_l = restarted(&states.z_l, &initial.z_l)?;
        let segment = network.segment(&states, &input)?;
        states = segment.states;
        segments.push(json!({
            "reset": reset,
            "logits": values(&segment.logits)?,
            "q": values(&segment.q)?,
            "next_z_h": values(&states.z_h)?,
            "next_z_l": values(&states.z_l)?,
        }));
    }
    Ok(json!({"tokens": tokens, "puzzle_ids": ids, "segments": segments}).to_string())
}
