//! An archive as the mount that it is shown as. Knows no file.

use crate::archive::Archive;
use crate::model::{Mount, MountId, Orphan, Scan};

/// The mount that the files of an archive are shown as: named after its file.
pub(super) fn mount(archive: &Archive) -> Mount {
    let origin = &archive.origin;
    let path = archive.path.to_string_lossy();
    let name = archive.path.file_name().unwrap_or_default().to_string_lossy();
    Mount {
        id: MountId::new(format!("archive:{path}")),
        kind: origin.kind,
        name: name.into_owned(),
        driver: String::new(),
        options: Default::default(),
        labels: Default::default(),
        project: None,
        project_derived: false,
        services: Vec::new(),
        created: Some(origin.begun),
        host_path: None,
        orphan: Orphan::No,
        reason: "an archive".to_owned(),
        overseen: false,
        attachments: Vec::new(),
        scan: Scan::Alone,
    }
}
