//! The Hierarchical Reasoning Model: config, recurrence, halting, inference and
//! weight files.
//!
//! Two recurrent states refine each other on a fixed [`Schedule`]: the fast state
//! `z_l` is updated several times per update of the slow state `z_h`. By default only
//! the last update of each carries gradient, so memory does not grow with the number
//! of cycles ([`GradientSpan`] changes that).
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles as token ids, and answers from them
//! hrm-train     losses, optimisers, training loop, checkpoints
//! hrm-core      <- this crate
//! hrm-blocks    parameters by name, the transformer block
//! hrm-kernels   differentiable tensor operations
//! hrm-puzzles   boards, mazes and grids, without tensors
//! hrm-base      random streams, durable files
//! ```
//!
//! # Not here
//!
//! - No loss and no optimiser: a segment returns states and logits.
//! - No clocks, no environment variables, and no files except configs and weights.
//!
//! # Invariants
//!
//! - A [`Network`] or [`FrozenNetwork`] is made from a config that
//!   [`check`](HrmConfig::check) accepted; no layer sees unchecked sizes.
//! - Within a segment, gradients stop in one place: the boundary of the [`Schedule`].
//! - A [`FrozenNetwork`] records no gradients, whatever its arguments are.
//! - Random numbers depend only on a seed: for weights ([`Hrm::seeded`]) and random
//!   initial states. Halting exploration receives its random numbers as an argument.
//! - Reading a file of weights takes no more memory than the file's length plus
//!   16 MB, and code that the file names is never run.
//!
//! # Public boundary
//!
//! Items of candle and of the crates below that appear in signatures are re-exported
//! here: [`candle_core`], [`candle_nn`], [`Weights`], [`rng`]. [`model_folder`] and
//! [`weight_file`] define file formats. Files in these formats stay readable, as do
//! flat configs ([`HrmConfig::RENAMED_KEYS`]).
//!
//! # Where to start
//!
//! [`Network::segment`] is the algorithm: updates without gradient, updates with
//! gradient, and two heads that read the result. The test
//! `schedule_marks_the_gradient_boundary` shows which updates are which. To use a
//! trained model, load it and solve puzzles:
//!
//! ```
//! use hrm_core::candle_core::{Device, Error};
//! use hrm_core::{Budget, Hrm, HrmConfig, PuzzleInput, solve_all};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! // A model for 4 by 4 Sudoku: padding, blank and four digits.
//! Hrm::seeded(HrmConfig::tiny(), 7, &Device::Cpu)?.save(folder)?;
//!
//! let model = Hrm::load(folder, &Device::Cpu)?;
//! let puzzles = [PuzzleInput { tokens: vec![1; 16], puzzle_id: 0 }];
//! let budget = Budget::UntilHalt(model.n_segments_max());
//! solve_all(&model, puzzles, budget, 32.try_into()?, |_, _, solution| {
//!     assert_eq!(solution.tokens.len(), 16);
//!     println!("after {} segments: {:?}", solution.n_segments, solution.tokens);
//!     Ok::<(), Error>(())
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! Segment by segment:
//!
//! ```
//! use hrm_core::candle_core::{DType, Device, Tensor};
//! use hrm_core::{Hrm, HrmConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Hrm::seeded(HrmConfig::tiny(), 7, &Device::Cpu)?;
//! let network = model.frozen()?;
//!
//! let tokens = Tensor::ones((1, 16), DType::U32, &Device::Cpu)?;
//! let puzzle_embeddings = model.puzzle_embeddings(&[0])?;
//! let input = network.encode(&tokens, puzzle_embeddings.as_ref())?;
//!
//! let mut states = network.initial_states(1)?;
//! for _ in 0..4 {
//!     let out = network.segment(&states, &input)?;
//!     println!("halting logits: {:?}", out.q.to_vec2::<f32>()?);
//!     states = out.states;
//! }
//! let logits = network.read_cells(&states)?;
//! assert_eq!(logits.dims(), [1, 16, 6]);
//! # Ok(())
//! # }
//! ```

mod candle_model;
mod config;
mod error;
mod frozen;
mod inference;
mod listing;
mod model;
mod network;
mod pickle;
mod safetensors_file;
mod schedule;
mod solver;
mod variants;

pub mod foreign;
pub mod halting;
pub mod model_folder;
pub mod names;
mod weight_error;
pub mod weight_file;

pub use candle_core;
pub use candle_nn;
pub use config::{
    BlockConfig, ConfigError, Dims, HaltingConfig, HrmConfig, InputConfig, Mixer, Positions,
    PuzzleEmbeddingConfig, RecurrenceConfig,
};
pub use error::ModelError;
pub use frozen::FrozenNetwork;
pub use hrm_base::rng;
pub use hrm_blocks::{Init, ParamSpec, Role, Tracking, Weights, WeightsError, WeightsView};
pub use inference::{PuzzleInput, solve_all};
pub use model::Hrm;
pub use model_folder::{LoadError, SaveError};
pub use network::{Network, SegmentOutput, States};
pub use schedule::{Schedule, Update};
pub use solver::{Budget, RollingBatch, Solution, solve};
pub use variants::{GradientSpan, HaltRule, InitialStates, Modules, UnknownSpan};
