//! Many requests over one stream: ids, credit, cancelling and loss. Knows frames and ids, not what is asked.
//!
//! One task reads and one writes. What is to be written is kept per request in the [`Table`], so it is bounded
//! by the number of running requests, and dropping a request can mark it cancelled without waiting. A request's
//! channel has room for its whole credit window, so a slow consumer never blocks the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use vole_agent::frame;
use vole_agent::proto::{Fault, FromAgent, Reply, Request, ToAgent, WINDOW};

use super::error::EngineError;

/// Replies that are taken before credit for them is returned in one frame.
const CREDIT_BATCH: u32 = WINDOW / 4;

/// What is known of the requests of one connection.
#[derive(Debug)]
pub(super) struct Table {
    state: Mutex<State>,
    wake: Notify,
    activity: watch::Sender<Activity>,
}

/// Whether requests run; leases are counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// At least one request runs.
    Busy,
    /// None has run since then.
    IdleSince(Instant),
    /// The connection is lost.
    Lost,
}

#[derive(Debug, Default)]
struct State {
    last_id: u32,
    slots: BTreeMap<u32, Slot>,
    /// Slots that have something to write, in the order of their ids.
    outgoing: BTreeSet<u32>,
    lost: Option<String>,
}

#[derive(Debug)]
struct Slot {
    request: Option<Request>,
    credit: u32,
    /// Batches that were confirmed since the last message.
    confirm: Option<u64>,
    cancel: bool,
    /// Data that was not written yet, within the agent's credit.
    data: VecDeque<Vec<u8>>,
    /// Whether all data was given.
    ended: bool,
    /// The agent's credit for data; closed with the request's end.
    allowed: Arc<Semaphore>,
    /// `None` once the consumer is gone; the slot then waits for the final reply only.
    replies: Option<mpsc::Sender<Reply>>,
}

