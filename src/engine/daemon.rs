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

    /// The last lines that a container's process wrote (standard output and error together), oldest first, at most
    /// `lines`, since a moment. An engine whose log driver cannot be read says so as [`EngineError::Status`].
    fn log_tail<'a>(
        &'a self,
        id: &'a str,
        since: Option<OffsetDateTime>,
        lines: u32,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, EngineError>>;

    /// The processes of a running container, as the engine's `top` tells; empty when it does not run.
    fn processes<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Process>, EngineError>>;

    /// What stands at a path inside a container, running or not, mounts included (Docker) or not (tmpfs never are);
    /// `None` when nothing does. A symlink is told of, not followed.
    fn path_in<'a>(&'a self, id: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<PathIn>, EngineError>>;

    /// A small file of a container (`/etc/passwd`), at most 1 MiB of it; `None` when there is none. Symlinks inside the
    /// container are followed.
    fn file_in<'a>(&'a self, id: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, EngineError>>;

    /// What a container's writable layer holds beside its image: paths that were made or changed, at most `limit`.
    fn layer<'a>(&'a self, id: &'a str, limit: usize) -> BoxFuture<'a, Result<Layer, EngineError>>;

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

    /// Starts, stops or restarts one container by its id. Returns when the engine has done it. One that is as wanted
    /// already is no error.
    fn switch_container<'a>(&'a self, id: &'a str, switch: Switch) -> BoxFuture<'a, Result<(), EngineError>>;
}

/// What is done to a container's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Switch {
    /// Starts it.
    Start,
    /// Stops it, with the container's own grace.
    Stop,
    /// Stops and starts it.
    Restart,
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
    /// `SecurityOptions` as told: `name=apparmor`, `name=selinux`, `name=userns`, `name=rootless`, ….
    pub security: Vec<String>,
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
    /// How it runs and how it ended.
    pub run: RunFacts,
}

/// What inspect tells about how a container runs: who, with which rights, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// `Config.User` (`app`, `1000:1000`); empty is root.
    pub user: String,
    /// `Config.Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Config.Cmd`.
    pub command: Vec<String>,
    /// `Config.WorkingDir`.
    pub workdir: String,
    /// `Config.Env`; may hold secrets: never shown.
    pub env: Vec<String>,
    /// `Config.Tty`: its log is not framed.
    pub tty: bool,
    /// `Config.Volumes`: paths that the image or the command declared.
    pub declared: Vec<String>,
    /// `HostConfig.Privileged`.
    pub privileged: bool,
    /// `HostConfig.ReadonlyRootfs`.
    pub readonly_rootfs: bool,
    /// `HostConfig.CapAdd`, without `CAP_`, upper case.
    pub cap_add: Vec<String>,
    /// `HostConfig.CapDrop`, likewise.
    pub cap_drop: Vec<String>,
    /// `HostConfig.GroupAdd`: names or numbers.
    pub group_add: Vec<String>,
    /// `HostConfig.SecurityOpt`.
    pub security_opt: Vec<String>,
    /// `HostConfig.UsernsMode` (`host`, podman: `keep-id`, …).
    pub userns_mode: String,
    /// `HostConfig.Binds` as written (`name:/path:nocopy,z`).
    pub binds: Vec<String>,
    /// `HostConfig.AutoRemove` (`--rm`).
    pub auto_remove: bool,
    /// `HostConfig.RestartPolicy.Name`.
    pub restart_policy: String,
    /// `HostConfig.LogConfig.Type`.
    pub log_driver: String,
    /// `State.ExitCode`, when it ended.
    pub exit_code: Option<i64>,
    /// `State.Error`: why the engine could not start it.
    pub error: String,
    /// `State.OOMKilled`.
    pub oom_killed: bool,
    /// `RestartCount`.
    pub restarts: u64,
    /// `State.StartedAt`; `None` when it never started.
    pub started: Option<OffsetDateTime>,
    /// `State.FinishedAt`.
    pub finished: Option<OffsetDateTime>,
    /// `SizeRw` when it was asked for.
    pub size_rw: Option<u64>,
}

/// A process of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id on the engine's host (Docker) or in the container (podman 5).
    pub pid: i64,
    /// Effective user, as the engine's host numbers it (Docker) or as the container does (podman), see [`Self::host_ids`].
    pub uid: u32,
    /// Effective group, likewise.
    pub gid: u32,
    /// Supplementary groups, likewise; `None` when not told.
    pub groups: Option<Vec<u32>>,
    /// Whether the numbers are those of the host.
    pub host_ids: bool,
    /// The command line; hostile text.
    pub args: String,
}

/// What stands at a path inside a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathIn {
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Permission bits (07777).
    pub mode: u32,
    /// Owner, as the container numbers it.
    pub uid: u32,
    /// Group, likewise.
    pub gid: u32,
    /// Where a symlink points.
    pub link: Option<String>,
}

/// What a container's writable layer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// Paths that were made or changed; hostile text.
    pub paths: Vec<String>,
    /// Whether there are more.
    pub more: bool,
    /// Bytes in it, when the engine told.
    pub bytes: Option<u64>,
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
    /// What stands at the path itself, when the engine told.
    pub top: Option<PathIn>,
}
