//! Unpacks an archive into a volume of the demo: whatever its trees can hold, and only for as long as the demo runs. Knows
//! nothing of screens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use vole_agent::archive::read::{Damage, Opened, Reader};
use vole_agent::archive::{Entry, Form};
use vole_agent::proto::archive::{Lack, Placing, Unpack, UnpackItem, Unpacked, Want};
use vole_agent::proto::{Fault, Kind, Reply};
use vole_agent::serve::{Halt, Input, Sink};

use super::backend::{Root, Trees};
use super::contents;
use super::fleet::{Where, World};
use super::tree::{self, Node, fault};

/// What is unpacked stays in memory: more than this is not.
const MOST: u64 = 256 << 20;
/// Time between two words of progress.
const PROGRESS: Duration = Duration::from_millis(100);

/// The fleet, and where in it the roots of a session stand.
#[derive(Debug)]
pub(super) struct Places {
    /// The fleet.
    pub(super) world: Arc<Mutex<World>>,
    /// One per root.
    pub(super) of: Vec<Where>,
}

/// Unpacks an archive, and lets it take the place of what is there once the client says so.
pub(super) fn unpack(trees: &Trees, unpack: &Unpack, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    if !trees.writable {
        return Err(Halt::Fault(fault(Errno::ROFS, b"", "unpacking an archive")));
    }
    let input = Opened::new(sink.input()).map_err(|broken| refused(&broken.what))?;
    let mut reader = Reader::new(input);
    let mut tree = Tree::new(unpack);
    let mut told = Instant::now();
    while let Some(entry) = reader.next().map_err(|damage| damaged(&damage, sink))? {
        if sink.cancelled() {
            return Err(Halt::Cancelled);
        }
        tree.take(entry, &mut reader, sink)?;
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            sink.send(Reply::Unpack(UnpackItem::Progress(tree.unpacked.made)))?;
        }
    }
    let digest = reader.digest();
    if digest.is_none() && !unpack.foreign {
        return Err(refused("it is an archive of another program"));
    }
    (tree.unpacked.digest, tree.unpacked.held) = (digest, reader.counts());
    sink.send(Reply::Unpack(UnpackItem::Ready(tree.unpacked.clone())))?;
    sink.confirmed(1)?;
    let Some(_begun) = sink.begin() else {
        return Err(Halt::Cancelled);
    };
    trees.replace(unpack.root, tree)?;
    Ok(Vec::new())
}

/// What the demo does not do, in words.
fn refused(why: &str) -> Halt {
    Halt::Fault(Fault {
        errno: None,
        path: Vec::new(),
        message: why.to_owned(),
    })
}

fn damaged(damage: &Damage, sink: &Sink) -> Halt {
    match sink.cancelled() {
        true => Halt::Cancelled,
        false => refused(&damage.to_string()),
    }
}

/// A tree that is being made.
struct Tree<'a> {
    unpack: &'a Unpack,
    top: Dir,
    unpacked: Unpacked,
}

/// An entry that is no directory, and its contents where it has some.
type Made = (Entry, Option<Arc<[u8]>>);

/// A directory that is being made.
#[derive(Default)]
struct Dir {
    entry: Option<Entry>,
    dirs: BTreeMap<Vec<u8>, Dir>,
    others: BTreeMap<Vec<u8>, Made>,
}

impl<'a> Tree<'a> {
    fn new(unpack: &'a Unpack) -> Self {
        Self {
            unpack,
            top: Dir::default(),
            unpacked: Unpacked::default(),
        }
    }

    /// The path of an entry here: without what is stripped; `None` for what is not wanted.
    fn path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
        let parts: Vec<&[u8]> = parts.skip(self.unpack.strip as usize).collect();
        if parts.iter().any(|part| matches!(*part, b"." | b"..")) {
            return None;
        }
        let path = parts.join(&b'/');
        let beneath =
            |only: &Vec<u8>| path == *only || path.strip_prefix(&only[..]).is_some_and(|rest| rest[0] == b'/');
        let wanted = self.unpack.only.is_empty() || path.is_empty() || self.unpack.only.iter().any(beneath);
        wanted.then_some(path)
    }

    fn take(&mut self, entry: Entry, reader: &mut Reader<Opened<Input<'_>>>, sink: &Sink) -> Result<(), Halt> {
        let contents = read(&entry, reader, self.unpacked.made.bytes, sink)?;
        let Some(path) = self.path(&entry.path) else {
            return Ok(());
        };
        // The top is above what is wanted, unless that is everything.
        self.unpacked.made.entries += u64::from(!path.is_empty() || self.unpack.only.is_empty());
        self.unpacked.made.bytes += entry.form.stored();
        let (above, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], &path[..]),
        };
        if entry.form == Form::Dir {
            self.top.dir(&path).entry = Some(entry);
            return Ok(());
        }
        let contents = match &entry.form {
            Form::Hardlink { target } => {
                let target = self.path(target).unwrap_or_default();
                let Some(first) = self.top.file(&target) else {
                    self.unpacked.lacking += 1;
                    let want = Want::Refused(Errno::NOENT.raw_os_error());
                    self.unpacked.lacks.push(Lack { path, want });
                    return Ok(());
                };
                Some(first)
            }
            _ => contents,
        };
        self.top.dir(above).others.insert(name.to_vec(), (entry, contents));
        Ok(())
    }
}

