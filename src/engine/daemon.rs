//! The REST side of an engine as a small trait, with lenient types of our own for what it answers.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use time::OffsetDateTime;

use super::error::EngineError;
use super::session::{OpenSpec, Opened};
use crate::model::{Labels, VolumeName};

/// The REST side of an engine: the real one, or the demo.
pub trait Daemon: Send + Sync + 'static {
    /// The endpoint as people write it (`unix:///var/run/docker.sock`).
    fn endpoint(&self) -> String;

    /// Asks what the engine is. Cheap; also serves as a ping.
    fn about(&self) -> BoxFuture<'_, Result<About, EngineError>>;

    /// Lists all volumes.
    fn volumes(&self) -> BoxFuture<'_, Result<VolumeList, EngineError>>;

    /// Lists all containers, running or not, without vole's own helpers.
    fn containers(&self) -> BoxFuture<'_, Result<ContainerList, EngineError>>;

    /// Inspects one container; `None` when it is gone meanwhile.
    fn container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ContainerDetail>, EngineError>>;

    /// Asks `/system/df`. Slow: the engine walks every volume.
    fn disk_usage(&self) -> BoxFuture<'_, Result<DiskUsage, EngineError>>;

    /// Subscribes to volume and container events; those of vole's own helpers are left out. The stream ends
    /// or yields an error when the engine goes away.
    fn events(&self) -> BoxFuture<'_, Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>>;

    /// Starts an agent with these targets mounted read-only and connects to it: in a helper container, or in
    /// process. One bad target does not fail the others.
    fn open(&self, spec: OpenSpec) -> BoxFuture<'_, Result<Opened, EngineError>>;

    /// Waits until helpers that were let go are removed, for some seconds at most.
    fn settle(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Names of the volumes that no container attaches, running or not, as the engine itself sees it
    /// (`dangling=true`); every helper counts as a container there.
    fn dangling(&self) -> BoxFuture<'_, Result<HashSet<String>, EngineError>>;

    /// How many containers there are, helpers included, as the engine counts them elsewhere than in its list
    /// (`/info`); `None` when it does not say (a socket proxy).
    fn container_count(&self) -> BoxFuture<'_, Result<Option<usize>, EngineError>>;

    /// Inspects one volume; `None` when there is none of this name.
    fn volume<'a>(&'a self, name: &'a VolumeName) -> BoxFuture<'a, Result<Option<VolumeRow>, EngineError>>;

    /// What may change its volumes and containers; `None` where nothing can. Reach it through [`super::Engine::changes`].
    fn changes(&self) -> Option<&dyn Changes> {
        None
    }

    /// Lists the first level of what a container's image holds at a destination (what the mount hides, or was
    /// copied up from). `limit` bounds the names.
    fn masked<'a>(
        &'a self,
        container_id: &'a str,
        destination: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Masked, EngineError>>;
}

/// What changes an engine's volumes and containers: apart from [`Daemon`], so that what only reads cannot.
pub trait Changes: Send + Sync {
    /// Removes one volume by its exact name, never by force.
    fn remove_volume<'a>(&'a self, name: &'a VolumeName) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Makes a volume. An engine that has one of this name answers with that one, old labels and options included
    /// (measured: 201), so the caller looks first.
    fn create_volume<'a>(&'a self, wanted: &'a NewVolume) -> BoxFuture<'a, Result<VolumeRow, EngineError>>;

    /// Removes one container that does not run, by its id, never by force and never with its volumes.
    fn remove_container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), EngineError>>;
}

/// What an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The host's name as the engine says it.
    pub name: String,
    /// `docker` or `podman`.
    pub flavour: Flavour,
    /// The engine's version.
    pub version: String,
    /// The newest API version that it speaks (`1.41`).
    pub api: String,
    /// The machine's architecture as `uname -m` says it (`x86_64`, `aarch64`).
    pub arch: String,
    /// The kernel's release.
    pub kernel: String,
    /// The operating system's name.
    pub os: String,
    /// Where the engine keeps its data on its host; empty when not said.
    pub root_dir: String,
    /// Whether the engine runs on this very machine, so that its host paths are ours.
    pub same_host: bool,
    /// Whether it runs without root.
    pub rootless: bool,
}

/// Which family of engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Docker, and what behaves like it.
    Docker,
    /// Podman.
    Podman,
}

impl Flavour {
    /// The word that screens and JSON show.
    pub fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// The answer of `/volumes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeList {
    /// The volumes.
    pub rows: Vec<VolumeRow>,
    /// Warnings of the engine (a volume driver that does not answer: then the list may be incomplete), and rows that
    /// could not be read.
    pub warnings: Vec<String>,
    /// The first row that could not be read: it may be a bind of any other volume's data.
    pub unread: Option<String>,
}

