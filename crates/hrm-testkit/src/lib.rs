//! Shared parts of tests: inputs, tolerances, comparisons, finite differences, golden
//! files.
//!
//! A failed comparison names the tensor, its worst element and the index, because
//! the index often points to the cause.
//!
//! # Place in the stack
//!
//! Beside the stack, and used only by tests (and by `hrm golden`, a test that users
//! can run):
//!
//! ```text
//! hrm-tasks     puzzles in, answers out
//! hrm-train     losses, optimisers, data feeding, checkpoints
//! hrm-core      the recurrent core: schedule, gradient boundary, halting
//! hrm-blocks    modules with parameters
//! hrm-kernels   differentiable functions of tensors
//! hrm-puzzles   boards, mazes, grids; no tensors
//! hrm-base      random streams, durable files
//!
//! hrm-testkit   <- this crate
//! ```
//!
//! # Public boundary
//!
//! [`assert_close`] and [`check_gradient`] for tests; [`difference`], [`Size`],
//! [`Alignment`] and [`Golden`] for the golden check.
//!
//! # Invariants
//!
//! - NaN is never close to anything, NaN included.
//! - Tensors of different shapes are never compared element by element.
//! - A gradient that does not reach the input is an error, not a zero.
//! - Inputs are deterministic.
//!
//! # Not here
//!
//! - No model: this crate depends on no other crate of the workspace, so that the tests
//!   of any of them can use it.

mod compare;
mod golden;
mod gradient;
mod yardstick;

pub use compare::{Difference, Tol, assert_close, difference, relative_rms};
pub use golden::{Golden, GoldenError};
pub use gradient::{check_gradient, ramp, ramp64, value_and_grad};
pub use yardstick::{Alignment, F32_ROUNDING, Size};
