//! What a helper has to mount to reach a mount's contents. Knows mounts, not helpers.

use super::session::Target;
use crate::model::{Mount, MountKind, Scan, bind_device};

impl Target {
    /// What has to be mounted to reach a mount that somebody asked for.
    ///
    /// # Errors
    ///
    /// Why it cannot be reached, for the operator: [`Scan::Never`]'s reason.
    pub fn of(mount: &Mount) -> Result<Self, String> {
        match (&mount.scan, mount.kind) {
            (Scan::Never(why), _) => Err(why.clone()),
            (Scan::InContainer(container), _) => {
                let destination = mount.attachments.first().map(|one| one.destination.clone());
                Ok(Self::InContainer {
                    container: container.clone(),
                    destination: destination.ok_or("no container attaches it")?,
                })
            }
            (_, MountKind::Bind) => Ok(Self::Path(mount.name.clone())),
            (_, MountKind::Named | MountKind::Anonymous | MountKind::Cluster) => Ok(Self::Volume {
                name: mount.name.clone(),
                mountpoint: contents(mount),
            }),
            (_, MountKind::Tmpfs | MountKind::Image) => Err("it has no contents of its own".to_owned()),
        }
    }
}

/// The path on the engine's host that holds a volume's contents now. A volume with options is an empty directory at
/// its mount point until a container has it mounted.
fn contents(mount: &Mount) -> Option<String> {
    if let Some(device) = bind_device(&mount.driver, &mount.options) {
        return Some(device.to_owned());
    }
    let mounted = mount.attachments.iter().any(|one| one.state.is_live());
    (mount.scan == Scan::Shared || mounted)
        .then(|| mount.host_path.clone())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(options: &[(&str, &str)], scan: Scan) -> Mount {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Mount {
            options: options.iter().map(owned).collect(),
            host_path: Some("/data/v/_data".to_owned()),
            scan,
            ..Mount::sample("v")
        }
    }

    #[test]
    fn a_volume_with_options_is_not_its_empty_mount_point() {
        let path = |mount: &Mount| match Target::of(mount) {
            Ok(Target::Volume { mountpoint, .. }) => mountpoint,
            other => panic!("{other:?}"),
        };
        assert_eq!(path(&volume(&[], Scan::Shared)).as_deref(), Some("/data/v/_data"));
        let bind = volume(&[("type", "none"), ("o", "bind"), ("device", "/srv")], Scan::Alone);
        assert_eq!(path(&bind).as_deref(), Some("/srv"));
        assert_eq!(
            path(&volume(&[("type", "tmpfs"), ("device", "tmpfs")], Scan::Alone)),
            None
        );
        assert_eq!(
            Target::of(&volume(&[], Scan::Never("no".to_owned()))),
            Err("no".to_owned())
        );
    }
}
