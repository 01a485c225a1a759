//! Pictures of puzzles, as SVG and PNG.
//!
//! ```text
//! Shown     token ids: question, prediction, label      a kind of puzzle reads them
//! Panel     a grid of coloured cells                    and draws one for each
//! Picture   panels with captions, one puzzle or many    laid out here, once for
//!                                                       both formats
//! ```
//!
//! A wrong cell is framed: a dark line inside which a light one runs, so that it
//! shows on every colour and to every eye.
//!
//! # Where to start
//!
//! [`Family::panels`](crate::Family::panels) draws any puzzle; [`Picture`] takes
//! what it draws.

mod font;
mod layout;
mod panel;
mod png;
mod scene;
mod shown;
mod svg;
#[cfg(test)]
mod tests;

pub use panel::{Cell, Colour, Panel};
pub use shown::{Part, Shown, Window, characters, characters_in_rows};

use crate::TaskError;

/// Most pixels of a PNG: 64 Mi, which take three bytes each while it is drawn.
pub const N_PIXELS_MAX: usize = 1 << 26;

/// One puzzle or many, on one page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Written at the top; may be empty.
    pub title: String,
    /// Puzzles in reading order.
    pub exhibits: Vec<Exhibit>,
    /// Puzzles beside each other, at least one; `None` for as many as make a page
    /// a little wider than high.
    pub n_columns: Option<usize>,
}

/// One puzzle on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exhibit {
    /// Written above; may be empty. Long ones are cut short.
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
    /// [`TaskError::PictureSize`] beyond [`N_PIXELS_MAX`].
    pub fn to_png(&self) -> Result<Vec<u8>, TaskError> {
        png::encode(&layout::scene(self))
    }
}
