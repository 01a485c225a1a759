//! Files and folders that appear whole or not at all, and never in place of
//! others, in the words of this program.

use std::path::Path;

use hrm_base::durable;
use hrm_tasks::TaskError;

use crate::error::usage;

/// Refuses a path that is taken.
///
/// # Errors
///
/// If something is there already.
pub(crate) fn must_be_free(path: &Path) -> anyhow::Result<()> {
    // A dangling link is something, too.
    match path.symlink_metadata() {
        Ok(_) => Err(usage(format!("{} exists already", path.display()))),
        Err(_) => Ok(()),
    }
}

/// Writes a file that is not there yet.
///
/// # Errors
///
/// [`TaskError::Write`] if it is there, or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    durable::write_new(path, bytes).map_err(TaskError::write(path))
}

/// Makes a folder that is not there yet, filled by `fill`.
///
/// # Errors
///
/// If it is there or cannot be made, and whatever `fill` fails with: then there
/// is no folder.
pub(crate) fn new_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    must_be_free(path)?;
    durable::new_folder(path, |source| TaskError::write(path)(source).into(), fill)
}
