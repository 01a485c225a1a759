//! Pictures of puzzles, as SVG and PNG.
//!
//! ```text
//! PuzzleView  the characters of question, prediction and answer
//! Panel       a grid of coloured cells: one per part of a puzzle
//! Picture     the panels of one or more puzzles, with captions
//! ```
//!
//! A wrong cell is framed by a red line with a white line inside, so that the mark is
//! visible on every colour.
//!
//! # Where to start
//!
//! The `panels` function of each puzzle, e.g. [`sudoku::panels`](crate::sudoku::panels),
//! or [`characters`] for any puzzle, returns the panels for a [`Picture`].

mod font;
mod layout;
mod page;
mod panel;
mod png;
mod scene;
mod svg;
#[cfg(test)]
mod tests;
mod view;

pub use page::{Picture, PuzzlePicture};
pub use panel::{Cell, Colour, Panel};
pub use png::N_PIXELS_MAX;
pub use view::{Part, PuzzleView, Symbol, Window, characters, characters_in_rows};

use crate::PuzzleError;

impl Picture {
    /// Renders the picture as a complete SVG file.
    pub fn to_svg(&self) -> String {
        svg::write(&layout::scene(self))
    }

    /// Renders the picture as a complete PNG file, in RGB with 8 bits per channel.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::PictureSize`] if it has more than [`N_PIXELS_MAX`] pixels.
    pub fn to_png(&self) -> Result<Vec<u8>, PuzzleError> {
        png::encode(&layout::scene(self))
    }
}
