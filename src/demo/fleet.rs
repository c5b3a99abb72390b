//! What there is in the demo: volumes, containers and paths of a small company's server, in the rows that a real
//! engine answers with. Knows nothing of who asks.

mod blog;
mod caches;
mod leftovers;
mod media;
mod monitoring;
mod others;
mod shop;

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::DemoOptions;
use super::backend::{Disk, Root};
use super::contents::{Growth, mix};
use super::insides::Inside;
use super::lines::hex;
use super::tree::Node;
use crate::engine::daemon::{ContainerDetail, ContainerRow, Masked, MountPoint, RequestedMount, VolumeRow};

/// An hour in seconds.
const HOUR: i64 = 3600;
/// A day in seconds.
const DAY: i64 = 24 * HOUR;
/// A mebibyte.
const MIB: u64 = 1 << 20;
/// A gibibyte.
const GIB: u64 = 1 << 30;
/// Where the engine keeps its data.
pub(super) const ROOT_DIR: &str = "/var/lib/docker";

/// Where a tree is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    /// In a volume.
    Volume(String),
    /// At a path of the host.
    Path(String),
    /// In a container's memory: its id and the path there.
    Tmpfs(String, String),
}

/// Everything that there is.
#[derive(Debug)]
pub(super) struct World {
    now: OffsetDateTime,
    growth: Arc<Growth>,
    /// The volumes, by name.
    pub(super) volumes: Vec<VolumeRow>,
    /// The containers, in the order in which they were made.
    pub(super) containers: Vec<(ContainerRow, ContainerDetail)>,
    /// The trees.
    pub(super) roots: BTreeMap<Where, Arc<Root>>,
    /// Volumes that cannot be mounted, and what the engine says then.
    pub(super) faults: BTreeMap<String, String>,
    /// What images hold beneath mounts, by container id and destination.
    pub(super) masked: BTreeMap<(String, String), Masked>,
    /// What is in containers, by id.
    pub(super) insides: BTreeMap<String, Inside>,
}

impl World {
    /// Makes it.
    pub(super) fn new(options: DemoOptions) -> Self {
        let mut world = Self {
            now: options.now,
            growth: Arc::new(Growth::new(options.tick())),
            volumes: Vec::new(),
            containers: Vec::new(),
            roots: BTreeMap::new(),
            faults: BTreeMap::new(),
            masked: BTreeMap::new(),
            insides: BTreeMap::new(),
        };
        shop::add(&mut world);
        blog::add(&mut world);
        media::add(&mut world);
        monitoring::add(&mut world);
        leftovers::add(&mut world);
        caches::add(&mut world);
        others::add(&mut world);
        world.volumes.sort_by(|a, b| a.name.cmp(&b.name));
        world
    }

    fn root(&mut self, at: Where, disk: Disk, path: &str, tree: Node) {
        let node = tree.rooted(self.now.unix_timestamp(), text_seed(path));
        let root = Root {
            node,
            disk,
            path: path.to_owned(),
        };
        self.roots.insert(at, Arc::new(root));
    }

    /// The demo's present.
    pub(super) fn present(&self) -> OffsetDateTime {
        self.now
    }

    /// Gives a new volume its empty directory.
    pub(super) fn empty(&mut self, row: &VolumeRow) {
        self.root(
            Where::Volume(row.name.clone()),
            Disk::System,
            &row.mountpoint,
            super::tree::dir("", []),
        );
    }

    /// Adds a path of the host that containers bind.
    fn path(&mut self, disk: Disk, path: &str, tree: Node) {
        self.root(Where::Path(path.to_owned()), disk, path, tree);
    }

    fn volume(&mut self, mut volume: Volume, tree: Node) {
        volume.row.created = Some(self.now - time::Duration::seconds(volume.age));
        let (name, path) = (volume.row.name.clone(), volume.row.mountpoint.clone());
        self.root(Where::Volume(name), volume.disk, &path, tree);
        // A bind of a volume's own directory shows the same tree.
        if let Some(root) = self.roots.get(&Where::Volume(volume.row.name.clone())) {
            self.roots.insert(Where::Path(path), Arc::clone(root));
        }
        self.volumes.push(volume.row);
    }

