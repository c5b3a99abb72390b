//! The file systems behind an engine's mounts, and what else takes space there: images, layers, logs, build cache.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vole_agent::proto::FileSystem;

use super::list::Inventory;
use crate::engine::daemon::{DiskUsage, Flavour};
use crate::engine::{About, Engine, EngineError, OpenSpec, Purpose, Target};
use crate::model::{Mount, MountKind, Scan, bind_device};

/// Mounts that are asked about; on a host with more, the others lie where these do.
const ASKED: usize = 1000;

/// A file system and the mounts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backing {
    /// Its type (`ext4`); empty when unknown.
    pub fs_type: String,
    /// Its source (`/dev/sda1`), as bytes; empty when unknown.
    pub source: Vec<u8>,
    /// Size in bytes.
    pub size: u64,
    /// Free bytes, those reserved for root included.
    pub free: u64,
    /// Bytes that an unprivileged process may still take.
    pub available: u64,
    /// Inodes and how many of them are free; `None` when it does not count them.
    pub inodes: Option<(u64, u64)>,
    /// Names of the mounts on it; empty for the engine's data root when nothing else could be asked.
    pub mounts: Vec<String>,
}

/// The file systems behind an engine's mounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSystems {
    /// Each once, largest first.
    pub rows: Vec<Backing>,
    /// What could not be asked for, and why.
    pub left_out: Vec<String>,
}

/// Asks for the file systems behind the volumes and binds of an inventory that are paths of the engine's host.
/// Mounts with odd or remote backing are left out: asking about them would mount them.
///
/// # Errors
///
/// When no helper can run and the engine's data root is not on this host either.
pub async fn file_systems(engine: &Engine, inventory: &Inventory) -> Result<FileSystems, EngineError> {
    let mounts = inventory.mounts.iter();
    let mounts = mounts.filter_map(|mount| Some((path_target(mount)?, mount.name.as_str())));
    let mounts: Vec<(Target, &str)> = mounts.take(ASKED).collect();
    let asked = ask(engine, mounts).await;
    match (asked, data_root(&inventory.about)) {
        (Ok(found), Some(root)) if found.rows.is_empty() => Ok(FileSystems {
            rows: vec![root],
            ..found
        }),
        (Err(error), Some(root)) => Ok(FileSystems {
            rows: vec![root],
            left_out: vec![format!("the file systems of the mounts are unknown: {error}")],
        }),
        (asked, _) => asked,
    }
}

/// The file system of the engine's data root, when that is on this host and may be looked at. Asks no helper.
pub fn data_root(about: &About) -> Option<Backing> {
    if !about.same_host || about.root_dir.is_empty() {
        return None;
    }
    let stat = rustix::fs::statvfs(about.root_dir.as_str()).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Backing {
        fs_type: String::new(),
        source: Vec::new(),
        size: bytes(stat.f_blocks),
        free: bytes(stat.f_bfree),
        available: bytes(stat.f_bavail),
        inodes: (stat.f_files > 0).then_some((stat.f_files, stat.f_ffree)),
        mounts: Vec::new(),
    })
}

/// What reaches a mount's file system without mounting anything but paths of the host; `None` when nothing does.
fn path_target(mount: &Mount) -> Option<Target> {
    match (&mount.scan, bind_device(&mount.driver, &mount.options)) {
        (Scan::Shared, _) if mount.kind.is_volume() || mount.kind == MountKind::Bind => Target::of(mount).ok(),
        // The path that it binds, not the volume: it goes into the helper of all others.
        (Scan::Alone, Some(device)) if mount.kind.is_volume() => Some(Target::Path(device.to_owned())),
        _ => None,
    }
}

async fn ask(engine: &Engine, named: Vec<(Target, &str)>) -> Result<FileSystems, EngineError> {
    if named.is_empty() {
        return Ok(FileSystems::default());
    }
    let spec = OpenSpec {
        targets: named.iter().map(|(target, _)| target.clone()).collect(),
        purpose: Purpose::Measure,
        through_store: false,
    };
    let opened = engine.open(spec).await?;
    let (mut names, mut left_out) = (BTreeMap::new(), Vec::new());
    for (root, (_, name)) in opened.roots.into_iter().zip(named) {
        match root {
            Ok(root) => drop(names.insert(root, name)),
            Err(why) => left_out.push(unknown(name, &why)),
        }
    }
    let systems = opened.session.file_systems(names.keys().copied().collect()).await?;
    let rows = by_device(systems, &names, &mut left_out);
    Ok(FileSystems { rows, left_out })
}

fn unknown(name: &str, why: &str) -> String {
    format!("the file system of {name} is unknown: {why}")
}

/// One row per device: several mounts of one file system are one. What has none is left out.
fn by_device(systems: Vec<FileSystem>, names: &BTreeMap<u32, &str>, left_out: &mut Vec<String>) -> Vec<Backing> {
    let mut backing: BTreeMap<(u32, u32), Backing> = BTreeMap::new();
    for system in systems {
        let name = names.get(&system.root).copied();
        if let Some(fault) = &system.fault {
            left_out.push(unknown(name.unwrap_or("?"), &fault.message));
            continue;
        }
        let row = backing.entry(system.dev).or_insert_with(|| Backing {
            fs_type: system.fs_type,
            source: system.source,
            size: system.size,
            free: system.free,
            available: system.available,
            inodes: (system.inodes > 0).then_some((system.inodes, system.inodes_free)),
            mounts: Vec::new(),
        });
        row.mounts.extend(name.map(str::to_owned));
    }
    let mut rows: Vec<Backing> = backing.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.size));
    rows
}

