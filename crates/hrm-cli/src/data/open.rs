//! Opens the puzzles that the arguments name.

use hrm_tasks::{PuzzleTask, TaskConfig};

use crate::task_args::TaskArgs;
use crate::term::note;

/// Opens the puzzles, and prints the notes of the task. Returns the settings too, which
/// follow the data.
///
/// # Errors
///
/// If the data cannot be read, or a setting does not exist.
pub(super) fn open(task_args: &TaskArgs) -> anyhow::Result<(TaskConfig, Box<dyn PuzzleTask>)> {
    let config = task_args.config()?.task;
    let args = &task_args.data_args;
    let task = config.open(&args.data)?;
    args.ignored(&config, &args.data)?.into_iter().for_each(note);
    task.notes().into_iter().for_each(note);
    Ok((config, task))
}
