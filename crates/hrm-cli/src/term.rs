//! Standard output and standard error.

use std::io::{IsTerminal, Write};

use hrm_puzzles::Style;

use crate::progress::{hide_stage, print_line};

/// Prints a note for the user to standard error.
pub(crate) fn note(text: impl AsRef<str>) {
    hide_stage();
    print_line(text);
}

/// Prints a result to standard output, without adding anything.
///
/// # Errors
///
/// If standard output is closed.
pub(crate) fn result(text: impl AsRef<str>) -> std::io::Result<()> {
    hide_stage();
    std::io::stdout().lock().write_all(text.as_ref().as_bytes())
}

/// Colours if standard output is a terminal, unless `NO_COLOR` is set.
pub(crate) fn style() -> Style {
    let wants_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if std::io::stdout().is_terminal() && wants_colour { Style::Ansi } else { Style::Plain }
}
