//! What happens to the program, as plain data. Knows nothing of who sends it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;

use super::backups::Check;
use super::files;
use super::jobs::JobEvent;
use super::key::Key;
use crate::archive::Archive;
use crate::engine::daemon::Masked;
use crate::engine::{About, EngineError};
use crate::journal::{JournalId, Listed};
use crate::model::size::Measured;
use crate::model::{EngineId, JobId, MountId, Size};
use crate::ops::create::CreateError;
use crate::ops::df::{FileSystems, NotVolumes};
use crate::ops::list::Inventory;
use crate::ops::prune::{Event, Plan, Step};
use crate::ops::sightings::Sighting;
use crate::ops::{backup, chown, doctor, restore};
use vole_agent::proto::own::Census;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The time now; sent in front of every batch of messages. Changes nothing on screen by itself.
    Now(OffsetDateTime),
    /// A key.
    Key(Key),
    /// Text pasted into the terminal.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// An engine answers.
    Connected(Connected),
    /// No engine answers; what was tried.
    NotConnected(Vec<Attempt>),
    /// A message about one engine; dropped when that engine is not known.
    Engine(EngineId, EngineMsg),
    /// A job started, moved or ended.
    Job(JobId, JobEvent),
    /// Something to tell the operator.
    Notice(Notice),
}

/// An engine that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Connected {
    /// Identifies it.
    pub id: EngineId,
    /// Its endpoint as people write it.
    pub endpoint: String,
    /// What it is.
    pub about: Arc<About>,
    /// Whether it is the demo.
    pub demo: bool,
}

/// An endpoint that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The endpoint.
    pub endpoint: String,
    /// Where it comes from (`DOCKER_HOST`, `context default`, `found`).
    pub origin: String,
    /// What happened, with a hint.
    pub outcome: String,
}

