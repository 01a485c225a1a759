//! Text for messages: short, and with nothing invisible in it.

/// At most 60 characters of a text that may be arbitrarily long, for messages.
pub fn clipped(text: &str) -> String {
    const N_CHARS_MAX: usize = 60;
    match text.char_indices().nth(N_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first of some names for messages: `a, b, c, d and 3 more`.
pub(crate) fn named<T: AsRef<str>>(names: &[T]) -> String {
    const N_NAMES_MAX: usize = 4;
    let first = names.iter().take(N_NAMES_MAX);
    let first: Vec<String> = first.map(|name| clipped(name.as_ref())).collect();
    match names.len() - first.len() {
        0 => first.join(", "),
        n_more => format!("{} and {n_more} more", first.join(", ")),
    }
}

/// A character for messages: `'x'`, or the code point and name of one that would not be
/// seen, e.g. `U+FEFF (byte order mark)`.
pub fn shown(symbol: char) -> String {
    let name = match symbol {
        '\t' => "tab",
        '\n' | '\r' => "line break",
        '\0' => "null",
        '\u{a0}' | '\u{202f}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}'..='\u{200d}' | '\u{2060}' => "zero-width character",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "text direction mark"
        }
        '\u{feff}' => "byte order mark",
        '\u{fffd}' => "replacement of an unreadable character",
        ' ' => return "a space".to_owned(),
        _ if symbol.is_control() => "control character",
        _ if symbol.is_whitespace() => "a kind of space",
        // Debug output escapes what has no picture of its own.
        _ if symbol.escape_debug().count() > 2 => "invisible",
        _ => return format!("{symbol:?}"),
    };
    format!("U+{:04X} ({name})", u32::from(symbol))
}

/// A text for messages, clipped, in quotes, with invisible characters as code points.
pub fn quoted(text: &str) -> String {
    let visible = |symbol: char| {
        let is_plain = symbol == ' ' || shown(symbol).starts_with('\'');
        if is_plain { symbol.to_string() } else { format!("<U+{:04X}>", u32::from(symbol)) }
    };
    format!("\"{}\"", clipped(text).chars().map(visible).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_shown_as_code_points() {
        assert_eq!(shown('x'), "'x'");
        assert_eq!(shown('\''), "'\\''");
        assert_eq!(shown('象'), "'象'");
        assert_eq!(shown('\u{feff}'), "U+FEFF (byte order mark)");
        assert_eq!(shown('\u{a0}'), "U+00A0 (no-break space)");
        assert_eq!(shown('\u{200b}'), "U+200B (zero-width character)");
        assert_eq!(shown('\u{1b}'), "U+001B (control character)");
        assert_eq!(shown('\u{301}'), "U+0301 (invisible)");
        assert_eq!(quoted("a \u{feff}b\t"), "\"a <U+FEFF>b<U+0009>\"");
        assert!(quoted(&"x".repeat(100)).ends_with("...\""));
    }

    #[test]
    fn names_are_listed_up_to_a_limit() {
        assert_eq!(named(&["a", "b", "c", "d"]), "a, b, c, d");
        assert_eq!(named(&["a", "b", "c", "d", "e", "f"]), "a, b, c, d and 2 more");
    }
}
