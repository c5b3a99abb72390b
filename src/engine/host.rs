//! Whether the engine shares this host, and where host paths really are: two paths are the same place when device
//! and path on that device are, whatever symlinks and bind mounts lead there. Reads only, mounts nothing.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::ops::Bound;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::daemon::About;
use super::endpoint::Endpoint;

/// Whether the engine runs on this very host, so that its paths are ours: reached through a unix socket, same host
/// name, same kernel, and its data root is a directory here.
///
/// A guess from outside: it takes a forwarded socket for local when the other host has our name, our kernel and a
/// data root at the same place, and an engine in another mount namespace (rootless) for local as well. What is done
/// by path therefore only reads, and what it reads is marked as such.
pub fn is_this_host(endpoint: &Endpoint, about: &About) -> bool {
    endpoint.is_unix()
        && !about.name.is_empty()
        && kernel_says("hostname").is_some_and(|name| name == about.name)
        && kernel_says("osrelease").is_some_and(|kernel| kernel == about.kernel)
        && Path::new(&about.root_dir).is_absolute()
        && Path::new(&about.root_dir).is_dir()
}

fn kernel_says(name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Where something is: a device and the path on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// Major and minor number of the file system's device.
    pub dev: (u32, u32),
    /// Path from that file system's own root, starting with `/`.
    pub path: Vec<u8>,
}

/// How one location lies to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They are the same.
    Equal,
    /// The first contains the second.
    Contains,
    /// The first lies under the second.
    Under,
    /// Neither.
    Apart,
}

impl Location {
    /// How this location lies to another. Another file system mounted beneath counts as apart: ask by path as well.
    pub fn relation(&self, other: &Self) -> Relation {
        if self.dev == other.dev {
            relation(&self.path, &other.path)
        } else {
            Relation::Apart
        }
    }
}

/// How two absolute paths lie to each other by their text alone (slashes at the end and doubled ones do not count).
pub fn relation(this: &[u8], other: &[u8]) -> Relation {
    let parts = |path| <[u8]>::split(path, |&byte| byte == b'/').filter(|part| !part.is_empty());
    let (mut these, mut others) = (parts(this), parts(other));
    loop {
        match (these.next(), others.next()) {
            (None, None) => return Relation::Equal,
            (None, Some(_)) => return Relation::Contains,
            (Some(_), None) => return Relation::Under,
            (Some(one), Some(two)) if one != two => return Relation::Apart,
            (Some(_), Some(_)) => {}
        }
    }
}

/// This host's mounts at one moment, for many questions.
#[derive(Debug, Clone)]
pub struct Mounts {
    rows: Vec<MountRow>,
    /// The last row at each mount point, which hides the others: thousands of volumes ask on hosts with hundreds of mounts.
    last_at: HashMap<Vec<u8>, usize>,
}

#[derive(Debug, Clone)]
struct MountRow {
    dev: (u32, u32),
    root: Vec<u8>,
    point: Vec<u8>,
}

impl Mounts {
    /// Reads this process's mounts; `None` when there is no `/proc`.
    pub fn read() -> Option<Self> {
        fs::read("/proc/self/mountinfo").ok().map(|text| Self::parse(&text))
    }

    /// Reads the text of a `mountinfo`; lines that make no sense are left out.
    pub fn parse(mountinfo: &[u8]) -> Self {
        let rows: Vec<MountRow> = mountinfo
            .split(|&byte| byte == b'\n')
            .filter_map(MountRow::parse)
            .collect();
        let last_at = rows
            .iter()
            .enumerate()
            .map(|(at, row)| (row.point.clone(), at))
            .collect();
        Self { rows, last_at }
    }

