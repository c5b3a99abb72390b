//! Lists every mount of an engine.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, future, stream};

use super::host_paths;
use crate::engine::daemon::{ContainerDetail, ContainerList, ContainerRow, VolumeList};
use crate::engine::{About, Engine, EngineError};
use crate::inventory::{self, Evidence};
use crate::model::{ContainerState, Mount};

/// Containers inspected at once.
const INSPECTS: usize = 16;

/// All mounts of an engine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The engine.
    pub about: Arc<About>,
    /// The mounts, volumes first, then binds, tmpfs, images; by name within.
    pub mounts: Vec<Arc<Mount>>,
    /// Containers in all.
    pub containers: usize,
    /// Containers running.
    pub running: usize,
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
    let daemon = &engine.daemon;
    let (about, volumes, containers) = future::join3(daemon.about(), daemon.volumes(), daemon.containers()).await;
    let about = about?;
    let mut warnings = Vec::new();
    let (volumes, containers) = match (volumes, containers) {
        (Err(error), Err(_)) => return Err(error),
        (Err(error @ EngineError::Unreachable { .. }), _) | (_, Err(error @ EngineError::Unreachable { .. })) => {
            return Err(error);
        }
        lists => lists,
    };
    let unlisted_containers = missing_containers(&containers);
    warnings.extend(volumes.iter().flat_map(|list| list.warnings.iter().cloned()));
    warnings.extend(
        volumes
            .as_ref()
            .err()
            .map(|error| format!("the volumes could not be listed: {error}")),
    );
    warnings.extend(unlisted_containers.clone());
    warnings.extend(containers.iter().flat_map(|list| list.warnings.iter().skip(1).cloned()));
    let rows = containers.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default();
    let (details, uninspected) = match depth {
        Depth::Rows => (HashMap::new(), untold(rows)),
        Depth::Full => {
            let (details, failed) = inspect_all(engine, rows).await;
            warnings.extend(failed.iter().cloned());
            (details, failed.into_iter().next())
        }
    };
    let missing = unlisted_containers.or(uninspected);
    let paths = host_paths::examine(&about, paths_of(volumes.as_ref().ok(), rows), &mut warnings).await;
    let unlisted = volumes.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let built = inventory::build(Evidence {
        volumes: volumes.as_ref().map_err(|_| unlisted.as_str()),
        containers: rows,
        containers_missing: missing.as_deref(),
        details: &details,
        paths: &paths,
    });
    warnings.extend(built.warnings);
    let running = rows
        .iter()
        .filter(|row| ContainerState::parse(&row.state) == ContainerState::Running)
        .count();
    Ok(Inventory {
        about: Arc::new(about),
        mounts: built.mounts,
        containers: rows.len(),
        running,
        warnings,
        complete: depth == Depth::Full && missing.is_none(),
    })
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
async fn inspect_all(engine: &Engine, rows: &[ContainerRow]) -> (HashMap<String, ContainerDetail>, Vec<String>) {
    // Collected, because a closure that is held across an await is not `Send` for every lifetime.
    let asked: Vec<_> = rows
        .iter()
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

/// Every host path that matters for telling what refers to what.
fn paths_of(volumes: Option<&VolumeList>, rows: &[ContainerRow]) -> Vec<String> {
    let volumes = volumes.map(|list| list.rows.as_slice()).unwrap_or_default();
    let mountpoints = volumes.iter().map(|row| &row.mountpoint);
    let devices = volumes.iter().filter_map(|row| row.options.get("device"));
    let sources = rows.iter().flat_map(|row| &row.mounts).map(|point| &point.source);
    let mut paths: Vec<String> = mountpoints
        .chain(devices)
        .chain(sources)
        .filter(|path| path.starts_with('/'))
        .map(|path| inventory::normalise(path))
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
