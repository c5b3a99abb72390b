//! The server side of the protocol: reads requests, runs each on a thread, writes replies within the
//! client's credit. It knows nothing of what a request does; a [`Backend`] does.

use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::proto::{Fault, Hello, Reply, Request};

/// Why a request ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// It failed.
    Fault(Fault),
    /// The client cancelled it or went away.
    Cancelled,
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What answers requests: the file system walker of this crate, or the demo's tree.
pub trait Backend: Send + Sync + 'static {
    /// Describes this agent and its roots.
    fn hello(&self) -> Hello;

    /// Runs one request; replies go to `sink`. The returned notes end up in [`Reply::Done`].
    ///
    /// # Errors
    ///
    /// [`Halt::Fault`] when the request as a whole failed, [`Halt::Cancelled`] as `sink` says so.
    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt>;
}

/// Where a running request puts its replies.
#[derive(Debug)]
pub struct Sink {}

impl Sink {
    /// Sends a reply, waiting for the client's credit.
    ///
    /// # Errors
    ///
    /// [`Halt::Cancelled`] when the request was cancelled or the client is gone.
    pub fn send(&self, _reply: Reply) -> Result<(), Halt> {
        todo!("agent helper")
    }

    /// Whether the client cancelled this request or is gone; long loops ask now and then.
    pub fn cancelled(&self) -> bool {
        todo!("agent helper")
    }
}

/// Serves one connection until `input` ends.
///
/// # Errors
///
/// When the stream breaks or the client breaks the protocol.
pub fn serve<B, R, W>(_backend: Arc<B>, _input: R, _output: W) -> io::Result<()>
where
    B: Backend + ?Sized,
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    todo!("agent helper")
}
