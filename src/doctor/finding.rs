//! What the doctor says: one fault with its evidence, its fix, and the fixes that would be wrong.

use vole_agent::proto::own::{Census, Change};

use crate::model::{BytePath, MountId};

/// What is wrong, by the names that `--json` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A process may not use a mount because of who owns it.
    Ownership,
    /// All files belong to a user that the image had before.
    UidChanged,
    /// Root without the capabilities that it needs.
    Capabilities,
    /// The owner is right, the permission bits are not.
    Mode,
    /// A group has access, and the process is not in it.
    Group,
    /// The mount, the root file system or the file system below is read-only.
    ReadOnly,
    /// A mount cannot be mounted at all.
    MountFailed,
    /// NFS or CIFS decides on its own.
    RemoteFs,
    /// User namespaces: the owner has no number in the container.
    Userns,
    /// The SELinux label.
    Selinux,
    /// A share of Docker Desktop.
    DesktopShare,
    /// The mode or owner of a tmpfs.
    Tmpfs,
    /// No space left.
    NoSpace,
    /// No inodes left.
    NoInodes,
    /// A directory above the mount, inside the container, cannot be passed.
    Traverse,
    /// A file may not be executed.
    Exec,
    /// An operation that only owners may do.
    OwnerOnly,
    /// An immutable or append-only attribute.
    Immutable,
    /// The mask of an access control list.
    Acl,
    /// Somebody else uses the service.
    Intrusion,
    /// Data that is on no mount, or in a volume that goes with its container.
    DataAtRisk,
    /// Something was refused, and nothing that was tried explains it.
    Unknown,
}

impl Cause {
    /// The name in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ownership => "ownership",
            Self::UidChanged => "uid_changed",
            Self::Capabilities => "capabilities",
            Self::Mode => "mode",
            Self::Group => "group",
            Self::ReadOnly => "read_only",
            Self::MountFailed => "mount_failed",
            Self::RemoteFs => "remote_fs",
            Self::Userns => "userns",
            Self::Selinux => "selinux",
            Self::DesktopShare => "desktop_share",
            Self::Tmpfs => "tmpfs",
            Self::NoSpace => "no_space",
            Self::NoInodes => "no_inodes",
            Self::Traverse => "traverse",
            Self::Exec => "exec",
            Self::OwnerOnly => "owner_only",
            Self::Immutable => "immutable",
            Self::Acl => "acl",
            Self::Intrusion => "intrusion",
            Self::DataAtRisk => "data_at_risk",
            Self::Unknown => "unknown",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Something hints at it.
    Low,
    /// It was tried, but nothing complains; or something complains, and it could not be tried.
    Medium,
    /// It was tried, and something complains; or the engine itself says so.
    High,
}

impl Confidence {
    /// The word that screens and JSON show.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What mends a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Owners are changed (`change.mode` is `None`): `vole` can do it.
    Chown {
        /// The mount.
        mount: MountId,
        /// Its name on the command line.
        name: String,
        /// Where in it; the root for all of it.
        path: BytePath,
        /// What is to become of it.
        change: Change,
    },
    /// Permission bits are changed: `vole` can do it.
    Chmod {
        /// The mount.
        mount: MountId,
        /// Its name on the command line.
        name: String,
        /// Where in it.
        path: BytePath,
        /// What is to become of it.
        change: Change,
        /// The change as people write it (`u+rwX`).
        words: String,
    },
    /// The container is made anew with another option.
    Config {
        /// The line for a compose file, ready to copy.
        compose: String,
        /// The option for `docker run`, ready to copy.
        cli: String,
    },
    /// Something on the host, or in the image, ready to copy.
    Host {
        /// The command or the line.
        command: String,
    },
    /// The right fix is a change of owners that `vole` refuses on this path.
    Refused {
        /// Why.
        why: String,
    },
    /// Nothing that can be written as a line.
    Advice {
        /// What to do, in words.
        words: String,
    },
}

/// What a fix would change, as far as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Entries that would change.
    pub change: u64,
    /// Entries that are right already, or not meant.
    pub unchanged: u64,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub cause: Cause,
    /// The container's name; `None` when it is about a mount alone.
    pub container: Option<String>,
    /// The mount's id and name.
    pub mount: Option<(MountId, String)>,
    /// The path inside the container that it is about; else in the mount. Hostile text, lossy.
    pub path: Option<String>,
    /// One sentence: who, what, what was refused.
    pub summary: String,
    /// What it rests on, a line each. Hostile text, lossy.
    pub evidence: Vec<String>,
    /// How sure it is.
    pub confidence: Confidence,
    /// What mends it.
    pub fix: Fix,
    /// What the fix would change; `None` when nobody counted.
    pub counted: Option<Counted>,
    /// What must be known before the fix (it reverts at the next create, …).
    pub caveats: Vec<String>,
    /// Fixes that people try here and that are wrong, with the reason.
    pub wrong_fixes: Vec<String>,
}

impl Finding {
    /// Takes in what the fix would change, by a count of exactly that.
    pub fn count(&mut self, census: &Census) {
        if census.entries == 0 {
            return;
        }
        let more = if census.complete { "" } else { " counted so far" };
        let line = format!("{} of {} entries{more} differ", census.change, census.entries);
        self.evidence.push(line);
        self.counted = census.complete.then_some(Counted {
            change: census.change,
            unchanged: census.unchanged,
        });
    }
}