/// What takes space beside the mounts. `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotVolumes {
    /// What the engine counted.
    pub usage: Option<DiskUsage>,
    /// Why the engine did not count.
    pub usage_failed: Option<String>,
    /// The containers' logs, allocated bytes; known only on this host and when they may be looked at.
    pub logs: Option<u64>,
}

/// Asks what takes space beside the mounts. Slow: the engine walks every volume and layer.
///
/// # Errors
///
/// When the engine cannot be reached; that it refuses to count is in the answer.
pub async fn not_volumes(engine: &Engine, about: &About) -> Result<NotVolumes, EngineError> {
    let asked = engine.daemon.disk_usage();
    let root = (about.same_host && about.flavour == Flavour::Docker && !about.root_dir.is_empty())
        .then(|| PathBuf::from(&about.root_dir));
    let looked = tokio::task::spawn_blocking(move || root.and_then(|root| logs(&root)));
    let (usage, logs) = tokio::join!(asked, looked);
    let logs = logs.ok().flatten();
    match usage {
        Ok(usage) => Ok(NotVolumes {
            usage: Some(usage),
            usage_failed: None,
            logs,
        }),
        Err(error @ EngineError::Unreachable { .. }) => Err(error),
        Err(error) => Ok(NotVolumes {
            usage: None,
            usage_failed: Some(error.to_string()),
            logs,
        }),
    }
}

/// Sums the logs that Docker keeps in its data root (`containers/ID/ID-json.log*`, `local-logs`). One that cannot be
/// looked at makes the sum unknown.
fn logs(root: &Path) -> Option<u64> {
    let mut sum = 0;
    for container in fs::read_dir(root.join("containers")).ok()? {
        let container = container.ok()?.path();
        for dir in [container.clone(), container.join("local-logs")] {
            let Ok(entries) = fs::read_dir(&dir) else {
                if dir.exists() {
                    return None;
                }
                continue;
            };
            for entry in entries {
                let entry = entry.ok()?;
                if entry.file_name().to_string_lossy().contains(".log") {
                    sum += entry.metadata().ok()?.blocks() * 512;
                }
            }
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::demo::{self, DemoOptions};
    use crate::ops::list::{self, Depth};

    #[tokio::test]
    async fn mounts_of_one_file_system_are_one_row() {
        let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
        let inventory = list::load(&engine, Depth::Full).await.unwrap();
        let mut inventory = inventory;
        let gone = Mount {
            name: "gone".to_owned(),
            kind: MountKind::Bind,
            scan: Scan::Shared,
            ..Mount::clone(&inventory.mounts[0])
        };
        inventory.mounts.push(gone.into());
        let found = file_systems(&engine, &inventory).await.unwrap();
        let said = found.left_out.iter().filter(|why| why.contains("of gone is unknown"));
        assert_eq!(said.count(), 1, "{:?}", found.left_out);
        let rows = found.rows;
        assert!(rows.len() < 5, "{rows:?}");
        assert!(rows.iter().any(|row| row.mounts.len() > 10), "{rows:?}");
        assert!(
            rows.iter().all(|row| row.available <= row.free && row.free <= row.size),
            "{rows:?}"
        );
        let names: Vec<&String> = rows.iter().flat_map(|row| &row.mounts).collect();
        assert!(!names.iter().any(|name| *name == "nas_photos"), "asking would mount it");
    }

    #[tokio::test]
    async fn a_volume_that_binds_a_path_is_asked_for_by_that_path() {
        let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
        let inventory = list::load(&engine, Depth::Full).await.unwrap();
        let plain = inventory
            .mounts
            .iter()
            .find(|mount| mount.name == "shop_uploads")
            .unwrap();
        let with = |options: &[(&str, &str)], scan: Scan| Mount {
            options: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            scan,
            ..Mount::clone(plain)
        };
        let bind = [("type", "none"), ("o", "bind"), ("device", "/mnt/big")];
        assert_eq!(
            path_target(&with(&bind, Scan::Alone)),
            Some(Target::Path("/mnt/big".to_owned()))
        );
        assert!(matches!(path_target(plain), Some(Target::Volume { .. })));
        let memory = [("type", "tmpfs"), ("device", "tmpfs")];
        assert_eq!(path_target(&with(&memory, Scan::Alone)), None, "asking would mount it");
        let remote = [("type", "nfs"), ("o", "addr=nas"), ("device", ":/x")];
        assert_eq!(path_target(&with(&remote, Scan::OnDemand("nfs".to_owned()))), None);
    }

    #[test]
    fn logs_are_summed_only_when_all_can_be_seen() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(logs(root.path()), None);
        let one = root.path().join("containers/1");
        fs::create_dir_all(&one).unwrap();
        fs::write(one.join("1-json.log"), vec![b'x'; 5000]).unwrap();
        fs::write(one.join("config.v2.json"), vec![b'x'; 5000]).unwrap();
        let blocks = fs::metadata(one.join("1-json.log")).unwrap().blocks() * 512;
        assert_eq!(logs(root.path()), Some(blocks));
    }
}
