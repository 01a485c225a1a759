//! ARC for the trainer: settings, encoding, voting over versions, scores.
//!
//! The model never sees the worked pairs beside the question: it learns every task, in many
//! augmented versions, under a puzzle identifier of its own, and predicts the missing
//! outputs in all versions, which then vote.
//!
//! Token ids: 0 padding, 1 end of grid, 2 to 11 the colours 0 to 9, on a square [`canvas`].
//!
//! # Where to start
//!
//! [`ArcConfig`] opens data: files, or generated tasks. [`canvas`] defines the encoding,
//! [`Ballot`] the vote of the versions on an answer.

pub mod canvas;

mod ballot;
mod config;
mod data;
mod decoder;
mod examples;
mod kind;
mod query;
#[cfg(test)]
mod reference;
mod scorer;
mod spilled_votes;
#[cfg(test)]
mod tests;
mod votes;

pub use ballot::Ballot;
pub use config::ArcConfig;
