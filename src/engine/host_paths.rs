//! Paths of a host that `vole` never changes owners in: a list and pure rules over text. Looks at no file.

use crate::engine::host::{Relation, relation};

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
/// Where engines keep their data by default: another one than that which is asked may run here too.
const ENGINES: &[&str] = &["/var/lib/docker", "/var/lib/containers/storage"];

/// What is known of the engine's host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ground {
    /// Where the engine keeps its data, as it says and with symlinks resolved.
    pub engine_dirs: Vec<String>,
    /// Home directories of people; empty on a host that cannot be asked.
    pub homes: Vec<String>,
}

/// Why a path of the host is refused.
pub fn refused(path: &str, ground: &Ground) -> Option<String> {
    let path = tidy(path);
    let to = |other: &str| relation(path.as_bytes(), tidy(other).as_bytes());
    if path.split('/').any(|part| part == ".ssh") {
        return Some(format!(
            "{path} holds somebody's SSH keys, which work with their owner alone"
        ));
    }
    let told = ground.engine_dirs.iter().map(String::as_str);
    for dir in told.chain(ENGINES.iter().copied()) {
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

/// A path below another.
pub fn join(base: &str, below: &[u8]) -> String {
    match below {
        [] => base.to_owned(),
        below => format!("{}/{}", base.trim_end_matches('/'), String::from_utf8_lossy(below)),
    }
}

/// A path by its text alone: no doubled slashes, no `.`, no `..`, no slash at its end.
pub fn tidy(path: &str) -> String {
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
        let forbidden = [
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
        for place in forbidden {
            assert!(refused(place, &ground()).is_some(), "{place}");
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
            assert_eq!(refused(place, &ground()), None, "{place}");
        }
    }
}