impl Table {
    /// An empty table.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            wake: Notify::new(),
            activity: watch::Sender::new(Activity::IdleSince(Instant::now())),
        })
    }

    /// Watches whether requests run.
    pub(super) fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Counts as used now, without a request; whether the connection still stands.
    pub(super) fn touch(&self) -> bool {
        let state = self.lock();
        if state.lost.is_some() {
            return false;
        }
        if state.slots.is_empty() {
            self.activity.send_replace(Activity::IdleSince(Instant::now()));
        }
        true
    }

    /// Starts a request; it ends early when the returned handle is dropped.
    pub(super) fn start(self: &Arc<Self>, request: Request) -> Running {
        // Room for every reply within the credit, and for the final one, which needs no credit.
        let (replies, receiver) = mpsc::channel(WINDOW as usize + 1);
        let allowed = Arc::new(Semaphore::new(WINDOW as usize));
        let mut state = self.lock();
        let mut id = state.last_id.wrapping_add(1);
        while state.slots.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        state.last_id = id;
        if state.lost.is_none() {
            let slot = Slot {
                request: Some(request),
                credit: 0,
                confirm: None,
                cancel: false,
                data: VecDeque::new(),
                ended: false,
                allowed: Arc::clone(&allowed),
                replies: Some(replies),
            };
            state.slots.insert(id, slot);
            state.outgoing.insert(id);
            self.activity.send_replace(Activity::Busy);
        } else {
            allowed.close();
        }
        drop(state);
        self.wake.notify_one();
        Running {
            id,
            table: Arc::clone(self),
            replies: receiver,
            allowed,
            taken: 0,
            ended: false,
        }
    }

    /// Ends every request: the connection is gone.
    pub(super) fn lose(&self, reason: String) {
        let mut state = self.lock();
        state.lost.get_or_insert(reason);
        for slot in state.slots.values() {
            slot.allowed.close();
        }
        state.slots.clear();
        state.outgoing.clear();
        self.activity.send_replace(Activity::Lost);
    }

    fn lost_error(&self) -> EngineError {
        let state = self.lock();
        EngineError::SessionLost(
            state
                .lost
                .clone()
                .unwrap_or_else(|| "the connection was closed".to_owned()),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_credit(&self, id: u32, frames: u32) {
        self.queue(id, |slot| slot.credit += frames);
    }

    fn confirm(&self, id: u32, through: u64) {
        self.queue(id, |slot| slot.confirm = slot.confirm.max(Some(through)));
    }

    /// Queues something of a request that runs.
    fn queue(&self, id: u32, change: impl FnOnce(&mut Slot)) {
        let mut state = self.lock();
        if let Some(slot) = state.slots.get_mut(&id) {
            change(slot);
            state.outgoing.insert(id);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Lets a request send more data.
    fn allow(&self, id: u32, frames: u32) {
        if let Some(slot) = self.lock().slots.get(&id) {
            slot.allowed.add_permits(frames as usize);
        }
    }

    fn abandon(&self, id: u32) {
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(&id) else { return };
        if slot.request.is_some() {
            self.remove(&mut state, id);
            return;
        }
        slot.replies = None;
        slot.cancel = true;
        state.outgoing.insert(id);
        drop(state);
        self.wake.notify_one();
    }

    fn remove(&self, state: &mut State, id: u32) {
        if let Some(slot) = state.slots.remove(&id) {
            slot.allowed.close();
        }
        state.outgoing.remove(&id);
        if state.slots.is_empty() && state.lost.is_none() {
            self.activity.send_replace(Activity::IdleSince(Instant::now()));
        }
    }

    /// Takes what is to be written now.
    fn take_outgoing(&self) -> Vec<ToAgent> {
        let mut state = self.lock();
        let ids = std::mem::take(&mut state.outgoing);
        let mut messages = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(slot) = state.slots.get_mut(&id) else { continue };
            if let Some(request) = slot.request.take() {
                messages.push(ToAgent::Request { id, request });
            }
            if slot.cancel {
                slot.data.clear();
                slot.ended = false;
            }
            messages.extend(slot.data.drain(..).map(|bytes| ToAgent::Data { id, bytes }));
            if std::mem::take(&mut slot.ended) {
                messages.push(ToAgent::End { id });
            }
            if let Some(through) = slot.confirm.take() {
                messages.push(ToAgent::Confirm { id, through });
            }
            if std::mem::take(&mut slot.cancel) {
                messages.push(ToAgent::Cancel { id });
            }
            let frames = std::mem::take(&mut slot.credit);
            if frames > 0 {
                messages.push(ToAgent::Credit { id, frames });
            }
        }
        messages
    }

    /// Hands a reply to its request.
    fn deliver(&self, id: u32, reply: Reply) -> Result<(), String> {
        let last = matches!(reply, Reply::Done { .. } | Reply::Failed(_) | Reply::Cancelled);
        let mut state = self.lock();
        let Some(slot) = state.slots.get(&id) else {
            return Err(format!("the agent answered a request that was not made ({id})"));
        };
        if let Some(replies) = &slot.replies {
            match replies.try_send(reply) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(_)) => return Err("the agent sends more than it may".to_owned()),
            }
        }
        if last {
            self.remove(&mut state, id);
        }
        Ok(())
    }
}

/// What a running request brings.
#[derive(Debug)]
pub(super) enum Step<T> {
    /// A reply.
    Item(T),
    /// The request is complete; what could not be read.
    Done(Vec<Fault>),
}

/// A running request. Dropping it cancels the request in the agent.
#[derive(Debug)]
pub(super) struct Running {
    id: u32,
    table: Arc<Table>,
    replies: mpsc::Receiver<Reply>,
    allowed: Arc<Semaphore>,
    taken: u32,
    ended: bool,
}

