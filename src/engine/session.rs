//! The agent side: one [`Session`] over any stream, whatever carries it. Knows the protocol, not containers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use vole_agent::frame::{self, FrameError, PREAMBLE};
use vole_agent::proto::archive::{Mended, Pack, PackItem, Unpack, UnpackItem};
use vole_agent::proto::own::{Census, Change, Group, OwnItem, Undone};
use vole_agent::proto::probe::{Probe, Probed};
use vole_agent::proto::{
    Cursor, Entry, Fault, FileSystem, Followed, Found, FromAgent, Hello, Hit, Order, Page, Place, Reply, Request, Sign,
    UsageItem,
};

use super::error::EngineError;
pub use super::mux::Feeder;
use super::mux::{self, Activity, Running, Step, Table};
use crate::text;

/// How much of a stream that is no agent's is quoted in the error, in bytes.
const QUOTED: u64 = 200;

/// What an agent is opened for; decides limits and the helper's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Interactive browsing of few targets.
    Browse,
    /// A bulk job.
    Measure,
    /// Accesses tried as somebody else: the helper may become any user, its mounts are read-only.
    Probe {
        /// Whether it is in the host's user namespace, as the container that is asked about; else in the one that the
        /// engine gives to containers.
        host_users: bool,
    },
    /// Owners and modes are changed: writable mounts, see [`super::Engine::open_writable`].
    Own,
    /// Archives are written: a helper of its own with read-only mounts.
    Pack,
    /// An archive's entries are made: writable mounts, see [`super::Engine::open_writable`].
    Unpack,
}

impl Purpose {
    /// Whether the mounts are writable.
    pub fn writes(self) -> bool {
        matches!(self, Self::Own | Self::Unpack)
    }

    /// Whether so much goes to and fro that a way past the engine pays, where there is one.
    pub fn is_bulk(self) -> bool {
        matches!(self, Self::Own | Self::Pack | Self::Unpack)
    }
}

/// What is to be mounted: read-only, unless the purpose is to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A volume, by name (podman: by its mount point, see facts on AutoRemove).
    Volume {
        /// The volume's name.
        name: String,
        /// Its mount point on the engine's host, for walking in process.
        mountpoint: Option<String>,
    },
    /// A path of the engine's host, without its submounts.
    Path(String),
    /// A path inside a running container (its tmpfs).
    InContainer {
        /// The container's id.
        container: String,
        /// The path inside it.
        destination: String,
    },
}

/// What [`super::Daemon::open`] is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSpec {
    /// What to mount. [`Target::InContainer`] must be the only one.
    pub targets: Vec<Target>,
    /// What for.
    pub purpose: Purpose,
    /// Whether plain volumes may be reached through the directory in which the engine keeps them all: quick for many
    /// volumes, but what is wrong with a mount takes a second start to find.
    pub through_store: bool,
}

/// An open session and where its targets are.
#[derive(Debug)]
pub struct Opened {
    /// The session; when its last clone is dropped the helper ends and is removed.
    pub session: Session,
    /// For each target of the spec: its root in the session, or why it could not be mounted.
    pub roots: Vec<Result<u32, String>>,
    /// Who walks: the agent in a helper, or this process.
    pub source: crate::model::Source,
}

/// A connection to one agent. Cheap to clone; requests run at once and are cancelled by dropping their future or stream.
/// A running stream keeps the session open.
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    hello: Hello,
    table: Arc<Table>,
    tasks: [AbortHandle; 2],
    keep: Mutex<Option<Box<dyn Send + Sync>>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A stream that carries a session.
pub trait Carrier: AsyncRead + AsyncWrite + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + 'static> Carrier for T {}

/// Replies of a streaming request. Dropping it cancels the request in the agent. When everything was delivered but
/// something could not be read, the last item is [`EngineError::Partial`].
pub type Replies<T> = BoxStream<'static, Result<T, EngineError>>;

