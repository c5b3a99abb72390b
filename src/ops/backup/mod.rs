//! Copies mounts into archives that prove by themselves that they are whole.

mod plan;
mod run;
mod sink;
pub mod words;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::archive::Compression;

use crate::archive::Archive;
use crate::engine::{Engine, EngineError};
use crate::model::Mount;
use crate::model::size::Measured;
pub(in crate::ops) use run::check as check_source;

/// What is to be copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The mounts.
    pub mounts: Vec<Arc<Mount>>,
    /// The directory for the archives; the user's own one, per engine and volume, when not given.
    pub to: Option<PathBuf>,
    /// How they are compressed.
    pub compression: Compression,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it was made for.
    pub request: Request,
    /// When.
    pub at: OffsetDateTime,
    /// One row per mount, as asked.
    pub rows: Vec<Row>,
}

/// One archive that would be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The directory in which the archive will stand.
    pub dir: PathBuf,
    /// What the mount holds, where it was measured before; nothing is measured for the plan.
    pub size: Option<Measured>,
    /// Bytes that are free where the archive goes.
    pub free: Option<u64>,
    /// Why it is not copied at all (memory of a container that is gone, a socket, another backup of it runs).
    pub refused: Option<String>,
    /// What must be known (a container that runs writes to it, the room may not do).
    pub caveats: Vec<String>,
}

/// News of a run.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per archive; of the small ones there are ten a second"
)]
pub enum Event {
    /// A row is worked on.
    Progress {
        /// Index of the row.
        row: usize,
        /// Entries so far.
        entries: u64,
        /// Bytes of contents so far.
        bytes: u64,
        /// Bytes of the archive so far.
        written: u64,
    },
    /// A row has ended: its archive, or why there is none.
    Ended {
        /// Index of the row.
        row: usize,
        /// What came of it.
        result: Result<Archive, String>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The archives.
    pub archives: Vec<Archive>,
    /// Mounts without one, and why.
    pub failed: Vec<(String, String)>,
    /// Whether it was cancelled before its end.
    pub cancelled: bool,
}

/// Why there is no archive. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The operator cancelled.
    #[error("cancelled; nothing of it was kept")]
    Cancelled,
    /// Something failed.
    #[error("{0}")]
    Failed(String),
}

impl From<EngineError> for BackupError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Cancelled => Self::Cancelled,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Makes the plan. Writes nothing. `sizes` says what was measured of a mount before.
///
/// # Errors
///
/// When there is no place for archives (no `HOME`, a directory that is not there), or the engine does not answer.
pub async fn plan(
    engine: &Engine,
    request: Request,
    sizes: &(dyn Fn(&Mount) -> Option<Measured> + Sync),
    at: OffsetDateTime,
) -> Result<Plan, EngineError> {
    plan::plan(engine, request, sizes, at, plan::Way::Files).await
}

/// Makes the plan for one mount whose archive goes into a pipe, see [`stream`].
///
/// # Errors
///
/// When the engine does not answer.
pub async fn plan_stream(
    engine: &Engine,
    mount: Arc<Mount>,
    compression: Compression,
    sizes: &(dyn Fn(&Mount) -> Option<Measured> + Sync),
    at: OffsetDateTime,
) -> Result<Plan, EngineError> {
    let request = Request {
        mounts: vec![mount],
        to: None,
        compression,
    };
    plan::plan(engine, request, sizes, at, plan::Way::Pipe).await
}

/// Carries a plan out, row by row. What fails leaves nothing behind, and the next row is tried.
pub async fn run(engine: &Engine, plan: &Plan, news: mpsc::Sender<Event>, cancel: CancellationToken) -> Report {
    run::run(engine, plan, &news, &cancel).await
}

/// Carries a plan of [`plan_stream`] out: copies its mount into a pipe. Whoever reads finds the trailer at the end of a whole archive alone. The
/// path of the archive that is returned is `-`.
///
/// # Errors
///
/// When it could not be copied, or the pipe was closed. Its reader has a part that proves to be one.
pub async fn stream(
    engine: &Engine,
    plan: &Plan,
    out: Box<dyn Write + Send>,
    news: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Archive, BackupError> {
    run::stream(engine, plan, out, &news, &cancel).await
}
