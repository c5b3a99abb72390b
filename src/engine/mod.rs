//! The engine side: [`Daemon`] is the REST side (real and demo), [`Session`] the agent side (one
//! implementation whatever carries it), [`Engine`] both together with leases. Knows nothing of screens.

mod accounts;
pub mod client;
pub mod connect;
pub mod contexts;
pub mod daemon;
pub mod embedded;
pub mod endpoint;
pub mod error;
mod events;
pub mod helper;
pub mod helpers_seen;
pub mod host;
pub mod identity;
pub mod labels;
pub mod local;
mod mux;
pub mod rest;
pub mod session;
pub mod target;
pub mod watch;
pub mod wire;

pub use daemon::{
    About, ContainerDetail, ContainerList, ContainerRow, Daemon, DiskUsage, EngineEvent, VolumeList, VolumeRow,
};
pub use error::EngineError;
pub use session::{OpenSpec, Opened, Purpose, Session, Target};

use std::sync::Arc;

use crate::model::{EngineId, Mount};

/// One engine: its REST side, its sessions and their leases. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Identifies it across starts.
    pub id: EngineId,
    /// The REST side.
    pub daemon: Arc<dyn Daemon>,
    // leases: Arc<lease::Leases>, …
}

impl Engine {
    /// Makes an engine of its REST side.
    pub fn new(id: EngineId, daemon: Arc<dyn Daemon>) -> Self {
        Self { id, daemon }
    }

    /// Opens, or takes up, a session for browsing one mount. The session is leased: after about ten
    /// seconds without a call its helper is removed, and the next call opens another.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoHelper`] when browsing cannot be, with the reason for the operator.
    pub async fn browse(&self, _mount: &Mount) -> Result<Lease, EngineError> {
        todo!("session helper")
    }

    /// Releases every lease at once and waits until the helpers are gone; before any plan that removes.
    pub async fn release(&self) {
        todo!("session helper")
    }
}

/// A leased session for one mount.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The session.
    pub session: Session,
    /// The mount's root in that session.
    pub root: u32,
    // a guard that counts use, …
}
