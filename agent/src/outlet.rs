//! The way out of an agent: one writer for all requests, that joins small frames which wait together into
//! one write. It knows bytes, not messages.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::serve::lock;

/// Bytes that may wait before senders wait too.
const WAITING: usize = 1 << 20;

/// The shared writer of a connection.
pub(crate) struct Outlet {
    queue: Mutex<Queue>,
    taken: Condvar,
    output: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// What `waiting` is exchanged with while it is written: memory that is large is not asked for again and again.
    spare: Vec<u8>,
    writing: bool,
    broken: Option<io::ErrorKind>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

impl Outlet {
    pub(crate) fn new(output: impl Write + Send + 'static) -> Self {
        Self {
            queue: Mutex::default(),
            taken: Condvar::new(),
            output: Mutex::new(Box::new(output)),
        }
    }

    /// Queues what `put` adds to what waits and, unless another thread is at it, writes all that is queued. Where `put`
    /// fails it has added nothing.
    pub(crate) fn write<E: From<io::Error>>(&self, put: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let mut queue = lock(&self.queue);
        while queue.broken.is_none() && queue.waiting.len() > WAITING {
            queue = self.taken.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(kind) = queue.broken {
            return Err(io::Error::from(kind).into());
        }
        put(&mut queue.waiting)?;
        if queue.writing {
            return Ok(());
        }
        queue.writing = true;
        let mut batch = std::mem::take(&mut queue.spare);
        while !queue.waiting.is_empty() {
            std::mem::swap(&mut batch, &mut queue.waiting);
            drop(queue);
            self.taken.notify_all();
            let mut output = lock(&self.output);
            let result = output.write_all(&batch).and_then(|()| output.flush());
            drop(output);
            batch.clear();
            queue = lock(&self.queue);
            if let Err(error) = result {
                queue.broken = Some(error.kind());
                queue.waiting = Vec::new();
                queue.writing = false;
                self.taken.notify_all();
                return Err(error.into());
            }
        }
        queue.spare = batch;
        queue.writing = false;
        Ok(())
    }

    /// Whether a write is under way.
    pub(crate) fn writing(&self) -> bool {
        lock(&self.queue).writing
    }
}
