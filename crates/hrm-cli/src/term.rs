//! Remarks, results, and whether anybody watches.

use std::io::{IsTerminal, Write};

use hrm_tasks::Style;

/// Prints a remark for a person to standard error.
pub(crate) fn remark(text: impl AsRef<str>) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// Prints a result to standard output, as it is.
pub(crate) fn result(text: impl AsRef<str>) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_ref().as_bytes())
}

/// Colours for a terminal that has not asked to be spared them.
pub(crate) fn style() -> Style {
    let wants_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if std::io::stdout().is_terminal() && wants_colour { Style::Ansi } else { Style::Plain }
}
