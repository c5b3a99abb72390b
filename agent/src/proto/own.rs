//! Changes of owner and mode: what is to become of entries, what they were, what was left alone.

use serde::{Deserialize, Serialize};

use super::probe::Owner;
use super::{Fault, Kind};

/// What is to become of the entries of a tree. Symlinks are changed themselves and never followed; they have no mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The new owner; `None` leaves it.
    pub uid: Option<u32>,
    /// The new group; `None` leaves it.
    pub gid: Option<u32>,
    /// Only entries of this owner.
    pub from_uid: Option<u32>,
    /// Only entries of this group.
    pub from_gid: Option<u32>,
    /// The change of permission bits; `None` leaves them.
    pub mode: Option<ModeChange>,
    /// Whether what is beneath is changed too.
    pub recursive: bool,
}

/// A change of permission bits: `(mode & !clear) | set`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeChange {
    /// Bits that go, of everything but directories.
    pub file_clear: u32,
    /// Bits that come, of everything but directories.
    pub file_set: u32,
    /// Bits that go, of directories.
    pub dir_clear: u32,
    /// Bits that come, of directories.
    pub dir_set: u32,
    /// Execute bits that come where a file has one already (`X`).
    pub executable_set: u32,
}

impl ModeChange {
    /// The bits (07777) that an entry has afterwards.
    pub fn of(&self, mode: u32, is_dir: bool) -> u32 {
        let mode = mode & 0o7777;
        match is_dir {
            true => (mode & !self.dir_clear) | self.dir_set,
            false => {
                let executable = if mode & 0o111 == 0 { 0 } else { self.executable_set };
                (mode & !self.file_clear) | self.file_set | executable
            }
        }
    }
}

impl Change {
    /// Owner, group and bits that an entry has afterwards, given those that it has.
    pub fn of(&self, kind: Kind, uid: u32, gid: u32, mode: u32) -> (u32, u32, u32) {
        if self.from_uid.is_some_and(|from| from != uid) || self.from_gid.is_some_and(|from| from != gid) {
            return (uid, gid, mode);
        }
        let bits = match (&self.mode, kind) {
            (None, _) | (_, Kind::Symlink) => mode,
            (Some(change), kind) => change.of(mode, kind == Kind::Dir),
        };
        (self.uid.unwrap_or(uid), self.gid.unwrap_or(gid), bits)
    }
}

/// Why an entry was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Another file system is mounted there; it is not entered.
    OtherMount,
    /// The client said to leave it (something is mounted there on the host).
    Left,
    /// The kernel refused it.
    Refused {
        /// Its error number.
        errno: i32,
    },
    /// It is another entry than the one that was looked at.
    Replaced,
    /// Its owner, group or mode is neither what the change made it nor what it was before.
    Changed,
    /// It is gone.
    Gone,
}

/// An entry that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Path relative to the root.
    pub path: Vec<u8>,
    /// Why.
    pub why: Why,
}

/// What a change would do to a tree, or what it has counted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Entries looked at, the top included.
    pub entries: u64,
    /// Entries that would change; a file with several names counts by the first of them, and the others as unchanged.
    pub change: u64,
    /// Entries that are right already, or not meant.
    pub unchanged: u64,
    /// Of those that would change: files with set-id bits or file capabilities, which are put back.
    pub privileged: u64,
    /// Of those that would change: files that have names outside of this tree too, and the first few.
    pub linked_outside: u64,
    /// The first few of them.
    pub linked: Vec<Vec<u8>>,
    /// Entries that would be left alone.
    pub skipped: u64,
    /// The first thousand of them.
    pub skips: Vec<Skipped>,
    /// The first few that would change.
    pub sample: Vec<Sampled>,
    /// Owners before the change, most entries first, at most eight.
    pub owners: Vec<Owner>,
    /// Bytes of names and attributes that a journal of it would hold, about.
    pub journal_bytes: u64,
    /// Whether all was counted.
    pub complete: bool,
}

/// An entry that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampled {
    /// Path relative to the root.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// What an entry was before it was changed: all that is needed to make it so again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name in its directory; empty for the top of the root.
    pub name: Vec<u8>,
    /// Device that holds it.
    pub dev: (u32, u32),
    /// Inode number.
    pub ino: u64,
    /// What it is.
    pub kind: Kind,
    /// Hard links.
    pub nlink: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits (07777).
    pub mode: u32,
    /// Raw `security.capability`.
    pub capability: Option<Vec<u8>>,
    /// Raw `system.posix_acl_access`.
    pub acl: Option<Vec<u8>>,
    /// Raw `system.posix_acl_default`.
    pub default_acl: Option<Vec<u8>>,
}

/// Entries of one directory that are to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The directory relative to the root; empty for the root.
    pub dir: Vec<u8>,
    /// Its entries.
    pub records: Vec<Record>,
}

/// News of a change that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnItem {
    /// Entries that are to be changed next, as they are now. They are changed once the client has confirmed that it can
    /// put them back: [`super::ToAgent::Confirm`].
    Batch {
        /// Numbers of one request rise from 1 without gaps.
        number: u64,
        /// At most [`BATCH_RECORDS`] records.
        groups: Vec<Group>,
    },
    /// A batch was changed, as far as that could be. Comes again for a batch whose skips do not fit one reply.
    Applied {
        /// The batch.
        number: u64,
        /// Entries changed.
        changed: u64,
        /// Entries of it that were left alone.
        skips: Vec<Skipped>,
    },
    /// Numbers counted so far, without names; the last one is complete, with names.
    Counted(Census),
}

/// Records of a batch, at most.
pub const BATCH_RECORDS: usize = 4096;

/// What came of putting entries back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Entries that were put back.
    pub restored: u64,
    /// Entries that were as before already: the change never reached them.
    pub already: u64,
    /// Entries that were left alone.
    pub skips: Vec<Skipped>,
    /// What could not be put back in full.
    pub faults: Vec<Fault>,
}