    /// Adds a volume that no helper can mount.
    fn broken_volume(&mut self, mut volume: Volume, fault: String) {
        volume.row.created = Some(self.now - time::Duration::seconds(volume.age));
        self.faults.insert(volume.row.name.clone(), fault);
        self.volumes.push(volume.row);
    }

    fn container(&mut self, mut container: Container) {
        let id = container.row.id.clone();
        if container.live {
            container.detail.pid = 1_400 + 211 * (self.containers.len() as i64 + 1);
        }
        let now = self.now;
        let run = &mut container.detail.run;
        run.log_driver = "json-file".to_owned();
        if container.row.state != "created" {
            run.started = Some(now - time::Duration::seconds(container.started));
        }
        if matches!(container.row.state.as_str(), "exited" | "restarting") {
            run.exit_code = Some(container.code);
            run.finished = run.started.map(|started| started + time::Duration::seconds(2));
        }
        self.insides.insert(id.clone(), container.inside);
        container.detail.mounts.clone_from(&container.row.mounts);
        for (destination, size, tree) in container.memory {
            self.root(Where::Tmpfs(id.clone(), destination), Disk::Memory(size), "/", tree);
        }
        for (destination, names) in container.masked {
            let masked = Masked {
                names: names.iter().map(|name| name.as_bytes().to_vec()).collect(),
                more: false,
                exists: true,
                top: None,
            };
            self.masked.insert((id.clone(), destination), masked);
        }
        self.containers.push((container.row, container.detail));
    }
}

/// A volume on its way into the fleet.
struct Volume {
    row: VolumeRow,
    age: i64,
    disk: Disk,
}

/// A volume of the local driver that was made `age` seconds ago.
fn volume(name: &str, age: i64) -> Volume {
    Volume {
        row: VolumeRow {
            name: name.to_owned(),
            driver: "local".to_owned(),
            mountpoint: format!("{ROOT_DIR}/volumes/{name}/_data"),
            scope: "local".to_owned(),
            ..VolumeRow::default()
        },
        age,
        disk: Disk::System,
    }
}

/// A volume that nobody named.
fn anonymous(seed: u64, age: i64) -> Volume {
    volume(&hex(seed, 64), age).label("com.docker.volume.anonymous", "")
}

impl Volume {
    fn label(mut self, key: &str, value: &str) -> Self {
        self.row.labels = Arc::new(self.row.labels.iter().chain([(key, value)]).collect());
        self
    }

    fn option(mut self, key: &str, value: &str) -> Self {
        self.row.options.insert(key.to_owned(), value.to_owned());
        self
    }

    fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }
}

/// A volume that Compose made; its name starts with the project's.
fn compose_volume(project: &str, name: &str, age: i64) -> Volume {
    volume(&format!("{project}_{name}"), age)
        .label("com.docker.compose.project", project)
        .label("com.docker.compose.volume", name)
        .label("com.docker.compose.version", "2.39.1")
}

/// A container on its way into the fleet.
struct Container {
    row: ContainerRow,
    detail: ContainerDetail,
    live: bool,
    memory: Vec<(String, u64, Node)>,
    masked: Vec<(String, &'static [&'static str])>,
    inside: Inside,
    /// Seconds since it was started last.
    started: i64,
    /// How it ended.
    code: i64,
}

/// A container in one of the engine's states, with the engine's sentence on it.
fn container(name: &str, image: &str, state: &str, status: &str) -> Container {
    let id = hex(text_seed(name), 64);
    Container {
        row: ContainerRow {
            id: id.clone(),
            name: name.to_owned(),
            image: image.to_owned(),
            image_id: format!("sha256:{}", hex(text_seed(image), 64)),
            state: state.to_owned(),
            status: status.to_owned(),
            mounts_told: true,
            ..ContainerRow::default()
        },
        detail: ContainerDetail {
            id,
            ..ContainerDetail::default()
        },
        live: matches!(state, "running" | "paused"),
        memory: Vec::new(),
        masked: Vec::new(),
        inside: Inside {
            runs: (0, 0, name.to_owned()),
            ..Inside::default()
        },
        started: DAY,
        code: 0,
    }
}

