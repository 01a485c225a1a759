//! The puzzles of both sides of the split.

use std::sync::Arc;

/// A puzzle and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<P> {
    /// The puzzle.
    pub puzzle: P,
    /// File and line; empty for generated puzzles.
    pub place: String,
    /// What else the file states, if anything; puzzles that state the same share it.
    pub stated: Option<Arc<Stated>>,
}

/// What a file states about a puzzle and the puzzle itself does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stated {
    /// Origin of the puzzle.
    pub source: String,
    /// Difficulty, if it is no whole number.
    pub rating: String,
}

/// Training and evaluation puzzles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides<P> {
    /// Puzzles to learn from.
    pub train: Vec<Placed<P>>,
    /// Puzzles to evaluate on.
    pub eval: Vec<Placed<P>>,
}

impl<P> Sides<P> {
    /// Every puzzle, training puzzles first.
    pub fn all(&self) -> impl Iterator<Item = &P> {
        self.train.iter().chain(&self.eval).map(|placed| &placed.puzzle)
    }
}

/// The name of a puzzle in messages: its place, or its number among generated ones.
pub(crate) fn name_of<P>(placed: &Placed<P>, idx: usize) -> String {
    match placed.place.as_str() {
        "" => format!("generated puzzle {}", idx + 1),
        place => place.to_owned(),
    }
}

/// The question of every puzzle of a side, with the name of the puzzle.
pub(crate) fn named<P, Q>(
    side: &[Placed<P>],
    question: impl for<'a> Fn(&'a P) -> &'a Q,
) -> Vec<(String, &Q)> {
    let named = side.iter().enumerate();
    named.map(|(idx, placed)| (name_of(placed, idx), question(&placed.puzzle))).collect()
}
