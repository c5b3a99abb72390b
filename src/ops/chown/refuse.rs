//! Which places `vole` never changes owners in, whatever is asked: pure rules over paths and what the agent says of an
//! opened root.

use vole_agent::proto::{Kind, RootInfo};

use crate::engine::host::{Location, Mounts, Relation, relation};

/// Directories of the system: they, and all beneath.
const TREES: &[&str] = &[
    "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/libexec", "/boot", "/proc", "/sys",
    "/dev", "/run", "/var/run",
];
/// Directories that others share: they themselves, not each thing beneath.
const TOPS: &[&str] = &[
    "/",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/cache",
    "/var/spool",
    "/var/tmp",
    "/tmp",
    "/home",
    "/Users",
    "/root",
    "/opt",
];
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
/// Where engines keep their data by default: another one than that which is asked may run here too.
const ENGINES: &[&str] = &["/var/lib/docker", "/var/lib/containers/storage"];

/// What is known of the engine's host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ground {
    /// Where the engine keeps its data, as it says and with symlinks resolved.
    pub(super) engine_dirs: Vec<String>,
    /// Home directories of people; empty on a host that cannot be asked.
    pub(super) homes: Vec<String>,
}

/// Why a path of the host is refused.
pub(super) fn path(path: &str, ground: &Ground) -> Option<String> {
    let path = tidy(path);
    let to = |other: &str| relation(path.as_bytes(), tidy(other).as_bytes());
    if path.split('/').any(|part| part == ".ssh") {
        return Some(format!(
            "{path} holds somebody's SSH keys, which work with their owner alone"
        ));
    }
    for dir in ground
        .engine_dirs
        .iter()
        .map(String::as_str)
        .chain(ENGINES.iter().copied())
    {
        match to(dir) {
            Relation::Apart => {}
            Relation::Under if is_volume_data(&path, &tidy(dir)) => return None,
            Relation::Under | Relation::Equal => {
                return Some(format!("{path} belongs to the engine, which keeps its data in {dir}"));
            }
            Relation::Contains => return Some(format!("{path} holds the engine's own data ({dir})")),
        }
    }
    for tree in TREES {
        match to(tree) {
            Relation::Apart => {}
            Relation::Equal | Relation::Under => return Some(format!("{path} belongs to the system ({tree})")),
            Relation::Contains => return Some(format!("{path} holds a directory of the system ({tree})")),
        }
    }
    for top in TOPS {
        match to(top) {
            Relation::Equal => return Some(format!("{path} is shared by all of the host")),
            Relation::Contains => return Some(format!("{path} holds {top}, which all of the host shares")),
            Relation::Under | Relation::Apart => {}
        }
    }
    home(&path, ground)
}

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

fn home(path: &str, ground: &Ground) -> Option<String> {
    let mut parts = path.split('/').skip(1);
    if matches!(
        (parts.next(), parts.next(), parts.next()),
        (Some("home" | "Users"), Some(_), None)
    ) {
        return Some(format!("{path} is somebody's home directory"));
    }
    ground.homes.iter().find_map(|home| {
        let how = relation(path.as_bytes(), tidy(home).as_bytes());
        let here = matches!(how, Relation::Equal | Relation::Contains);
        here.then(|| format!("{path} is, or holds, somebody's home directory ({home})"))
    })
}

/// Whether a path is, or lies in, the data of one volume: `volumes/NAME/_data`.
fn is_volume_data(path: &str, engine_dir: &str) -> bool {
    let below = path.strip_prefix(engine_dir).unwrap_or_default();
    let mut parts = below.split('/').filter(|part| !part.is_empty());
    parts.next() == Some("volumes") && parts.next().is_some() && parts.next() == Some("_data")
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

/// A path below another.
pub(super) fn join(base: &str, below: &[u8]) -> String {
    match below {
        [] => base.to_owned(),
        below => format!("{}/{}", base.trim_end_matches('/'), String::from_utf8_lossy(below)),
    }
}

/// A path by its text alone: no doubled slashes, no `.`, no `..`, no slash at its end.
pub(super) fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
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

    #[test]
    fn what_belongs_to_the_host_is_refused_however_it_is_spelled() {
        let refused = [
            "/",
            "//",
            "/.",
            "/srv/..",
            "/etc",
            "/etc/",
            "//etc//",
            "/etc/nginx",
            "/srv/../etc",
            "/./usr/local",
            "/usr",
            "/bin",
            "/sbin",
            "/lib",
            "/lib64/x",
            "/boot",
            "/boot/grub",
            "/proc",
            "/proc/1/root",
            "/sys/fs",
            "/dev",
            "/dev/shm/x",
            "/run",
            "/run/docker.sock",
            "/var/run",
            "/var/run/x",
            "/var",
            "/var/",
            "/var/lib",
            "/var/log",
            "/var/cache",
            "/var/spool",
            "/var/tmp",
            "/tmp",
            "/home",
            "/home/ann",
            "/home/ann/",
            "/home/ann/../bob",
            "/Users/ann",
            "/root",
            "/root/.ssh",
            "/home/ann/.ssh",
            "/srv/x/.ssh",
            "/srv/.ssh/keys",
            "/opt",
            "/var/lib/docker",
            "/var/lib/docker/volumes",
            "/var/lib/docker/volumes/x",
            "/var/lib/docker/overlay2/a/diff",
            "/var/lib/docker/containers",
            "/var/lib/docker/volumes/../image",
            "/var/lib/docker/volumes/v/_data/../..",
            "/var/lib/docker/volumes/v/_data/.ssh",
            "/big",
            "/big/docker",
            "/srv/people",
            "/srv/people/ann",
            "/srv",
        ];
        for place in refused {
            assert!(path(place, &ground()).is_some(), "{place}");
        }
    }

    #[test]
    fn what_belongs_to_containers_is_not() {
        let allowed = [
            "/srv/app",
            "/srv/people/ann/app",
            "/home/ann/app",
            "/var/lib/docker/volumes/v/_data",
            "/var/lib/docker/volumes/v/_data/etc",
            "/big/docker/volumes/v/_data/",
            "/var/lib/postgresql",
            "/var/log/app",
            "/tmp/x",
            "/opt/app",
            "/etcetera",
            "/data/etc",
            "/library",
            "/big/dockers",
            "/root/app",
        ];
        for place in allowed {
            assert_eq!(path(place, &ground()), None, "{place}");
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
