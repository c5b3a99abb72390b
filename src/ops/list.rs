//! Lists every mount of an engine.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, future, stream};

use super::host_paths;
use crate::engine::daemon::{ContainerDetail, ContainerList, ContainerRow, Flavour, VolumeList, VolumeRow};
use crate::engine::{About, Engine, EngineError};
use crate::inventory::{self, Evidence};
use crate::model::{ContainerState, Mount, VolumeName, named_paths};

/// How often the lists are asked for while the engine counts more containers than it lists.
const COUNTS: usize = 4;
/// The pause between two of them.
const RECOUNT: Duration = Duration::from_millis(300);
/// Containers inspected at once.
const INSPECTS: usize = 16;

/// All mounts of an engine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The engine.
    pub about: Arc<About>,
    /// The mounts, volumes first, then binds, tmpfs, images; by name within.
    pub mounts: Vec<Arc<Mount>>,
    /// Containers in all, without vole's own helpers.
    pub containers: usize,
    /// Helpers of vole, of this one or another.
    pub helpers: usize,
    /// Containers running.
    pub running: usize,
    /// Projects with a live container.
    pub live_projects: BTreeSet<String>,
    /// What the engine warned of, or what could not be read; a list with warnings may be incomplete.
    pub warnings: Vec<String>,
    /// Whether every container was inspected: until then tmpfs, subpaths and options may be missing.
    pub complete: bool,
}

/// How much to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The two lists: fast, without `--tmpfs`, subpaths and some options.
    Rows,
    /// Every container inspected too.
    Full,
}

/// Loads the inventory.
///
/// # Errors
///
/// When the engine cannot be reached or both lists fail; one failed list or inspect is a warning, and what it
/// leaves open is unknown in the rows.
pub async fn load(engine: &Engine, depth: Depth) -> Result<Inventory, EngineError> {
    let lists = Lists::ask(engine, depth).await?;
    let paths = lists.all_paths();
    Ok(lists.inventory(paths).await)
}

/// What an engine answered, before anything is made of it.
#[derive(Debug, Clone)]
pub struct Lists {
    about: Arc<About>,
    volumes: Result<VolumeList, EngineError>,
    /// The containers that could be read.
    pub containers: ContainerList,
    /// Why containers may be missing.
    missing: Option<String>,
    details: HashMap<String, ContainerDetail>,
    warnings: Vec<String>,
    depth: Depth,
}

