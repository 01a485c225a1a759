//! Checkpoints as commands open and write them.

use std::path::Path;

use hrm_core::Hrm;
use hrm_tasks::{Checkpoint, TaskRecord};

use crate::compute::Compute;
use crate::output;

/// Loads a checkpoint folder, or the best or newest checkpoint of a run folder.
///
/// # Errors
///
/// If the folder is neither, its files do not fit together, or the device is not available.
pub(crate) fn open(run: &Path, compute: &Compute) -> anyhow::Result<Checkpoint> {
    let checkpoint = Checkpoint::open(run, &compute.device()?)?;
    let model = checkpoint.model.with_dtype(compute.dtype()?);
    Ok(Checkpoint { model, ..checkpoint })
}

/// Writes a checkpoint folder that belongs to no run.
///
/// # Errors
///
/// If the folder exists or cannot be written.
pub(crate) fn save_new(
    folder: &Path,
    model: &Hrm,
    record: &TaskRecord,
    identifiers: &[String],
) -> anyhow::Result<()> {
    output::new_folder(folder, |folder| {
        model.save(folder)?;
        Ok(record.write(folder, identifiers)?)
    })
}
