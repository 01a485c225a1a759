//! The prepared data sets of the published code: reading, writing, and conversion to puzzle
//! files.
//!
//! ```text
//! folder/
//!   identifiers.json     names of the puzzle identifiers
//!   train/  test/        one split each: dataset.json and arrays
//! ```
//!
//! HRM, TRM and nano-trm prepare such folders. TRM's have other names of versions, a count of
//! puzzles in `dataset.json`, and `test_puzzles.json` with the tasks to score; nano-trm's lack
//! what has one value only, and the boards among them have ids that are one higher. Several
//! folders of the same sizes open as one data set.
//!
//! Such a folder holds every example of every version, so nothing is sampled or augmented
//! here. Arrays are memory-mapped: a data set of gigabytes takes no more memory than the
//! pages in use.
//!
//! # Where to start
//!
//! [`Layout`] opens a folder, and `Split` provides its examples to the trainer. [`export()`]
//! writes such a folder, [`import()`] converts one.

mod export;
mod import;
mod imported;
mod layout;
mod names;
mod npy;
mod split;
mod task;
#[cfg(test)]
mod tests;

pub use export::{Exported, export};
pub use import::{import, import_as};
pub use imported::Imported;
pub(crate) use imported::records;
pub(crate) use layout::find;
pub use layout::{Layout, Sample};
pub(crate) use names::BLANK_NAME;
pub use names::{check_names, identifiers, numbers_of};
pub(crate) use split::Split;
pub(crate) use task::{open, open_for_eval};
