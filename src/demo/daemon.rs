//! Answers for the demo's engine: lists, inspects, disk usage, events, and sessions over its trees. Knows
//! nothing of screens.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{self, BoxStream, StreamExt};
use time::OffsetDateTime;
use tokio::sync::broadcast::{self, error::RecvError};

use super::backend::{Root, Trees};
use super::fleet::{ROOT_DIR, Where, World};
use super::unpacking::Places;
use super::{ARCH, DemoOptions, KERNEL, shelf, usage};
use crate::engine::daemon::{
    About, Changes, ContainerDetail, ContainerList, ContainerRow, Daemon, DiskUsage, EngineEvent, Flavour, Layer,
    Masked, NewVolume, PathIn, Process, Switch, VolumeList, VolumeRow,
};
use crate::engine::error::EngineError;
use crate::engine::local::in_process;
use crate::engine::session::{OpenSpec, Opened, Purpose, Target};
use crate::model::{Source, VolumeName};

/// How long a helper of the demo takes to start.
const HELPER_START: Duration = Duration::from_millis(150);
/// How long a removal takes in the demo.
const REMOVAL: Duration = Duration::from_millis(120);
/// Events that a slow reader may leave waiting before it misses some.
const EVENTS: usize = 64;

/// The REST side of the demo.
#[derive(Debug)]
pub struct DemoDaemon {
    options: DemoOptions,
    /// What there is; operations change it, for as long as the demo runs.
    world: Arc<Mutex<World>>,
    events: broadcast::Sender<EngineEvent>,
    /// Whether archives were written, which go with it.
    packed: AtomicBool,
}

impl Drop for DemoDaemon {
    fn drop(&mut self) {
        if self.packed.load(Ordering::Relaxed) {
            shelf::clear();
        }
    }
}

impl DemoDaemon {
    /// Makes the fleet.
    pub fn new(options: DemoOptions) -> Self {
        Self {
            options,
            world: Arc::new(Mutex::new(World::new(options))),
            events: broadcast::channel(EVENTS).0,
            packed: AtomicBool::new(false),
        }
    }

    /// Tells an event to whoever listens; of itself the demo tells none.
    pub fn tell(&self, event: EngineEvent) {
        // Nobody listening is no error.
        let _listeners = self.events.send(event);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a volume after the moment that an engine takes for it.
    async fn remove(&self, name: &VolumeName) -> Result<(), EngineError> {
        if !self.options.instant {
            tokio::time::sleep(REMOVAL).await;
        }
        self.world().remove_volume(name.as_str())?;
        self.tell(volume_event(name.as_str(), "destroy"));
        Ok(())
    }

    /// Switches a container after the moment that an engine takes for it.
    async fn switch(&self, id: &str, switch: Switch) -> Result<(), EngineError> {
        if !self.options.instant {
            tokio::time::sleep(REMOVAL).await;
        }
        self.world().switch(id, switch)?;
        let action = match switch {
            Switch::Start => "start",
            Switch::Stop => "die",
            Switch::Restart => "restart",
        };
        self.tell(EngineEvent::Container {
            id: id.to_owned(),
            action: action.to_owned(),
            name: None,
            image: None,
        });
        Ok(())
    }

    fn find(&self, target: &Target) -> Result<(Where, Arc<Root>), String> {
        let (at, what) = match target {
            Target::Volume { name, .. } => {
                if let Some(fault) = self.world().faults.get(name) {
                    return Err(fault.clone());
                }
                (Where::Volume(name.clone()), format!("there is no volume {name}"))
            }
            Target::Path(path) => (Where::Path(path.clone()), format!("the demo has nothing at {path}")),
            Target::InContainer { container, destination } => (
                Where::Tmpfs(container.clone(), destination.clone()),
                format!("the container has no memory at {destination}"),
            ),
        };
        let root = self.world().roots.get(&at).cloned().ok_or(what)?;
        Ok((at, root))
    }

    async fn open_trees(&self, spec: OpenSpec) -> Result<Opened, EngineError> {
        if !self.options.instant {
            tokio::time::sleep(HELPER_START).await;
        }
        if spec.purpose == Purpose::Pack {
            self.packed.store(true, Ordering::Relaxed);
        }
        let mut found = Vec::new();
        let mut places = Vec::new();
        let mut roots = Vec::new();
        for target in &spec.targets {
            roots.push(self.find(target).map(|(at, root)| {
                places.push(at);
                found.push(root);
                u32::try_from(found.len() - 1).unwrap_or(u32::MAX)
            }));
        }
        let trees = Trees {
            roots: found,
            instant: self.options.instant,
            writable: spec.purpose.writes(),
            places: Places {
                world: Arc::clone(&self.world),
                of: places,
            },
        };
        Ok(Opened {
            session: in_process(Arc::new(trees)).await?,
            roots,
            source: Source::Agent,
        })
    }
}

impl Daemon for DemoDaemon {
    fn endpoint(&self) -> String {
        "demo".to_owned()
    }

    fn about(&self) -> BoxFuture<'_, Result<About, EngineError>> {
        let about = About {
            name: "demo".to_owned(),
            flavour: Flavour::Docker,
            version: "28.5.2".to_owned(),
            api: "1.51".to_owned(),
            arch: ARCH.to_owned(),
            kernel: KERNEL.to_owned(),
            os: "Debian GNU/Linux 13 (trixie)".to_owned(),
            root_dir: ROOT_DIR.to_owned(),
            // Its paths are made up: nobody may look for them on this machine.
            same_host: false,
            rootless: false,
            security: vec!["name=seccomp,profile=builtin".to_owned()],
        };
        ready(Ok(about)).boxed()
    }

