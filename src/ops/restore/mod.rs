//! Brings the contents of an archive into a volume, so that either the old or the new ones stand there whatever happens.

pub(super) mod existing;
pub(super) mod filling;
mod foreign;
pub(super) mod fresh;
mod look;
mod part;
mod plan;
mod run;
mod source;
pub(super) mod volumes;
pub mod words;

use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::archive::Placing;

use crate::archive::{Origin, Verdict};
use crate::engine::daemon::NewVolume;
use crate::engine::{Engine, EngineError};
use crate::model::{BytePath, Mount};
pub use crate::ops::writable::Seen;
pub(in crate::ops) use plan::leads_to;
pub(in crate::ops) use run::report;
pub(crate) use source::Source;

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
    /// Whether a new volume is made with the local driver and without options.
    pub plain: bool,
}

impl Request {
    /// A restore of all of an archive into a new volume of its name.
    pub fn of(archive: PathBuf) -> Self {
        Self {
            archive: Some(archive),
            target: None,
            only: Vec::new(),
            overwrite: false,
            in_place: false,
            strip: None,
            plain: false,
        }
    }
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
    /// Entries and bytes of what [`Request::only`] names; `None` for everything, and where nobody counted it.
    pub part: Option<(u64, u64)>,
    /// SHA-256 of the archive's tar stream, where it was checked.
    pub digest: Option<[u8; 32]>,
    /// Components that are taken away.
    pub strip: u32,
    /// What is taken away in words (`volume/`); `None` when nothing is.
    pub prefix: Option<String>,
    /// What the names of an archive of another program look like, when it cannot be told how many components belong to them:
    /// [`Request::strip`] has to say it.
    pub unclear: Option<Unclear>,
    /// Where it goes.
    pub into: Into,
    /// What tells a target that is there from another one at its place.
    pub seen: Option<Seen>,
    /// With [`Request::only`]: what stands in the target and gives way to it.
    pub replaced: Vec<BytePath>,
    /// Why it is not done at all.
    pub refused: Option<String>,
    /// Why yes is not enough: the target's name must be typed (what is there is replaced; options that lead to live data).
    pub needs_name: Option<String>,
    /// What must be known.
    pub caveats: Vec<String>,
    /// The archive, opened once: what was checked is what is restored.
    pub(crate) source: Source,
}

/// Names of an archive of another program that may or may not have something before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear {
    /// Components that may be too much.
    pub strip: u32,
    /// Why, in words.
    pub why: String,
    /// Some of the names, made printable.
    pub seen: Vec<String>,
}

impl Plan {
    /// What the operator types when yes is not enough: the target's name.
    pub fn typed_name(&self) -> &str {
        match &self.into {
            Into::New(wanted) => &wanted.name,
            Into::Existing(mount) => &mount.name,
        }
    }

    /// How entries come to stand in the target.
    pub fn placing(&self) -> Placing {
        match &self.into {
            Into::New(wanted) if volumes::shows(wanted.driver.as_deref(), &wanted.options).is_none() => Placing::Fresh,
            Into::Existing(_) if self.request.in_place => Placing::InPlace,
            Into::New(_) | Into::Existing(_) => Placing::Staged,
        }
    }
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
    /// How many of them mean that something is not as it was.
    pub partial: u64,
}

/// Makes the plan: reads the archive whole unless it comes by a pipe. Changes nothing. One that is damaged gives a plan that
/// is refused, with its verdict.
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
    let planning = plan::plan(engine, request, at, &news, &cancel);
    cancel
        .run_until_cancelled(planning)
        .await
        .unwrap_or(Err(EngineError::Cancelled))
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
    run::run(engine, plan, &news, &cancel).await
}
