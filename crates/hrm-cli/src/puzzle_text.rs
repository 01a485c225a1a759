//! Puzzles as text: from files and standard input, of limited size.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use hrm_tasks::TaskError;

/// Limit for the size of a puzzle file, above that of any real one.
const N_BYTES_MAX: u64 = 64 << 20;

/// Reads a file of puzzles.
///
/// # Errors
///
/// If the file cannot be read, is too large or is not UTF-8 text.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).map_err(TaskError::read(path))?;
    let mut bytes = Vec::new();
    file.take(N_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(TaskError::read(path))?;
    as_text(bytes, &path.display().to_string())
}

fn as_text(bytes: Vec<u8>, place: &str) -> anyhow::Result<String> {
    if bytes.len() as u64 > N_BYTES_MAX {
        return Err(
            TaskError::malformed(place, format!("at most {N_BYTES_MAX} bytes"), "more").into()
        );
    }
    let not_text = |err: std::string::FromUtf8Error| {
        TaskError::malformed(place, "UTF-8 text", err.utf8_error().to_string())
    };
    Ok(String::from_utf8(bytes).map_err(not_text)?)
}

/// Reads puzzles from standard input.
///
/// # Errors
///
/// If it cannot be read, is too large or is not UTF-8 text.
pub(crate) fn read_stdin(place: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(N_BYTES_MAX + 1);
    input.read_to_end(&mut bytes).context("cannot read standard input")?;
    as_text(bytes, place)
}