impl Session {
    /// Speaks to an agent over a stream: checks magic and version, reads its hello. `keep` is dropped with the
    /// last clone of the session (it removes the helper). Does not bound the time that this takes.
    ///
    /// # Errors
    ///
    /// [`EngineError::Garbage`] when what answers is no agent of this version (its first words are quoted),
    /// [`EngineError::SessionLost`] when the stream ends before the hello.
    pub async fn connect(carrier: Pin<Box<dyn Carrier>>, keep: Box<dyn Send + Sync>) -> Result<Self, EngineError> {
        let (reader, writer) = tokio::io::split(carrier);
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        let hello = greet(&mut reader).await?;
        let table = Table::new();
        let writing = tokio::spawn({
            let table = Arc::clone(&table);
            async move {
                // The reader learns the reason when the far side is gone; this one is for a half-broken stream.
                let error = mux::write_loop(Arc::clone(&table), writer).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
                table.lose(error.to_string());
            }
        });
        let reading = tokio::spawn({
            let table = Arc::clone(&table);
            async move {
                let reason = mux::read_loop(Arc::clone(&table), reader).await;
                table.lose(reason);
            }
        });
        let tasks = [writing.abort_handle(), reading.abort_handle()];
        Ok(Self {
            inner: Arc::new(Inner {
                hello,
                table,
                tasks,
                keep: Mutex::new(Some(keep)),
            }),
        })
    }

    /// What the agent is and serves.
    pub fn hello(&self) -> &Hello {
        &self.inner.hello
    }

    /// Counts as used now; whether it is still open.
    pub(super) fn touch(&self) -> bool {
        self.inner.table.touch()
    }

    /// Ends the session for all its clones: running requests end with [`EngineError::SessionLost`] and this reason.
    pub(super) fn close(&self, reason: &str) {
        self.inner.table.lose(reason.to_owned());
        for task in &self.inner.tasks {
            task.abort();
        }
        self.inner.keep.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits until no request runs any more, for so long at most: one that was cancelled may have something to take back.
    pub async fn rest(&self, limit: Duration) {
        let mut activity = self.activity();
        let resting = activity.wait_for(|now| *now != Activity::Busy);
        // What runs even then ends with its helper.
        tokio::time::timeout(limit, resting).await.ok();
    }

    /// Watches whether requests run, for leases.
    pub(super) fn activity(&self) -> watch::Receiver<Activity> {
        self.inner.table.activity()
    }

    /// One page of a directory.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn list(&self, at: Place, order: Order, after: Option<Cursor>, limit: u32) -> Result<Page, EngineError> {
        self.one(
            Request::List {
                at,
                order,
                after,
                limit,
            },
            |reply| match reply {
                Reply::Page(page) => Some(page),
                _ => None,
            },
        )
        .await
    }

