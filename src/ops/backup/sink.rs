//! Where an archive's bytes go: a draft or a pipe, each on a thread of its own, so that hashing and writing wait for nobody.

use std::io::{self, Write};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::archive::{Draft, Seal};

/// Pieces that may be on their way, each at most 256 KiB.
const AHEAD: usize = 8;
/// How long the thread of a sink that is given up is waited for: one whose pipe nobody reads never ends.
const PARTING: Duration = Duration::from_secs(5);

/// What takes an archive's bytes.
pub(super) trait Takes: Send + 'static {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Takes for Draft {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)
    }
}

/// A pipe with what passed through it.
pub(super) struct Pipe {
    out: Box<dyn Write + Send>,
    seal: Seal,
}

impl Pipe {
    pub(super) fn new(out: Box<dyn Write + Send>, seal: Seal) -> Self {
        Self { out, seal }
    }

    /// Ends the archive; what passed in all.
    pub(super) fn end(mut self) -> io::Result<Seal> {
        let end = self.seal.end();
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok(self.seal)
    }
}

impl Takes for Pipe {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seal.update(bytes);
        self.out.write_all(bytes)
    }
}

/// A sink at work.
#[derive(Debug)]
pub(super) struct Sink<T> {
    pieces: mpsc::Sender<Vec<u8>>,
    thread: JoinHandle<io::Result<T>>,
}

impl<T: Takes> Sink<T> {
    pub(super) fn start(mut into: T) -> Self {
        let (pieces, mut coming) = mpsc::channel::<Vec<u8>>(AHEAD);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(bytes) = coming.blocking_recv() {
                into.take(&bytes)?;
            }
            Ok(into)
        });
        Self { pieces, thread }
    }

    /// Hands it the next bytes; whether it still takes any. When not, [`Sink::end`] says why.
    pub(super) async fn put(&self, bytes: Vec<u8>) -> bool {
        self.pieces.send(bytes).await.is_ok()
    }

    /// Waits until it has taken all.
    pub(super) async fn end(self) -> io::Result<T> {
        drop(self.pieces);
        self.thread.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Waits until nothing of it is left.
    pub(super) async fn give_up(self) {
        drop(self.pieces);
        // What comes too late is left to the thread, which lets go of it when it can.
        tokio::time::timeout(PARTING, self.thread).await.ok();
    }
}
