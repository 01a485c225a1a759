//! Settings of the data, common to all kinds.

use crate::error::TaskError;

/// Settings of the data, common to all kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataSettings {
    /// Seed of generated puzzles, versions and the held-out split.
    pub seed: u64,
    /// Number of generated training puzzles.
    pub n_train: usize,
    /// Number of generated evaluation puzzles.
    pub n_eval: usize,
    /// Share of data files without a test set that is held out for evaluation.
    pub held_out: f64,
}

/// Largest number of generated puzzles per side; bounds memory and time.
const N_GENERATED_MAX: usize = 1_000_000;

impl DataSettings {
    /// Makes sure that the settings are in range.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first setting out of range.
    pub(crate) fn check(&self) -> Result<(), TaskError> {
        for (field, n) in [("n_train", self.n_train), ("n_eval", self.n_eval)] {
            if n > N_GENERATED_MAX {
                return Err(TaskError::setting(field, format!("at most {N_GENERATED_MAX}"), n));
            }
        }
        check_held_out(self.held_out)
    }
}

/// Makes sure that a held-out share is in range.
///
/// # Errors
///
/// [`TaskError::Setting`] unless `0 <= held_out < 1`.
pub(crate) fn check_held_out(held_out: f64) -> Result<(), TaskError> {
    if (0.0..1.0).contains(&held_out) {
        return Ok(());
    }
    Err(TaskError::setting("held_out", "at least 0 and less than 1", held_out))
}