impl Lists {
    /// Asks for both lists and, at [`Depth::Full`], for every container; else only for those whose mounts the list
    /// does not tell.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub async fn ask(engine: &Engine, depth: Depth) -> Result<Self, EngineError> {
        let daemon = &engine.daemon;
        let (about, volumes, containers) = future::join3(daemon.about(), daemon.volumes(), daemon.containers()).await;
        let about = Arc::new(about?);
        let mut warnings = Vec::new();
        let (volumes, containers) = match (volumes, containers) {
            (Err(error), Err(_)) => return Err(error),
            (Err(error @ EngineError::Unreachable { .. }), _) | (_, Err(error @ EngineError::Unreachable { .. })) => {
                return Err(error);
            }
            lists => lists,
        };
        let unlisted = missing_containers(&containers);
        warnings.extend(volumes.iter().flat_map(|list| list.warnings.iter().cloned()));
        let failed = volumes.as_ref().err();
        warnings.extend(failed.map(|error| format!("the volumes could not be listed: {error}")));
        warnings.extend(unlisted.clone());
        let containers = containers.unwrap_or_else(|_| ContainerList::default());
        warnings.extend(containers.warnings.iter().skip(1).cloned());
        let (details, uninspected) = match depth {
            Depth::Rows => (HashMap::new(), untold(&containers.rows)),
            Depth::Full => {
                let (details, failed) = inspect_all(engine, containers.rows.iter()).await;
                warnings.extend(failed.iter().cloned());
                (details, failed.into_iter().next())
            }
        };
        Ok(Self {
            about,
            volumes,
            containers,
            missing: unlisted.or(uninspected),
            details,
            warnings,
            depth,
        })
    }

    /// Asks for both lists and compares them with the engine's own count of containers; the second value says why the
    /// list may be short. Containers that came in between settle at another try. Podman counts what pods are made
    /// of, which its list leaves out, so only Docker's count is taken.
    ///
    /// # Errors
    ///
    /// As [`load`], and when the volumes cannot be listed.
    pub async fn counted(engine: &Engine, depth: Depth) -> Result<(Self, Option<String>), EngineError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let lists = Self::ask(engine, depth).await?;
            if let Err(error) = &lists.volumes {
                return Err(error.clone());
            }
            let listed = lists.containers.rows.len() + lists.containers.helpers;
            let counted = match lists.about.flavour {
                Flavour::Docker => engine.daemon.container_count().await?,
                Flavour::Podman => None,
            };
            match counted.filter(|counted| *counted > listed) {
                None => return Ok((lists, None)),
                Some(counted) if attempt == COUNTS => {
                    let why = format!("the engine counts {counted} containers and lists {listed}");
                    return Ok((lists, Some(why)));
                }
                Some(_) => tokio::time::sleep(RECOUNT).await,
            }
        }
    }

    /// What inspecting told, by the container's id.
    pub fn details(&self) -> &HashMap<String, ContainerDetail> {
        &self.details
    }

    /// Inspects the containers whose mounts the list does not tell: after it, [`Depth::Rows`] leaves no reference out.
    pub async fn inspect_untold(&mut self, engine: &Engine) {
        let untold = self.containers.rows.iter().filter(|row| !row.mounts_told);
        let (details, failed) = inspect_all(engine, untold).await;
        self.warnings.extend(failed.iter().cloned());
        self.details.extend(details);
        self.missing = missing_containers(&Ok(self.containers.clone())).or(failed.into_iter().next());
    }

    /// The volumes, none when they could not be listed.
    fn volume_rows(&self) -> &[VolumeRow] {
        self.volumes
            .as_ref()
            .map(|list| list.rows.as_slice())
            .unwrap_or_default()
    }

    /// Every host path that matters for telling what refers to what.
    pub fn all_paths(&self) -> Vec<String> {
        let mountpoints = self.volume_rows().iter().map(|row| row.mountpoint.as_str());
        tidy(mountpoints.chain(self.references()))
    }

    /// The host paths that matter for telling what refers to one volume.
    pub fn paths_of(&self, name: &VolumeName) -> Vec<String> {
        let own = self.volume_rows().iter().filter(|row| row.name == name.as_str());
        tidy(own.map(|row| row.mountpoint.as_str()).chain(self.references()))
    }

    /// Paths that containers bind or volumes name.
    fn references(&self) -> impl Iterator<Item = &str> {
        let named = self.volume_rows().iter();
        let named = named.flat_map(|row| named_paths(&row.driver, &row.options));
        let listed = self.containers.rows.iter().flat_map(|row| &row.mounts);
        let inspected = self.details.values().flat_map(|detail| &detail.mounts);
        // A mount of a volume by its name lies at the volume's own data.
        let sources = listed
            .chain(inspected)
            .filter(|point| point.kind != "volume" || point.name.is_empty());
        named.chain(sources.map(|point| point.source.as_str()))
    }

    /// Leaves out the volumes that are not this one and refer to nothing: they say nothing of it.
    pub fn forget_others(&mut self, name: &VolumeName) {
        if let Ok(list) = &mut self.volumes {
            list.rows
                .retain(|row| row.name == name.as_str() || !row.options.is_empty());
        }
    }

    /// Leaves containers out, by id, as if they were gone.
    pub fn forget_containers(&mut self, ids: &[&str]) {
        self.containers.rows.retain(|row| !ids.contains(&row.id.as_str()));
    }

    /// Builds the inventory; these paths of the host are examined.
    pub async fn inventory(mut self, paths: Vec<String>) -> Inventory {
        let rows = &self.containers.rows;
        let paths = host_paths::examine(&self.about, paths, &mut self.warnings).await;
        let unlisted = self.volumes.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let built = inventory::build(Evidence {
            volumes: self.volumes.as_ref().map_err(|_| unlisted.as_str()),
            containers: rows,
            containers_missing: self.missing.as_deref(),
            details: &self.details,
            paths: &paths,
        });
        self.warnings.extend(built.warnings);
        let running = rows
            .iter()
            .filter(|row| ContainerState::parse(&row.state) == ContainerState::Running)
            .count();
        Inventory {
            about: self.about,
            mounts: built.mounts,
            containers: rows.len(),
            helpers: self.containers.helpers,
            running,
            live_projects: built.live_projects,
            warnings: self.warnings,
            complete: self.depth == Depth::Full && self.missing.is_none(),
        }
    }
}

