//! Puzzles of characters in rows for the trainer: any alphabet, any size.
//!
//! There are two ways to add a puzzle. A file of questions and answers needs no code: it is
//! opened by the kind `grid`, a [`GridConfig`]. A puzzle with rules implements
//! [`Rules`](hrm_puzzles::grid::Rules), and [`Ruled`] makes it a kind with a generator and
//! scores. `docs/new-puzzle.md` shows both.
//!
//! # How a grid is encoded
//!
//! Every grid lies in the top left corner of a canvas that is large enough for all of them.
//! Ids are 0 padding, 1 end, 2 and up the characters of the alphabet in order. Cells outside
//! a question are padding. Cells outside an answer have the label *end*, so that the shape
//! of an answer is learnt and scored like its cells.

mod canvas;
mod config;
mod pair;
mod ruled;
#[cfg(test)]
mod tests;

pub use config::GridConfig;
pub use pair::Pair;
pub use ruled::Ruled;
