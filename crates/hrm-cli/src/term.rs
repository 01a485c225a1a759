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
/// If standard output is closed, or the disk of its file is full.
pub(crate) fn result(text: impl AsRef<str>) -> std::io::Result<()> {
    hide_stage();
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush());
    let named = |err: std::io::Error| format!("cannot write to standard output: {err}");
    written.map_err(|err| std::io::Error::new(err.kind(), named(err)))
}

/// Colours if standard output is a terminal, unless `NO_COLOR` is set.
pub(crate) fn style() -> Style {
    let wants_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if std::io::stdout().is_terminal() && wants_colour { Style::Ansi } else { Style::Plain }
}