/// Why containers may be missing from a list.
fn missing_containers(answer: &Result<ContainerList, EngineError>) -> Option<String> {
    match answer {
        Ok(list) => list.warnings.first().cloned(),
        Err(error) => Some(format!("the containers could not be listed: {error}")),
    }
}

/// Why a container's mounts are unknown as long as it was not inspected: some engines' lists leave them out.
fn untold(rows: &[ContainerRow]) -> Option<String> {
    let row = rows.iter().find(|row| !row.mounts_told)?;
    Some(format!("the list does not tell the mounts of container {}", row.name))
}

/// Inspects every container. One that is gone meanwhile leaves nothing; what could not be inspected, and why, comes
/// second.
async fn inspect_all(
    engine: &Engine,
    rows: impl Iterator<Item = &ContainerRow>,
) -> (HashMap<String, ContainerDetail>, Vec<String>) {
    // Collected, because a closure that is held across an await is not `Send` for every lifetime.
    let asked: Vec<_> = rows
        .map(|row| async move { (row, engine.daemon.container(&row.id).await) })
        .collect();
    let answers: Vec<_> = stream::iter(asked).buffer_unordered(INSPECTS).collect().await;
    let (mut details, mut failed) = (HashMap::new(), Vec::new());
    for (row, answer) in answers {
        match answer {
            Ok(Some(detail)) => {
                details.insert(row.id.clone(), detail);
            }
            Ok(None) => {}
            Err(error) => failed.push(format!("container {} could not be inspected: {error}", row.name)),
        }
    }
    (details, failed)
}

fn tidy<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut paths: Vec<String> = paths
        .filter(|path| path.starts_with('/'))
        .map(inventory::normalise)
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vole_test_support::{FakeEngine, FakeFleet, Reply};

    use super::*;
    use crate::engine::connect::{ConnectOptions, connect};
    use crate::model::Orphan;

    /// Loads from an engine with orphans; `change` alters what it answers.
    async fn loaded(depth: Depth, change: fn(&str, Value) -> Value) -> Inventory {
        let fleet = FakeFleet::new(8, 2);
        let fake = FakeEngine::start(move |request| match fleet.reply(request) {
            Reply::Json(status, value) => Reply::Json(status, change(&request.path, value)),
            other => other,
        });
        let options = ConnectOptions {
            host: Some(fake.host()),
            no_helper: true,
            ..ConnectOptions::default()
        };
        load(&connect(&options).await.unwrap(), depth).await.unwrap()
    }

    fn orphans(inventory: &Inventory) -> Vec<Orphan> {
        let volumes = inventory.mounts.iter().filter(|mount| mount.attachments.is_empty());
        volumes.map(|mount| mount.orphan).collect()
    }

    fn of_one_container(path: &str) -> bool {
        path.ends_with("1/json") && path.starts_with("/containers/")
    }

    #[tokio::test]
    async fn a_container_that_cannot_be_inspected_leaves_the_list_incomplete_and_calls_nothing_unused() {
        let whole = loaded(Depth::Full, |_, value| value).await;
        assert!(whole.complete && whole.warnings.is_empty(), "{:?}", whole.warnings);
        assert_eq!(orphans(&whole), [Orphan::Yes; 4]);

        let half = loaded(Depth::Full, |path, mut value| {
            if of_one_container(path) {
                value.as_object_mut().map(|detail| detail.remove("HostConfig"));
            }
            value
        });
        let half = half.await;
        assert!(!half.complete);
        assert!(
            half.warnings.len() == 1 && half.warnings[0].contains("HostConfig"),
            "{:?}",
            half.warnings
        );
        assert_eq!(orphans(&half), [Orphan::Unknown; 4]);
    }

    #[tokio::test]
    async fn a_list_that_tells_no_mounts_calls_nothing_unused_until_inspect_does() {
        fn untold(path: &str, mut value: Value) -> Value {
            if path == "/containers/json" {
                value[1]["Mounts"] = json!(null);
            }
            value
        }
        let rows = loaded(Depth::Rows, untold).await;
        assert!(orphans(&rows).iter().all(|orphan| *orphan == Orphan::Unknown));
        assert_eq!(orphans(&loaded(Depth::Full, untold).await), [Orphan::Yes; 4]);
    }
}
