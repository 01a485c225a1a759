//! Writing checkpoints and pictures beside the training.

use std::thread::JoinHandle;

use tracing::{Span, info_span};

/// At most one thing that is being written.
#[derive(Debug, Default)]
pub(super) struct Saver {
    at_work: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Saver {
    /// Begins to write something, once the thing before is there. `span` is what
    /// a trace shows of it.
    ///
    /// # Errors
    ///
    /// Those of the thing before.
    pub(super) fn start(
        &mut self,
        span: Span,
        write: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.finish()?;
        self.at_work = Some(std::thread::spawn(move || {
            let _writing = span.entered();
            write()
        }));
        Ok(())
    }

    /// Waits for what is being written, if anything is.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being written.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let Some(at_work) = self.at_work.take() else { return Ok(()) };
        let _waiting = info_span!("wait for writing").entered();
        match at_work.join() {
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
    fn the_caller_goes_on_and_hears_of_failures() {
        let mut saver = Saver::default();
        let (go, wait) = mpsc::channel();
        saver.start(Span::none(), move || Ok(wait.recv()?)).unwrap();
        // The first is still being written here.
        go.send(()).unwrap();
        saver.start(Span::none(), || anyhow::bail!("the disk is full")).unwrap();
        let err = saver.start(Span::none(), || panic!("nothing follows a failure")).unwrap_err();
        assert_eq!(err.to_string(), "the disk is full");
        saver.finish().unwrap();
    }
}
