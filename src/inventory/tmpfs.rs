//! Memory file systems as rows, one per container and destination.

use super::{Uses, binds, scan};
use crate::model::{Mount, MountId, MountKind};

/// Builds the rows of all tmpfs mounts, by container and destination.
pub(super) fn build(uses: &Uses<'_>) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = uses
        .tmpfs
        .iter()
        .map(|one| {
            let name = format!("{}:{}", one.attachment.container, one.attachment.destination);
            let scan = scan::tmpfs(&one.attachment);
            Mount {
                id: MountId::new(format!("tmpfs:{}:{}", one.container.id, one.attachment.destination)),
                ..binds::row(MountKind::Tmpfs, "tmpfs", &name, std::slice::from_ref(one), scan)
            }
        })
        .collect();
    mounts.sort_by(|a, b| a.name.cmp(&b.name));
    mounts.dedup_by(|a, b| a.id == b.id);
    mounts
}
