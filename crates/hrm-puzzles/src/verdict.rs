//! Results of checking an answer.

/// Result of checking an answer: by the rules of the puzzle, or against the expected
/// answer if the puzzle has no rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer follows every rule.
    Valid,
    /// The answer equals the expected answer; the puzzle has no rules.
    Expected,
    /// The answer breaks this rule.
    Invalid(String),
    /// The answer could not be checked, for this reason.
    Unchecked(String),
}
