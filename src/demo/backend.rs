//! Answers the agent's protocol out of the demo's trees, with the agent's semantics. Knows nothing of engines
//! or screens.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use vole_agent::proto::{
    Cursor, Entry, Fault, FileSystem, Followed, Hello, Kind, Order, Page, Place, Reply, Request, RootInfo,
};
use vole_agent::serve::{Backend, Halt, Sink};
use vole_agent::signs::Signs;

use super::contents::Contents;
use super::tree::{Node, fault};
use super::unpacking::{self, Places};
use super::{access, owners, packing, search, usage};

/// The most entries in a page.
const PAGE_LIMIT: u32 = 4096;
/// The most bytes in one [`Reply::Data`].
const CHUNK: usize = 256 << 10;
/// How often a followed file is looked at that does not grow.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a root of the demo stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// The disk of the engine's data root.
    System,
    /// The big disk for films.
    Media,
    /// Memory of this many bytes.
    Memory(u64),
    /// A network share.
    Nas,
}

/// A tree with what the kernel would say of its mount.
#[derive(Debug)]
pub(super) struct Root {
    /// The settled tree.
    pub(super) node: Node,
    /// What it stands on.
    pub(super) disk: Disk,
    /// The path on its file system.
    pub(super) path: String,
}

/// One session's roots.
#[derive(Debug)]
pub(super) struct Trees {
    /// The roots, in the order in which they were asked for.
    pub(super) roots: Vec<Arc<Root>>,
    /// Whether measurements answer at once instead of taking a moment.
    pub(super) instant: bool,
    /// Whether they were opened for a change.
    pub(super) writable: bool,
    /// Where the roots stand.
    pub(super) places: Places,
}

impl Trees {
    fn root(&self, index: u32) -> Result<&Root, Fault> {
        let root = usize::try_from(index).ok().and_then(|index| self.roots.get(index));
        root.map(AsRef::as_ref)
            .ok_or_else(|| fault(Errno::NOENT, b"", &format!("finding root {index}")))
    }

    /// Looks up a place.
    pub(super) fn node(&self, at: &Place) -> Result<Cow<'_, Node>, Fault> {
        self.root(at.root)?.node.resolve(&at.path)
    }
}

impl Backend for Trees {
    fn hello(&self) -> Hello {
        Hello {
            arch: super::ARCH.to_owned(),
            kernel: super::KERNEL.to_owned(),
            openat2: true,
            roots: self.roots.iter().map(|root| root_info(root, !self.writable)).collect(),
        }
    }

    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        match request {
            Request::List {
                at,
                order,
                after,
                limit,
            } => {
                let page = list(self.node(&at)?.as_ref(), &at.path, order, after.as_ref(), limit)?;
                sink.send(Reply::Page(page))?;
                Ok(Vec::new())
            }
            Request::Stat { at } => {
                sink.send(Reply::Entry(self.node(&at)?.entry()))?;
                Ok(Vec::new())
            }
            Request::Read { at, offset, len } => read(self.node(&at)?.as_ref(), &at.path, offset, len, sink),
            Request::Follow { at, tail } => follow(self.node(&at)?.as_ref(), &at.path, tail, sink),
            Request::Usage {
                places, depth, signs, ..
            } => usage::usage(self, &places, depth, &Signs::new(signs), sink),
            Request::Find { at, dfa, limit } => search::find(self, &at, &dfa, limit, sink),
            Request::Grep {
                at,
                dfa,
                limit,
                max_line,
                binary,
            } => {
                let limits = search::Limits {
                    lines: limit,
                    max_line,
                    binary,
                };
                search::grep(self, &at, &dfa, limits, sink)
            }
            Request::Probe { probes } => access::probe(self, &probes, sink),
            Request::Census { at, change, leave } => owners::census(self, &at, &change, &leave, sink),
            Request::Own { at, change, leave } => owners::own(self, &at, &change, &leave, sink),
            Request::Undo { root, change, groups } => owners::undo(self, root, &change, &groups, sink),
            Request::Pack(pack) => packing::pack(self, &pack, sink),
            Request::Unpack(unpack) => unpacking::unpack(self, &unpack, sink),
            // Nothing of the demo outlives a kill, so nothing is left half-done.
            Request::Mend { .. } => {
                sink.send(Reply::Mended(Vec::new()))?;
                Ok(Vec::new())
            }
            Request::FileSystems { roots } => {
                let rows = roots
                    .iter()
                    .map(|&index| Ok(file_system(index, self.root(index)?)))
                    .collect::<Result<Vec<_>, Fault>>()?;
                sink.send(Reply::FileSystems(rows))?;
                Ok(Vec::new())
            }
        }
    }
}

