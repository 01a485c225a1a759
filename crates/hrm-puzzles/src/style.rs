//! Styles of puzzles rendered as text.

/// Style of a puzzle rendered as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Characters only, for files and pipes.
    Plain,
    /// With ANSI colours, for terminals.
    Ansi,
}
