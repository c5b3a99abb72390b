//! Changes owners and modes of a mount's entries, by a plan that can be read and with a journal that takes it back.

mod gather;
mod run;
#[cfg(test)]
mod tests;
mod undo;
mod users;
pub mod words;

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use vole_agent::proto::own::{Census, Change, Skipped};

use crate::engine::{Engine, EngineError};
use crate::journal::{self, JournalId};
use crate::model::{BytePath, Mount};
pub use crate::ops::writable::Seen;

/// What a change is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The mount. A host path that nobody mounts is a bind without attachments.
    pub mount: Arc<Mount>,
    /// Where in it; the root for all of it.
    pub path: BytePath,
    /// What is to become of it.
    pub change: Change,
    /// The change as people write it (`999:998`, `u+rwX`).
    pub words: String,
}

/// What must be confirmed before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A container that runs uses the mount.
    Running {
        /// Its name.
        container: String,
    },
    /// Another container's user would lose access. The mount's name must be typed.
    OtherUser {
        /// Its name.
        container: String,
        /// The user that it runs as.
        uid: u32,
    },
    /// Files have names outside of the mount too: their owner changes there as well. The mount's name must be typed.
    LinkedOutside {
        /// How many.
        files: u64,
        /// The first, relative to the mount.
        first: Vec<u8>,
    },
}

impl Block {
    /// Whether yes is not enough: the mount's name must be typed.
    pub fn needs_name(&self) -> bool {
        !matches!(self, Self::Running { .. })
    }
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it was made for.
    pub request: Request,
    /// When.
    pub at: OffsetDateTime,
    /// Where the mount really is on the engine's host (symlinks and bind options resolved), as far as known.
    pub resolved: Option<String>,
    /// The root that was counted; `None` when none was.
    pub seen: Option<Seen>,
    /// Why `vole` does not do it at all; then nothing was counted.
    pub refused: Option<String>,
    /// What would change, what is right, what is left alone.
    pub census: Census,
    /// What must be confirmed.
    pub blocks: Vec<Block>,
    /// What must be known (an image that overrides it at its next start, an empty volume that reverts).
    pub caveats: Vec<String>,
}

impl Plan {
    /// What the operator types when a block needs the name.
    pub fn typed_name(&self) -> &str {
        &self.request.mount.name
    }
}

/// News of a running change or of an undo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries done.
    pub done: u64,
    /// Entries to do in all, as far as known.
    pub total: Option<u64>,
}

/// What a change came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries changed.
    pub changed: u64,
    /// Entries that may be changed as well: they were in the journal and let go, and the helper ended before it told.
    pub unsure: u64,
    /// Entries that were right already.
    pub unchanged: u64,
    /// Entries left alone, the first thousand.
    pub skips: Vec<Skipped>,
    /// How many in all.
    pub skipped: u64,
    /// The journal that takes it back; `None` when nothing had to change.
    pub journal: Option<JournalId>,
    /// Why it stopped before its end (cancelled, no room for the journal, the helper gone).
    pub stopped: Option<String>,
}

/// What an undo came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoReport {
    /// Entries put back.
    pub restored: u64,
    /// Entries that the change had never reached.
    pub already: u64,
    /// Entries left alone because they changed since, the first thousand.
    pub skips: Vec<Skipped>,
    /// How many in all.
    pub skipped: u64,
    /// Why it stopped before its end, or what could not be put back in full.
    pub stopped: Option<String>,
}

/// Makes the plan of a change: where it really goes, whether that is refused, what it would change. Changes nothing.
///
/// # Errors
///
/// When the mount cannot be reached or counted, or [`EngineError::Cancelled`].
pub async fn plan(
    engine: &Engine,
    request: Request,
    at: OffsetDateTime,
    progress: watch::Sender<Census>,
    cancel: CancellationToken,
) -> Result<Plan, EngineError> {
    let gathering = gather::plan(engine, request, at, progress);
    cancel
        .run_until_cancelled(gathering)
        .await
        .unwrap_or(Err(EngineError::Cancelled))
}

/// Carries a plan out, journal first.
///
/// # Errors
///
/// When nothing could be begun: refused, read-only, the journal cannot be written. What stops it later is in the report.
pub async fn run(
    engine: &Engine,
    plan: Arc<Plan>,
    store: &journal::Store,
    progress: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    run::run(engine, &plan, store, &progress, &cancel).await
}

/// Takes a change back.
///
/// # Errors
///
/// When nothing could be begun: no such journal, another engine, the mount is gone, read-only.
pub async fn undo(
    engine: &Engine,
    store: &journal::Store,
    id: &JournalId,
    progress: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<UndoReport, EngineError> {
    undo::undo(engine, store, id, &progress, &cancel).await
}
