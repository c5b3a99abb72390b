//! What a diagnosis rests on: who runs, what is there, what was tried, what happened. Plain data; nothing is asked here.

use std::sync::Arc;

use time::OffsetDateTime;
use vole_agent::proto::probe::{Identity, Probed};

use crate::engine::About;
use crate::engine::daemon::{ContainerRow, Flavour, Layer, PathIn, RunFacts};
use crate::model::{Attachment, ContainerState, Mount};

/// Everything that is known of one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The engine.
    pub about: Arc<About>,
    /// The container's row in the list.
    pub container: ContainerRow,
    /// Its state.
    pub state: ContainerState,
    /// How it runs and how it ended.
    pub run: RunFacts,
    /// Who its processes are.
    pub who: Who,
    /// Its mounts, and what was tried on them.
    pub mounts: Vec<Attached>,
    /// The last lines of its present or last run, oldest first; or why they cannot be read.
    pub log: Result<Vec<Vec<u8>>, String>,
    /// Paths that complaints name and that lie on no mount, as the container has them now.
    pub inner: Vec<Inner>,
    /// What its writable layer holds; `None` when nobody asked.
    pub layer: Option<Layer>,
    /// When it was looked at.
    pub at: OffsetDateTime,
}

/// Who the processes of a container are, in the container's own numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Those that run or would run, the first process first, without repetitions. Never empty.
    Known(Vec<Runs>),
    /// It could not be told, and why.
    Unknown(String),
}

/// One identity and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// The identity.
    pub identity: Identity,
    /// How it is known, in words (`process 1 runs so`, `Config.User and the image's /etc/passwd`).
    pub known_by: String,
    /// The command line of a process that runs so; hostile text.
    pub command: Option<String>,
}

/// One mount of a container.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    /// The mount.
    pub mount: Arc<Mount>,
    /// This container's use of it.
    pub attachment: Attachment,
    /// What came of trying, per identity of [`Who::Known`] in its order; or why nothing could be tried.
    pub tried: Result<Vec<Probed>, Untried>,
    /// Paths on it that complaints name, each tried; those that could not be followed are missing.
    pub named: Vec<Named>,
    /// The file system; `None` when unknown.
    pub file_system: Option<FileSystemFacts>,
    /// Directories above the destination inside the container (`/`, `/srv`, …), outermost first, as far as they were asked
    /// for: only those that may bar somebody.
    pub above: Vec<(String, PathIn)>,
    /// What the image has at the destination; `None` when nobody asked or there is nothing.
    pub in_image: Option<PathIn>,
    /// Whether the mount holds nothing at all; `None` when unknown.
    pub empty: Option<bool>,
    /// Identities of other containers that use the mount and run, with their names.
    pub others: Vec<(String, Identity)>,
}

/// A path on a mount that a complaint names, tried at exactly that path. Paths are relative to what is attached, and so are
/// those in the results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The path, as the complaint has it.
    pub path: Vec<u8>,
    /// What was tried: the path without symlinks, or its nearest directory when nothing stands there.
    pub place: Vec<u8>,
    /// Whether something stands there.
    pub exists: bool,
    /// What came of trying the place, per identity of [`Who::Known`] in its order.
    pub tried: Vec<Probed>,
    /// What came of trying the directory that holds it; empty where nothing stands there.
    pub holder: Vec<Probed>,
}

/// A path inside a container, on no mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inner {
    /// The path, as the complaint has it.
    pub path: Vec<u8>,
    /// The directories to it, outermost first, and what stands there; without it when nothing does.
    pub way: Vec<(String, PathIn)>,
    /// Whether something stands there.
    pub exists: bool,
    /// Whether the owners are the right ones; the modes always are.
    pub owners: bool,
}

/// Why nothing could be tried on a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untried {
    /// The engine cannot mount it, in its words.
    MountFailed(String),
    /// Nothing was mounted on purpose (remote backing that nobody asked for, no helper, no identity).
    NotTried(String),
    /// It is a tmpfs of a container that does not run.
    NotThere,
}

/// The file system of a mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSystemFacts {
    /// Its type (`ext4`, `nfs4`, `tmpfs`); empty when unknown.
    pub kind: String,
    /// Size in bytes.
    pub size: u64,
    /// Bytes that an unprivileged process may still take.
    pub available: u64,
    /// Inodes; 0 when it does not count them.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
    /// Whether it is mounted so that nothing is executed (`noexec`), as far as known.
    pub noexec: bool,
}

impl Case {
    /// The family of engine.
    pub fn flavour(&self) -> Flavour {
        self.about.flavour
    }
}
