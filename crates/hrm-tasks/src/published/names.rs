//! Names in prepared data sets.

/// Name of the file with the names of the puzzle identifiers.
pub(super) const IDENTIFIERS: &str = "identifiers.json";

/// Name of puzzle identifier 0.
pub(crate) const BLANK_NAME: &str = "<blank>";
