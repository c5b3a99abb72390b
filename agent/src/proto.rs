//! The protocol between `vole` and its agent: plain data and its framing, no I/O on file systems.
//!
//! A connection starts with [`MAGIC`] and [`VERSION`] from the agent, then both sides send frames:
//! a little-endian `u32` length (of the body, at most [`MAX_FRAME`]) and a postcard-encoded body,
//! [`ToAgent`] one way and [`FromAgent`] the other. The agent's first frame is [`FromAgent::Hello`].
//! Several requests run at once, told apart by their id. Each request may have [`WINDOW`] reply
//! frames in flight; the client returns credit as it consumes them. A request ends with exactly one
//! of [`Reply::Done`], [`Reply::Failed`] and [`Reply::Cancelled`], which needs no credit. Its id is free then;
//! credit and cancels that come late for it are ignored. A request that takes data ([`Request::Unpack`]) is sent
//! [`ToAgent::Data`], at most [`WINDOW`] frames ahead of what the agent has given credit for ([`FromAgent::Credit`]), and
//! [`ToAgent::End`] behind the last.

pub mod archive;
pub mod own;
pub mod probe;
mod sign;

use serde::{Deserialize, Serialize};

pub use sign::{Cover, Marker, Seen, Sign};

use archive::{Mended, Pack, PackItem, Unpack, UnpackItem};
use own::{Census, Change, Group, OwnItem, Undone};
use probe::{Probe, Probed};

/// The first bytes that an agent writes, so that a client never takes an error text for frames.
pub const MAGIC: [u8; 4] = *b"VOLE";
/// The protocol's version, sent as a little-endian `u16` behind [`MAGIC`].
pub const VERSION: u16 = 4;
/// The largest body of a frame, in bytes; a larger one ends the connection with an error.
pub const MAX_FRAME: usize = 1 << 20;
/// Reply frames of one request that may be on their way before the client returns credit.
pub const WINDOW: u32 = 32;

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAgent {
    /// Starts a request under an id that no running request has.
    Request {
        /// Names the request in every later frame.
        id: u32,
        /// What is asked.
        request: Request,
    },
    /// Asks a request to stop; it still ends with a final reply.
    Cancel {
        /// The request to stop.
        id: u32,
    },
    /// Allows more reply frames for a request.
    Credit {
        /// The request.
        id: u32,
        /// How many more frames may be sent.
        frames: u32,
    },
    /// Bytes that a request takes. Each frame takes one of the credit that a request starts with ([`WINDOW`]) or is given.
    Data {
        /// The request.
        id: u32,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Says that a request has had all of its data.
    End {
        /// The request.
        id: u32,
    },
    /// Says that batches of a [`Request::Own`] can be undone, so they may be carried out; or that what a
    /// [`Request::Unpack`] holds ready may take the place of what is there.
    Confirm {
        /// The request.
        id: u32,
        /// All batches up to this number.
        through: u64,
    },
}

/// What an agent sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromAgent {
    /// The first frame of a connection.
    Hello(Hello),
    /// A reply to a request.
    Reply {
        /// The request that this belongs to.
        id: u32,
        /// The reply.
        reply: Reply,
    },
    /// Allows more [`ToAgent::Data`] for a request.
    Credit {
        /// The request.
        id: u32,
        /// How many more frames may be sent.
        frames: u32,
    },
}

/// What the agent is and which roots it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The machine's architecture as `uname -m` prints it.
    pub arch: String,
    /// The kernel's release as `uname -r` prints it.
    pub kernel: String,
    /// Whether `openat2` works here (Linux 5.6 and later); without it a slower walk is used.
    pub openat2: bool,
    /// The roots in the order in which the agent was given them.
    pub roots: Vec<RootInfo>,
}

/// One root as the agent's kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootInfo {
    /// What stands at the root: usually a directory, a file for a bind mount of a file.
    pub kind: Kind,
    /// Why the root cannot be used.
    pub fault: Option<Fault>,
    /// Major and minor number of the device that holds it.
    pub dev: (u32, u32),
    /// The directory of that file system which is mounted here (field 4 of `mountinfo`), extended to the root itself.
    pub fs_root: Vec<u8>,
    /// The file system's type (`ext4`, `tmpfs`, `nfs4`, …); empty when unknown.
    pub fs_type: String,
    /// The mount's source (field 10 of `mountinfo`).
    pub source: Vec<u8>,
    /// Whether the mount is read-only for the agent.
    pub read_only: bool,
    /// When it was made, where the file system tells: a directory's number is given again to the next one.
    pub born: Option<Time>,
}

/// A place beneath one root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Index of the root.
    pub root: u32,
    /// Components joined by `/`, without a leading one; empty for the root itself. Bytes, not text.
    /// `.` and `..` and empty components are refused. May be longer than `PATH_MAX`.
    pub path: Vec<u8>,
}

