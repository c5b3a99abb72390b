//! Which places `vole` never writes to, whatever is asked: pure rules over paths and what the agent says of an
//! opened root.

use vole_agent::proto::{Kind, RootInfo};

use crate::engine::host::{Location, Mounts, Relation, relation};
pub(super) use crate::engine::host_paths::{Ground, join, refused as path, tidy};

/// File systems that map owners themselves: remote ones, and what Docker Desktop shares.
const FOREIGN: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "fakeowner",
    "grpcfuse",
    "osxfs",
    "fuse.sshfs",
    "fuse.osxfs",
    "fuse.grpcfuse",
    "fuse.fakeowner",
    "smb2",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.glusterfs",
    "davfs",
    "fuse.davfs",
    "fuse.rclone",
    "fuse.s3fs",
    "vboxsf",
    "vmhgfs",
    "fuse.vmhgfs-fuse",
    "prl_fs",
];

/// Why a place of the host's file systems is refused, whichever path leads there: another name of it by a bind mount, or
/// one of something in it, may belong to the system.
pub(super) fn shown(mounts: &Mounts, place: &Location, ground: &Ground) -> Option<String> {
    // Programs show all of the host to themselves there (`/run/host`); what is there itself is refused by its path.
    let own = |point: &[u8]| relation(point, b"/run") != Relation::Under;
    let why = |point: &[u8]| path(&String::from_utf8_lossy(point), ground);
    let here = mounts.shown(place);
    let why_here = here.iter().filter(|point| own(point)).find_map(|point| {
        let shown = String::from_utf8_lossy(point);
        Some(format!("{shown} is another name of it; {}", why(point)?))
    });
    why_here.or_else(|| {
        let beneath = mounts.shown_beneath(place);
        beneath.into_iter().filter(|point| own(point)).find_map(|point| {
            let shown = String::from_utf8_lossy(point);
            Some(format!("{shown} is another name of something in it; {}", why(point)?))
        })
    })
}

/// Why an opened root is refused. `known` are the host's paths of the place that were looked at already; `below` is the
/// path in the root.
pub(super) fn opened(root: &RootInfo, known: &[String], below: &[u8], ground: &Ground) -> Option<String> {
    match root.kind {
        Kind::Socket => return Some("it is a socket".to_owned()),
        Kind::CharDevice | Kind::BlockDevice => return Some("it is a device".to_owned()),
        Kind::Fifo => return Some("it is a named pipe".to_owned()),
        Kind::File | Kind::Dir | Kind::Symlink | Kind::Unknown => {}
    }
    let fs_type = root.fs_type.to_ascii_lowercase();
    if FOREIGN.contains(&fs_type.as_str()) {
        return Some(format!(
            "it is on {fs_type}, where the other side decides who owns what: set the owner there, or in the mount's options"
        ));
    }
    // The path on its file system. It says something new only when the host's path does not end with it: a symlink on a
    // host that cannot be asked, or a bind mount of the host's.
    let real = String::from_utf8_lossy(&root.fs_root).into_owned();
    let explained = |known: &String| ends_with(&tidy(known), &tidy(&real));
    if real.is_empty() || tidy(&real) == "/" || known.iter().any(explained) {
        return None;
    }
    let real = join(&real, below);
    let why = path(&real, ground)?;
    Some(format!("it leads to {real} on its file system; {why}"))
}