impl Running {
    /// Waits for the next reply, or for the request's end.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub(super) async fn next(&mut self) -> Result<Step<Reply>, EngineError> {
        let Some(reply) = self.replies.recv().await else {
            self.ended = true;
            return Err(self.table.lost_error());
        };
        match reply {
            Reply::Done { notes } => {
                self.ended = true;
                Ok(Step::Done(notes))
            }
            Reply::Failed(fault) => {
                self.ended = true;
                Err(EngineError::Agent(fault))
            }
            Reply::Cancelled => {
                self.ended = true;
                Err(EngineError::Cancelled)
            }
            reply => {
                self.taken += 1;
                if self.taken >= CREDIT_BATCH {
                    self.table.give_credit(self.id, std::mem::take(&mut self.taken));
                }
                Ok(Step::Item(reply))
            }
        }
    }
}

impl Running {
    /// Lets the agent carry out batches of a change, up to this number.
    pub(super) fn confirm(&self, through: u64) {
        self.table.confirm(self.id, through);
    }

    /// What sends data for this request, beside what is read of it.
    pub(super) fn feeder(&self) -> Feeder {
        Feeder {
            id: self.id,
            table: Arc::clone(&self.table),
            allowed: Arc::clone(&self.allowed),
        }
    }
}

/// Sends data for a running request, as fast as the agent takes it.
#[derive(Debug)]
pub struct Feeder {
    id: u32,
    table: Arc<Table>,
    allowed: Arc<Semaphore>,
}

impl Feeder {
    /// Sends bytes, at most [`frame`]'s limit less some; waits for the agent's credit. Whether the request still runs:
    /// when not, its end says why.
    pub async fn send(&self, bytes: Vec<u8>) -> bool {
        let Ok(permit) = self.allowed.acquire().await else {
            return false;
        };
        permit.forget();
        self.table.queue(self.id, |slot| slot.data.push_back(bytes));
        true
    }

    /// Says that this was all.
    pub fn end(self) {
        self.table.queue(self.id, |slot| slot.ended = true);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.table.abandon(self.id);
        }
    }
}

/// Writes requests, cancels and credit until the stream breaks; returns why it broke.
pub(super) async fn write_loop(table: Arc<Table>, mut stream: impl AsyncWrite + Unpin) -> io::Error {
    let mut bytes = Vec::new();
    loop {
        let messages = table.take_outgoing();
        if messages.is_empty() {
            table.wake.notified().await;
            continue;
        }
        bytes.clear();
        for message in messages {
            if let Err(error) = frame::append(&mut bytes, &message) {
                refuse(&table, &message, error.to_string());
            }
        }
        let written = match stream.write_all(&bytes).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            return error;
        }
    }
}

/// Ends a request that does not fit into a frame; nothing of it was sent.
fn refuse(table: &Table, message: &ToAgent, cause: String) {
    let ToAgent::Request { id, .. } = message else { return };
    let fault = Fault {
        errno: None,
        path: Vec::new(),
        message: cause,
    };
    if let Err(reason) = table.deliver(*id, Reply::Failed(fault)) {
        table.lose(reason);
    }
}

/// Reads replies and hands them out until the stream ends or makes no sense; returns why.
pub(super) async fn read_loop(table: Arc<Table>, mut stream: impl AsyncRead + Unpin) -> String {
    let mut body = Vec::new();
    loop {
        let message = match read_frame(&mut stream, &mut body).await {
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return "it ended".to_owned(),
            Err(error) => return error.to_string(),
        };
        let delivered = match message {
            FromAgent::Hello(_) => Err("the agent said hello twice".to_owned()),
            FromAgent::Reply { id, reply } => table.deliver(id, reply),
            // May cross the request's end on the way.
            FromAgent::Credit { id, frames } => {
                table.allow(id, frames);
                Ok(())
            }
        };
        if let Err(reason) = delivered {
            return reason;
        }
    }
}

/// Reads one frame; `body` is a buffer that is reused.
///
/// # Errors
///
/// When the stream breaks, ends, or carries no valid frame.
pub(super) async fn read_frame(stream: &mut (impl AsyncRead + Unpin), body: &mut Vec<u8>) -> io::Result<FromAgent> {
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).await?;
    body.resize(frame::body_len(header)?, 0);
    stream.read_exact(body).await?;
    Ok(frame::decode(body)?)
}