/// A request to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One page of a directory, as [`Reply::Page`].
    List {
        /// The directory.
        at: Place,
        /// The order of the whole directory.
        order: Order,
        /// Continue behind this cursor of an earlier page; `None` for the first page.
        after: Option<Cursor>,
        /// Entries wanted, at most 4096.
        limit: u32,
    },
    /// One entry, not followed when it is a symlink, as [`Reply::Entry`].
    Stat {
        /// The entry.
        at: Place,
    },
    /// A range of a regular file, as [`Reply::Data`] in order; shorter when the file ends or shrinks.
    Read {
        /// The file.
        at: Place,
        /// First byte.
        offset: u64,
        /// Bytes wanted; `u64::MAX` for all that there is.
        len: u64,
    },
    /// A growing file, as [`Reply::Followed`], until cancelled.
    Follow {
        /// The file; looked up again by name when it is replaced.
        at: Place,
        /// Bytes before the present end to start with.
        tail: u64,
    },
    /// Sizes of trees, as [`Reply::Usage`]. All places are walked in parallel, each on its own file system only.
    Usage {
        /// The trees.
        places: Vec<Place>,
        /// Report each directory down to this depth below its place as [`UsageItem::Dir`]; 0 for totals only.
        depth: u32,
        /// Worker threads; 0 lets the agent choose.
        threads: u32,
        /// What to look out for on the way, in places that are whole roots.
        signs: Vec<Sign>,
    },
    /// Entries whose base name matches, as [`Reply::Found`].
    Find {
        /// The tree to search.
        at: Place,
        /// An unanchored sparse DFA of `regex-automata` in little-endian bytes.
        #[serde(with = "serde_bytes")]
        dfa: Vec<u8>,
        /// Stop after so many.
        limit: u32,
    },
    /// Lines of regular files that match, as [`Reply::Hits`].
    Grep {
        /// The tree or file to search.
        at: Place,
        /// An unanchored sparse DFA of `regex-automata` in little-endian bytes.
        #[serde(with = "serde_bytes")]
        dfa: Vec<u8>,
        /// Stop after so many lines.
        limit: u32,
        /// Longest excerpt of a line, in bytes.
        max_line: u32,
        /// Search files that look binary (a NUL in the first 8 KiB) too.
        binary: bool,
    },
    /// The file systems behind roots, as [`Reply::FileSystems`].
    FileSystems {
        /// Indexes of the roots.
        roots: Vec<u32>,
    },
    /// Accesses that are tried as somebody else, as [`Reply::Probed`] in any order, each probe once. Needs an agent that
    /// may become others (`SETUID`, `SETGID` and the capabilities of [`probe::cap::FILES`]), or that is the one who tries.
    Probe {
        /// What to try.
        probes: Vec<Probe>,
    },
    /// What a change of owner and mode would do, as [`Reply::Census`]: counts so far, the last one complete.
    Census {
        /// The tree.
        at: Place,
        /// What would become of it.
        change: Change,
        /// Paths relative to the root that are left alone, with all beneath.
        leave: Vec<Vec<u8>>,
    },
    /// Changes owners and modes, as [`Reply::Own`]. Needs a root that is writable.
    Own {
        /// The tree.
        at: Place,
        /// What is to become of it.
        change: Change,
        /// Paths relative to the root that are left alone, with all beneath.
        leave: Vec<Vec<u8>>,
    },
    /// Puts entries back that a [`Request::Own`] changed, as one [`Reply::Undone`]. What is neither as the change left it nor
    /// as it was before is left alone.
    Undo {
        /// Index of the root.
        root: u32,
        /// The change that is taken back.
        change: Change,
        /// What the entries were.
        groups: Vec<Group>,
    },
    /// Writes an archive of a tree, as [`Reply::Pack`].
    Pack(Pack),
    /// Makes the entries of an archive, which comes as [`ToAgent::Data`], in a root that is writable; replies are
    /// [`Reply::Unpack`].
    Unpack(Unpack),
    /// Finishes, or takes back, what unpackings that were killed left in a root that is writable, as one [`Reply::Mended`].
    Mend {
        /// Index of the root.
        root: u32,
        /// The id of the unpacking; all that were killed when not given.
        id: Option<String>,
    },
}

/// A reply to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A page of a directory.
    Page(Page),
    /// One entry.
    Entry(Entry),
    /// Bytes of a file.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// News of a followed file.
    Followed(Followed),
    /// News of running measurements.
    Usage(Vec<UsageItem>),
    /// Names that match.
    Found(Vec<Found>),
    /// Lines that match.
    Hits(Vec<Hit>),
    /// File systems, in the order asked.
    FileSystems(Vec<FileSystem>),
    /// What came of some of the probes.
    Probed(Vec<Probed>),
    /// What a change would do.
    Census(Census),
    /// News of a running change.
    Own(OwnItem),
    /// What came of putting entries back.
    Undone(Undone),
    /// Bytes of an archive that is written, and news of it.
    Pack(PackItem),
    /// News of an archive that is unpacked.
    Unpack(UnpackItem),
    /// What was done about unpackings that were killed.
    Mended(Vec<Mended>),
    /// The request is complete. `partial` says that something could not be read, see `notes`.
    Done {
        /// What could not be read or was cut short; empty when all was read.
        notes: Vec<Fault>,
    },
    /// The request failed.
    Failed(Fault),
    /// The request was cancelled by the client.
    Cancelled,
}

