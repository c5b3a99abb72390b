//! How a mount's contents may be reached: together with others, alone, only when asked, or never, and why.

use std::collections::BTreeMap;

use super::paths::{PathFacts, PathKind, normalise};
use crate::engine::daemon::VolumeRow;
use crate::model::{Attachment, Scan, bind_device};

/// Types of the local driver whose data comes over a network.
const REMOTE_TYPES: [&str; 14] = [
    "nfs",
    "nfs3",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "afs",
    "davfs",
];

/// How a volume may be reached.
pub(super) fn volume(row: &VolumeRow, attachments: &[Attachment]) -> Scan {
    if row.cluster {
        return match row.mountpoint.as_str() {
            "" => Scan::Never("a cluster volume that is not mounted on this node".to_owned()),
            _ => Scan::OnDemand("a cluster volume: its data may be remote".to_owned()),
        };
    }
    if row.driver != "local" {
        let driver = if row.driver.is_empty() {
            "an unknown driver"
        } else {
            &row.driver
        };
        return Scan::OnDemand(format!("kept by volume driver {driver}: its data may be remote"));
    }
    let fs_type = row.options.get("type").map_or("", String::as_str);
    let device = row.options.get("device").map_or("", String::as_str);
    if is_remote(&row.options) {
        let fs_type = if fs_type.is_empty() { "network" } else { fs_type };
        return Scan::OnDemand(format!("{fs_type} storage at {device}: mounting it uses the network"));
    }
    if bind_device(&row.driver, &row.options).is_some() || fs_type == "tmpfs" {
        return Scan::Alone;
    }
    if device.is_empty() && fs_type.is_empty() {
        return Scan::Shared;
    }
    // Mounting a file system that nobody has mounted may replay its journal: a write that nobody asked for.
    if attachments.iter().any(|one| one.state.is_live()) {
        return Scan::Alone;
    }
    Scan::OnDemand(format!("{fs_type} on {device}: looking into it mounts that device"))
}

/// Whether a volume of the local driver has its data behind a network.
pub(super) fn is_remote(options: &BTreeMap<String, String>) -> bool {
    let option = |key: &str| options.get(key).map_or("", String::as_str);
    let fs_type = option("type");
    let addressed = option("o").split(',').any(|option| option.trim().starts_with("addr="));
    REMOTE_TYPES.contains(&fs_type) || fs_type.starts_with("fuse") || addressed
}

/// How a bind's source may be reached when nobody asked for it by name.
pub(super) fn bind(source: &str, paths: &PathFacts) -> Scan {
    let canonical = paths.canonical(source);
    for path in [normalise(source), canonical] {
        if let Some(why) = never_by_name(&path) {
            return Scan::Never(why);
        }
    }
    match paths.kind(source) {
        PathKind::Socket => Scan::Never("a socket".to_owned()),
        PathKind::Device => Scan::Never("a device".to_owned()),
        PathKind::Fifo => Scan::Never("a named pipe".to_owned()),
        PathKind::Dir | PathKind::File => Scan::Shared,
        // May fail to mount, and shall not take others with it.
        PathKind::Missing => Scan::Alone,
        PathKind::Unknown => never_by_guess(source).map_or(Scan::Shared, Scan::Never),
    }
}

/// Why a path is never scanned unasked, whatever stands there.
fn never_by_name(path: &str) -> Option<String> {
    if path == "/" {
        return Some("the host's whole root directory".to_owned());
    }
    let tree = ["/proc", "/sys"].into_iter().find(|tree| {
        path.strip_prefix(tree)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })?;
    Some(format!("kernel data under {tree}, not files"))
}

/// Why a path that nobody could look at is not touched: its name says socket or device.
fn never_by_guess(path: &str) -> Option<String> {
    if path.ends_with(".sock") || path.ends_with(".socket") {
        return Some("a socket, by its name".to_owned());
    }
    let below_dev = path.strip_prefix("/dev/")?;
    let directory = ["shm", "mqueue", "hugepages"]
        .iter()
        .any(|name| below_dev.split('/').next() == Some(*name));
    (!directory).then(|| "a device, by its name".to_owned())
}

/// How a container's tmpfs may be reached.
pub(super) fn tmpfs(attachment: &Attachment) -> Scan {
    use crate::model::ContainerState::{Paused, Running};
    match attachment.state {
        Running | Paused => Scan::InContainer(attachment.container_id.clone()),
        _ => Scan::Never(format!(
            "its memory belongs to container {}, which is not running",
            attachment.container
        )),
    }
}
