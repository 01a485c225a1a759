//! Puzzles that occur on both sides of a train/test split.

/// An evaluation puzzle that also occurs in the training data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The evaluation puzzle: a name, or file and line.
    pub eval: String,
    /// The same puzzle in the training data.
    pub train: String,
    /// Why the two count as the same puzzle, e.g. `turned or flipped`.
    pub why: &'static str,
}
