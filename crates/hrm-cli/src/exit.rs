//! The end of the program: an error message and an exit code.

use std::process::ExitCode;

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
    let is_closed_pipe = |io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe;
    if err.downcast_ref().is_some_and(is_closed_pipe) {
        // The reader of our output has stopped, e.g. `hrm data show | head`.
        return ExitCode::SUCCESS;
    }
    if let Some(interrupted) = err.downcast_ref::<Interrupted>() {
        note(interrupted.to_string());
        return ExitCode::from(interrupted.exit_code());
    }
    #[allow(clippy::print_stderr)] // The only place that reports errors.
    {
        eprintln!("error: {}", message(&err));
    }
    ExitCode::from(if is_bad_input(&err) { 2 } else { 1 })
}

/// The error and its causes, outermost first.
fn message(err: &anyhow::Error) -> String {
    let text = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(backend) => backend_message(backend),
        None => cause.to_string(),
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
    matches!(err, LoadError::Read { .. } | LoadError::Config { .. })
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
        | E::Busy { .. }
        | E::NoCheckpoint { .. }
        | E::Damaged { .. }
        | E::State { .. }
        | E::Read { .. }
        | E::Json { .. } => true,
        // An error of a weight file is its source, and is classified by itself.
        _ => false,
    }
}
