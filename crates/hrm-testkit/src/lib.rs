//! What tests share: inputs, tolerances, comparisons, golden files.
//!
//! A comparison reports the worst element by name and place, because "arrays
//! differ" starts an investigation and "worst at [0, 3, 17]" often ends one.
//!
//! # Not here
//!
//! - Nothing of the model: this crate is below every other one, so that any of
//!   them can use it in its tests.

mod compare;
mod golden;
mod gradient;

pub use compare::{Difference, Tol, assert_close, difference, mismatch, relative_rms};
pub use golden::{Golden, GoldenError};
pub use gradient::{check_gradient, ramp, ramp64, value_and_grad};
