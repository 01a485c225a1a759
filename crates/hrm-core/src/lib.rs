//! The hierarchical-convergence core.
//!
//! Two recurrent states refine each other on a fixed [`Schedule`]: `z_l` often,
//! `z_h` seldom. Only the last update of each is differentiated, as published, so
//! memory does not grow with the number of cycles; a [`GradientSpan`] says
//! otherwise.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     segments, losses, optimisers, checkpoints
//! hrm-core      <- this crate
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   differentiable tensor operations
//! ```
//!
//! # Not here
//!
//! - No loss and no optimiser: a segment returns states and logits.
//! - No files but weights, no clocks, no environment variables.
//! - No randomness but the seed of the weights and of drawn starts. Halting
//!   exploration receives its draws as an argument.
//!
//! # Where to start
//!
//! [`Network::segment`] is five lines and is the whole algorithm. The test
//! `schedule_marks_the_gradient_boundary` shows which updates are tracked.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use hrm_core::{Hrm, HrmConfig, Tracking};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A small model for 4 by 4 Sudoku: padding, blank and four digits.
//! let config = HrmConfig { vocab_size: 6, n_cells: 16, ..HrmConfig::tiny() };
//! let model = Hrm::seeded(config, 7, &Device::Cpu)?;
//! let network = model.network(Tracking::Frozen)?;
//!
//! let tokens = Tensor::ones((1, 16), candle_core::DType::U32, &Device::Cpu)?;
//! let puzzle_rows = model.puzzle_rows(&[0])?;
//! let input = network.encode(&tokens, puzzle_rows.as_ref())?;
//!
//! let mut states = network.initial_states(1)?;
//! for _segment in 0..4 {
//!     let out = network.segment(&states, &input)?;
//!     println!("halt and continue: {:?}", out.q.to_vec2::<f32>()?);
//!     states = out.states.detach();
//! }
//! let logits = network.read_cells(&states)?;
//! assert_eq!(logits.dims(), [1, 16, 6]);
//! # Ok(())
//! # }
//! ```

mod config;
mod error;
mod model;
mod network;
mod pickle;
mod recipe;
mod schedule;
mod solver;

pub mod halting;
pub mod weight_file;

pub use config::{ConfigError, Dims, HrmConfig, Mixer, Positions};
pub use error::ModelError;
pub use hrm_blocks::{ParamSpec, Role, Tracking, Weights, WeightsError};
pub use model::{Hrm, names};
pub use network::{Network, SegmentOutput, States};
pub use recipe::{GradientSpan, Halting, Modules, Starts, UnknownSpan};
pub use schedule::{Schedule, Update};
pub use solver::{Budget, RollingBatch, Solution, solve};
