//! Puzzles that are on both sides of a split.

/// An evaluation puzzle that the training data contain too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The evaluation puzzle: a name, or file and line.
    pub eval: String,
    /// The same puzzle in the training data.
    pub train: String,
    /// Why they count as the same, e.g. `turned or flipped`.
    pub why: &'static str,
}
