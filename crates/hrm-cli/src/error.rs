//! Errors of the program itself, and the message of a tensor library error.

/// A flag, name or file of the user that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A [`Usage`] error with this message.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// A check ran and did not pass. Its report has been printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failed(pub(crate) String);

/// The message of the tensor library, without the backtrace that it appends if
/// the environment requests one.
pub(crate) fn backend_message(err: &candle_core::Error) -> String {
    err.to_string().lines().next().unwrap_or_default().to_owned()
}
