//! Bind mounts as rows, one per source path, and image mounts, one per image.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evidence, Use, Uses, attachments, projects, scan, used_by};
use crate::model::{Labels, Mount, MountId, MountKind, Orphan, Scan};

/// Builds the rows of all bind sources, by path.
pub(super) fn build(evidence: Evidence<'_>, uses: &Uses<'_>) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = uses
        .binds
        .iter()
        .map(|(source, uses)| Mount {
            host_path: Some(source.clone()),
            ..row(
                MountKind::Bind,
                "bind",
                source,
                uses,
                scan::bind(source, evidence.paths),
            )
        })
        .collect();
    mounts.sort_by(|a, b| a.name.cmp(&b.name));
    mounts
}

/// Builds the rows of all images that are mounted as file systems, by reference.
pub(super) fn images(uses: &Uses<'_>) -> Vec<Mount> {
    let why = "an image: its contents are no data of yours";
    let mut mounts: Vec<Mount> = uses
        .images
        .iter()
        .map(|(image, uses)| row(MountKind::Image, "image", image, uses, Scan::Never(why.to_owned())))
        .collect();
    mounts.sort_by(|a, b| a.name.cmp(&b.name));
    mounts
}

/// A row of something that is no volume.
pub(super) fn row(kind: MountKind, prefix: &str, name: &str, uses: &[Use<'_>], scan: Scan) -> Mount {
    let attachments = attachments(uses);
    let (project, derived) = projects::project(&Labels::default(), uses);
    Mount {
        id: MountId::new(format!("{prefix}:{name}")),
        kind,
        name: name.to_owned(),
        driver: String::new(),
        options: BTreeMap::new(),
        labels: Arc::default(),
        project,
        project_derived: derived,
        services: projects::services(uses),
        created: None,
        host_path: None,
        orphan: Orphan::No,
        reason: used_by(&attachments).unwrap_or_default(),
        overseen: false,
        attachments,
        scan,
    }
}
