//! What the bytes of an archive's file come to while they are read: SHA-256, and whether they end in their seal. On a thread
//! beside who decompresses, where there is one: either takes a good part of a processor.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use crate::archive::seal::Watch;

/// Buffers that wait for the thread.
const AHEAD: usize = 4;

/// The sum of all buffers that it took.
#[derive(Debug)]
pub(super) enum Sum {
    /// Made at once.
    Here(Box<Watch>),
    /// Made on a thread.
    Beside {
        work: SyncSender<Work>,
        used: Receiver<Vec<u8>>,
    },
}

/// What the thread is given.
#[derive(Debug)]
pub(super) enum Work {
    Bytes(Vec<u8>),
    /// Asks for the sum.
    Ask(SyncSender<Watch>),
}

impl Sum {
    /// Takes the next bytes, and gives back a buffer for others.
    pub(super) fn take(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Here(watch) => {
                watch.update(&bytes);
                bytes
            }
            Self::Beside { work, used } => {
                // It ends before who sends only by a panic, which the scope passes on.
                work.send(Work::Bytes(bytes)).ok();
                used.try_recv().unwrap_or_default()
            }
        }
    }

    /// The sum of what it took and of these bytes; `None` when its thread failed.
    pub(super) fn with(&self, more: &[u8]) -> Option<Watch> {
        let mut watch = match self {
            Self::Here(watch) => Watch::clone(watch),
            Self::Beside { work, .. } => {
                let (answer, sum) = sync_channel(1);
                work.send(Work::Ask(answer)).ok()?;
                sum.recv().ok()?
            }
        };
        watch.update(more);
        Some(watch)
    }

    /// Has a thread make it from here on.
    ///
    /// # Errors
    ///
    /// When none can be started.
    pub(super) fn beside<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        let Self::Here(watch) = self else { return Ok(()) };
        let mut watch = Watch::clone(watch);
        let (work, coming) = sync_channel(AHEAD);
        let (back, used) = sync_channel(AHEAD + 2);
        Builder::new().spawn_scoped(scope, move || {
            for work in coming {
                match work {
                    Work::Bytes(bytes) => {
                        watch.update(&bytes);
                        // When there is no room for it, the buffer is simply dropped.
                        back.try_send(bytes).ok();
                    }
                    // Who asked may have gone.
                    Work::Ask(answer) => drop(answer.send(watch.clone())),
                }
            }
        })?;
        *self = Self::Beside { work, used };
        Ok(())
    }
}
