//! Learns what a plan needs: two lists of everything, with a look into every candidate between them. An answer that is
//! wrong once (an empty list, half a list) differs from the other one, and what differs stays.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Identity, Scope, Stopped, reattach, verdict};
use crate::engine::contexts::Environment;
use crate::engine::daemon::ContainerRow;
use crate::engine::{Engine, EngineError};
use crate::model::{ContainerState, Mount, MountId, MountKind, Size, VolumeName};
use crate::ops::list::{Depth, Inventory, Lists};
use crate::ops::sightings::Sightings;
use crate::ops::size::{self, SizeNews, Subject};

/// Batches of sizes that may wait.
const QUEUE: usize = 64;

/// How far the gathering is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    /// Everything is listed.
    #[default]
    Listing,
    /// Volumes are looked into.
    Looking {
        /// Volumes that are done.
        done: usize,
        /// Volumes in all.
        total: usize,
        /// Bytes counted.
        bytes: u64,
    },
    /// Everything is listed again.
    Checking,
}

/// What is known of one candidate beside its row in the lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// Its size and contents.
    pub size: Size,
    /// What tells it from another one of its name.
    pub identity: Identity,
}

/// Everything that a plan is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When it was gathered.
    pub at: OffsetDateTime,
    /// The list before anything was looked into.
    pub before: Inventory,
    /// The list after.
    pub now: Inventory,
    /// What no container attaches, as the engine itself sees it; containers that the plan removes do not count.
    pub dangling: HashSet<String>,
    /// Why the list of containers may be short although the engine gave it without a warning.
    pub short: Option<String>,
    /// The candidates, and volumes that may have taken their place in another project.
    pub looked: BTreeMap<MountId, Looked>,
    /// Containers that hold candidates and do not run, and those that the scope names.
    pub stopped: Vec<Stopped>,
    /// Who used a mount last, in words.
    pub last_use: BTreeMap<MountId, String>,
}

/// Gathers the evidence for a plan. Releases every lease first: a volume that a helper mounts counts as used.
///
/// # Errors
///
/// When the engine cannot be reached or a list fails as a whole, when the scope names what is not there, or
/// [`EngineError::Cancelled`].
pub async fn gather(
    engine: &Engine,
    scope: &Scope,
    now: OffsetDateTime,
    progress: watch::Sender<Step>,
    cancel: CancellationToken,
) -> Result<Evidence, EngineError> {
    let gathering = gathered(engine, scope, now, &progress, &cancel);
    let evidence = cancel.run_until_cancelled(gathering).await;
    // Its helpers end with it, also when it was cancelled half way.
    engine.release().await;
    evidence.unwrap_or(Err(EngineError::Cancelled))
}

async fn gathered(
    engine: &Engine,
    scope: &Scope,
    now: OffsetDateTime,
    progress: &watch::Sender<Step>,
    cancel: &CancellationToken,
) -> Result<Evidence, EngineError> {
    progress.send_replace(Step::Listing);
    engine.release().await;
    let first = list(engine, scope).await?;
    let subjects = first.subjects(scope);
    let mut looked = look(engine, subjects, progress, cancel).await;
    progress.send_replace(Step::Checking);
    engine.release().await;
    let last = list(engine, scope).await?;
    let dangling = engine.daemon.dangling().await?;
    identify(&last.inventory, &mut looked).await?;
    let last_use = last_use(engine, &last.inventory, now).await;
    Ok(Evidence {
        at: now,
        before: first.inventory,
        dangling: dangling.into_iter().chain(last.held).collect(),
        short: last.short.or(first.short),
        looked,
        stopped: last.stopped,
        last_use,
        now: last.inventory,
    })
}

/// One list of everything, as it will be without the containers that the plan removes.
struct Listed {
    inventory: Inventory,
    stopped: Vec<Stopped>,
    /// Volumes that only those containers attach: to the engine they are in use until then.
    held: Vec<String>,
    short: Option<String>,
}