/// A volume as `/volumes` lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeRow {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Where the engine's host keeps it; empty for cluster and some plugin volumes.
    pub mountpoint: String,
    /// When it was made, when that could be read.
    pub created: Option<OffsetDateTime>,
    /// Labels; shared with the mount that is made of the row.
    pub labels: Arc<Labels>,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// `local` or `global`.
    pub scope: String,
    /// Whether it is a swarm cluster volume.
    pub cluster: bool,
}

/// A volume to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// Its driver; `local` when not said.
    pub driver: Option<String>,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A mount of a container as `/containers/json` or inspect lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountPoint {
    /// `volume`, `bind`, `tmpfs`, `image`, `cluster`, ….
    pub kind: String,
    /// The volume's name; empty for others.
    pub name: String,
    /// Path on the engine's host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// The volume's driver.
    pub driver: String,
    /// The mode string (`z`, `ro`, …).
    pub mode: String,
    /// Whether it is writable.
    pub rw: bool,
    /// Mount propagation.
    pub propagation: String,
}

/// The answer of `/containers/json?all=1`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerList {
    /// The containers, running or not, without vole's own helpers.
    pub rows: Vec<ContainerRow>,
    /// How many helpers were left out.
    pub helpers: usize,
    /// Rows that could not be read: then the list is incomplete and nothing may be called unused.
    pub warnings: Vec<String>,
}

/// A container as `/containers/json?all=1` lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRow {
    /// Its full id.
    pub id: String,
    /// Its name without a leading slash; the short id when it has none.
    pub name: String,
    /// The image as the container names it.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The engine's word for its state.
    pub state: String,
    /// The engine's sentence on its status (`Up 3 hours`).
    pub status: String,
    /// Labels.
    pub labels: Labels,
    /// Its mounts; tmpfs given by `--tmpfs` are not among them.
    pub mounts: Vec<MountPoint>,
    /// Whether the list told its mounts: when not, only inspect knows whether it has any.
    pub mounts_told: bool,
}

/// What inspect adds to a [`ContainerRow`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerDetail {
    /// Its full id.
    pub id: String,
    /// Its mounts as inspect lists them.
    pub mounts: Vec<MountPoint>,
    /// `HostConfig.Tmpfs`: destination to options.
    pub tmpfs: BTreeMap<String, String>,
    /// `HostConfig.Mounts` by target: type, source and what only stands there.
    pub requested: Vec<RequestedMount>,
    /// Process id of the container's first process on the engine's host; 0 when not running.
    pub pid: i64,
}

/// A mount as it was requested (`HostConfig.Mounts`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedMount {
    /// `volume`, `bind`, `tmpfs`, `image`.
    pub kind: String,
    /// Volume name, path or image.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Read-only.
    pub read_only: bool,
    /// `VolumeOptions.Subpath`.
    pub subpath: Option<String>,
    /// Options worth showing (`nocopy`, `size=…`, `mode=…`).
    pub options: Vec<String>,
}

/// The answer of `/system/df`, in bytes. `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Sizes of the volumes that the engine measured, by name; -1 answers are left out.
    pub volumes: BTreeMap<String, u64>,
    /// Images, shared layers once.
    pub layers: Option<u64>,
    /// Number of images.
    pub images: Option<u64>,
    /// Writable layers of containers.
    pub containers: Option<u64>,
    /// Build cache.
    pub build_cache: Option<u64>,
}

/// Something changed on the engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EngineEvent {
    /// A volume was made, removed, or mounted.
    Volume {
        /// Its name.
        name: String,
        /// The engine's word (`create`, `destroy`, `remove`, `mount`, `unmount`).
        action: String,
        /// The container that mounts or lets go of it, by its id; Docker alone says so.
        container: Option<String>,
    },
    /// A container was made, removed, or changed its state.
    Container {
        /// Its id.
        id: String,
        /// The engine's word (`create`, `start`, `die`, `destroy`, …).
        action: String,
        /// Its name, where the engine says it.
        name: Option<String>,
        /// The image as the container names it, where the engine says it.
        image: Option<String>,
    },
}

/// What an image holds at a mount's destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masked {
    /// First-level names, sanitised by nobody: hostile bytes. Directories end in `/`.
    pub names: Vec<Vec<u8>>,
    /// Whether there are more.
    pub more: bool,
    /// Whether the path exists in the image at all.
    pub exists: bool,
}