/// A container of a Compose service.
fn service(project: &str, service: &str, image: &str, state: &str, status: &str) -> Container {
    let mut container = container(&format!("{project}-{service}-1"), image, state, status);
    let labels = [
        ("com.docker.compose.project", project),
        ("com.docker.compose.service", service),
        ("com.docker.compose.container-number", "1"),
        ("com.docker.compose.oneoff", "False"),
    ];
    let directory = format!("/opt/{project}");
    let directory = ("com.docker.compose.project.working_dir", directory.as_str());
    container.row.labels = labels.into_iter().chain([directory]).collect();
    container
}

impl Container {
    /// Mounts a volume.
    fn volume(mut self, name: &str, destination: &str, rw: bool) -> Self {
        let anonymous = name.len() == 64;
        self.row.mounts.push(MountPoint {
            kind: "volume".to_owned(),
            name: name.to_owned(),
            source: format!("{ROOT_DIR}/volumes/{name}/_data"),
            destination: destination.to_owned(),
            driver: "local".to_owned(),
            // What the engine writes for volumes given in the short form.
            mode: if anonymous { "" } else { "z" }.to_owned(),
            rw,
            propagation: String::new(),
        });
        self
    }

    /// Mounts a directory of a volume.
    fn subpath(mut self, name: &str, subpath: &str, destination: &str) -> Self {
        self.detail.requested.push(RequestedMount {
            kind: "volume".to_owned(),
            source: name.to_owned(),
            target: destination.to_owned(),
            read_only: false,
            subpath: Some(subpath.to_owned()),
            options: Vec::new(),
        });
        self.volume(name, destination, true)
    }

    /// Mounts a path of the host.
    fn bind(mut self, source: &str, destination: &str, rw: bool, propagation: &str) -> Self {
        self.row.mounts.push(MountPoint {
            kind: "bind".to_owned(),
            source: source.to_owned(),
            destination: destination.to_owned(),
            mode: if rw { "rw" } else { "ro" }.to_owned(),
            rw,
            propagation: propagation.to_owned(),
            ..MountPoint::default()
        });
        self
    }

    /// Gives it memory as `--tmpfs` does.
    fn tmpfs(mut self, destination: &str, size: u64, tree: Node) -> Self {
        let options = format!("size={}m,mode=1777", size / MIB);
        self.detail.tmpfs.insert(destination.to_owned(), options);
        self.memory.push((destination.to_owned(), size, tree));
        self
    }

    /// Runs it as somebody else than root.
    fn user(mut self, uid: u32, gid: u32, args: &str) -> Self {
        self.detail.run.user = format!("{uid}:{gid}");
        self.inside.runs = (uid, gid, args.to_owned());
        self
    }

    /// What it wrote to its log.
    fn says(mut self, lines: &[&str]) -> Self {
        self.inside.log = lines.iter().map(|line| (*line).to_owned()).collect();
        self
    }

    /// How it ended, so many seconds after its last start ago.
    fn ended(mut self, code: i64, started: i64) -> Self {
        self.code = code;
        self.started = started;
        self
    }

    /// What it wrote to its own layer, and how much.
    fn wrote(mut self, paths: &[&str], bytes: u64) -> Self {
        self.inside.wrote = paths.iter().map(|path| (*path).to_owned()).collect();
        self.inside.bytes = bytes;
        self
    }

    /// Makes it crash and start again until its user owns a volume.
    fn crashes_without(mut self, volume: &str, restarts: u64) -> Self {
        self.inside.needs = Some(volume.to_owned());
        self.detail.run.restarts = restarts;
        self.detail.run.restart_policy = "always".to_owned();
        self
    }

    /// Says what its image holds beneath a mount.
    fn masks(mut self, destination: &str, names: &'static [&'static str]) -> Self {
        self.masked.push((destination.to_owned(), names));
        self
    }
}

fn text_seed(text: &str) -> u64 {
    text.bytes().fold(0x766f_6c65, |hash, byte| mix(hash ^ u64::from(byte)))
}
