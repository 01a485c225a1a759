//! ARC: small coloured grids, a few example pairs, and one rule to infer.
//!
//! A task is a handful of input and output grids that follow one unstated rule.
//!
//! # Where to start
//!
//! [`library::read`] reads files and folders of tasks; [`BuiltIn`] generates tasks
//! from families of rules; [`Augmentation`] is a symmetry of tasks.

pub mod augment;
pub mod json;
pub mod library;
pub mod submission;

mod draw;
mod families;
mod files;
mod grid;
mod leaks;
mod picture;
mod solved_task;
mod turn;

pub use augment::{Augmentation, Dialect};
pub use draw::{TextPanel, canvases as draw_canvases, side_by_side};
pub use families::BuiltIn;
pub use grid::{Grid, N_COLOURS, SIDE_MAX};
pub use json::{ArcTask, Pair, TestPair};
pub use leaks::{distributions, leaks};
pub use library::{Library, OnConflict, Role, SolvedTask};
pub use picture::panels;
