//! How a verb ends: its exit code and its last words.

use std::process::ExitCode;

use hrm_core::weight_file::WeightFileError;
use hrm_core::{ConfigError, LoadError, WeightsError};
use hrm_tasks::TaskError;
use hrm_testkit::GoldenError;
use hrm_train::TrainError;

use crate::data::FetchError;
use crate::interrupt::Interrupted;
use crate::term::remark;

/// Something the user asked for that cannot be: a flag, a name, a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A [`Usage`] error as `anyhow` carries it.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// A check that was run and did not pass. The verb has said why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failed(pub(crate) String);

/// Prints what went wrong, if anything, and says how to exit.
pub(crate) fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(err) = result else { return ExitCode::SUCCESS };
    let is_closed_pipe = |io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe;
    if err.downcast_ref().is_some_and(is_closed_pipe) {
        // Whoever read our output has seen enough, e.g. `hrm data show | head`.
        return ExitCode::SUCCESS;
    }
    if let Some(interrupted) = err.downcast_ref::<Interrupted>() {
        remark(interrupted.to_string());
        return ExitCode::from(interrupted.exit_code());
    }
    #[allow(clippy::print_stderr)] // The one place that reports errors.
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

/// What the tensor library says, without the backtrace that it appends where
/// the environment asks for one.
pub(crate) fn backend_message(err: &candle_core::Error) -> String {
    err.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whether the user can mend it by asking for something else.
fn is_bad_input(err: &anyhow::Error) -> bool {
    err.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.is::<ConfigError>()
            || cause.is::<WeightsError>()
            || cause.is::<GoldenError>()
            || cause.downcast_ref().is_some_and(is_bad_fetch)
            || cause.downcast_ref().is_some_and(is_bad_task)
            || cause.downcast_ref().is_some_and(is_bad_weight_file)
            || cause.downcast_ref().is_some_and(is_bad_run)
            || matches!(
                cause.downcast_ref(),
                Some(LoadError::Read { .. } | LoadError::Config { .. })
            )
    })
}

fn is_bad_fetch(err: &FetchError) -> bool {
    match err {
        FetchError::File(err) => is_bad_task(err),
        _ => !err.is_of_network(),
    }
}

fn is_bad_task(err: &TaskError) -> bool {
    !matches!(err, TaskError::Write { .. } | TaskError::Output(_))
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
        // The weight file decides for itself.
        _ => false,
    }
}
