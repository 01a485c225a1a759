//! Puzzles of characters in rows: any alphabet, any size.
//!
//! Two ways lead to a puzzle. A file of questions and answers needs no code:
//! that is the kind `grid`, a [`GridConfig`]. A puzzle with rules says so in
//! [`Rules`], and [`Ruled`] makes a generator, a score and a drawing of them.
//! `docs/new-puzzle.md` shows both.
//!
//! # How a grid is written
//!
//! A field that holds a line break is split into rows at line breaks, one that
//! holds none at `/`. Rows may differ in length, and every printable character
//! is a cell: spaces and `_` too, and a combining mark for itself.
//!
//! # How a grid is encoded
//!
//! Every grid lies in the top left corner of a canvas that holds the largest.
//! Ids are 0 padding, 1 end, 2 and up the characters of the alphabet in order.
//! Where a question has no cell its id is padding. Where an answer has none its
//! label is *end*: the shape of an answer is a part of it, so it is asked for,
//! learnt and scored like any other cell.

mod canvas;
mod draw;
mod kind;
mod pairs;
mod pose;
mod presets;
mod ruled;
mod rules;
mod task;
mod text;

pub use kind::GridConfig;
pub use ruled::Ruled;
pub use rules::Rules;
pub use text::Grid;
