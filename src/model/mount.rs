//! Mounts and what attaches them, as the inventory found them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Labels, MountId};

/// What kind of mount it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A volume that somebody named.
    Named,
    /// A volume that nobody named: its label says so, or its name is 64 hexadecimal digits.
    Anonymous,
    /// A path of the engine's host.
    Bind,
    /// Memory of one container.
    Tmpfs,
    /// A swarm cluster volume.
    Cluster,
    /// An image mounted as a file system (Engine 28 and later).
    Image,
}

impl MountKind {
    /// Whether it is listed by `/volumes` and removed by a volume's name.
    pub fn is_volume(self) -> bool {
        matches!(self, Self::Named | Self::Anonymous | Self::Cluster)
    }
}

/// A container's state as the engine words it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// Never started.
    Created,
    /// Running.
    Running,
    /// Frozen; its mounts are in use.
    Paused,
    /// Between a crash and the next start.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended (podman also says `stopped`).
    Exited,
    /// The engine could not remove it.
    Dead,
    /// A word that this version does not know, or none.
    Other(String),
}

impl ContainerState {
    /// Whether the container's mounts are mounted now.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting | Self::Removing)
    }

    /// Reads the engine's word.
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "created" | "configured" | "initialized" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" | "stopping" => Self::Removing,
            "exited" | "stopped" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// The word that screens and JSON show.
    pub fn word(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Other(word) => word,
        }
    }
}

/// One container's use of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The container's name without a leading slash, or its short id.
    pub container: String,
    /// The container's full id.
    pub container_id: String,
    /// Its state.
    pub state: ContainerState,
    /// The image as the container names it.
    pub image: String,
    /// Where it is mounted in the container.
    pub destination: String,
    /// Whether the container may write.
    pub rw: bool,
    /// Mount propagation of a bind (`rprivate`, …); empty when not said.
    pub propagation: String,
    /// Subdirectory of the volume that is mounted (Engine 26 and later).
    pub subpath: Option<String>,
    /// Further options as the engine gives them (`z`, `nocopy`, `size=16m`, …).
    pub options: Vec<String>,
    /// Compose service of the container.
    pub service: Option<String>,
}

/// Whether nothing refers to a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Orphan {
    /// Nothing refers to it.
    Yes,
    /// Something refers to it, or it is no volume.
    No,
    /// Could not be told; never treated as unused.
    Unknown,
}

impl Orphan {
    /// The JSON value: `true`, `false`, `null`.
    pub fn as_option(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Unknown => None,
        }
    }
}

/// How a mount's contents may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// With many others in one helper, unasked.
    Shared,
    /// In a helper of its own, unasked (odd backing that may fail to mount).
    Alone,
    /// Only when the operator asks (remote-backed: nfs, cifs, plugin drivers).
    OnDemand(String),
    /// Through a running container's `/proc/1/root` (tmpfs); the container's id.
    InContainer(String),
    /// Never; the reason is shown (a socket, a device, `/`, `/proc`, `/sys`, a stopped container's tmpfs, a cluster volume elsewhere).
    Never(String),
}

/// A mount with everything that the engine says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Identifies it within the engine.
    pub id: MountId,
    /// Its kind.
    pub kind: MountKind,
    /// Volume name, bind source, `container:/destination` of a tmpfs, image reference.
    pub name: String,
    /// Volume driver; empty for others.
    pub driver: String,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: Arc<Labels>,
    /// Compose project (or swarm stack).
    pub project: Option<String>,
    /// Whether `project` comes from attaching containers rather than from the volume's own label.
    pub project_derived: bool,
    /// Compose or swarm services that attach it, sorted.
    pub services: Vec<String>,
    /// When it was made, where the engine says so.
    pub created: Option<OffsetDateTime>,
    /// Where the engine keeps it on its host: a volume's mount point, a bind's source.
    pub host_path: Option<String>,
    /// Whether nothing refers to it.
    pub orphan: Orphan,
    /// Why `orphan` is what it is, in words.
    pub reason: String,
    /// Whether all that refers to it are containers that bind the directory of all volumes, or one above it: monitoring
    /// and backups, which use no volume in particular. `orphan` is [`Orphan::No`] then.
    pub overseen: bool,
    /// Who uses it.
    pub attachments: Vec<Attachment>,
    /// How its contents may be reached.
    pub scan: Scan,
}

/// The path that a volume of the local driver binds (`-o type=none -o o=bind -o device=PATH`).
pub fn bind_device<'a>(driver: &str, options: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let binds = options
        .get("o")?
        .split(',')
        .any(|option| matches!(option.trim(), "bind" | "rbind"));
    let device = options.get("device")?;
    (driver == "local" && binds && device.starts_with('/')).then_some(device.as_str())
}

/// Every path of the host that a volume's options name: a device, the layers of an overlay, what a plugin calls its own.
/// Removing another volume that holds such a path would destroy data that this one shows. The address of a share
/// (`:/export`, `//server/share`) is no path of this host.
pub fn named_paths<'a>(driver: &str, options: &'a BTreeMap<String, String>) -> Vec<&'a str> {
    let is_path = |value: &&str| value.starts_with('/') && !value.starts_with("//");
    if driver != "local" {
        return options.values().map(String::as_str).filter(is_path).collect();
    }
    let device = options.get("device").map(String::as_str).filter(is_path);
    let layers = options.get("o").into_iter().flat_map(|options| options.split(','));
    let layers = layers.filter_map(|option| {
        let (key, value) = option.trim().split_once('=')?;
        matches!(key, "lowerdir" | "upperdir" | "workdir").then_some(value)
    });
    let layers = layers.flat_map(|value| value.split(':')).filter(is_path);
    device.into_iter().chain(layers).collect()
}

#[cfg(test)]
impl Mount {
    /// A named volume of which nothing more is known, for tests to alter.
    pub(crate) fn sample(name: &str) -> Self {
        Self {
            id: MountId::new(format!("volume:{name}")),
            kind: MountKind::Named,
            name: name.to_owned(),
            driver: "local".to_owned(),
            options: BTreeMap::new(),
            labels: Arc::default(),
            project: None,
            project_derived: false,
            services: Vec::new(),
            created: None,
            host_path: None,
            orphan: Orphan::Unknown,
            reason: String::new(),
            overseen: false,
            attachments: Vec::new(),
            scan: Scan::Shared,
        }
    }
}
