//! A page of puzzles, before it is laid out.

use super::panel::Panel;

/// A page with one or more puzzles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Written at the top; may be empty.
    pub title: String,
    /// Puzzles in reading order.
    pub puzzles: Vec<PuzzlePicture>,
    /// Puzzles per row of the page, at least one. `None` chooses the number so that the
    /// page is a little wider than high.
    pub n_columns: Option<usize>,
}

/// One puzzle on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PuzzlePicture {
    /// Written above the panels; may be empty. Long captions are truncated.
    pub caption: String,
    /// The panels, from left to right.
    pub panels: Vec<Panel>,
}
