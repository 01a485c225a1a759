//! A background thread for slow writes, such as checkpoints and pictures.

use std::thread::JoinHandle;

use tracing::{Span, info_span};

/// Runs one write at a time, beside the training.
#[derive(Debug, Default)]
pub(super) struct BackgroundWriter {
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl BackgroundWriter {
    /// Starts a write, after waiting for the previous one. `span` represents it
    /// in a trace.
    ///
    /// # Errors
    ///
    /// If the previous write has failed.
    pub(super) fn start(
        &mut self,
        span: Span,
        write: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.finish()?;
        self.running = Some(std::thread::spawn(move || {
            let _writing = span.entered();
            write()
        }));
        Ok(())
    }

    /// Waits for the write in progress, if there is one.
    ///
    /// # Errors
    ///
    /// If the write fails.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let _waiting = info_span!("wait for writing").entered();
        match running.join() {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_caller_continues_and_receives_failures() {
        let mut writer = BackgroundWriter::default();
        let (go, wait) = mpsc::channel();
        writer.start(Span::none(), move || Ok(wait.recv()?)).unwrap();
        // The first write is still running here.
        go.send(()).unwrap();
        writer.start(Span::none(), || anyhow::bail!("the disk is full")).unwrap();
        let err = writer.start(Span::none(), || panic!("nothing follows a failure")).unwrap_err();
        assert_eq!(err.to_string(), "the disk is full");
        writer.finish().unwrap();
    }
}
