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
