//! Range checks that name the setting.

use std::ops::RangeInclusive;

use crate::error::TrainError;

/// Checks that the setting `field` is in `range`, which `expected` describes. NaN
/// is outside every range.
///
/// # Errors
///
/// [`TrainError::Setting`] if it is not.
pub(super) fn check_range<T: PartialOrd + ToString>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
    expected: &'static str,
) -> Result<(), TrainError> {
    if range.contains(&value) { Ok(()) } else { refuse(field, expected, value) }
}

/// Returns [`TrainError::Setting`] for the setting `field`.
pub(super) fn refuse<T: ToString>(
    field: &'static str,
    expected: &'static str,
    found: T,
) -> Result<(), TrainError> {
    Err(TrainError::Setting { field, expected, found: found.to_string() })
}
