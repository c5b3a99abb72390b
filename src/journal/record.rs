//! What a journal holds: the header that says what was done where, and what entries were before. Plain data; knows no
//! files and does nothing itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use vole_agent::proto::own::{Change, Group};

use crate::model::{EngineId, Mount, MountId, MountKind};

/// A record of a journal. Variants are told apart by their order: new ones come last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// What is done where: the first record, and the only one of its kind.
    Header(Box<Header>),
    /// What entries were before they were changed. It is on the disk before they are.
    Batch {
        /// Its number.
        number: u64,
        /// The entries.
        groups: Vec<Group>,
    },
    /// A batch was carried out.
    Applied {
        /// Its number.
        number: u64,
        /// Entries that were changed.
        changed: u64,
    },
    /// The operation came to an end.
    Ended(End),
    /// It was taken back.
    Undone {
        /// Entries that were put back.
        restored: u64,
        /// Entries that were left alone.
        skipped: u64,
    },
    /// The volume that the operation makes is there now: what tells it from another of its name. It is on the disk before
    /// anything is put into the volume.
    Made(Box<Site>),
}

/// How an operation came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// All was done.
    Done,
    /// It stopped before its end, and why.
    Stopped(String),
}

/// What was done where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The engine.
    pub engine: EngineId,
    /// Its endpoint, for people.
    pub endpoint: String,
    /// The mount.
    pub mount: Site,
    /// Containers that attached it.
    pub containers: Vec<String>,
    /// What was done.
    pub operation: Operation,
    /// When it began, in seconds since the epoch.
    pub at: i64,
    /// The version of vole.
    pub version: String,
    /// The process id; whether it still runs is told by the file's lock.
    pub process: u32,
}

impl Header {
    /// When the operation began.
    pub fn began(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.at).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The operation in words.
    pub fn words(&self) -> String {
        match &self.operation {
            Operation::Own(own) => {
                let verb = match (own.change.uid, own.change.gid) {
                    (None, None) => "chmod",
                    _ => "chown",
                };
                let path = match own.path.as_slice() {
                    [] => String::new(),
                    path => format!(":{}", String::from_utf8_lossy(path)),
                };
                format!("{verb} {} of {}{path}", own.words, self.mount.name)
            }
            Operation::Restore(restore) => format!("{} into {}", restore.words, self.mount.name),
        }
    }
}

/// What tells the mount from another one of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its id.
    pub id: MountId,
    /// Its kind.
    pub kind: MountKind,
    /// Its name.
    pub name: String,
    /// Its volume driver.
    pub driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// When it was made as the engine says, in nanoseconds since the epoch.
    pub created: Option<i128>,
    /// When its root directory was made, in nanoseconds since the epoch, where this host could tell.
    pub born: Option<i128>,
    /// Where it really was on the engine's host, symlinks resolved.
    pub resolved: Option<String>,
    /// Major and minor number of the device that held its root. Numbers may change at a start of the host.
    pub dev: (u32, u32),
    /// The root's inode number.
    pub ino: u64,
}

impl Site {
    /// What is known of a mount whose root was opened.
    pub fn of(mount: &Mount, resolved: Option<String>, dev: (u32, u32), ino: u64) -> Self {
        Self {
            id: mount.id.clone(),
            kind: mount.kind,
            name: mount.name.clone(),
            driver: mount.driver.clone(),
            options: mount.options.clone(),
            created: mount.created.map(OffsetDateTime::unix_timestamp_nanos),
            born: None,
            resolved,
            dev,
            ino,
        }
    }

    /// Why a mount is not this one, when it is not: another volume of the name. `dated` says that the engine's date of a
    /// volume stays: Docker's is the last change of its directory (measured on 20.10: a chown moves it).
    pub fn differs(&self, mount: &Mount, dated: bool) -> Option<&'static str> {
        if self.kind != mount.kind {
            return Some("it is of another kind");
        }
        if dated && self.created != mount.created.map(OffsetDateTime::unix_timestamp_nanos) {
            return Some("it was made at another time");
        }
        (self.driver != mount.driver || self.options != mount.options).then_some("its driver or options are others")
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Owners and modes were changed.
    Own(Own),
    /// An archive's contents were put into it. Nothing takes that back; what was cut short is recovered.
    Restore(Restore),
}

/// Contents that are put into a mount: a restore, or the target of a clone. Its staging directory has the journal's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// What it is, for people (`restore of /backup/blog.tar.zst`).
    pub words: String,
    /// Whether the volume is made for it; else it was there before.
    pub makes: bool,
    /// Whether what stood there is removed before the new contents are made.
    pub in_place: bool,
}

/// A change of owners and modes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// What became of the entries.
    pub change: Change,
    /// Where in the mount; empty for all of it.
    pub path: Vec<u8>,
    /// The change as people write it.
    pub words: String,
}
