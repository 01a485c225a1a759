//! A model as an ONNX graph: one segment, for any runtime of that format.
//!
//! The weights are f32, and the batch size is free. Running segment after segment means
//! passing the states that one run returns to the next.

mod builder;
mod proto;

use candle_core::{DType, Result, Tensor};
use hrm_core::{Hrm, HrmConfig, Mixer, Positions, Schedule, Update, names};
use hrm_kernels::Rotary;
use prost::Message;

use self::builder::{Builder, Name};
use crate::error::usage;

/// Version of the operators. All of them are older than most runtimes in use.
const OPERATORS: i64 = 17;

/// Version of the file format that belongs to it.
const IR_VERSION: i64 = 8;

const DOC: &str = "One segment of a Hierarchical Reasoning Model. First run: any `z_h` and \
    `z_l` (e.g. zeros), and `reset` true. Then pass `next_z_h` and `next_z_l` back, with \
    `reset` false, until `q` says halt or for a fixed number of segments. The token with \
    the largest logit is the answer for a cell.";

/// Largest file: that of a protocol buffer.
const N_BYTES_MAX: usize = i32::MAX as usize;

/// The bytes of a model file. `metadata` is stored with it, as pairs of key and value.
///
/// # Errors
///
/// If the model is too large for the format, or the backend fails.
pub(crate) fn to_bytes(model: Hrm, metadata: &[(&str, String)]) -> anyhow::Result<Vec<u8>> {
    let n_weight_bytes = 4 * model.config().n_parameters()?;
    check_length(n_weight_bytes)?;
    // Initial states too are as exact as the graph computes.
    let model = &model.with_dtype(DType::F32);
    let property = |(key, value): &(&str, String)| proto::Property {
        key: (*key).into(),
        value: value.clone(),
    };
    let operators = proto::OperatorSet { domain: String::new(), version: OPERATORS };
    let model = proto::Model {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: DOC.to_owned(),
        graph: Some(SegmentGraph::new(model)?.build()?),
        opset_import: vec![operators],
        metadata_props: metadata.iter().map(property).collect(),
    };
    check_length(model.encoded_len())?;
    Ok(model.encode_to_vec())
}

/// Checks that a file of `n_bytes` can be read by other programs.
fn check_length(n_bytes: usize) -> anyhow::Result<()> {
    if n_bytes <= N_BYTES_MAX {
        return Ok(());
    }
    Err(usage(format!(
        "the graph takes {:.1} GB, and an ONNX file must be smaller than {:.1} GB: export the \
         weights with --format safetensors",
        n_bytes as f64 / 1e9,
        N_BYTES_MAX as f64 / 1e9
    )))
}

/// Builds the graph of a segment.
struct SegmentGraph<'a> {
    model: &'a Hrm,
    config: &'a HrmConfig,
    graph: Builder,
    /// All positions, `P + S`.
    n_positions: usize,
    /// Cosines and sines of the rotary embedding, `[P + S, d]` each.
    rotary: Option<[Name; 2]>,
}

impl<'a> SegmentGraph<'a> {
    fn new(model: &'a Hrm) -> Result<Self> {
        let config = model.config();
        let n_positions = config.puzzle_embedding.n_positions + config.input.n_cells;
        Ok(Self { model, config, graph: Builder::default(), n_positions, rotary: None })
    }

    fn build(mut self) -> Result<proto::Graph> {
        let (config, n_positions) = (self.config, self.n_positions);
        let (n_cells, hidden_dim) = (config.input.n_cells, config.block.hidden_dim);
        let state = [n_positions, hidden_dim];

        let tokens = self.graph.input("tokens", proto::INT64, &[n_cells], "Token ids.");
        let x = self.encode(&tokens)?;
        let reset = "Whether the puzzle starts: its states are replaced by the initial ones.";
        let reset = self.graph.input("reset", proto::BOOL, &[], reset);
        let reset = self.graph.reshape(&reset, &[-1, 1, 1]);
        let initial = self.model.frozen()?.initial_states(1)?;
        let mut states = Vec::new();
        for (name, initial) in [("z_h", initial.z_h), ("z_l", initial.z_l)] {
            let doc = "A recurrent state: `next_` of the previous segment.";
            let given = self.graph.input(name, proto::FLOAT, &state, doc);
            let initial = self.graph.weight(&format!("initial_{name}"), &initial)?;
            states.push(self.graph.op("Where", &[&reset, &initial, &given]));
        }
        if config.block.mixer == Mixer::Attention && config.block.positions == Positions::Rope {
            self.rotary = Some(self.rotary_tables()?);
        }

        let (mut z_h, mut z_l) = (states[0].clone(), states[1].clone());
        for update in Schedule::new(config).updates() {
            match update {
                Update::Low => {
                    let injected = self.graph.op("Add", &[&z_h, &x]);
                    let sum = self.graph.op("Add", &[&z_l, &injected]);
                    z_l = self.blocks(names::L_MODULE, &sum)?;
                }
                Update::High => {
                    let sum = self.graph.op("Add", &[&z_h, &z_l]);
                    z_h = self.blocks(names::H_MODULE, &sum)?;
                }
                Update::Flat => {
                    let sum = self.graph.op("Add", &[&z_h, &x]);
                    z_h = self.blocks(names::L_MODULE, &sum)?;
                }
            }
        }
        let z_h = self.damped(&z_h, &states[0]);
        let z_l = self.damped(&z_l, &states[1]);

        let cells = self.graph.narrow(&z_h, 1, config.puzzle_embedding.n_positions, n_positions);
        let logits = self.linear(&cells, names::LM_HEAD)?;
        let first = self.graph.narrow(&z_h, 1, 0, 1);
        let first = self.graph.reshape(&first, &[-1, hidden_dim as i64]);
        let q = self.linear(&first, names::Q_WEIGHT)?;
        let bias = self.weight(names::Q_BIAS)?;
        let q = self.graph.op("Add", &[&q, &bias]);

        let vocab = [n_cells, config.input.vocab_size];
        self.graph.output("logits", &logits, &vocab, "Logits of the token in each cell.");
        self.graph.output("q", &q, &[2], "Halting logits: halt, continue.");
        self.graph.output("next_z_h", &z_h, &state, "The slow state after the segment.");
        self.graph.output("next_z_l", &z_l, &state, "The fast state after the segment.");
        Ok(proto::Graph { name: "segment".to_owned(), ..self.graph.finish() })
    }

