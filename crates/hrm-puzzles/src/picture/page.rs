//! A page of puzzles, before it is laid out.

use super::panel::Panel;

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
