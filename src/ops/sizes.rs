//! Sizes kept on disk with their age, so that the next start shows them at once. A cache: whatever is wrong with it,
//! it is empty or not written, and that is at most a warning.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::list::Inventory;
use crate::engine::contexts::Environment;
use crate::model::size::Measured;
use crate::model::{EngineId, Mount, MountId};
use crate::store;

/// The file within an engine's cache directory.
const FILE: &str = "sizes.json";
/// The format's version; a file of another one is not read.
const VERSION: u32 = 2;
/// Larger files are not read, in bytes: they are not ours.
const LARGEST: u64 = 64 << 20;

/// The sizes of one engine's mounts as they were measured last.
#[derive(Debug, Clone, Default)]
pub struct SizeCache {
    file: Option<PathBuf>,
    rows: HashMap<MountId, Row>,
    changed: bool,
}

/// One size as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    id: MountId,
    /// When the mount was made: one that was made anew under the same name does not inherit.
    #[serde(with = "time::serde::rfc3339::option", default)]
    created: Option<OffsetDateTime>,
    size: Measured,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    sizes: Vec<Row>,
}

impl SizeCache {
    /// Reads an engine's sizes; empty when there are none. The demo's are never kept.
    pub fn open(engine: &EngineId, environment: &Environment) -> Self {
        let dir = store::kept_dir(store::cache_dir(environment), engine);
        dir.map(|dir| Self::at(&dir)).unwrap_or_default()
    }

    fn at(dir: &Path) -> Self {
        let file = dir.join(FILE);
        // A damaged or foreign cache is as good as none, and is replaced at the next save.
        let rows = read(&file).unwrap_or_default();
        Self {
            file: Some(file),
            rows,
            changed: false,
        }
    }

    /// The last size of a mount, if it is still the same mount.
    pub fn get(&self, mount: &Mount) -> Option<&Measured> {
        let row = self.rows.get(&mount.id)?;
        (row.created == mount.created).then_some(&row.size)
    }

    /// Remembers a size.
    pub fn put(&mut self, mount: &Mount, size: Measured) {
        let row = Row {
            id: mount.id.clone(),
            created: mount.created,
            size,
        };
        self.changed |= self.rows.insert(mount.id.clone(), row.clone()).as_ref() != Some(&row);
    }

    /// Forgets mounts that are gone. An inventory that may be incomplete proves nothing gone.
    pub fn prune(&mut self, inventory: &Inventory) {
        if !inventory.complete || !inventory.warnings.is_empty() {
            return;
        }
        let there: HashMap<&MountId, &Arc<Mount>> = inventory.mounts.iter().map(|mount| (&mount.id, mount)).collect();
        let before = self.rows.len();
        self.rows
            .retain(|id, row| there.get(id).is_some_and(|mount| mount.created == row.created));
        self.changed |= self.rows.len() != before;
    }

    /// Writes the sizes when they changed. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// When the file system refuses or is full: worth a warning, no more.
    pub fn save(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| self.changed) else {
            return Ok(());
        };
        let mut sizes: Vec<Row> = self.rows.values().cloned().collect();
        sizes.sort_by(|a, b| a.id.cmp(&b.id));
        let kept = serde_json::to_vec(&Kept {
            version: VERSION,
            sizes,
        })?;
        store::replace(file, &kept).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot keep sizes in {}: {error}", file.display()),
            )
        })?;
        self.changed = false;
        Ok(())
    }
}

fn read(file: &Path) -> Option<HashMap<MountId, Row>> {
    if fs::metadata(file).ok()?.len() > LARGEST {
        return None;
    }
    let kept: Kept = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    (kept.version == VERSION).then(|| kept.sizes.into_iter().map(|row| (row.id.clone(), row)).collect())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::demo::{self, DemoOptions};
    use crate::model::size::TotalsRow;
    use crate::model::{Contents, Fingerprint, Source, Worth};
    use crate::ops::list::{self, Depth};

    fn size(bytes: u64) -> Measured {
        let totals = TotalsRow {
            bytes,
            ..TotalsRow::default()
        };
        Measured {
            totals,
            at: datetime!(2024-05-01 10:00 UTC),
            source: Source::Agent,
            contents: Some(Contents {
                looks: vec![Fingerprint {
                    kind: "PostgreSQL".to_owned(),
                    version: Some("16".to_owned()),
                    worth: Worth::Critical,
                    evidence: vec!["PG_VERSION".to_owned()],
                }],
                stray: bytes,
                files: bytes,
                incomplete: None,
            }),
        }
    }

    async fn inventory() -> Inventory {
        let engine = demo::engine(DemoOptions::instant(datetime!(2024-05-01 12:00 UTC)));
        let mut inventory = list::load(&engine, Depth::Full).await.unwrap();
        inventory.warnings.clear();
        inventory
    }

    #[tokio::test]
    async fn sizes_come_back_but_not_to_a_mount_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut inventory = inventory().await;
        let (kept, gone) = (inventory.mounts[0].clone(), inventory.mounts[1].clone());
        let mut cache = SizeCache::at(dir.path());
        cache.put(&kept, size(7));
        cache.put(&gone, size(8));
        cache.save().unwrap();
        let mut cache = SizeCache::at(dir.path());
        assert_eq!(cache.get(&kept), Some(&size(7)));
        let anew = Mount {
            created: Some(datetime!(2024-05-01 11:00 UTC)),
            ..Mount::clone(&kept)
        };
        assert_eq!(cache.get(&anew), None);

        inventory.mounts.remove(1);
        cache.prune(&Inventory {
            warnings: vec!["?".to_owned()],
            ..inventory.clone()
        });
        assert!(cache.get(&gone).is_some(), "an incomplete list proves nothing gone");
        cache.prune(&inventory);
        cache.save().unwrap();
        let cache = SizeCache::at(dir.path());
        assert_eq!((cache.get(&gone), cache.get(&kept)), (None, Some(&size(7))));
    }

    #[tokio::test]
    async fn garbage_is_an_empty_cache_and_a_full_disk_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let mount = inventory().await.mounts.remove(0);
        for garbage in ["", "{", "{\"version\":9,\"sizes\":[]}", "[1]"] {
            fs::write(dir.path().join(FILE), garbage).unwrap();
            assert_eq!(SizeCache::at(dir.path()).get(&mount), None);
        }
        let mut cache = SizeCache::at(Path::new("/proc/nowhere"));
        cache.put(&mount, size(1));
        let error = cache.save().unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere"), "{error}");
    }
}