    /// One entry.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn stat(&self, at: Place) -> Result<Entry, EngineError> {
        self.one(Request::Stat { at }, |reply| match reply {
            Reply::Entry(entry) => Some(entry),
            _ => None,
        })
        .await
    }

    /// A range of a file, streamed.
    pub fn read(&self, at: Place, offset: u64, len: u64) -> Replies<Vec<u8>> {
        self.many(Request::Read { at, offset, len }, |reply| match reply {
            Reply::Data(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// A growing file, until dropped.
    pub fn follow(&self, at: Place, tail: u64) -> Replies<Followed> {
        self.many(Request::Follow { at, tail }, |reply| match reply {
            Reply::Followed(news) => Some(news),
            _ => None,
        })
    }

    /// Sizes of trees. `signs` are looked out for in places that are whole roots.
    pub fn usage(&self, places: Vec<Place>, depth: u32, signs: Vec<Sign>) -> Replies<Vec<UsageItem>> {
        let request = Request::Usage {
            places,
            depth,
            threads: 0,
            signs,
        };
        self.many(request, |reply| match reply {
            Reply::Usage(items) => Some(items),
            _ => None,
        })
    }

    /// Entries by name. `dfa` is an unanchored sparse DFA, see [`Request::Find`].
    pub fn find(&self, at: Place, dfa: Vec<u8>, limit: u32) -> Replies<Vec<Found>> {
        self.many(Request::Find { at, dfa, limit }, |reply| match reply {
            Reply::Found(found) => Some(found),
            _ => None,
        })
    }

    /// Lines by pattern.
    pub fn grep(&self, at: Place, dfa: Vec<u8>, limit: u32, max_line: u32, binary: bool) -> Replies<Vec<Hit>> {
        self.many(
            Request::Grep {
                at,
                dfa,
                limit,
                max_line,
                binary,
            },
            |reply| match reply {
                Reply::Hits(hits) => Some(hits),
                _ => None,
            },
        )
    }

    /// File systems behind roots.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn file_systems(&self, roots: Vec<u32>) -> Result<Vec<FileSystem>, EngineError> {
        self.one(Request::FileSystems { roots }, |reply| match reply {
            Reply::FileSystems(systems) => Some(systems),
            _ => None,
        })
        .await
    }

    /// Tries accesses as somebody else; results in any order, each probe once. Needs [`Purpose::Probe`].
    pub fn probe(&self, probes: Vec<Probe>) -> Replies<Vec<Probed>> {
        self.many(Request::Probe { probes }, |reply| match reply {
            Reply::Probed(probed) => Some(probed),
            _ => None,
        })
    }

    /// Counts what a change of owner and mode would do: counts so far, the last one complete. `leave` are paths relative
    /// to the root that are left alone.
    pub fn census(&self, at: Place, change: Change, leave: Vec<Vec<u8>>) -> Replies<Census> {
        self.many(Request::Census { at, change, leave }, |reply| match reply {
            Reply::Census(census) => Some(census),
            _ => None,
        })
    }

    /// Changes owners and modes, batch by batch, each when it was confirmed. Needs [`Purpose::Own`].
    pub fn own(&self, at: Place, change: Change, leave: Vec<Vec<u8>>) -> Owning {
        Owning {
            running: self.inner.table.start(Request::Own { at, change, leave }),
            _session: self.clone(),
        }
    }

    /// Puts entries back as they were before a change. Needs [`Purpose::Own`].
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn undo(&self, root: u32, change: Change, groups: Vec<Group>) -> Result<Undone, EngineError> {
        self.one(Request::Undo { root, change, groups }, |reply| match reply {
            Reply::Undone(undone) => Some(undone),
            _ => None,
        })
        .await
    }

    /// Packs a tree. Needs [`Purpose::Pack`].
    pub fn pack(&self, pack: Pack) -> Packing {
        Packing {
            running: self.inner.table.start(Request::Pack(pack)),
            _session: self.clone(),
        }
    }

    /// Unpacks an archive that is fed to it. Needs [`Purpose::Unpack`].
    pub fn unpack(&self, unpack: Unpack) -> Unpacking {
        Unpacking {
            running: self.inner.table.start(Request::Unpack(unpack)),
            _session: self.clone(),
        }
    }

    /// Finishes, or takes back, an unpacking that was killed; with what could not be mended. Needs [`Purpose::Unpack`].
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn mend(&self, root: u32, id: Option<&str>) -> Result<(Vec<Mended>, Vec<Fault>), EngineError> {
        let id = id.map(str::to_owned);
        let mut running = self.inner.table.start(Request::Mend { root, id });
        let mut told = None;
        loop {
            match running.next().await? {
                Step::Item(Reply::Mended(mended)) => told = Some(mended),
                Step::Item(_) => return Err(unexpected()),
                Step::Done(notes) => return told.map(|mended| (mended, notes)).ok_or_else(unexpected),
            }
        }
    }

    /// Runs a request with a single reply. Notes are left out: such replies carry their faults themselves.
    async fn one<T>(&self, request: Request, pick: fn(Reply) -> Option<T>) -> Result<T, EngineError> {
        let mut running = self.inner.table.start(request);
        let mut answer = None;
        loop {
            match running.next().await? {
                Step::Item(reply) => answer = Some(pick(reply).ok_or_else(unexpected)?),
                Step::Done(_) => return answer.ok_or_else(unexpected),
            }
        }
    }

    fn many<T: Send + 'static>(&self, request: Request, pick: fn(Reply) -> Option<T>) -> Replies<T> {
        let running = self.inner.table.start(request);
        stream::unfold(Some((running, self.clone())), move |state| async move {
            let (mut running, session) = state?;
            match next_of(&mut running, pick).await {
                Ok(Step::Item(item)) => Some((Ok(item), Some((running, session)))),
                Ok(Step::Done(notes)) if notes.is_empty() => None,
                Ok(Step::Done(notes)) => Some((Err(EngineError::Partial { notes }), None)),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }
}

/// A change of owners that runs. Dropping it cancels it; a batch that was confirmed is finished all the same.
#[derive(Debug)]
pub struct Owning {
    running: Running,
    _session: Session,
}

impl Owning {
    /// The next news; `None` when all is done.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`]; [`EngineError::Partial`] last, when something could not
    /// be read.
    pub async fn next(&mut self) -> Result<Option<OwnItem>, EngineError> {
        match self.running.next().await? {
            Step::Item(Reply::Own(item)) => Ok(Some(item)),
            Step::Item(_) => Err(unexpected()),
            Step::Done(notes) if notes.is_empty() => Ok(None),
            Step::Done(notes) => Err(EngineError::Partial { notes }),
        }
    }

    /// Says that batches up to this number can be undone, so the agent may carry them out.
    pub fn confirm(&self, through: u64) {
        self.running.confirm(through);
    }
}

/// An archive that is written. Dropping it cancels it.
#[derive(Debug)]
pub struct Packing {
    running: Running,
    _session: Session,
}

impl Packing {
    /// The next bytes or news; `None` behind [`PackItem::Packed`], when the agent says that it ended well.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn next(&mut self) -> Result<Option<PackItem>, EngineError> {
        match self.running.next().await? {
            Step::Item(Reply::Pack(item)) => Ok(Some(item)),
            Step::Item(_) => Err(unexpected()),
            Step::Done(_) => Ok(None),
        }
    }
}

/// An archive that is unpacked. Dropping it cancels it, and nothing of it stays, unless it was confirmed.
#[derive(Debug)]
pub struct Unpacking {
    running: Running,
    _session: Session,
}

impl Unpacking {
    /// What feeds it, beside what is read of it.
    pub fn feeder(&self) -> Feeder {
        self.running.feeder()
    }

    /// The next news; `None` when all has its place.
    ///
    /// # Errors
    ///
    /// As the agent reports it, or [`EngineError::SessionLost`].
    pub async fn next(&mut self) -> Result<Option<UnpackItem>, EngineError> {
        match self.running.next().await? {
            Step::Item(Reply::Unpack(item)) => Ok(Some(item)),
            Step::Item(_) => Err(unexpected()),
            Step::Done(_) => Ok(None),
        }
    }

    /// Lets what is ready take its place.
    pub fn confirm(&self) {
        self.running.confirm(1);
    }
}

async fn next_of<T>(running: &mut Running, pick: fn(Reply) -> Option<T>) -> Result<Step<T>, EngineError> {
    match running.next().await? {
        Step::Item(reply) => pick(reply).map(Step::Item).ok_or_else(unexpected),
        Step::Done(notes) => Ok(Step::Done(notes)),
    }
}

fn unexpected() -> EngineError {
    no_agent("a reply of another kind than was asked for")
}

fn no_agent(cause: impl Into<String>) -> EngineError {
    EngineError::Garbage {
        what: "speak to the helper's agent".to_owned(),
        cause: cause.into(),
    }
}

/// Checks magic and version, and reads the hello.
async fn greet(reader: &mut (impl AsyncRead + Unpin)) -> Result<Hello, EngineError> {
    let mut start = Vec::with_capacity(PREAMBLE);
    let read = (&mut *reader).take(PREAMBLE as u64).read_to_end(&mut start).await;
    match <[u8; PREAMBLE]>::try_from(start.as_slice()).map(frame::check_preamble) {
        Ok(Ok(())) => {}
        Ok(Err(error @ FrameError::Version(_))) => return Err(no_agent(error.to_string())),
        Ok(Err(_)) | Err(_) => return Err(not_an_agent(start, read.map(drop), reader).await),
    }
    match mux::read_frame(reader, &mut Vec::new()).await {
        Ok(FromAgent::Hello(hello)) => Ok(hello),
        Ok(FromAgent::Reply { .. } | FromAgent::Credit { .. }) => Err(no_agent("it answers before it says hello")),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(no_agent(error.to_string())),
        Err(error) => Err(EngineError::SessionLost(format!(
            "it ended before it said hello ({error})"
        ))),
    }
}

/// Says what came instead of an agent's first bytes.
async fn not_an_agent(
    mut start: Vec<u8>,
    mut read: io::Result<()>,
    reader: &mut (impl AsyncRead + Unpin),
) -> EngineError {
    if read.is_ok() && !start.is_empty() {
        let mut limited = reader.take(QUOTED - start.len() as u64);
        let rest = limited.read_to_end(&mut start);
        // A stream that says little and stays open must not hold up the error.
        read = match tokio::time::timeout(Duration::from_millis(300), rest).await {
            Ok(read) => read.map(drop),
            Err(_) => Ok(()),
        };
    }
    match read {
        Err(error) => EngineError::SessionLost(error.to_string()),
        Ok(()) if start.is_empty() => EngineError::SessionLost("it ended before it said anything".to_owned()),
        Ok(()) => no_agent(format!("it said: {}", text::printable(&start))),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
