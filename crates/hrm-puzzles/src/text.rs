//! Text for messages.

/// At most 60 characters of a text that may be arbitrarily long, for messages.
pub fn clipped(text: &str) -> String {
    const N_CHARS_MAX: usize = 60;
    match text.char_indices().nth(N_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