/// The contents of an entry, holes and all; `None` for what has none.
fn read(
    entry: &Entry,
    reader: &mut Reader<Opened<Input<'_>>>,
    before: u64,
    sink: &Sink,
) -> Result<Option<Arc<[u8]>>, Halt> {
    let Form::File { size, map } = &entry.form else {
        return Ok(None);
    };
    let length = usize::try_from(*size)
        .ok()
        .filter(|_| size.saturating_add(before) <= MOST);
    let Some(length) = length else {
        let words = format!(
            "the demo keeps what it unpacks in memory, and no more than {} MiB",
            MOST >> 20
        );
        return Err(refused(&words));
    };
    let mut stored = Vec::new();
    loop {
        let part = reader.contents().map_err(|damage| damaged(&damage, sink))?;
        if part.is_empty() {
            break;
        }
        stored.extend_from_slice(part);
        let count = part.len();
        reader.consume(count);
    }
    let Some(map) = map else {
        return Ok(Some(stored.into()));
    };
    let mut whole = vec![0; length];
    let mut rest = stored.as_slice();
    for (offset, len) in map {
        let (Ok(offset), Ok(len)) = (usize::try_from(*offset), usize::try_from(*len)) else {
            continue;
        };
        let (data, behind) = rest.split_at(len.min(rest.len()));
        if let Some(place) = whole.get_mut(offset..offset.saturating_add(data.len())) {
            place.copy_from_slice(data);
        }
        rest = behind;
    }
    Ok(Some(whole.into()))
}

impl Dir {
    fn dir(&mut self, path: &[u8]) -> &mut Self {
        let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
        parts.fold(self, |dir, part| dir.dirs.entry(part.to_vec()).or_default())
    }

    fn file(&mut self, path: &[u8]) -> Option<Arc<[u8]>> {
        let (above, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        self.dir(above).others.get(name)?.1.clone()
    }

    /// The directory as a node, for a present in seconds.
    fn node(self, name: &[u8], now: i64) -> Node {
        let dirs = self.dirs.into_iter().map(|(name, dir)| dir.node(&name, now));
        let others = self.others.into_iter().map(|(name, (entry, contents))| {
            let node = match (&entry.form, contents) {
                (Form::File { .. } | Form::Hardlink { .. }, bytes) => {
                    tree::file(&name, contents::kept(bytes.unwrap_or_default()))
                }
                (Form::Symlink { target }, _) => tree::link_to(&name, target),
                (Form::CharDevice { .. }, _) => tree::other(&name, Kind::CharDevice),
                (Form::BlockDevice { .. }, _) => tree::other(&name, Kind::BlockDevice),
                (Form::Fifo | Form::Dir, _) => tree::other(&name, Kind::Fifo),
            };
            as_told(node, &entry, now)
        });
        let node = tree::dir(name, dirs.chain(others).collect::<Vec<_>>());
        match &self.entry {
            Some(entry) => as_told(node, entry, now),
            None => node,
        }
    }
}

fn as_told(node: Node, entry: &Entry, now: i64) -> Node {
    let age = now.saturating_sub(entry.mtime.secs);
    node.mode(entry.mode).owner(entry.uid, entry.gid).age(age)
}

impl Trees {
    /// Puts a tree in the place of a root's.
    fn replace(&self, root: u32, tree: Tree<'_>) -> Result<(), Halt> {
        let index = usize::try_from(root).unwrap_or(usize::MAX);
        let (Some(at), Some(old)) = (self.places.of.get(index), self.roots.get(index)) else {
            return Err(Halt::Fault(fault(Errno::NOENT, b"", "finding the root")));
        };
        let mut world = self.places.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = world.present().unix_timestamp();
        let part = (tree.unpack.placing != Placing::Fresh).then_some(&tree.unpack.only[..]);
        let made = tree.top.node(b"", now);
        let node = match part.filter(|part| !part.is_empty()) {
            Some(part) => {
                let mut node = old.node.clone();
                for path in part {
                    node.graft(&made, path, now).map_err(Halt::Fault)?;
                }
                node
            }
            None => made.rooted(now, u64::from(root)),
        };
        let new = Arc::new(Root {
            node,
            disk: old.disk,
            path: old.path.clone(),
        });
        world.roots.insert(at.clone(), Arc::clone(&new));
        // A bind of the volume's own directory shows the same tree.
        let bound = Where::Path(old.path.clone());
        if world.roots.contains_key(&bound) {
            world.roots.insert(bound, new);
        }
        Ok(())
    }
}
