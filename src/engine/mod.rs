//! The engine side: [`Daemon`] is the REST side (real and demo), [`Session`] the agent side (one
//! implementation whatever carries it), [`Engine`] both together with leases. Knows nothing of screens.

mod accounts;
mod changes;
pub mod client;
mod client_process;
pub mod connect;
pub mod contexts;
pub mod daemon;
pub mod embedded;
pub mod endpoint;
pub mod error;
mod events;
pub mod guard;
pub mod helper;
pub mod helpers_seen;
pub mod host;
pub mod host_paths;
pub mod identity;
pub mod labels;
pub mod lease;
pub mod local;
mod logs;
mod looks;
mod mux;
pub mod rest;
pub mod session;
mod sweep;
mod tar;
pub mod target;
pub mod watch;
pub mod wire;

pub use daemon::{
    About, Changes, ContainerDetail, ContainerList, ContainerRow, Daemon, DiskUsage, EngineEvent, VolumeList, VolumeRow,
};
pub use error::EngineError;
pub use lease::Lease;
pub use session::{Feeder, OpenSpec, Opened, Owning, Packing, Purpose, Session, Target, Unpacking};

use std::sync::Arc;

use crate::fingerprint::Rules;
use crate::model::{EngineId, Mount};

/// One engine: its REST side, its sessions and their leases. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Identifies it across starts.
    pub id: EngineId,
    /// The REST side.
    pub daemon: Arc<dyn Daemon>,
    /// What contents look like, by the table and the operator's configuration.
    pub rules: Arc<Rules>,
    leases: Arc<lease::Leases>,
    read_only: bool,
}

impl Engine {
    /// Makes an engine of its REST side.
    pub fn new(id: EngineId, daemon: Arc<dyn Daemon>) -> Self {
        Self {
            id,
            daemon,
            rules: Arc::default(),
            leases: Arc::default(),
            read_only: false,
        }
    }

    /// This engine, with the operator's rules on contents.
    #[must_use]
    pub fn with_rules(self, rules: Arc<Rules>) -> Self {
        Self { rules, ..self }
    }

    /// This engine, to be changed by nobody.
    #[must_use]
    pub fn read_only(self, read_only: bool) -> Self {
        Self { read_only, ..self }
    }

    /// What changes volumes and containers: the one door to it.
    ///
    /// # Errors
    ///
    /// [`EngineError::ReadOnly`].
    pub fn changes(&self) -> Result<&dyn Changes, EngineError> {
        let changes = self.daemon.changes().filter(|_| !self.read_only);
        changes.ok_or(EngineError::ReadOnly)
    }

    /// Opens, or takes up, a session for browsing one mount. The session is leased: after about ten
    /// seconds without a request its helper is removed, and the next call opens another. So call this for each
    /// operation instead of keeping the lease.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoHelper`] when browsing cannot be, with the reason for the operator.
    pub async fn browse(&self, mount: &Mount) -> Result<Lease, EngineError> {
        self.leases.take(&*self.daemon, mount).await
    }

    /// Opens a session of its own for a bulk job, see [`Daemon::open`].
    ///
    /// # Errors
    ///
    /// When no target can be reached at all; a single one that cannot is its root's error. [`EngineError::ReadOnly`] for a
    /// purpose that writes: see [`Self::open_writable`].
    pub async fn open(&self, spec: OpenSpec) -> Result<Opened, EngineError> {
        if spec.purpose.writes() {
            return Err(EngineError::ReadOnly);
        }
        self.daemon.open(spec).await
    }

    /// Opens a session whose mounts are writable, for a purpose that writes: the one door to it.
    ///
    /// # Errors
    ///
    /// [`EngineError::ReadOnly`], else as [`Self::open`].
    pub async fn open_writable(&self, spec: OpenSpec) -> Result<Opened, EngineError> {
        if self.read_only || !spec.purpose.writes() {
            return Err(EngineError::ReadOnly);
        }
        self.daemon.open(spec).await
    }

    /// Releases every lease at once and waits until helpers that were let go are removed: before any plan that
    /// removes, and before the program ends. Gives up after some seconds on an engine that does not answer.
    pub async fn release(&self) {
        self.leases.release().await;
        self.daemon.settle().await;
    }
}