impl Listed {
    /// What to look into: the candidates, and what may have taken their place.
    fn subjects(&self, scope: &Scope) -> Vec<Arc<Mount>> {
        let volumes = self.inventory.mounts.iter().filter(|mount| mount.kind.is_volume());
        let wanted = |mount: &&Arc<Mount>| verdict::is_candidate(mount) && verdict::in_scope(scope, mount);
        let candidates: Vec<Arc<Mount>> = volumes.filter(wanted).cloned().collect();
        let twins = candidates
            .iter()
            .flat_map(|mount| reattach::twins(mount, &self.inventory));
        let twins: BTreeMap<MountId, Arc<Mount>> = twins.map(|mount| (mount.id.clone(), Arc::clone(mount))).collect();
        candidates.into_iter().chain(twins.into_values()).collect()
    }
}

async fn list(engine: &Engine, scope: &Scope) -> Result<Listed, EngineError> {
    let (mut lists, short) = Lists::counted(engine, Depth::Full).await?;
    let (volumes, named): (&[VolumeName], &[String]) = match scope {
        Scope::Named { volumes, containers } => (volumes, containers),
        Scope::Orphans(_) => (&[], &[]),
    };
    let stopped = stopped(&lists.containers.rows, volumes, named)?;
    let goes = |one: &&Stopped| one.chosen && one.blocked.is_none();
    let going: Vec<&str> = stopped.iter().filter(goes).map(|one| one.id.as_str()).collect();
    let held = stopped.iter().filter(goes).flat_map(|one| one.frees.clone()).collect();
    lists.forget_containers(&going);
    let paths = lists.all_paths();
    let inventory = lists.inventory(paths).await;
    for volume in volumes {
        let there = |mount: &Arc<Mount>| mount.kind.is_volume() && mount.name == volume.as_str();
        if !inventory.mounts.iter().any(there) {
            return Err(not_there(format!("there is no volume {volume}")));
        }
    }
    Ok(Listed {
        inventory,
        stopped,
        held,
        short,
    })
}

fn not_there(message: String) -> EngineError {
    EngineError::Status {
        what: "making the plan".to_owned(),
        status: 404,
        message,
    }
}

/// The containers that the scope names, and those that hold one of its volumes and do not run.
fn stopped(rows: &[ContainerRow], volumes: &[VolumeName], named: &[String]) -> Result<Vec<Stopped>, EngineError> {
    for name in named {
        if !rows.iter().any(|row| is_called(row, name)) {
            return Err(not_there(format!("there is no container {name}")));
        }
    }
    let chosen = |row: &ContainerRow| named.iter().any(|name| is_called(row, name));
    let is_live = |row: &ContainerRow| ContainerState::parse(&row.state).is_live();
    let holds = |row: &ContainerRow| volumes.iter().any(|volume| attaches(row, volume.as_str()));
    let (spoken_of, others): (Vec<&ContainerRow>, Vec<&ContainerRow>) = rows
        .iter()
        .partition(|row| chosen(row) || (!is_live(row) && holds(row)));
    let one = |row: &&ContainerRow| {
        // What goes frees what all of it holds; what is only offered, what it would free with the others of the plan.
        let goes = |other: &ContainerRow| chosen(other) && !is_live(other);
        let stays = |other: &&&ContainerRow| other.id != row.id && chosen(row) && !goes(other);
        let staying: Vec<&ContainerRow> = spoken_of.iter().filter(stays).chain(&others).copied().collect();
        let mine: BTreeSet<&str> = attached(row).collect();
        let alone = mine.into_iter();
        let alone = alone.filter(|name| !staying.iter().any(|other| attaches(other, name)));
        let frees: Vec<String> = alone.map(str::to_owned).collect();
        let anonymous = frees.iter().filter(|name| crate::inventory::is_generated(name));
        let state = ContainerState::parse(&row.state);
        Stopped {
            id: row.id.clone(),
            name: row.name.clone(),
            image: row.image.clone(),
            chosen: chosen(row),
            blocked: is_live(row).then(|| format!("it is {}: stop it first", state.word())),
            anonymous: anonymous.cloned().collect(),
            frees,
        }
    };
    Ok(spoken_of.iter().map(one).collect())
}

fn is_called(row: &ContainerRow, name: &str) -> bool {
    row.name == name || row.id == name
}

fn attached(row: &ContainerRow) -> impl Iterator<Item = &str> {
    let named = row.mounts.iter().filter(|point| !point.name.is_empty());
    named.map(|point| point.name.as_str())
}

