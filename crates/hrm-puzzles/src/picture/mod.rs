//! Pictures of puzzles, as SVG and PNG.
//!
//! ```text
//! PuzzleView  the characters of question, prediction and answer
//! Panel       a grid of coloured cells; each puzzle draws one per part
//! Picture     panels with captions, one puzzle or many, laid out once for both
//!             formats
//! ```
//!
//! A wrong cell is framed by a dark line with a light one inside, so that the mark
//! shows on every colour.
//!
//! # Where to start
//!
//! The `panels` function of each puzzle, e.g. [`sudoku::panels`](crate::sudoku::panels),
//! or [`characters`] for any puzzle; [`Picture`] takes what they return.

mod font;
mod layout;
mod panel;
mod png;
mod scene;
mod svg;
#[cfg(test)]
mod tests;
mod view;

pub use panel::{Cell, Colour, Panel};
pub use view::{Part, PuzzleView, Symbol, Window, characters, characters_in_rows};

use crate::PuzzleError;

/// Largest number of pixels of a PNG: 64 Mi, at three bytes each in memory.
pub const N_PIXELS_MAX: usize = 1 << 26;

/// One puzzle or many, on one page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Written at the top; may be empty.
    pub title: String,
    /// Puzzles in reading order.
    pub puzzles: Vec<PuzzlePicture>,
    /// Puzzles per row of the page, at least one. `None`: as many as make the page a
    /// little wider than high.
    pub n_columns: Option<usize>,
}

/// One puzzle on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PuzzlePicture {
    /// Written above; may be empty. Long captions are cut short.
    pub caption: String,
    /// From left to right.
    pub panels: Vec<Panel>,
}

impl Picture {
    /// The picture as a complete SVG file.
    pub fn to_svg(&self) -> String {
        svg::write(&layout::scene(self))
    }

    /// The picture as the bytes of a PNG file, 8 bits of red, green and blue.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::PictureSize`] beyond [`N_PIXELS_MAX`].
    pub fn to_png(&self) -> Result<Vec<u8>, PuzzleError> {
        png::encode(&layout::scene(self))
    }
}
