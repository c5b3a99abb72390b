//! The agent in this very process, at the other end of a pair of sockets: used on paths that this user can read
//! when no helper can run, and by the demo with its own tree. Knows no engine.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use vole_agent::serve::{Backend, serve};

use super::error::EngineError;
use super::session::Session;

/// Serves a backend on a thread of this process and connects to it. The thread ends with the session.
///
/// # Errors
///
/// When the system gives neither sockets nor a thread.
pub async fn in_process<B: Backend + ?Sized>(backend: Arc<B>) -> Result<Session, EngineError> {
    let stream = start(backend).map_err(|error| EngineError::NoHelper {
        reason: format!("cannot start the agent within this process: {error}"),
    })?;
    Session::connect(Box::pin(stream), Box::new(())).await
}

fn start<B: Backend + ?Sized>(backend: Arc<B>) -> io::Result<tokio::net::UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let input = theirs.try_clone()?;
    ours.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(ours)?;
    thread::Builder::new().name("agent".to_owned()).spawn(move || {
        // A broken stream means that the session is gone: its requests have learnt of it on their side.
        let _ended = serve(backend, input, theirs);
    })?;
    Ok(stream)
}
