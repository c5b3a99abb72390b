//! What the core wants done, as plain data. Knows nothing of how.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;

use super::files;
use super::msg::MaskedKey;
use crate::engine::daemon::{NewVolume, Switch};
use crate::journal::JournalId;
use crate::model::size::Measured;
use crate::model::{EngineId, JobId, Mount, MountId, VolumeName};
use crate::ops::list::{Depth, Inventory};
use crate::ops::prune::{Plan, Scope};
use crate::ops::{backup, chown, doctor, restore};

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look for an engine.
    Connect,
    /// Start the demo.
    Demo,
    /// Something with one engine.
    Engine(EngineId, EngineEffect),
    /// Cancel a job.
    Cancel(JobId),
    /// Put text on the clipboard of the operator's terminal (OSC 52).
    Copy(String),
    /// Stop until the shell continues vole.
    Suspend,
    /// End.
    Quit,
}

/// Something to do with one engine.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineEffect {
    /// List the mounts.
    Load(Depth),
    /// Listen to events.
    Watch,
    /// Try now what would be tried later: the engine went away, or told no events.
    Retry,
    /// Read the sizes kept from earlier starts.
    ReadSizes(Arc<Inventory>),
    /// Keep sizes for later starts.
    WriteSizes(Arc<Inventory>, Vec<(MountId, Measured)>),
    /// Ask for the free space of the file system that holds the volumes.
    Space(Arc<Inventory>),
    /// Measure mounts as a job.
    Measure {
        /// The job.
        job: JobId,
        /// The mounts.
        mounts: Vec<Arc<Mount>>,
        /// Whether the operator named them: then what is measured on demand only is measured too.
        asked: bool,
    },
    /// List what an image holds beneath a mount.
    Masked(MaskedKey),
    /// For the files screen.
    Files(files::Effect),
    /// Ask for the file systems behind the mounts.
    FileSystems(Arc<Inventory>),
    /// Ask what takes space beside the mounts. Slow.
    NotVolumes,
    /// Make a volume.
    Create(NewVolume),
    /// Gather evidence and make a plan of removals; an earlier gathering is cancelled.
    Plan {
        /// Tells its answers from those of an earlier one.
        ask: u64,
        /// What for.
        scope: Scope,
        /// The time now.
        at: OffsetDateTime,
    },
    /// Nobody waits for the plan any more.
    DropPlan,
    /// Remove the chosen rows of a plan as a job.
    Remove {
        /// The job.
        job: JobId,
        /// The plan.
        plan: Arc<Plan>,
        /// Its volumes that go.
        chosen: BTreeSet<VolumeName>,
    },
    /// Diagnose as a job.
    Diagnose {
        /// The job.
        job: JobId,
        /// What.
        scope: doctor::Scope,
        /// The time now.
        at: OffsetDateTime,
    },
    /// Ask for the last lines of a container's log, by its id or name.
    LogTail(String),
    /// Start, stop or restart a container as a job.
    Switch {
        /// The job.
        job: JobId,
        /// The container's id, or its name.
        container: String,
        /// Its name.
        name: String,
        /// What is done to it.
        switch: Switch,
    },
    /// Count what a change of owner or mode would do; an earlier count is cancelled.
    OwnPlan {
        /// Tells its answers from those of an earlier one.
        ask: u64,
        /// What is asked for.
        request: Box<chown::Request>,
        /// The time now.
        at: OffsetDateTime,
    },
    /// Nobody waits for the count any more.
    DropOwn,
    /// Carry a change of owner or mode out as a job.
    Own {
        /// The job.
        job: JobId,
        /// Its plan.
        plan: Arc<chown::Plan>,
    },
    /// Look where a backup goes; an earlier look is cancelled.
    BackupPlan {
        /// Tells its answers from those of an earlier one.
        ask: u64,
        /// What is asked for.
        request: Box<backup::Request>,
        /// What was measured.
        sizes: Vec<(MountId, Measured)>,
        /// The time now.
        at: OffsetDateTime,
    },
    /// Nobody waits for that plan any more.
    DropBackup,
    /// Carry a backup out as a job.
    Backup {
        /// The job.
        job: JobId,
        /// Its plan.
        plan: Arc<backup::Plan>,
    },
    /// List the archives on this machine.
    Archives,
    /// Check an archive as a job.
    Verify {
        /// The job.
        job: JobId,
        /// The archive.
        path: PathBuf,
    },
    /// Check an archive and plan its restore; an earlier check is cancelled.
    RestorePlan {
        /// Tells its answers from those of an earlier one.
        ask: u64,
        /// What is asked for.
        request: Box<restore::Request>,
        /// The time now.
        at: OffsetDateTime,
    },
    /// Nobody waits for that plan any more.
    DropRestore,
    /// Carry a restore out as a job.
    Restore {
        /// The job.
        job: JobId,
        /// Its plan.
        plan: Arc<restore::Plan>,
    },
    /// List what can be taken back.
    Journals,
    /// Take a change back as a job.
    Undo {
        /// The job.
        job: JobId,
        /// The change's journal.
        id: JournalId,
    },
}
