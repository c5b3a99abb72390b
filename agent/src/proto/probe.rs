//! Access that is tried: who tries, what stands there, what came of it.

use serde::{Deserialize, Serialize};

use super::{Fault, Kind, Place};

/// Capability bits that decide on files, as `linux/capability.h` numbers them.
pub mod cap {
    /// Changes owners.
    pub const CHOWN: u64 = 1 << 0;
    /// Reads, writes and enters whatever the mode says.
    pub const DAC_OVERRIDE: u64 = 1 << 1;
    /// Reads and enters whatever the mode says.
    pub const DAC_READ_SEARCH: u64 = 1 << 2;
    /// Does what only owners may.
    pub const FOWNER: u64 = 1 << 3;
    /// Keeps set-id bits.
    pub const FSETID: u64 = 1 << 4;
    /// All of these.
    pub const FILES: u64 = CHOWN | DAC_OVERRIDE | DAC_READ_SEARCH | FOWNER | FSETID;
}

/// Who tries an access, in numbers of the agent's own user namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Effective capabilities; bits outside of [`cap::FILES`] are of no account.
    pub caps: u64,
}

/// One access to try. Nothing is ever written: the mount is read-only, and the kernel says `EACCES` or `EPERM` before it
/// says `EROFS`, so `EROFS` of a mount that only the helper has read-only means "would be allowed".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Where.
    pub at: Place,
    /// Who.
    pub who: Identity,
    /// Entries beneath that are looked at too, at most; 0 for the place alone.
    pub sample: u32,
    /// Levels beneath that are looked at.
    pub depth: u32,
}

/// What stands somewhere, as far as it decides on access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Permission bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Hard links.
    pub nlink: u64,
    /// Inode number.
    pub ino: u64,
    /// Whether it is immutable (`chattr +i`).
    pub immutable: bool,
    /// Whether it is append-only (`chattr +a`).
    pub append_only: bool,
    /// The raw `system.posix_acl_access`, when there is one.
    pub acl: Option<Vec<u8>>,
    /// `security.selinux`, when there is one.
    pub label: Option<Vec<u8>>,
}

/// An access that was refused beneath a probed place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// Path relative to the root.
    pub path: Vec<u8>,
    /// What stands there.
    pub facts: Facts,
    /// `errno` of reading it, 0 when that is allowed. For a directory: of listing and entering it.
    pub read: i32,
    /// `errno` of writing it, 0 when that is allowed.
    pub write: i32,
}

/// Entries of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// How many entries.
    pub entries: u64,
}

/// What came of a [`Probe`]. The place, and each entry beneath it, is judged by itself, as if all above it could be passed;
/// what cannot be passed above the place is `barred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Index of the probe in the request.
    pub probe: u32,
    /// Why it could not be tried at all; the rest says nothing then.
    pub fault: Option<Fault>,
    /// What stands there.
    pub facts: Option<Facts>,
    /// The first directory above it, relative to the root (empty: the root itself), that this identity cannot pass, and
    /// what it is.
    pub barred: Option<(Vec<u8>, Facts)>,
    /// `errno` of reading (a directory: listing) it; 0 is allowed.
    pub read: i32,
    /// `errno` of writing it; 0 is allowed, and so is `EROFS` unless `super_read_only`: both come as 0.
    pub write: i32,
    /// `errno` of executing it, or of entering a directory.
    pub enter: i32,
    /// `errno` of writing it as root with every capability on files; `ENOSYS` when the agent cannot be root.
    pub write_as_root: i32,
    /// Whether the file system itself (not only the helper's mount) is read-only.
    pub super_read_only: bool,
    /// Entries beneath that were looked at.
    pub sampled: u64,
    /// Whether that were all within the depth.
    pub whole: bool,
    /// Entries beneath that were refused (symlinks, `lost+found` and other mounts are not tried).
    pub denied: u64,
    /// The first few of them, shallow ones first.
    pub denials: Vec<Denied>,
    /// Owners of what was looked at, the place included, most entries first, at most eight.
    pub owners: Vec<Owner>,
}
