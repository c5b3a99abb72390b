//! The server side of the protocol: reads requests, runs each on a thread, writes replies within the
//! client's credit. It knows nothing of what a request does; a [`Backend`] does.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frame::{self, FrameError};
use crate::outlet::Outlet;
use crate::proto::archive::PackItem;
use crate::proto::{Fault, FromAgent, Hello, Reply, Request, ToAgent, WINDOW};

/// Requests that may run at once; one more is answered with [`Reply::Failed`].
pub const MAX_REQUESTS: usize = 32;
/// How long the end of a connection waits for a write that nobody takes.
const STUCK: Duration = Duration::from_secs(1);
/// How long the end of a connection waits for requests that hang in the kernel.
const GRACE: Duration = Duration::from_secs(3);
/// Stack of a request's thread: nothing here recurses, and buffers live on the heap; but the gzip compressor is some
/// 300 KiB on the stack before it gets there. Pages that are not used cost nothing.
const STACK: usize = 1 << 20;

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

/// What a client has allowed a request.
#[derive(Debug)]
struct Gate {
    cancelled: AtomicBool,
    /// Batches that the client can undo.
    confirmed: AtomicU64,
    /// Pieces of work that must not be left half-done.
    begun: AtomicUsize,
    credit: Mutex<u32>,
    changed: Condvar,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
}

/// Data that a client sent for a request and that nobody took yet.
#[derive(Debug, Default)]
struct Inbox {
    frames: VecDeque<Vec<u8>>,
    /// Whether no more will come.
    ended: bool,
    /// Frames that were taken since credit was given last.
    taken: u32,
}

/// A piece of work that was begun: the end of a connection waits until this is dropped.
#[derive(Debug)]
pub struct Begun<'a>(&'a AtomicUsize);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    fn cancel(&self) {
        // The lock orders this against a sender that has looked and is about to wait.
        let _credit = lock(&self.credit);
        self.cancelled.store(true, Ordering::Relaxed);
        self.changed.notify_all();
        let _inbox = lock(&self.inbox);
        self.arrived.notify_all();
    }

    /// Takes data in; whether the client kept within its credit.
    fn put(&self, bytes: Vec<u8>) -> bool {
        let mut inbox = lock(&self.inbox);
        inbox.frames.push_back(bytes);
        self.arrived.notify_all();
        inbox.frames.len() <= WINDOW as usize
    }

    fn end_data(&self) {
        lock(&self.inbox).ended = true;
        self.arrived.notify_all();
    }

    fn confirm(&self, through: u64) {
        let _credit = lock(&self.credit);
        self.confirmed.fetch_max(through, Ordering::Relaxed);
        self.changed.notify_all();
    }

    fn allow(&self, frames: u32) {
        let mut credit = lock(&self.credit);
        *credit = credit.saturating_add(frames);
        self.changed.notify_all();
    }
}

/// Where a running request puts its replies. Shared by the threads of a request.
#[derive(Debug)]
pub struct Sink {
    id: u32,
    gate: Arc<Gate>,
    outlet: Arc<Outlet>,
}

impl Sink {
    /// Sends a reply, waiting for the client's credit.
    ///
    /// # Errors
    ///
    /// [`Halt::Cancelled`] when the request was cancelled or the client is gone; [`Halt::Fault`] when the reply
    /// does not fit a frame.
    pub fn send(&self, reply: Reply) -> Result<(), Halt> {
        self.take_credit()?;
        self.write(reply)
    }

    /// As [`Sink::send`] of the next bytes of an archive, which are lent.
    ///
    /// # Errors
    ///
    /// As [`Sink::send`].
    pub fn send_packed(&self, bytes: &[u8]) -> Result<(), Halt> {
        self.take_credit()?;
        let reply = FromAgent::Reply {
            id: self.id,
            reply: Reply::Pack(PackItem::Data(Vec::new())),
        };
        self.put(|out| frame::append_with(out, &reply, bytes))
    }