/// Whether a tidy path ends with the components of another.
fn ends_with(path: &str, end: &str) -> bool {
    path.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground() -> Ground {
        Ground {
            engine_dirs: vec!["/var/lib/docker".to_owned(), "/big/docker".to_owned()],
            homes: vec!["/srv/people/ann".to_owned()],
        }
    }

    fn root(fs_root: &str) -> RootInfo {
        RootInfo {
            kind: Kind::Dir,
            fault: None,
            dev: (8, 1),
            fs_root: fs_root.as_bytes().to_vec(),
            fs_type: "ext4".to_owned(),
            source: Vec::new(),
            read_only: false,
            born: None,
        }
    }

    #[test]
    fn an_opened_root_shows_where_a_link_leads() {
        let known = ["/srv/link".to_owned()];
        let why = |fs_root: &str, below: &[u8]| opened(&root(fs_root), &known, below, &ground());
        assert!(why("/etc", b"").is_some_and(|why| why.contains("leads to /etc")));
        assert!(why("/home", b"ann").is_some());
        assert!(why("/var/lib/docker", b"").is_some());
        assert_eq!(why("/srv/link", b""), None);
        assert_eq!(why("/data", b"etc"), None);
    }

    #[test]
    fn every_other_name_of_a_place_counts() {
        let mounts = Mounts::parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - ext4 b rw\n3 1 8:2 /docker /big/docker rw - ext4 b rw\n\
            4 1 8:1 /etc /srv/etc rw - ext4 a rw\n5 1 8:3 / /home rw - ext4 c rw\n6 1 8:3 / /srv/h rw - ext4 c rw\n\
            7 1 8:1 / /run/host rw - ext4 a rw\n8 1 8:2 /app /big/docker/volumes/v/_data rw - ext4 b rw\n",
        );
        let why = |path: &[u8]| {
            let place = mounts.locate_canonical(path).unwrap();
            shown(&mounts, &place, &ground())
        };
        for refused in [
            &b"/srv/etc"[..],
            b"/srv/etc/nginx",
            b"/srv/h",
            b"/srv/h/ann",
            b"/data",
            b"/data/docker",
            b"/data/docker/containers",
            b"/run/host",
        ] {
            assert!(why(refused).is_some(), "{}", String::from_utf8_lossy(refused));
        }
        for allowed in [
            &b"/srv/app"[..],
            b"/data/app",
            b"/data/other",
            b"/srv/h/ann/app",
            b"/data/docker/volumes/v/_data",
        ] {
            assert_eq!(why(allowed), None, "{}", String::from_utf8_lossy(allowed));
        }
    }

    #[test]
    fn another_engines_data_are_refused_and_its_volumes_are_not() {
        let podman = "/var/lib/containers/storage";
        assert!(path(podman, &Ground::default()).is_some());
        assert!(path(&format!("{podman}/overlay/x"), &Ground::default()).is_some());
        assert_eq!(path(&format!("{podman}/volumes/v/_data"), &Ground::default()), None);
        assert!(path("/var/lib/docker/containers", &Ground::default()).is_some());
    }

    #[test]
    fn a_partition_of_its_own_is_no_directory_of_the_system() {
        let volume = ["/var/lib/docker/volumes/v/_data".to_owned()];
        assert_eq!(
            opened(&root("/lib/docker/volumes/v/_data"), &volume, b"", &ground()),
            None
        );
        assert_eq!(opened(&root("/"), &["/mnt/disk".to_owned()], b"etc", &ground()), None);
        let bind = ["/var/lib/app".to_owned()];
        assert_eq!(opened(&root("/lib/app"), &bind, b"", &ground()), None);
    }

    #[test]
    fn what_maps_owners_itself_and_what_has_none_is_refused() {
        for fs_type in [
            "nfs",
            "nfs4",
            "cifs",
            "9p",
            "virtiofs",
            "fakeowner",
            "fuse.sshfs",
            "NFS4",
        ] {
            let info = RootInfo {
                fs_type: fs_type.to_owned(),
                ..root("/x")
            };
            assert!(opened(&info, &["/x".to_owned()], b"", &ground()).is_some(), "{fs_type}");
        }
        for kind in [Kind::Socket, Kind::CharDevice, Kind::BlockDevice, Kind::Fifo] {
            let info = RootInfo { kind, ..root("/x") };
            assert!(opened(&info, &["/x".to_owned()], b"", &ground()).is_some(), "{kind:?}");
        }
    }
}