    /// Mount points beneath a path without symlinks, relative to it, sorted.
    pub fn beneath(&self, canonical: &[u8]) -> Vec<Vec<u8>> {
        let canonical = canonical.strip_suffix(b"/").unwrap_or(canonical);
        let below = self
            .points()
            .filter_map(|point| point.strip_prefix(canonical)?.strip_prefix(b"/"));
        let mut beneath: Vec<Vec<u8>> = below.filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec).collect();
        beneath.sort();
        beneath.dedup();
        beneath
    }

    /// Where a path leads, symlinks followed; `None` when it does not exist or may not be looked up.
    pub fn locate(&self, path: &Path) -> Option<Location> {
        let canonical = fs::canonicalize(path).ok()?;
        self.locate_canonical(canonical.as_os_str().as_bytes())
    }

    /// Where a path without symlinks is.
    pub fn locate_canonical(&self, canonical: &[u8]) -> Option<Location> {
        let above = Path::new(OsStr::from_bytes(canonical)).ancestors();
        let mount = above
            .filter_map(|path| self.last_at.get(path.as_os_str().as_bytes()))
            .find_map(|&at| self.rows.get(at))?;
        let mut path = PathBuf::from(OsStr::from_bytes(&mount.root));
        let below = Path::new(OsStr::from_bytes(canonical))
            .strip_prefix(OsStr::from_bytes(&mount.point))
            .ok()?;
        if !below.as_os_str().is_empty() {
            path.push(below);
        }
        Some(Location {
            dev: mount.dev,
            path: path.into_os_string().into_vec(),
        })
    }

    /// Every path at which a place of a file system shows, hidden ones too.
    pub fn shown(&self, place: &Location) -> Vec<Vec<u8>> {
        let rows = self.rows.iter().filter(|row| row.dev == place.dev);
        rows.filter_map(|row| {
            let root = Path::new(OsStr::from_bytes(&row.root));
            let below = Path::new(OsStr::from_bytes(&place.path)).strip_prefix(root).ok()?;
            let mut path = PathBuf::from(OsStr::from_bytes(&row.point));
            if !below.as_os_str().is_empty() {
                path.push(below);
            }
            Some(path.into_os_string().into_vec())
        })
        .collect()
    }

    /// Every mount point at which something beneath a place of a file system shows.
    pub fn shown_beneath(&self, place: &Location) -> Vec<&[u8]> {
        let rows = self.rows.iter().filter(|row| row.dev == place.dev);
        rows.filter(|row| relation(&place.path, &row.root) == Relation::Contains)
            .map(|row| row.point.as_slice())
            .collect()
    }

    /// All mount points.
    pub fn points(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|row| row.point.as_slice())
    }

    /// All mount points in order, for [`first_below`].
    pub fn sorted_points(&self) -> BTreeSet<&[u8]> {
        self.points().collect()
    }

    /// Whether something is mounted exactly at a path without symlinks.
    pub fn is_mount_point(&self, canonical: &Path) -> bool {
        let path = canonical.as_os_str().as_bytes();
        self.rows
            .iter()
            .any(|row| relation(&row.point, path) == Relation::Equal)
    }
}

/// The first of these mount points that lies beneath a path without symlinks.
pub fn first_below<'a>(points: &BTreeSet<&'a [u8]>, canonical: &[u8]) -> Option<&'a [u8]> {
    let mut prefix = canonical.strip_suffix(b"/").unwrap_or(canonical).to_vec();
    prefix.push(b'/');
    let from = (Bound::Excluded(prefix.as_slice()), Bound::Unbounded);
    let next = points.range::<[u8], _>(from).next();
    next.copied().filter(|point| point.starts_with(&prefix))
}

impl MountRow {
    /// `id parent major:minor root mount-point options …`
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let dev = std::str::from_utf8(fields.nth(2)?).ok()?;
        let (major, minor) = dev.split_once(':')?;
        let dev = (major.parse().ok()?, minor.parse().ok()?);
        Some(Self {
            dev,
            root: unescape(fields.next()?),
            point: unescape(fields.next()?),
        })
    }
}

/// The kernel writes blanks, tabs, newlines and backslashes as `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if first == b'\\' => {
                out.push(byte);
                rest = &tail[3..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

/// Where a path leads on this host, see [`Mounts::locate`]; for many paths read [`Mounts`] once.
pub fn locate(path: &Path) -> Option<Location> {
    Mounts::read()?.locate(path)
}

/// What stands at a path of this host, symlinks followed as a bind mount follows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum HostKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// A named pipe.
    Fifo,
    /// Nothing.
    Missing,
    /// Not to be told: this user may not look.
    #[default]
    Unknown,
}