    fn volumes(&self) -> BoxFuture<'_, Result<VolumeList, EngineError>> {
        let list = VolumeList {
            unread: None,
            rows: self.world().volumes.clone(),
            warnings: Vec::new(),
        };
        ready(Ok(list)).boxed()
    }

    fn containers(&self) -> BoxFuture<'_, Result<ContainerList, EngineError>> {
        let list = ContainerList {
            rows: self.world().containers.iter().map(|(row, _)| row.clone()).collect(),
            helpers: 0,
            warnings: Vec::new(),
        };
        ready(Ok(list)).boxed()
    }

    fn container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ContainerDetail>, EngineError>> {
        let world = self.world();
        let found = world.containers.iter().find(|(row, _)| row.id == id);
        ready(Ok(found.map(|(_, detail)| detail.clone()))).boxed()
    }

    fn disk_usage(&self) -> BoxFuture<'_, Result<DiskUsage, EngineError>> {
        // As Docker does, without the volumes that have options.
        let world = self.world();
        let plain = world.volumes.iter().filter(|row| row.options.is_empty());
        let volumes = plain
            .filter_map(|row| {
                let root = world.roots.get(&Where::Volume(row.name.clone()))?;
                Some((row.name.clone(), usage::totals(&root.node).bytes))
            })
            .collect();
        let usage = DiskUsage {
            volumes,
            layers: Some(11_834_216_448),
            images: Some(19),
            containers: Some(412_844_032),
            build_cache: Some(5_368_709_120),
        };
        ready(Ok(usage)).boxed()
    }

    fn events(&self) -> BoxFuture<'_, Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>> {
        let news = stream::unfold(self.events.subscribe(), |mut receiver| async {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some((Ok(event), receiver)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        ready(Ok(news.boxed())).boxed()
    }

    fn open(&self, spec: OpenSpec) -> BoxFuture<'_, Result<Opened, EngineError>> {
        self.open_trees(spec).boxed()
    }

    fn dangling(&self) -> BoxFuture<'_, Result<HashSet<String>, EngineError>> {
        let world = self.world();
        let used = |name: &str| world.containers.iter().any(|(row, _)| attaches(row, name));
        let free = world.volumes.iter().filter(|row| !used(&row.name));
        ready(Ok(free.map(|row| row.name.clone()).collect())).boxed()
    }

    fn container_count(&self) -> BoxFuture<'_, Result<Option<usize>, EngineError>> {
        ready(Ok(Some(self.world().containers.len()))).boxed()
    }

    fn volume<'a>(&'a self, name: &'a VolumeName) -> BoxFuture<'a, Result<Option<VolumeRow>, EngineError>> {
        ready(Ok(self.world().volume_row(name.as_str()).cloned())).boxed()
    }

    fn changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn log_tail<'a>(
        &'a self,
        id: &'a str,
        _since: Option<OffsetDateTime>,
        lines: u32,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, EngineError>> {
        // What is told of a container is of its present or last run.
        ready(self.world().log_tail(id, lines)).boxed()
    }

    fn processes<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Process>, EngineError>> {
        ready(self.world().processes(id)).boxed()
    }

    fn path_in<'a>(&'a self, id: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<PathIn>, EngineError>> {
        ready(self.world().path_in(id, path)).boxed()
    }

    fn file_in<'a>(&'a self, id: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, EngineError>> {
        ready(self.world().file_in(id, path)).boxed()
    }

    fn layer<'a>(&'a self, id: &'a str, limit: usize) -> BoxFuture<'a, Result<Layer, EngineError>> {
        ready(self.world().layer(id, limit)).boxed()
    }

    fn masked<'a>(
        &'a self,
        container_id: &'a str,
        destination: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Masked, EngineError>> {
        let key = (container_id.to_owned(), destination.to_owned());
        let mut masked = self.world().masked.get(&key).cloned().unwrap_or_else(nothing_there);
        masked.more = masked.names.len() > limit;
        masked.names.truncate(limit);
        ready(Ok(masked)).boxed()
    }
}

impl Changes for DemoDaemon {
    fn switch_container<'a>(&'a self, id: &'a str, switch: Switch) -> BoxFuture<'a, Result<(), EngineError>> {
        self.switch(id, switch).boxed()
    }

    fn remove_volume<'a>(&'a self, name: &'a VolumeName) -> BoxFuture<'a, Result<(), EngineError>> {
        self.remove(name).boxed()
    }

    fn create_volume<'a>(&'a self, wanted: &'a NewVolume) -> BoxFuture<'a, Result<VolumeRow, EngineError>> {
        let made = self.world().make_volume(wanted);
        self.tell(volume_event(&made.name, "create"));
        ready(Ok(made)).boxed()
    }

    fn remove_container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        let removed = self.world().remove_container(id);
        if removed.is_ok() {
            self.tell(EngineEvent::Container {
                id: id.to_owned(),
                action: "destroy".to_owned(),
                name: None,
                image: None,
            });
        }
        ready(removed).boxed()
    }
}

/// Whether a container attaches a volume by name.
pub(super) fn attaches(row: &ContainerRow, volume: &str) -> bool {
    row.mounts.iter().any(|mount| mount.name == volume)
}

fn volume_event(name: &str, action: &str) -> EngineEvent {
    EngineEvent::Volume {
        name: name.to_owned(),
        action: action.to_owned(),
        container: None,
    }
}

/// A path that the image lacks.
fn nothing_there() -> Masked {
    Masked {
        names: Vec::new(),
        more: false,
        exists: false,
        top: None,
    }
}
