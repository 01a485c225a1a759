//! Puzzles of characters in rows for the trainer: any alphabet, any size.
//!
//! Two ways lead to a puzzle. A file of questions and answers needs no code: that is the
//! kind `grid`, a [`GridConfig`]. A puzzle with rules implements
//! [`Rules`](hrm_puzzles::grid::Rules), and [`Ruled`] makes a kind of it, with a generator
//! and scores. `docs/new-puzzle.md` shows both.
//!
//! # How a grid is encoded
//!
//! Every grid lies in the top left corner of a canvas that holds the largest one. Ids are
//! 0 padding, 1 end, 2 and up the characters of the alphabet in order. Where a question has
//! no cell its id is padding. Where an answer has no cell its label is *end*: the shape of
//! an answer is part of it, so it is learnt and scored like any other cell.

mod canvas;
mod config;
mod pair;
mod ruled;
#[cfg(test)]
mod tests;

pub use config::GridConfig;
pub use pair::Pair;
pub use ruled::Ruled;
