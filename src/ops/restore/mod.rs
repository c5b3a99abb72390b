//! Brings the contents of an archive into a volume, so that either the old or the new ones stand there whatever happens.

use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::archive::{Origin, Verdict};
use crate::engine::daemon::NewVolume;
use crate::engine::{Engine, EngineError};
use crate::model::{BytePath, Mount};

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The archive; `None` for what comes by standard input.
    pub archive: Option<PathBuf>,
    /// The volume's name, or an absolute path of the host; what the archive says when not given.
    pub target: Option<String>,
    /// Only these paths of it; empty for all.
    pub only: Vec<BytePath>,
    /// Whether contents that are there may be replaced.
    pub overwrite: bool,
    /// Whether they are removed first, for want of room.
    pub in_place: bool,
    /// Leading components that are taken away; found out when not given.
    pub strip: Option<u32>,
    /// Whether a new volume is made without the driver's options.
    pub plain: bool,
}

/// Where the contents go.
#[derive(Debug, Clone, PartialEq)]
pub enum Into {
    /// A volume that is made for it.
    New(NewVolume),
    /// A mount that is there.
    Existing(Arc<Mount>),
}

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it was made for.
    pub request: Request,
    /// When.
    pub at: OffsetDateTime,
    /// What the archive says of itself; `None` for one of another program, or from a pipe.
    pub origin: Option<Origin>,
    /// What checking the whole archive found; `None` from a pipe, which is checked on the way.
    pub verdict: Option<Verdict>,
    /// Entries and bytes of contents, where they are known.
    pub counts: Option<(u64, u64)>,
    /// Components that are taken away.
    pub strip: u32,
    /// Where it goes.
    pub into: Into,
    /// Why it is not done at all.
    pub refused: Option<String>,
    /// Why yes is not enough: the target's name must be typed (what is there is replaced; options that lead to live data).
    pub needs_name: Option<String>,
    /// What must be known.
    pub caveats: Vec<String>,
}

/// News of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it does at the moment (`checking`, `unpacking`, `swapping`).
    pub phase: &'static str,
    /// Entries so far.
    pub entries: u64,
    /// Bytes of contents so far.
    pub bytes: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}

/// What a restore came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The target's name.
    pub target: String,
    /// Entries made.
    pub entries: u64,
    /// Bytes of contents made.
    pub bytes: u64,
    /// SHA-256 of the archive's tar stream, which was compared; `None` for one of another program.
    pub digest: Option<String>,
    /// What could not be made as it was; the first thousand.
    pub warnings: Vec<String>,
    /// How many in all.
    pub warned: u64,
}

/// Makes the plan: reads the archive whole unless it comes by a pipe. Changes nothing.
///
/// # Errors
///
/// When the archive cannot be opened, the engine does not answer, or [`EngineError::Cancelled`].
pub async fn plan(
    engine: &Engine,
    request: Request,
    at: OffsetDateTime,
    news: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Plan, EngineError> {
    let _ = (engine, request, at, news, cancel);
    Err(EngineError::Refused { reason: "SEAM".into() })
}

/// Carries a plan out. An error means that the old contents stand, or that no volume is left that looks restored.
///
/// # Errors
///
/// Whatever kept it from its end.
pub async fn run(
    engine: &Engine,
    plan: &Plan,
    news: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    let _ = (engine, plan, news, cancel);
    Err(EngineError::Refused { reason: "SEAM".into() })
}