    fn take_credit(&self) -> Result<(), Halt> {
        let mut credit = lock(&self.gate.credit);
        loop {
            if self.cancelled() {
                return Err(Halt::Cancelled);
            }
            if *credit > 0 {
                *credit -= 1;
                return Ok(());
            }
            credit = self.gate.changed.wait(credit).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the client cancelled this request or is gone; long loops ask now and then.
    pub fn cancelled(&self) -> bool {
        self.gate.cancelled.load(Ordering::Relaxed)
    }

    /// Waits until the client has confirmed a batch of this request.
    ///
    /// # Errors
    ///
    /// [`Halt::Cancelled`] when the request was cancelled or the client is gone before.
    pub fn confirmed(&self, batch: u64) -> Result<(), Halt> {
        let mut credit = lock(&self.gate.credit);
        while self.gate.confirmed.load(Ordering::Relaxed) < batch {
            if self.cancelled() {
                return Err(Halt::Cancelled);
            }
            credit = self.gate.changed.wait(credit).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// The data that the client sends for this request, to its end.
    pub fn input(&self) -> Input<'_> {
        Input {
            sink: self,
            frame: Vec::new(),
            at: 0,
        }
    }

    /// Wants no more data: what waits for it sees its end.
    pub fn close_input(&self) {
        self.gate.end_data();
    }

    /// Waits for the next frame of data; `None` behind the last.
    fn frame(&self) -> io::Result<Option<Vec<u8>>> {
        let mut inbox = lock(&self.gate.inbox);
        loop {
            if self.cancelled() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if let Some(frame) = inbox.frames.pop_front() {
                inbox.taken += 1;
                if inbox.taken >= WINDOW / 4 {
                    let frames = std::mem::take(&mut inbox.taken);
                    drop(inbox);
                    let credit = FromAgent::Credit { id: self.id, frames };
                    self.outlet
                        .write(|out| frame::append(out, &credit).map_err(io::Error::from))?;
                }
                return Ok(Some(frame));
            }
            if inbox.ended {
                return Ok(None);
            }
            inbox = self.gate.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Begins a piece of work that must not be left half-done: the end of the connection waits for it. `None` when the
    /// request was cancelled before.
    pub fn begin(&self) -> Option<Begun<'_>> {
        // The lock orders this against the end of the connection, which cancels first and then counts.
        let _credit = lock(&self.gate.credit);
        if self.cancelled() {
            return None;
        }
        self.gate.begun.fetch_add(1, Ordering::SeqCst);
        Some(Begun(&self.gate.begun))
    }

    /// Waits for `time`, or less when the request is cancelled.
    ///
    /// # Errors
    ///
    /// [`Halt::Cancelled`] when it was.
    pub fn pause(&self, time: Duration) -> Result<(), Halt> {
        let credit = lock(&self.gate.credit);
        let wait = self
            .gate
            .changed
            .wait_timeout_while(credit, time, |_| !self.cancelled());
        drop(wait.unwrap_or_else(PoisonError::into_inner));
        if self.cancelled() { Err(Halt::Cancelled) } else { Ok(()) }
    }

    fn write(&self, reply: Reply) -> Result<(), Halt> {
        let reply = FromAgent::Reply { id: self.id, reply };
        self.put(|out| frame::append(out, &reply))
    }

    fn put(&self, put: impl FnOnce(&mut Vec<u8>) -> Result<(), FrameError>) -> Result<(), Halt> {
        let put = |out: &mut Vec<u8>| put(out).map_err(Unsent::Unfit);
        self.outlet.write(put).map_err(|error| match error {
            Unsent::Unfit(error) => Halt::Fault(Fault {
                errno: None,
                path: Vec::new(),
                message: error.to_string(),
            }),
            Unsent::Broken => {
                self.gate.cancel();
                Halt::Cancelled
            }
        })
    }
}

/// Why a reply was not sent.
enum Unsent {
    /// It does not fit a frame.
    Unfit(FrameError),
    /// The connection broke.
    Broken,
}

impl From<io::Error> for Unsent {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// What a client sends for a request. Reading fails with [`io::ErrorKind::ConnectionAborted`] when the request was
/// cancelled or the client is gone.
#[derive(Debug)]
pub struct Input<'a> {
    sink: &'a Sink,
    frame: Vec<u8>,
    at: usize,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.frame.len() {
            match self.sink.frame()? {
                Some(frame) => (self.frame, self.at) = (frame, 0),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.frame.len() - self.at);
        buffer[..count].copy_from_slice(&self.frame[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// The requests that run on a connection.
#[derive(Debug, Default)]
struct Running {
    table: Mutex<Table>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    gates: HashMap<u32, Arc<Gate>>,
    /// Threads that have not ended; a little more than `gates`, whose ids are freed before the final reply is out.
    threads: usize,
}

impl Running {
    /// Takes a request in; `None` when too many run.
    fn start(&self, id: u32) -> io::Result<Option<Arc<Gate>>> {
        let mut table = lock(&self.table);
        if table.gates.contains_key(&id) {
            return Err(protocol("a request has the id of one that runs"));
        }
        if table.gates.len() >= MAX_REQUESTS {
            return Ok(None);
        }
        let gate = Arc::new(Gate {
            cancelled: AtomicBool::new(false),
            confirmed: AtomicU64::new(0),
            begun: AtomicUsize::new(0),
            credit: Mutex::new(WINDOW),
            changed: Condvar::new(),
            inbox: Mutex::default(),
            arrived: Condvar::new(),
        });
        table.gates.insert(id, Arc::clone(&gate));
        table.threads += 1;
        Ok(Some(gate))
    }

    fn free(&self, id: u32) {
        lock(&self.table).gates.remove(&id);
    }

    fn end(&self) {
        lock(&self.table).threads -= 1;
        self.ended.notify_all();
    }

    fn get(&self, id: u32) -> Option<Arc<Gate>> {
        lock(&self.table).gates.get(&id).cloned()
    }

    /// Cancels all and waits until they have ended, but not for ever: a dead file system holds a thread in the
    /// kernel, and a client that went takes no write. Work that must not be left half-done is waited for.
    fn finish(&self, outlet: &Outlet) {
        let begun = Instant::now();
        let mut table = lock(&self.table);
        for gate in table.gates.values() {
            gate.cancel();
        }
        while table.threads > 0 {
            let waited = self.ended.wait_timeout(table, STUCK);
            let (guard, wait) = waited.unwrap_or_else(PoisonError::into_inner);
            table = guard;
            let half_done = table.gates.values().any(|gate| gate.begun.load(Ordering::SeqCst) > 0);
            if wait.timed_out() && !half_done && (outlet.writing() || begun.elapsed() >= GRACE) {
                return;
            }
        }
    }
}

/// Serves one connection until `input` ends. Then all requests are cancelled, and it returns when they have ended.
///
/// # Errors
///
/// When the stream breaks or the client breaks the protocol.
pub fn serve<B, R, W>(backend: Arc<B>, mut input: R, output: W) -> io::Result<()>
where
    B: Backend + ?Sized,
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let outlet = Arc::new(Outlet::new(output));
    outlet.write(|out| {
        out.extend_from_slice(&frame::preamble());
        frame::append(out, &FromAgent::Hello(backend.hello())).map_err(io::Error::from)
    })?;

    let running = Arc::new(Running::default());
    let result = receive(&backend, &mut input, &outlet, &running);
    running.finish(&outlet);
    result
}

/// Takes what the client sends until it ends.
fn receive<B: Backend + ?Sized>(
    backend: &Arc<B>,
    input: &mut impl Read,
    outlet: &Arc<Outlet>,
    running: &Arc<Running>,
) -> io::Result<()> {
    let mut body = Vec::new();
    while let Some(message) = frame::read_into(input, &mut body)? {
        match message {
            ToAgent::Request { id, request } => match running.start(id)? {
                Some(gate) => spawn(
                    backend,
                    Sink {
                        id,
                        gate,
                        outlet: Arc::clone(outlet),
                    },
                    request,
                    running,
                )?,
                None => {
                    let message = format!("more than {MAX_REQUESTS} requests at once");
                    let reply = Reply::Failed(Fault {
                        errno: None,
                        path: Vec::new(),
                        message,
                    });
                    outlet.write(|out| frame::append(out, &FromAgent::Reply { id, reply }).map_err(io::Error::from))?;
                }
            },
            // Both may cross a final reply on the way, so an unknown id is no error.
            ToAgent::Cancel { id } => running.get(id).iter().for_each(|gate| gate.cancel()),
            ToAgent::Credit { id, frames } => running.get(id).iter().for_each(|gate| gate.allow(frames)),
            ToAgent::Data { id, bytes } => {
                if running.get(id).is_some_and(|gate| !gate.put(bytes)) {
                    return Err(protocol("the client sends more than it may"));
                }
            }
            ToAgent::End { id } => running.get(id).iter().for_each(|gate| gate.end_data()),
            ToAgent::Confirm { id, through } => running.get(id).iter().for_each(|gate| gate.confirm(through)),
        }
    }
    Ok(())
}

/// Runs a request on a thread of its own.
fn spawn<B: Backend + ?Sized>(
    backend: &Arc<B>,
    sink: Sink,
    request: Request,
    running: &Arc<Running>,
) -> io::Result<()> {
    let backend = Arc::clone(backend);
    let running = Arc::clone(running);
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| backend.handle(request, &sink)));
        let last = match outcome {
            Ok(Ok(notes)) => Reply::Done { notes },
            Ok(Err(Halt::Fault(fault))) => Reply::Failed(fault),
            Ok(Err(Halt::Cancelled)) => Reply::Cancelled,
            Err(_) => Reply::Failed(Fault {
                errno: None,
                path: Vec::new(),
                message: "the agent failed within itself; this is a bug".into(),
            }),
        };
        // Out of the table first: the client may reuse the id as soon as it has the final reply.
        running.free(sink.id);
        // The client is gone when this fails, and `serve` ends by itself then.
        drop(sink.write(last));
        running.end();
    })?;
    Ok(())
}

fn protocol(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Locks without regard to poison: every state under a lock here is whole between two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
