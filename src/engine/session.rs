//! The agent side: one [`Session`] over any stream, whatever carries it. Knows the protocol, not containers.

use std::pin::Pin;

use futures_util::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite};
use vole_agent::proto::{Cursor, Entry, FileSystem, Followed, Found, Hello, Hit, Order, Page, Place, UsageItem};

use super::error::EngineError;

/// What an agent is opened for; decides limits and the helper's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Interactive browsing of few targets.
    Browse,
    /// A bulk job.
    Measure,
}

/// What is to be mounted, read-only.
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
#[derive(Debug, Clone)]
pub struct Session {
    // inner: Arc<…>
}

/// A stream that carries a session.
pub trait Carrier: AsyncRead + AsyncWrite + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + 'static> Carrier for T {}

/// Replies of a streaming request. Dropping it cancels the request in the agent.
pub type Replies<T> = BoxStream<'static, Result<T, EngineError>>;

impl Session {
    /// Speaks to an agent over a stream: checks magic and version, reads its hello. `keep` is dropped with the
    /// last clone of the session (it removes the helper).
    pub async fn connect(_carrier: Pin<Box<dyn Carrier>>, _keep: Box<dyn Send + Sync>) -> Result<Self, EngineError> {
        todo!("session helper")
    }

    /// What the agent is and serves.
    pub fn hello(&self) -> &Hello {
        todo!("session helper")
    }

    /// One page of a directory.
    pub async fn list(
        &self,
        _at: Place,
        _order: Order,
        _after: Option<Cursor>,
        _limit: u32,
    ) -> Result<Page, EngineError> {
        todo!("session helper")
    }

    /// One entry.
    pub async fn stat(&self, _at: Place) -> Result<Entry, EngineError> {
        todo!("session helper")
    }

    /// A range of a file, streamed.
    pub fn read(&self, _at: Place, _offset: u64, _len: u64) -> Replies<Vec<u8>> {
        todo!("session helper")
    }

    /// A growing file, until dropped.
    pub fn follow(&self, _at: Place, _tail: u64) -> Replies<Followed> {
        todo!("session helper")
    }

    /// Sizes of trees.
    pub fn usage(&self, _places: Vec<Place>, _depth: u32, _threads: u32) -> Replies<Vec<UsageItem>> {
        todo!("session helper")
    }

    /// Entries by name. `dfa` as [`crate::ops::search::compile`] makes it.
    pub fn find(&self, _at: Place, _dfa: Vec<u8>, _limit: u32) -> Replies<Vec<Found>> {
        todo!("session helper")
    }

    /// Lines by pattern.
    pub fn grep(&self, _at: Place, _dfa: Vec<u8>, _limit: u32, _max_line: u32, _binary: bool) -> Replies<Vec<Hit>> {
        todo!("session helper")
    }

    /// File systems behind roots.
    pub async fn file_systems(&self, _roots: Vec<u32>) -> Result<Vec<FileSystem>, EngineError> {
        todo!("session helper")
    }
}
