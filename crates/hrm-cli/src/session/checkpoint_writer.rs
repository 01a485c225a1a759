//! Checkpoints of a run: writes them in the background, removes old ones and marks
//! the best.

use std::path::PathBuf;
use std::sync::Arc;

use hrm_tasks::{PuzzleTask, TaskRecord};
use hrm_train::Trainer;
use hrm_train::run::Checkpoints;
use tracing::info_span;

use super::background::BackgroundWriter;
use super::state::RunState;
use crate::output::with_final_name;

/// Writes the checkpoints of a run.
pub(super) struct CheckpointWriter {
    checkpoints: Checkpoints,
    /// Written into every checkpoint.
    record: TaskRecord,
    /// Rollbacks since the last checkpoint.
    n_rollbacks_in_row: usize,
}

impl CheckpointWriter {
    /// A writer into `checkpoints`, of a model for the task of `record`.
    pub(super) fn new(checkpoints: Checkpoints, record: TaskRecord) -> Self {
        Self { checkpoints, record, n_rollbacks_in_row: 0 }
    }

    /// Starts to write a checkpoint, and to remove old ones.
    ///
    /// # Errors
    ///
    /// If the model cannot be copied, or the previous write has failed.
    pub(super) fn start(
        &mut self,
        trainer: &Trainer,
        task: &Arc<dyn PuzzleTask>,
        state: &RunState,
        background: &mut BackgroundWriter,
    ) -> anyhow::Result<()> {
        let (snapshot, state) = (trainer.snapshot()?, state.clone());
        let (checkpoints, record) = (self.checkpoints.clone(), self.record.clone());
        let (task, n_kept) = (Arc::clone(task), trainer.config().checkpoints.n_kept);
        self.n_rollbacks_in_row = 0;
        background.start(info_span!("write checkpoint"), move || {
            let step = snapshot.n_steps();
            checkpoints.write(step, |folder| {
                let write = || {
                    snapshot.write(folder)?;
                    record.write(folder, task.identifiers())?;
                    anyhow::Ok(state.write(folder)?)
                };
                write().map_err(|err| with_final_name(err, folder, &checkpoints.folder(step)))
            })?;
            Ok(checkpoints.keep_newest(n_kept)?)
        })
    }

    /// Marks the checkpoint of `step` as the best.
    ///
    /// # Errors
    ///
    /// If it cannot be marked, or the write in progress fails.
    pub(super) fn mark_best(
        &self,
        step: u64,
        background: &mut BackgroundWriter,
    ) -> anyhow::Result<()> {
        background.finish()?;
        Ok(self.checkpoints.set_best(Some(step))?)
    }

    /// The best checkpoint, if one is marked.
    ///
    /// # Errors
    ///
    /// If the mark cannot be read.
    pub(super) fn best(&self) -> anyhow::Result<Option<PathBuf>> {
        Ok(self.checkpoints.best()?)
    }

    /// Removes the newest checkpoints to return to an earlier one: the last, or
    /// if no checkpoint was written since the previous rollback, the one before
    /// that. `None` means the start of the run.
    ///
    /// # Errors
    ///
    /// If the checkpoints cannot be read or removed, or the write in progress fails.
    pub(super) fn roll_back(
        &mut self,
        background: &mut BackgroundWriter,
    ) -> anyhow::Result<Option<PathBuf>> {
        background.finish()?;
        let earlier = self.checkpoints.roll_back(self.n_rollbacks_in_row)?;
        self.n_rollbacks_in_row += 1;
        Ok(earlier)
    }
}