    /// The input of every update, `[batch, P + S, D]`.
    fn encode(&mut self, tokens: &Name) -> Result<Name> {
        let hidden_dim = self.config.block.hidden_dim;
        let table = self.weight(names::TOKENS)?;
        let mut x = self.graph.op("Gather", &[&table, tokens]);
        let n_prefix = self.config.puzzle_embedding.n_positions;
        if n_prefix > 0 {
            let ids = "Puzzle identifiers; 0 for a puzzle without one.";
            let ids = self.graph.input("puzzle_ids", proto::INT64, &[], ids);
            let table = self.weight(names::PUZZLES)?;
            let mut prefix = self.graph.op("Gather", &[&table, &ids]);
            // An embedding need not fill its positions.
            let n_missing = n_prefix * hidden_dim - self.config.puzzle_embedding.dim;
            if n_missing > 0 {
                let pads = self.graph.integers(&[0, 0, 0, n_missing as i64]);
                prefix = self.graph.op("Pad", &[&prefix, &pads]);
            }
            let prefix = self.graph.reshape(&prefix, &[-1, n_prefix as i64, hidden_dim as i64]);
            x = self.graph.along("Concat", &[&prefix, &x], 1);
        }
        if self.config.block.positions == Positions::Learned {
            let positions = self.weight(names::POSITIONS)?;
            let sum = self.graph.op("Add", &[&x, &positions]);
            let scale = self.graph.scalar(std::f32::consts::FRAC_1_SQRT_2);
            x = self.graph.op("Mul", &[&sum, &scale]);
        }
        let scale = self.graph.scalar((hidden_dim as f64).sqrt() as f32);
        Ok(self.graph.op("Mul", &[&x, &scale]))
    }

    fn blocks(&mut self, module: &str, z: &Name) -> Result<Name> {
        let recurrence = &self.config.recurrence;
        // One network may have both roles.
        let (module, n_layers) = match module {
            names::H_MODULE if self.model.weights().find(&first_weight(module)).is_none() => {
                (names::L_MODULE, recurrence.n_l_layers)
            }
            names::H_MODULE => (module, recurrence.n_h_layers),
            _ if recurrence.modules == hrm_core::Modules::Flat => {
                (module, recurrence.n_h_layers + recurrence.n_l_layers)
            }
            _ => (module, recurrence.n_l_layers),
        };
        let mut z = z.clone();
        for layer in 0..n_layers {
            z = self.block(&names::layer(module, layer), &z)?;
        }
        Ok(z)
    }

    fn block(&mut self, prefix: &str, z: &Name) -> Result<Name> {
        let mixed = match self.config.block.mixer {
            Mixer::Attention => self.attention(prefix, z)?,
            Mixer::Mlp => {
                let across = self.graph.transpose(z, &[0, 2, 1]);
                let mixed = self.feed_forward(&format!("{prefix}.mlp_t"), &across)?;
                self.graph.transpose(&mixed, &[0, 2, 1])
            }
        };
        self.feed_forward(&format!("{prefix}.mlp"), &mixed)
    }

