//! How parameters move: [`AdamAtan2`] for dense weights, [`sign_sgd`] for the
//! few rows of a puzzle table that a batch touches.

mod adam_atan2;
mod sign_sgd;

pub use adam_atan2::AdamAtan2;
pub use sign_sgd::sign_sgd;
