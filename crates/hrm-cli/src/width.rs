//! The width of terminals.

use console::Term;

/// The number of columns of a terminal; `None` if it is not one.
pub(crate) fn n_columns(terminal: &Term) -> Option<usize> {
    terminal.size_checked().map(|(_, n_columns)| n_columns.into())
}