    /// `norm(x + attention(x))`.
    fn attention(&mut self, prefix: &str, x: &Name) -> Result<Name> {
        let n_heads = self.config.block.n_heads;
        let (width, head_dim) =
            (self.config.block.hidden_dim, self.config.block.hidden_dim / n_heads);
        let qkv = self.linear(x, &format!("{prefix}.self_attn.qkv_proj.weight"))?;
        let mut parts = Vec::new();
        for part in 0..3 {
            let part = self.graph.narrow(&qkv, 2, part * width, (part + 1) * width);
            let per_head = [-1, self.n_positions as i64, n_heads as i64, head_dim as i64];
            let part = self.graph.reshape(&part, &per_head);
            parts.push(self.graph.transpose(&part, &[0, 2, 1, 3]));
        }
        let (q, k) = (self.rotated(&parts[0], head_dim), self.rotated(&parts[1], head_dim));
        let scale = self.graph.scalar((head_dim as f64).sqrt().recip() as f32);
        let q = self.graph.op("Mul", &[&q, &scale]);
        let k = self.graph.transpose(&k, &[0, 1, 3, 2]);
        let scores = self.graph.op("MatMul", &[&q, &k]);
        let shares = self.graph.along("Softmax", &[&scores], -1);
        let mixed = self.graph.op("MatMul", &[&shares, &parts[2]]);
        let mixed = self.graph.transpose(&mixed, &[0, 2, 1, 3]);
        let mixed = self.graph.reshape(&mixed, &[-1, self.n_positions as i64, width as i64]);
        let mixed = self.linear(&mixed, &format!("{prefix}.self_attn.o_proj.weight"))?;
        Ok(self.normed_sum(x, &mixed))
    }

    /// Rotates queries or keys `[batch, N, P + S, d]` by their positions.
    fn rotated(&mut self, x: &Name, head_dim: usize) -> Name {
        let Some([cos, sin]) = self.rotary.clone() else { return x.clone() };
        let half = head_dim / 2;
        let low = self.graph.narrow(x, 3, 0, half);
        let high = self.graph.narrow(x, 3, half, head_dim);
        let high = self.graph.op("Neg", &[&high]);
        let turned = self.graph.along("Concat", &[&high, &low], -1);
        let kept = self.graph.op("Mul", &[x, &cos]);
        let turned = self.graph.op("Mul", &[&turned, &sin]);
        self.graph.op("Add", &[&kept, &turned])
    }

    /// Cosines and sines for both halves of the channels of a head.
    fn rotary_tables(&mut self) -> Result<[Name; 2]> {
        let block = &self.config.block;
        let head_dim = block.hidden_dim / block.n_heads;
        let device = self.model.device();
        let rotary = Rotary::new(self.n_positions, head_dim, block.rope_base, device)?;
        let mut names = Vec::new();
        for (name, table) in [("rotary_cos", rotary.cos()), ("rotary_sin", rotary.sin())] {
            names.push(self.graph.weight(name, &Tensor::cat(&[table, table], 1)?)?);
        }
        Ok([names[0].clone(), names[1].clone()])
    }

    /// `norm(x + swiglu(x))` with the weights under `prefix`.
    fn feed_forward(&mut self, prefix: &str, x: &Name) -> Result<Name> {
        let gate_up = format!("{prefix}.gate_up_proj.weight");
        let inner_dim = self.tensor(&gate_up)?.dim(0)? / 2;
        let gate_up = self.linear(x, &gate_up)?;
        let gate = self.graph.narrow(&gate_up, 2, 0, inner_dim);
        let up = self.graph.narrow(&gate_up, 2, inner_dim, 2 * inner_dim);
        let opened = self.graph.op("Sigmoid", &[&gate]);
        let gate = self.graph.op("Mul", &[&gate, &opened]);
        let inner = self.graph.op("Mul", &[&gate, &up]);
        let y = self.linear(&inner, &format!("{prefix}.down_proj.weight"))?;
        Ok(self.normed_sum(x, &y))
    }

    /// The sum divided by the root of the mean square of its last axis.
    fn normed_sum(&mut self, x: &Name, y: &Name) -> Name {
        let sum = self.graph.op("Add", &[x, y]);
        let squares = self.graph.op("Mul", &[&sum, &sum]);
        let mean = self.graph.mean(&squares);
        let eps = self.graph.scalar(self.config.block.norm_eps as f32);
        let mean = self.graph.op("Add", &[&mean, &eps]);
        let root = self.graph.op("Sqrt", &[&mean]);
        self.graph.op("Div", &[&sum, &root])
    }

    /// A state mixed with the state before the segment.
    fn damped(&mut self, after: &Name, before: &Name) -> Name {
        let damping = self.config.recurrence.damping;
        if damping == 0.0 {
            return after.clone();
        }
        let [kept, mixed] = [1.0 - damping, damping].map(|share| self.graph.scalar(share as f32));
        let after = self.graph.op("Mul", &[after, &kept]);
        let before = self.graph.op("Mul", &[before, &mixed]);
        self.graph.op("Add", &[&after, &before])
    }

    /// `x W^T` for the weight `name`, `[rows, columns]`. It is stored transposed.
    fn linear(&mut self, x: &Name, name: &str) -> Result<Name> {
        let weight = self.tensor(name)?.t()?.contiguous()?;
        let weight = self.graph.weight(name, &weight)?;
        Ok(self.graph.op("MatMul", &[x, &weight]))
    }

    fn weight(&mut self, name: &str) -> Result<Name> {
        let tensor = self.tensor(name)?;
        self.graph.weight(name, &tensor)
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        let found = self.model.weights().find(name);
        let tensor =
            found.ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_owned() })?;
        tensor.to_dtype(DType::F32)
    }
}

fn first_weight(module: &str) -> String {
    format!("{}.mlp.down_proj.weight", names::layer(module, 0))
}

#[cfg(test)]
mod tests;
