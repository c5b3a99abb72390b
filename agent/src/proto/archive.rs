//! Archives over the wire: what is packed and how, where an archive's entries are put, and what came of it.

use serde::{Deserialize, Serialize};

use super::Place;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Compression {
    /// Zstandard, level 1, with its checksum.
    #[default]
    Zstd,
    /// Gzip.
    Gzip,
    /// Not at all.
    None,
}

/// What is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// The tree; other file systems beneath it are never entered.
    pub at: Place,
    /// Paths relative to the root that are left out, with all beneath (something is mounted there on the host).
    pub leave: Vec<Vec<u8>>,
    /// How it is compressed.
    pub compression: Compression,
    /// The text of the archive's head, see [`crate::archive`].
    pub head: Vec<u8>,
    /// Threads that compress; 0 lets the agent choose.
    pub threads: u32,
}

/// News of an archive that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackItem {
    /// The archive's next bytes, at most 256 KiB, its seal left out: whoever stores them knows their digest.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// What was packed so far.
    Progress(Counts),
    /// All was packed: the last item.
    Packed(Packed),
}

/// What was packed or unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Entries, the top included.
    pub entries: u64,
    /// Bytes of the contents of regular files as they stand in the archive (holes of sparse files left out).
    pub bytes: u64,
}

/// What an archive holds, and what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Entries and bytes, as the trailer says them.
    pub counts: Counts,
    /// The trailer's [`digest`](crate::archive::digest): of every byte of the tar stream before it.
    pub digest: [u8; 32],
    /// What is not in it as it was, the first thousand.
    pub lacks: Vec<Lack>,
    /// How many in all.
    pub lacking: u64,
    /// How many of them make the archive partial, see [`Want::is_partial`].
    pub partial: u64,
}

/// An entry that is not in an archive as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// Path relative to the packed tree.
    pub path: Vec<u8>,
    /// What is wanting.
    pub want: Want,
}

/// What is wanting of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Want {
    /// A socket: it means nothing without the program that made it, and is left out.
    Socket,
    /// Another file system is mounted there; it is not entered.
    OtherMount,
    /// It changed while it was read, each time it was tried: the archive holds what was read last.
    Changed,
    /// It was gone when its turn came.
    Vanished,
    /// It could not be read; its error number.
    Unreadable(i32),
    /// What the kernel refused to set on it when it was unpacked; the error number.
    Refused(i32),
    /// Part of its access control list, which another program wrote with names without numbers, or in a kind that Linux has
    /// not.
    AccessList,
}

impl Want {
    /// Whether an archive that lacks this is called partial.
    pub fn is_partial(self) -> bool {
        !matches!(self, Self::Socket | Self::OtherMount)
    }
}

/// The error number (`EALREADY`, which no call on files gives) of a [`super::Request::Unpack`] that touched nothing, since
/// somebody else's restore writes to the root or something stands in one that was to be empty.
pub const TAKEN: i32 = 114;

/// Where an archive's entries are put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpack {
    /// Index of the root.
    pub root: u32,
    /// How.
    pub placing: Placing,
    /// Names the staging directory `.vole-new-ID`: letters, digits and `-`.
    pub id: String,
    /// Leading components of names and of hardlink targets that are taken away.
    pub strip: u32,
    /// Only these paths (after stripping) and what is beneath; empty for all.
    pub only: Vec<Vec<u8>>,
    /// Whether an archive of another program, which has no trailer, is taken as well.
    pub foreign: bool,
}

/// How entries come to stand in a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Placing {
    /// The root is empty: directly.
    Fresh,
    /// In a directory of their own in the root, which then takes the place of what is there by renaming: of everything, or
    /// of the paths of [`Unpack::only`]. What stood there is removed last.
    Staged,
    /// What is there is removed first, then the entries are made: needs no room for both, and nothing brings the old
    /// contents back. With [`Unpack::only`], only what stands at those paths.
    InPlace,
}

/// News of an archive that is unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnpackItem {
    /// What was unpacked so far.
    Progress(Counts),
    /// All is made and on the disk, and the trailer matches. Nothing takes the place of anything yet: that happens once
    /// the client confirms 1. Then comes the end of the request.
    Ready(Unpacked),
}

/// What was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Entries and bytes that were made.
    pub made: Counts,
    /// Entries and bytes of the whole archive.
    pub held: Counts,
    /// The [`digest`](crate::archive::digest) of the tar stream before its trailer; `None` for an archive of another program.
    pub digest: Option<[u8; 32]>,
    /// What could not be made as it was, the first thousand.
    pub lacks: Vec<Lack>,
    /// How many in all.
    pub lacking: u64,
}

/// What was done about an unpacking that was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mended {
    /// The id of its staging directory.
    pub id: String,
    /// Whether the new contents stand now; else the old ones do, untouched.
    pub finished: bool,
}
