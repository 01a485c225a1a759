//! Training with deep supervision: every segment has a loss, and every loss is an
//! optimiser step.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles: parse, generate, augment, encode, score
//! hrm-train     <- this crate
//! hrm-core      the recurrent model: schedule, gradient boundary, halting
//! hrm-blocks    attention, SwiGLU, rotary embedding, parameters by name
//! hrm-kernels   differentiable tensor operations
//! hrm-puzzles   boards, mazes and grids, without tensors
//! hrm-base      random streams and durable files
//! ```
//!
//! # Public boundary
//!
//! - [`task`]: the interface that a puzzle must implement ([`task::Task`],
//!   [`task::Examples`], [`task::Scorer`]); [`ValidationSplit`] wraps a task.
//! - [`TrainConfig`]: all settings, in groups; a file may omit any of them.
//! - [`Trainer`] and [`train`]: one step, and the loop over steps; [`evaluate`] measures
//!   a model.
//! - [`optim`]: the optimisers, also for other candle models.
//! - [`run`]: run folders, checkpoints and their checksums.
//!
//! # Invariants
//!
//! - A [`DataCursor`] determines all further randomness of a run: a trainer restored
//!   from a [`Snapshot`] continues bit for bit.
//! - Gradients never cross from one segment to the next: a [`Carry`] is detached.
//! - A loss or gradient that is not finite never reaches the weights.
//! - A run folder has one writer, and its last checkpoint is intact even if the process
//!   is killed.
//! - Every key in a file of a run keeps its meaning: [`TrainConfig`] loads flat files too.
//!
//! # Not here
//!
//! - No puzzles: a [`task::Task`] is token ids in, token ids out.
//! - No clocks and no terminal output: the caller of [`train`] sees each step and
//!   decides when to stop.
//!
//! # Where to start
//!
//! [`Trainer::step`] runs one segment, computes its loss, and updates the weights;
//! [`train`] repeats it.

mod batch;
mod carry;
mod config;
mod error;
mod evaluate;
mod loss;
mod memory;
mod sampler;
mod state;
mod train;
mod trainer;
mod validation;

pub mod optim;
pub mod run;
pub mod task;

pub use batch::Batch;
pub use carry::Carry;
pub use config::{
    CellLoss, CheckpointConfig, CurriculumStage, Decay, EvaluationConfig, LossConfig,
    OptimiserConfig, OptimiserKind, PuzzleEmbeddingOptimiserConfig, RecoveryConfig, ScheduleConfig,
    TrainConfig,
};
pub use error::{Damage, TrainError};
pub use evaluate::{EvalOptions, Evaluation, Sampling, evaluate};
pub use loss::SegmentLoss;
pub use memory::MemoryEstimate;
pub use sampler::{SamplerCursor, TrainingSampler};
pub use state::Snapshot;
pub use train::{DataCursor, train};
pub use trainer::{Gradients, SegmentForward, StepRandomness, StepReport, Trainer};
pub use validation::ValidationSplit;
