//! Opens the puzzles that the arguments name.

use hrm_tasks::PuzzleTask;

use crate::task_args::TaskArgs;
use crate::term::note;

/// Opens the puzzles, and prints the notes of the task.
///
/// # Errors
///
/// If the data cannot be read, or a setting does not exist.
pub(super) fn open(task_args: &TaskArgs) -> anyhow::Result<Box<dyn PuzzleTask>> {
    let task = task_args.config()?.task.open(&task_args.data_args.data)?;
    task.notes().into_iter().for_each(note);
    Ok(task)
}
