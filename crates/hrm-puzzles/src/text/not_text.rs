//! Files that are no text: what they are and what to do about them.

use hrm_base::file_kind::{FileKind, Group};

use crate::PuzzleError;

/// The error for a file of this kind.
pub(super) fn error(place: String, kind: FileKind) -> PuzzleError {
    let advice = match kind.group {
        Group::Packed => "unpack it first".to_owned(),
        Group::Table if kind.name.contains("Parquet") => "save it as CSV first, e.g. in Python: \
             pandas.read_parquet(FILE).to_csv(\"train.csv\", index=False)"
            .to_owned(),
        Group::Table => "save it as CSV first".to_owned(),
        Group::Array => "a data set that the published code prepared is read as its folder \
             (the one with train/dataset.json); save other arrays as CSV first"
            .to_owned(),
        Group::Safetensors | Group::Torch | Group::OldTorch | Group::Weights | Group::Network => {
            "`hrm import` reads checkpoints; puzzles are read from text".to_owned()
        }
        Group::Pickle => "save it as CSV or JSON first".to_owned(),
        Group::Document => "save it as plain text, CSV or JSON first".to_owned(),
        Group::Picture | Group::Other => READ_FROM_TEXT.to_owned(),
        Group::Pointer(command) => format!("fetch the file with `{command}`"),
        Group::FailedDownload => "download the file itself again".to_owned(),
    };
    PuzzleError::NotText { place, found: kind.name, advice }
}

/// The error for bytes that no text and no known format has.
pub(super) fn binary(place: String) -> PuzzleError {
    PuzzleError::NotText { place, found: "binary data".into(), advice: READ_FROM_TEXT.into() }
}

/// The error for UTF-32, which nobody should have to read.
pub(super) fn utf_32(place: String) -> PuzzleError {
    let advice = "save it in UTF-8 first".to_owned();
    PuzzleError::NotText { place, found: "UTF-32".into(), advice }
}

const READ_FROM_TEXT: &str = "puzzles are read from text";