/// What one engine's tasks report.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineMsg {
    /// The answer to [`super::effect::EngineEffect::Load`].
    Inventory(Result<Arc<Inventory>, EngineError>),
    /// Sizes kept from an earlier start.
    Cached(Vec<(MountId, Measured)>),
    /// Who used the volumes last that nothing attaches, as far as that was seen.
    LastUse(BTreeMap<MountId, Sighting>),
    /// Sizes of a running measurement.
    Sizes(JobId, Vec<(MountId, Size)>),
    /// Free and total bytes of the file system that holds the volumes.
    Space(Result<Space, EngineError>),
    /// The event stream's state changed, or something happened on the engine.
    Watch(WatchNews),
    /// The answer to [`super::effect::EngineEffect::Masked`].
    Masked {
        /// The container and the destination that were asked for.
        of: MaskedKey,
        /// The answer.
        result: Result<Masked, EngineError>,
    },
    /// For the files screen.
    Files(files::Msg),
    /// The answer to [`super::effect::EngineEffect::FileSystems`].
    FileSystems(Result<Arc<FileSystems>, EngineError>),
    /// The answer to [`super::effect::EngineEffect::NotVolumes`].
    NotVolumes(Result<Arc<NotVolumes>, EngineError>),
    /// The answer to [`super::effect::EngineEffect::Create`].
    Created {
        /// The volume's name.
        name: String,
        /// Whether it is there now.
        result: Result<(), CreateError>,
    },
    /// How far the gathering for a plan is.
    Planning {
        /// The question, see [`super::effect::EngineEffect::Plan`].
        ask: u64,
        /// How far.
        step: Step,
    },
    /// The answer to [`super::effect::EngineEffect::Plan`].
    Planned {
        /// The question.
        ask: u64,
        /// The answer.
        result: Result<Arc<Plan>, EngineError>,
    },
    /// What came of some objects of a running removal.
    Removed {
        /// The removal.
        job: JobId,
        /// Object by object.
        events: Vec<Event>,
    },
    /// News of a running diagnosis.
    Diagnosing {
        /// The diagnosis.
        job: JobId,
        /// What it looked at and found.
        events: Vec<doctor::Event>,
    },
    /// What a diagnosis came to; one that failed only ends its job.
    Diagnosed {
        /// The diagnosis.
        job: JobId,
        /// What it came to.
        report: Arc<doctor::Report>,
    },
    /// The answer to [`super::effect::EngineEffect::LogTail`].
    LogTail {
        /// The container as it was asked for.
        container: String,
        /// The lines, oldest first.
        result: Result<Vec<Vec<u8>>, EngineError>,
    },
    /// What the count of a change came to so far.
    OwnCounting {
        /// The question, see [`super::effect::EngineEffect::OwnPlan`].
        ask: u64,
        /// The counts.
        census: Box<Census>,
    },
    /// The answer to [`super::effect::EngineEffect::OwnPlan`].
    OwnPlanned {
        /// The question.
        ask: u64,
        /// The answer.
        result: Result<Arc<chown::Plan>, EngineError>,
    },
    /// What a change of owner or mode came to.
    Owned {
        /// The change.
        job: JobId,
        /// What it came to; an error when nothing was begun.
        result: Result<Arc<chown::Report>, EngineError>,
    },
    /// The answer to [`super::effect::EngineEffect::BackupPlan`].
    BackupPlanned {
        /// The question.
        ask: u64,
        /// The answer.
        result: Result<Arc<backup::Plan>, EngineError>,
    },
    /// What became of a mount's copy.
    BackedUp {
        /// The backup.
        job: JobId,
        /// The mount's place in the plan.
        row: usize,
        /// The archive, or why there is none.
        result: Result<Arc<Archive>, String>,
    },
    /// The answer to [`super::effect::EngineEffect::Archives`]: archives, the latest first, and files that are left out.
    Archives(Result<(Vec<Archive>, Vec<String>), String>),
    /// What checking an archive found.
    Verified {
        /// The archive.
        path: PathBuf,
        /// What was found; an error when it could not be read.
        result: Result<Check, String>,
    },
    /// How far the check for the plan of a restore is.
    RestoreChecking {
        /// The question, see [`super::effect::EngineEffect::RestorePlan`].
        ask: u64,
        /// How far.
        progress: restore::Progress,
    },
    /// The answer to [`super::effect::EngineEffect::RestorePlan`].
    RestorePlanned {
        /// The question.
        ask: u64,
        /// The answer.
        result: Result<Arc<restore::Plan>, EngineError>,
    },
    /// What a restore came to.
    Restored {
        /// The restore.
        job: JobId,
        /// What it came to.
        result: Result<Arc<restore::Report>, EngineError>,
    },
    /// The answer to [`super::effect::EngineEffect::Journals`]: journals, and files that are none.
    Journals(Result<(Vec<Listed>, Vec<String>), String>),
    /// What came of taking a change back.
    Undone {
        /// The undo.
        job: JobId,
        /// The change's journal.
        id: JournalId,
        /// What it came to; an error when nothing was begun.
        result: Result<Arc<chown::UndoReport>, EngineError>,
    },
}

/// Bytes of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that may still be written.
    pub free: u64,
    /// Bytes in all.
    pub size: u64,
}

/// News of the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchNews {
    /// Events are heard; at first or again.
    Live,
    /// Something may have changed.
    Changed(Change),
    /// The engine answers but tells no events; why.
    Refused(String),
    /// The engine went away.
    Lost {
        /// Why.
        error: String,
        /// When it is tried again.
        retry_at: OffsetDateTime,
    },
}

/// What a batch of events told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only that these volumes were made. Docker before Engine 23 tells that of every volume that a new container
    /// mounts, however old: measuring a thousand volumes brings a thousand such events.
    Made(Vec<String>),
    /// Something else, or more than can be named.
    Other,
}

/// A destination of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaskedKey {
    /// The container's id.
    pub container: String,
    /// The path in it.
    pub destination: String,
}

/// A line for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What happened, to what, why, and what to try. Sanitised when shown.
    pub text: String,
}

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something was done.
    Good,
    /// Something to know.
    Warning,
    /// Something failed.
    Fault,
}

impl Notice {
    /// Something was done.
    pub fn good(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Good,
            text: text.into(),
        }
    }

    /// Something to know.
    pub fn warning(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Warning,
            text: text.into(),
        }
    }

    /// Something failed.
    pub fn fault(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Fault,
            text: text.into(),
        }
    }
}