/// Says what stands at a path of this host. Meaningful only when [`About::same_host`].
pub fn classify_host_path(path: &Path) -> HostKind {
    let kind = match fs::metadata(path) {
        Ok(meta) => meta.file_type(),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return HostKind::Missing;
        }
        Err(_) => return HostKind::Unknown,
    };
    match kind {
        kind if kind.is_dir() => HostKind::Dir,
        kind if kind.is_file() => HostKind::File,
        kind if kind.is_socket() => HostKind::Socket,
        kind if kind.is_block_device() || kind.is_char_device() => HostKind::Device,
        kind if kind.is_fifo() => HostKind::Fifo,
        _ => HostKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &[u8] = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
        30 22 8:1 / /srv rw - ext4 /dev/sda1 rw\n\
        31 22 254:0 /var/lib/docker/volumes/va/_data /mnt/alias rw - ext4 /dev/vda rw\n\
        32 22 8:1 /sub /mnt/with\\040blank rw - ext4 /dev/sda1 rw\n\
        33 30 0:40 / /srv rw - tmpfs none rw\n\
        nonsense\n";

    fn at(path: &str) -> Location {
        Mounts::parse(MOUNTINFO).locate_canonical(path.as_bytes()).unwrap()
    }

    #[test]
    fn a_bind_mount_is_seen_through() {
        let data = at("/var/lib/docker/volumes/va/_data");
        assert_eq!(at("/mnt/alias").relation(&data), Relation::Equal);
        assert_eq!(at("/mnt/alias/deep/er").relation(&data), Relation::Under);
        assert_eq!(at("/var/lib").relation(&at("/mnt/alias")), Relation::Contains);
        assert_eq!(at("/mnt").relation(&data), Relation::Apart);
        assert_eq!(at("/mnt/aliased").path, b"/mnt/aliased");
    }

    #[test]
    fn what_is_mounted_beneath_a_path_is_found() {
        let mounts = Mounts::parse(MOUNTINFO);
        let points = mounts.sorted_points();
        let below = |path: &str| first_below(&points, path.as_bytes());
        assert_eq!(below("/mnt"), Some(b"/mnt/alias".as_slice()));
        assert_eq!(below("/"), Some(b"/mnt/alias".as_slice()));
        assert_eq!(
            (below("/srv"), below("/mnt/alias"), below("/mnt/ali")),
            (None, None, None)
        );
    }

    #[test]
    fn what_is_mounted_beneath_is_named_from_there() {
        let mounts = Mounts::parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /srv/a/b rw - ext4 a rw\n3 1 8:2 / /srv/a rw - ext4 a rw\n\
            4 1 8:2 / /srv/a/b rw - ext4 a rw\n5 1 8:2 / /srv/ab rw - ext4 a rw\n",
        );
        assert_eq!(mounts.beneath(b"/srv/a"), [b"b".to_vec()]);
        assert_eq!(mounts.beneath(b"/").len(), 3);
    }

    #[test]
    fn the_last_of_several_mounts_counts_and_escapes_are_read() {
        assert_eq!(
            at("/srv/x"),
            Location {
                dev: (0, 40),
                path: b"/x".to_vec()
            }
        );
        assert_eq!(
            at("/mnt/with blank/x"),
            Location {
                dev: (8, 1),
                path: b"/sub/x".to_vec()
            }
        );
        assert_eq!(
            at("/"),
            Location {
                dev: (254, 0),
                path: b"/".to_vec()
            }
        );
        assert_eq!(Mounts::parse(b"").locate_canonical(b"/"), None);
    }

    #[test]
    fn a_symlink_leads_to_the_same_place() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        fs::write(real.join("file"), "").unwrap();
        assert_eq!(locate(&link), locate(&real));
        let under = locate(&link.join("file")).unwrap();
        assert_eq!(under.relation(&locate(&real).unwrap()), Relation::Under);
        assert_eq!(locate(&dir.path().join("none")), None);
    }

    #[test]
    fn paths_are_compared_by_whole_components() {
        assert_eq!(relation(b"/a/b", b"/a//b/"), Relation::Equal);
        assert_eq!(relation(b"/a/b", b"/a/bc"), Relation::Apart);
        assert_eq!(relation(b"/", b"/a"), Relation::Contains);
        assert_eq!(relation(b"/a/b/c", b"/a/b"), Relation::Under);
    }

    #[test]
    fn host_paths_are_classified() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        assert_eq!(classify_host_path(&socket), HostKind::Socket);
        assert_eq!(classify_host_path(dir.path()), HostKind::Dir);
        assert_eq!(classify_host_path(&dir.path().join("file")), HostKind::File);
        assert_eq!(classify_host_path(&dir.path().join("file/x")), HostKind::Missing);
        assert_eq!(classify_host_path(&dir.path().join("none")), HostKind::Missing);
        assert_eq!(classify_host_path(Path::new("/dev/null")), HostKind::Device);
    }
}