fn list(node: &Node, path: &[u8], order: Order, after: Option<&Cursor>, limit: u32) -> Result<Page, Fault> {
    node.enterable()
        .map_err(|errno| fault(errno, path, "opening the directory"))?;
    let start = match after {
        None => 0,
        Some(Cursor(bytes)) => {
            let index =
                <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| fault(Errno::INVAL, path, "continuing a list"))?;
            usize::try_from(u64::from_le_bytes(index)).unwrap_or(usize::MAX)
        }
    };
    let mut entries = Vec::new();
    node.each_child(&mut |child| {
        entries.push(child.entry());
        true
    });
    entries.sort_by(|a, b| compare(a, b, order));
    let total = entries.len();
    let start = start.min(total);
    let end = start.saturating_add(limit.clamp(1, PAGE_LIMIT) as usize).min(total);
    Ok(Page {
        entries: entries.drain(start..end).collect(),
        total: total as u64,
        next: (end < total).then(|| Cursor((end as u64).to_le_bytes().to_vec())),
    })
}

fn compare(a: &Entry, b: &Entry, order: Order) -> std::cmp::Ordering {
    let directories = (b.kind == Kind::Dir).cmp(&(a.kind == Kind::Dir));
    let within = match order {
        Order::Name => a.name.cmp(&b.name),
        Order::NameDescending => b.name.cmp(&a.name),
        Order::Size => b.allocated.cmp(&a.allocated),
        Order::Modified => b.mtime.cmp(&a.mtime),
    };
    directories.then(within).then_with(|| a.name.cmp(&b.name))
}

fn regular<'a>(node: &'a Node, path: &[u8]) -> Result<&'a Contents, Fault> {
    node.contents().ok_or_else(|| {
        let (errno, what) = match node.kind() {
            Kind::Dir => (Errno::ISDIR, "a directory"),
            Kind::Symlink => (Errno::LOOP, "a symbolic link, which is not followed"),
            Kind::Fifo => (Errno::INVAL, "a named pipe, which is not opened"),
            Kind::Socket => (Errno::INVAL, "a socket, which is not opened"),
            Kind::CharDevice | Kind::BlockDevice => (Errno::INVAL, "a device, which is not opened"),
            Kind::File | Kind::Unknown => (Errno::INVAL, "no regular file"),
        };
        Fault {
            errno: Some(errno.raw_os_error()),
            path: path.to_vec(),
            message: format!("it is {what}"),
        }
    })
}

fn read(node: &Node, path: &[u8], offset: u64, len: u64, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    let contents = regular(node, path)?;
    let end = offset.saturating_add(len);
    let mut at = offset;
    while at < end {
        if sink.cancelled() {
            return Err(Halt::Cancelled);
        }
        let wanted = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let chunk = contents.read(node.mtime(), at, wanted);
        if chunk.is_empty() {
            break;
        }
        at += chunk.len() as u64;
        sink.send(Reply::Data(chunk))?;
    }
    Ok(Vec::new())
}

fn follow(node: &Node, path: &[u8], tail: u64, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    let contents = regular(node, path)?;
    let pause = contents.start_growing().unwrap_or(PATIENCE).min(PATIENCE);
    let mut at = contents.len().saturating_sub(tail);
    loop {
        loop {
            let bytes = contents.read(node.mtime(), at, CHUNK);
            if bytes.is_empty() {
                break;
            }
            let offset = at;
            at += bytes.len() as u64;
            sink.send(Reply::Followed(Followed::Data { offset, bytes }))?;
        }
        sink.pause(pause)?;
    }
}

fn root_info(root: &Root, read_only: bool) -> RootInfo {
    let row = file_system(0, root);
    RootInfo {
        kind: root.node.kind(),
        fault: None,
        dev: row.dev,
        fs_root: root.path.clone().into_bytes(),
        fs_type: row.fs_type,
        source: row.source,
        read_only,
        born: None,
    }
}

/// The file system behind a root: a system disk that is nearly full, a big one for films, memory, a share.
fn file_system(index: u32, root: &Root) -> FileSystem {
    const GIB: u64 = 1 << 30;
    let (dev, fs_type, source, size, free, available, inodes, inodes_free) = match root.disk {
        Disk::System => {
            let (size, free) = (196 * GIB, 53 * GIB);
            (
                (8, 1),
                "ext4",
                "/dev/sda1",
                size,
                free,
                free - 10 * GIB,
                13_107_200,
                11_204_551,
            )
        }
        Disk::Media => {
            let (size, free) = (3_725 * GIB, 1_311 * GIB);
            ((8, 17), "xfs", "/dev/sdb1", size, free, free, 390_643_712, 390_601_003)
        }
        Disk::Memory(size) => (
            (0, 87),
            "tmpfs",
            "tmpfs",
            size,
            size - size / 8,
            size - size / 8,
            2_042_114,
            2_042_090,
        ),
        Disk::Nas => {
            let (size, free) = (7_450 * GIB, 2_088 * GIB);
            ((0, 93), "nfs4", "192.168.1.20:/volume1/photos", size, free, free, 0, 0)
        }
    };
    FileSystem {
        root: index,
        dev,
        fs_type: fs_type.to_owned(),
        source: source.as_bytes().to_vec(),
        size,
        free,
        available,
        inodes,
        inodes_free,
        fault: None,
    }
}
