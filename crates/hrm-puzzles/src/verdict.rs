//! Whether an answer is right.

/// Whether an answer is right: by the rules of the puzzle, or by the expected answer
/// where there are no rules to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every rule holds.
    Valid,
    /// It equals the expected answer, of a puzzle without rules.
    Expected,
    /// The rule that is broken.
    Invalid(String),
    /// Why it could not be checked.
    Unchecked(String),
}