/// Orders of a directory. Directories come first in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// By name, bytewise.
    Name,
    /// By name, descending.
    NameDescending,
    /// Largest first (allocated bytes of the entry itself).
    Size,
    /// Latest change first.
    Modified,
}

/// Where a page ended; only the agent knows what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub Vec<u8>);

/// A page of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Entries in the order asked.
    pub entries: Vec<Entry>,
    /// Entries in the whole directory.
    pub total: u64,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Cursor>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, never followed.
    Symlink,
    /// A named pipe, never opened.
    Fifo,
    /// A socket, never opened.
    Socket,
    /// A character device, never opened.
    CharDevice,
    /// A block device, never opened.
    BlockDevice,
    /// Could not be told.
    Unknown,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    /// Seconds since the epoch, negative before it.
    pub secs: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The base name, bytes; empty for a root.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits (07777).
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Allocated bytes (`st_blocks` × 512).
    pub allocated: u64,
    /// Last change of the contents.
    pub mtime: Time,
    /// Number of hard links.
    pub nlink: u64,
    /// Inode number.
    pub ino: u64,
    /// Where a symlink points, as written.
    pub target: Option<Vec<u8>>,
    /// Whether another file system is mounted here; it is never entered.
    pub other_fs: bool,
    /// `errno` of the stat when it failed; the other fields are then zero.
    pub errno: Option<i32>,
}

/// News of a followed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Followed {
    /// Bytes that stand at `offset`.
    Data {
        /// Offset of the first byte in the file as it is now.
        offset: u64,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The file became shorter; following goes on at its start.
    Truncated,
    /// Another file took the name; following goes on at its start.
    Rotated,
    /// The name is gone; following goes on when it returns.
    Gone,
}

/// Sums over a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Allocated bytes (`st_blocks` × 512), directories and the top included, each inode once.
    pub bytes: u64,
    /// Lengths in bytes, counted as `bytes` is.
    pub apparent: u64,
    /// Entries that are no directories.
    pub files: u64,
    /// Directories, the top included.
    pub dirs: u64,
    /// Entries or directories that could not be read.
    pub errors: u64,
    /// The newest change of the contents of any entry that is no directory.
    pub newest: Option<Time>,
}

/// News of a measurement. `place` is an index into the request's places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsageItem {
    /// What has been counted so far.
    Progress {
        /// Index of the place.
        place: u32,
        /// Sums so far.
        totals: Totals,
    },
    /// A directory within the depth asked is complete. Paths are relative to the place.
    Dir {
        /// Index of the place.
        place: u32,
        /// Path below the place.
        path: Vec<u8>,
        /// Sums of its subtree.
        totals: Totals,
    },
    /// A place is complete.
    Complete {
        /// Index of the place.
        place: u32,
        /// Final sums.
        totals: Totals,
        /// Mounts beneath it that were not entered.
        other_fs: u64,
        /// The first few paths that could not be read.
        faults: Vec<Fault>,
        /// Signs that were seen, the first few of each.
        seen: Vec<Seen>,
        /// Entries that are no directories and lie in no covering one. Zero when nothing was looked for.
        stray: u64,
    },
    /// A place could not be measured at all.
    Failed {
        /// Index of the place.
        place: u32,
        /// Why.
        fault: Fault,
    },
}

/// A name that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Path relative to the root.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Path of the file, relative to the root.
    pub path: Vec<u8>,
    /// Line number, from 1.
    pub line: u64,
    /// Offset of the line's first byte in the file.
    pub offset: u64,
    /// The line, or the part around the match, without its line feed.
    pub text: Vec<u8>,
    /// Whether `text` is only a part of the line.
    pub cut: bool,
}

/// A file system behind a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// Index of the root.
    pub root: u32,
    /// Major and minor number of its device.
    pub dev: (u32, u32),
    /// Its type.
    pub fs_type: String,
    /// Its source.
    pub source: Vec<u8>,
    /// Size in bytes.
    pub size: u64,
    /// Free bytes, those reserved for root included.
    pub free: u64,
    /// Bytes that an unprivileged process may still take.
    pub available: u64,
    /// Inodes; 0 when the file system does not count them.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
    /// Why it could not be told.
    pub fault: Option<Fault>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The system's error number, when there is one.
    pub errno: Option<i32>,
    /// The path that it is about, relative to its root; empty when it is about the request.
    pub path: Vec<u8>,
    /// What was tried and what happened, for people. Never holds file contents.
    pub message: String,
}
