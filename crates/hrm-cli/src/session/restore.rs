//! A trainer and a run state, from a checkpoint or for the first step.

use std::path::Path;

use hrm_core::Hrm;
use hrm_train::Trainer;

use super::state::RunState;
use crate::record::RunRecord;

/// Reads trainer and state from `checkpoint`. Without one, makes those of the run in the
/// folder `run` before its first step.
///
/// # Errors
///
/// If the checkpoint cannot be read or belongs to another model, or the device
/// is not available.
pub(super) fn restore(
    record: &RunRecord,
    run: &Path,
    checkpoint: Option<&Path>,
) -> anyhow::Result<(Trainer, RunState)> {
    let config = record.config.train.clone();
    let Some(checkpoint) = checkpoint else {
        let trainer = Trainer::new(record.first_model(run)?, config)?;
        return Ok((trainer, RunState::initial(record.seed)));
    };
    let compute = record.compute()?;
    let model = Hrm::load(checkpoint, &compute.device()?)?.with_dtype(compute.dtype()?);
    let state = RunState::read(checkpoint)?;
    Ok((Trainer::restore(model, config, checkpoint)?, state))
}
