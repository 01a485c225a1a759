//! The end of the program: an error message and an exit code.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use hrm_base::words;
use hrm_core::foreign::ForeignError;
use hrm_core::weight_file::WeightFileError;
use hrm_core::{ConfigError, LoadError, WeightsError};
use hrm_puzzles::PuzzleError;
use hrm_tasks::settings::SettingsError;
use hrm_tasks::{CheckpointError, PresetError, TaskError};
use hrm_testkit::GoldenError;
use hrm_train::TrainError;

use crate::data::FetchError;
use crate::error::{Usage, backend_message};
use crate::interrupt::Interrupted;
use crate::term::note;

/// Prints the error, if there is one, and returns the exit code.
pub(crate) fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(err) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(&err) {
        // The reader of our output has stopped, e.g. `hrm data show | head`.
        return ExitCode::SUCCESS;
    }
    if let Some(interrupted) = err.downcast_ref::<Interrupted>() {
        note(interrupted.to_string());
        return ExitCode::from(interrupted.exit_code());
    }
    note(format!("error: {}", message(&err)));
    ExitCode::from(if is_bad_input(&err) { 2 } else { 1 })
}

/// Whether output could not be written because its reader has stopped. A network connection
/// that breaks is another matter.
fn is_closed_pipe(err: &anyhow::Error) -> bool {
    let is_broken = |io: &io::Error| io.kind() == ErrorKind::BrokenPipe;
    err.chain().any(|cause| cause.downcast_ref().is_some_and(is_broken))
        && !err.chain().any(|cause| cause.is::<FetchError>())
}

/// Whether a file could not be written because there is no room for it.
pub(crate) fn is_disk_full(err: &anyhow::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let is_full = |io: &io::Error| matches!(io.kind(), StorageFull | QuotaExceeded | FileTooLarge);
    err.chain().any(|cause| cause.downcast_ref().is_some_and(is_full))
}

/// The error and its causes, outermost first.
pub(crate) fn message(err: &anyhow::Error) -> String {
    let text = |cause: &(dyn Error + 'static)| {
        if let Some(backend) = cause.downcast_ref() {
            return backend_message(backend);
        }
        if let Some(err) = cause.downcast_ref::<serde_json::Error>() {
            return words::of_json(err);
        }
        match cause.downcast_ref().map(io::Error::kind) {
            Some(ErrorKind::StorageFull) => format!("the disk is full ({cause})"),
            Some(ErrorKind::QuotaExceeded) => {
                format!("there is no room left for this user ({cause})")
            }
            Some(ErrorKind::FileTooLarge) => {
                format!("files may not be as large as this here, see `ulimit -f` ({cause})")
            }
            _ => cause.to_string(),
        }
    };
    err.chain().map(text).collect::<Vec<_>>().join(": ")
}

/// Whether other flags, settings or files would avoid the error.
fn is_bad_input(err: &anyhow::Error) -> bool {
    err.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.is::<ConfigError>()
            || cause.is::<WeightsError>()
            || cause.is::<GoldenError>()
            || cause.is::<ForeignError>()
            || cause.downcast_ref().is_some_and(is_bad_fetch)
            || cause.downcast_ref().is_some_and(is_bad_task)
            || cause.downcast_ref().is_some_and(is_bad_puzzle)
            || cause.is::<PresetError>()
            || cause.is::<SettingsError>()
            || cause.downcast_ref().is_some_and(is_bad_checkpoint)
            || cause.downcast_ref().is_some_and(is_bad_weight_file)
            || cause.downcast_ref().is_some_and(is_bad_run)
            || cause.downcast_ref().is_some_and(is_bad_load)
    })
}

fn is_bad_fetch(err: &FetchError) -> bool {
    match err {
        FetchError::File(err) => is_bad_puzzle(err),
        _ => !err.is_network_failure(),
    }
}

fn is_bad_task(err: &TaskError) -> bool {
    match err {
        TaskError::Puzzle(err) => is_bad_puzzle(err),
        TaskError::Tokenizer { .. } => false,
        _ => true,
    }
}

fn is_bad_puzzle(err: &PuzzleError) -> bool {
    !matches!(err, PuzzleError::Write { .. } | PuzzleError::Output(_))
}

fn is_bad_checkpoint(err: &CheckpointError) -> bool {
    match err {
        CheckpointError::Folder(err) => is_bad_run(err),
        CheckpointError::Vocabulary(err) => is_bad_task(err),
        CheckpointError::Model(err) => is_bad_load(err),
        _ => true,
    }
}

fn is_bad_load(err: &LoadError) -> bool {
    matches!(err, LoadError::Read { .. } | LoadError::Config { .. } | LoadError::Instead { .. })
}

fn is_bad_weight_file(err: &WeightFileError) -> bool {
    !matches!(err, WeightFileError::Write { .. })
}

fn is_bad_run(err: &TrainError) -> bool {
    use TrainError as E;
    match err {
        E::Setting { .. }
        | E::Mismatch { .. }
        | E::NoExamples { .. }
        | E::RunExists { .. }
        | E::NotARun { .. }
        | E::WithoutCheckpoint { .. }
        | E::Busy { .. }
        | E::NoCheckpoint { .. }
        | E::Damaged { .. }
        | E::State { .. }
        | E::Read { .. }
        | E::Json { .. } => true,
        E::Weights(err) => is_bad_weight_file(err),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes() -> Vec<anyhow::Error> {
        let io = |kind: ErrorKind| io::Error::new(kind, "why");
        let all = |kind| -> Vec<anyhow::Error> {
            let (path, source) = ("file".into(), io(kind));
            vec![
                io(kind).into(),
                PuzzleError::Output(io(kind)).into(),
                TaskError::Puzzle(PuzzleError::Output(io(kind))).into(),
                TrainError::Weights(WeightFileError::Write { path, source }).into(),
            ]
        };
        [all(ErrorKind::BrokenPipe), all(ErrorKind::StorageFull), all(ErrorKind::NotFound)]
            .into_iter()
            .flatten()
            .collect()
    }

    #[test]
    fn errors_of_json_are_in_words_of_json() {
        let source = serde_json::from_str::<Vec<String>>("{}").unwrap_err();
        let err = TrainError::Json { path: "ids.json".into(), source };
        let expected =
            "ids.json does not have the expected content: an object where a list is expected";
        assert_eq!(message(&err.into()), expected);
    }

    #[test]
    fn closed_pipes_and_full_disks_are_recognised_wherever_they_are_wrapped() {
        let pipes: Vec<bool> = causes().iter().map(is_closed_pipe).collect();
        let disks: Vec<bool> = causes().iter().map(is_disk_full).collect();
        for idx in 0..12 {
            assert_eq!((pipes[idx], disks[idx]), (idx < 4, (4..8).contains(&idx)), "{idx}");
        }
        let texts: Vec<String> = causes().iter().map(message).collect();
        for text in &texts[4..8] {
            assert!(text.ends_with("the disk is full (why)"), "{text}");
        }
        let large = anyhow::Error::from(io::Error::new(ErrorKind::FileTooLarge, "why"));
        let want = "files may not be as large as this here, see `ulimit -f` (why)";
        assert_eq!((is_disk_full(&large), message(&large).as_str()), (true, want));
        assert_eq!(texts[7], "cannot write file: the disk is full (why)");
        assert_eq!(texts[11], "cannot write file: why");
    }
}
