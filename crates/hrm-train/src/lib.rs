//! Deep supervision: every segment is judged, and each judgement is a step.
//!
//! # Place in the stack
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     <- this crate
//! hrm-core      the hierarchical-convergence core
//! hrm-blocks    attention, SwiGLU, rotary embedding
//! hrm-kernels   differentiable tensor operations
//! ```
//!
//! # Not here
//!
//! - No puzzles: a [`task::Task`] is numbers in, numbers out.
//! - No clocks and no terminal: the caller of [`train`] watches each step and
//!   says when to stop.
//!
//! # Where to start
//!
//! [`Trainer::step`] is one segment, one judgement and one optimiser step;
//! [`train`] repeats it.

mod batch;
mod carry;
mod config;
mod error;
mod evaluate;
mod loss;
mod rows;
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
pub use error::TrainError;
pub use evaluate::{Asking, Evaluation, Sampling, evaluate};
pub use loss::SegmentLoss;
pub use rows::{RowsCursor, TrainingRows};
pub use state::Snapshot;
pub use train::{Feed, train};
pub use trainer::{Draws, Forward, Gradients, StepReport, Trainer};
pub use validation::WithValidation;
