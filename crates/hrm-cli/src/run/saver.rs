//! Writing checkpoints beside the training.

use std::thread::JoinHandle;

use tracing::info_span;

/// At most one checkpoint that is being written.
#[derive(Debug, Default)]
pub(super) struct Saver {
    at_work: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Saver {
    /// Begins to write a checkpoint, once the one before is there.
    ///
    /// # Errors
    ///
    /// Those of the one before.
    pub(super) fn start(
        &mut self,
        write: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.finish()?;
        self.at_work = Some(std::thread::spawn(move || {
            let _writing = info_span!("write checkpoint").entered();
            write()
        }));
        Ok(())
    }

    /// Waits for the checkpoint that is being written, if there is one.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being written.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let Some(at_work) = self.at_work.take() else { return Ok(()) };
        let _waiting = info_span!("wait for checkpoint").entered();
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
        saver.start(move || Ok(wait.recv()?)).unwrap();
        // The first is still being written here.
        go.send(()).unwrap();
        saver.start(|| anyhow::bail!("the disk is full")).unwrap();
        let err = saver.start(|| panic!("nothing follows a failure")).unwrap_err();
        assert_eq!(err.to_string(), "the disk is full");
        saver.finish().unwrap();
    }
}