fn attaches(row: &ContainerRow, volume: &str) -> bool {
    attached(row).any(|name| name == volume)
}

/// Looks into mounts. One that cannot be looked into has its reason instead of a size.
pub(super) async fn look(
    engine: &Engine,
    mounts: Vec<Arc<Mount>>,
    progress: &watch::Sender<Step>,
    cancel: &CancellationToken,
) -> BTreeMap<MountId, Looked> {
    let total = mounts.len();
    let ids: Vec<MountId> = mounts.iter().map(|mount| mount.id.clone()).collect();
    let subjects = mounts.into_iter().map(|mount| Subject::whole(mount, false)).collect();
    let (to, mut news) = mpsc::channel::<Vec<SizeNews>>(QUEUE);
    let reading = async {
        let mut sizes: HashMap<MountId, Size> = HashMap::new();
        while let Some(batch) = news.recv().await {
            sizes.extend(batch.into_iter().map(|one| (one.id, one.size)));
            let done = sizes.values().filter(|size| !matches!(size, Size::Measuring { .. }));
            let bytes = sizes.values().filter_map(Size::known_bytes).sum();
            progress.send_replace(Step::Looking {
                done: done.count(),
                total,
                bytes,
            });
        }
        sizes
    };
    let measuring = size::run(engine, subjects, 0, to, cancel.clone());
    let (_, mut sizes) = tokio::join!(measuring, reading);
    let looked = ids.into_iter().map(|id| {
        let size = sizes.remove(&id).unwrap_or(Size::Unknown(None));
        let identity = Identity::default();
        (id, Looked { size, identity })
    });
    looked.collect()
}

/// Adds what tells a volume from another one of its name, for those whose directories this user can look at.
async fn identify(inventory: &Inventory, looked: &mut BTreeMap<MountId, Looked>) -> Result<(), EngineError> {
    if !inventory.about.same_host {
        return Ok(());
    }
    let mounts = inventory.mounts.iter().filter(|mount| looked.contains_key(&mount.id));
    let mounts: Vec<Arc<Mount>> = mounts.cloned().collect();
    let found = tokio::task::spawn_blocking(move || -> Vec<(MountId, Identity)> {
        let identity = |mount: &Arc<Mount>| (mount.id.clone(), identity(mount));
        mounts.iter().map(identity).collect()
    });
    // Without it nothing would be compared at the commit: that is no plan.
    let found = found.await.map_err(|error| EngineError::Garbage {
        what: "looking at the volumes' directories".to_owned(),
        cause: error.to_string(),
    })?;
    for (id, identity) in found {
        if let Some(one) = looked.get_mut(&id) {
            one.identity = identity;
        }
    }
    Ok(())
}

/// Who used each volume that nothing refers to now, as far as earlier lists and events tell.
async fn last_use(engine: &Engine, inventory: &Inventory, now: OffsetDateTime) -> BTreeMap<MountId, String> {
    let candidates = inventory.mounts.iter().filter(|mount| verdict::is_candidate(mount));
    let candidates: Vec<Arc<Mount>> = candidates.cloned().collect();
    let id = engine.id.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let seen = Sightings::open(&id, &Environment::of_process());
        let words = |mount: &Arc<Mount>| Some((mount.id.clone(), seen.last(mount)?.words(now)));
        candidates.iter().filter_map(words).collect()
    });
    // It is told to the operator and decides nothing.
    reading.await.unwrap_or_default()
}

/// Looks at a volume's directory on this host. Not for volumes whose mount may hang or is elsewhere.
pub(super) fn identity(mount: &Mount) -> Identity {
    let path = mount.host_path.as_deref().filter(|_| mount.options.is_empty());
    let path = path.filter(|_| mount.driver == "local" && mount.kind != MountKind::Cluster);
    let metadata = path.and_then(|path| std::fs::symlink_metadata(path).ok());
    let born = |metadata: &std::fs::Metadata| {
        let born = metadata.created().ok()?;
        let born = born.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((i64::try_from(born.as_secs()).ok()?, born.subsec_nanos()))
    };
    let metadata = metadata.as_ref();
    Identity {
        directory: metadata.map(|metadata| (metadata.ino(), born(metadata))),
        changed: metadata.map(|metadata| (metadata.ctime(), metadata.ctime_nsec())),
    }
}
