//! Volumes as rows: those that the engine lists, and those that only containers speak of.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::orphans::Claims;
use super::{Evidence, Uses, attachments, projects, scan, used_by};
use crate::engine::daemon::VolumeRow;
use crate::model::{Labels, Mount, MountId, MountKind, Orphan, Scan};

/// Engine 23 and later puts this label on volumes that nobody named.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// Builds the rows of all volumes, by name.
pub(super) fn build<'a>(evidence: Evidence<'a>, uses: &Uses<'a>, warnings: &mut Vec<String>) -> Vec<Arc<Mount>> {
    let claims = Claims::collect(evidence, uses);
    let rows = evidence.volumes.map(|list| list.rows.as_slice()).unwrap_or_default();
    let mut mounts: Vec<Arc<Mount>> = rows.iter().map(|row| Arc::new(listed(row, &claims, uses))).collect();
    let known: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let mut unlisted: Vec<&str> = uses
        .volumes
        .keys()
        .copied()
        .filter(|name| !known.contains(name))
        .collect();
    unlisted.sort_unstable();
    for name in unlisted {
        if evidence.volumes.is_ok() {
            warnings.push(format!(
                "volume {name} is used by a container, but the engine does not list it"
            ));
        }
        mounts.push(Arc::new(only_told(name, uses)));
    }
    mounts.sort_by(|a, b| a.name.cmp(&b.name));
    mounts.dedup_by(|a, b| a.id == b.id);
    mounts
}

fn kind(row: &VolumeRow) -> MountKind {
    if row.cluster {
        MountKind::Cluster
    } else if row.labels.contains_key(ANONYMOUS) || is_generated(&row.name) {
        MountKind::Anonymous
    } else {
        MountKind::Named
    }
}

/// Whether a name looks like one that an engine made: 64 lowercase hexadecimal digits.
pub(super) fn is_generated(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn listed(row: &VolumeRow, claims: &Claims<'_>, uses: &Uses<'_>) -> Mount {
    let uses = uses
        .volumes
        .get(row.name.as_str())
        .map(Vec::as_slice)
        .unwrap_or_default();
    let attachments = attachments(uses);
    let judged = claims.judge(row, &attachments);
    let (project, project_derived) = projects::project(&row.labels, uses);
    Mount {
        id: MountId::new(format!("volume:{}", row.name)),
        kind: kind(row),
        name: row.name.clone(),
        driver: row.driver.clone(),
        options: row.options.clone(),
        labels: Arc::clone(&row.labels),
        project,
        project_derived,
        services: projects::services(uses),
        created: row.created,
        host_path: Some(row.mountpoint.clone()).filter(|path| !path.is_empty()),
        orphan: judged.orphan,
        reason: judged.reason,
        overseen: judged.overseen,
        scan: scan::volume(row, &attachments),
        attachments,
    }
}

/// A volume that containers use but that the engine does not list: a driver that does not answer, or a list that failed.
fn only_told(name: &str, uses: &Uses<'_>) -> Mount {
    let point = uses.told.get(name);
    let uses = uses.volumes.get(name).map(Vec::as_slice).unwrap_or_default();
    let attachments = attachments(uses);
    let (project, project_derived) = projects::project(&Labels::default(), uses);
    let reason = used_by(&attachments).unwrap_or_else(|| "the engine does not list it".to_owned());
    Mount {
        id: MountId::new(format!("volume:{name}")),
        kind: if is_generated(name) {
            MountKind::Anonymous
        } else {
            MountKind::Named
        },
        name: name.to_owned(),
        driver: point.map(|point| point.driver.clone()).unwrap_or_default(),
        options: BTreeMap::new(),
        labels: Arc::default(),
        project,
        project_derived,
        services: projects::services(uses),
        created: None,
        host_path: point
            .map(|point| point.source.clone())
            .filter(|path| path.starts_with('/')),
        orphan: if attachments.is_empty() {
            Orphan::Unknown
        } else {
            Orphan::No
        },
        reason,
        overseen: false,
        scan: Scan::OnDemand("the engine does not list this volume, so what backs it is unknown".to_owned()),
        attachments,
    }
}
