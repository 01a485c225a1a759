//! ARC: small coloured grids, a few worked pairs, one rule to be found.
//!
//! A task is a handful of input and output grids that follow one unstated rule.
//! The model never sees the worked pairs beside the question: it learns every
//! task, in many augmented versions, under a puzzle identifier of its own, and
//! is asked for the missing outputs in all versions, which then vote.
//!
//! Cells are id 0 padding, 1 end of grid, 2 to 11 the colours 0 to 9, on a
//! square [`canvas`].
//!
//! # Where to start
//!
//! [`ArcConfig`] opens data: the user's, or tasks drawn from built-in families
//! of rules. [`canvas`] shows what the model sees, [`Augmentation`] what a
//! version is, [`Ballot`] how versions agree on an answer.

pub mod canvas;
pub mod submission;

mod augment;
mod ballot_box;
mod data;
mod draw;
mod families;
mod grid;
mod json;
mod library;
mod picture;
mod pose;
mod presets;
mod published;
mod score;
mod survey;
mod task;
mod turn;
mod vote;
#[cfg(test)]
mod written_out;

pub use augment::Augmentation;
pub use grid::{Grid, N_COLOURS, SIDE_MAX};
pub use json::{ArcTask, Pair, TestPair};
pub use task::ArcConfig;
pub use vote::Ballot;
