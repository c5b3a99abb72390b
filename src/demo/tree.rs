//! The demo's trees in memory: nodes with owners, modes and times, built by short words. Knows nothing of
//! requests, engines or screens.

mod graft;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustix::io::Errno;
use vole_agent::proto::{Entry, Fault, Kind, Time};

use super::contents::{Contents, mix};

/// What a lookup tried, for its faults.
const LOOKING: &str = "looking at the entry";
/// The unit of allocation, in bytes.
const BLOCK: u64 = 4096;

/// One entry of a tree. Owner, age and inode are inherited from the directory until they are said.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The base name; empty for a root.
    pub(super) name: Vec<u8>,
    body: Body,
    mode: u32,
    owner: Option<(u32, u32)>,
    /// Seconds between the last change and the demo's present.
    age: Option<i64>,
    allocated: Option<u64>,
    /// Names the inode for hard links: equal groups are one file.
    links: Option<(u64, u64)>,
    errno: Option<Errno>,
    other_fs: bool,
    ino: u64,
    mtime: i64,
    /// What was given to entries of this tree since it was made.
    given: Given,
}

/// Owners and modes that entries were given, by inode: a tree's entries may be made anew whenever somebody asks.
#[derive(Debug, Clone, Default)]
struct Given(Arc<RwLock<HashMap<u64, Rights>>>);

/// Owner, group and permission bits.
type Rights = (u32, u32, u32);

#[derive(Debug, Clone)]
enum Body {
    Dir(Vec<Node>),
    Many(Many),
    File(Contents),
    Link(Vec<u8>),
    Other(Kind),
}

/// A directory whose entries are made when somebody asks, so that it costs no memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Many {
    /// How many entries.
    pub(super) count: u64,
    /// Makes one of them.
    pub(super) make: fn(u64) -> Node,
}

/// A directory.
pub(super) fn dir(name: impl AsRef<[u8]>, children: impl IntoIterator<Item = Node>) -> Node {
    Node::new(name.as_ref(), Body::Dir(children.into_iter().collect()), 0o755)
}

/// A directory of generated entries.
pub(super) fn many(name: &str, many: Many) -> Node {
    Node::new(name.as_bytes(), Body::Many(many), 0o755)
}

/// A regular file.
pub(super) fn file(name: impl AsRef<[u8]>, contents: Contents) -> Node {
    Node::new(name.as_ref(), Body::File(contents), 0o644)
}

/// A symbolic link.
pub(super) fn link(name: &str, target: &str) -> Node {
    Node::new(name.as_bytes(), Body::Link(target.as_bytes().to_vec()), 0o777)
}

/// A symbolic link to anything.
pub(super) fn link_to(name: &[u8], target: &[u8]) -> Node {
    Node::new(name, Body::Link(target.to_vec()), 0o777)
}

/// As [`special`], of any name.
pub(super) fn other(name: &[u8], kind: Kind) -> Node {
    Node::new(name, Body::Other(kind), 0o660)
}

/// A socket, a pipe or a device.
pub(super) fn special(name: &str, kind: Kind) -> Node {
    Node::new(name.as_bytes(), Body::Other(kind), 0o660)
}

impl Node {
    fn new(name: &[u8], body: Body, mode: u32) -> Self {
        Self {
            name: name.to_vec(),
            body,
            mode,
            owner: None,
            age: None,
            allocated: None,
            links: None,
            errno: None,
            other_fs: false,
            ino: 0,
            mtime: 0,
            given: Given::default(),
        }
    }

    /// Sets the permission bits.
    pub(super) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the owner of this entry and of all below that say nothing else.
    pub(super) fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = Some((uid, gid));
        self
    }

    /// Sets how long ago it changed, in seconds; entries below that say nothing else are somewhat older.
    pub(super) fn age(mut self, seconds: i64) -> Self {
        self.age = Some(seconds);
        self
    }

    /// Sets the allocated bytes of a sparse file.
    pub(super) fn allocated(mut self, bytes: u64) -> Self {
        self.allocated = Some(bytes);
        self
    }

    /// Makes it one of `count` names of the file that `group` stands for.
    pub(super) fn hard_link(mut self, group: u64, count: u64) -> Self {
        self.links = Some((group, count));
        self
    }

    /// Makes a directory unreadable.
    pub(super) fn unreadable(mut self, errno: Errno) -> Self {
        self.errno = Some(errno);
        self
    }

    /// Makes it a mount point of another file system.
    pub(super) fn other_fs(mut self) -> Self {
        self.other_fs = true;
        self
    }

    /// Makes it a root: settles what is inherited, for a present of `now` (seconds since the epoch).
    pub(super) fn rooted(mut self, now: i64, seed: u64) -> Self {
        self.owner.get_or_insert((0, 0));
        self.age.get_or_insert(86_400);
        self.name = Vec::new();
        self.settle(now, mix(seed), 3600, &Given::default());
        self
    }

    fn settle(&mut self, now: i64, parent_ino: u64, inherited_age: i64, given: &Given) {
        self.given = given.clone();
        let hash = name_hash(parent_ino, &self.name);
        self.ino = match self.links {
            Some((group, _)) => mix(group) & 0xff_ffff_ffff,
            None => hash & 0xff_ffff_ffff,
        };
        let age = self.age.unwrap_or_else(|| {
            let spread = (inherited_age / 2).max(1);
            inherited_age + i64::try_from(hash >> 20).unwrap_or(i64::MAX) % spread
        });
        self.age = Some(age);
        self.mtime = now - age;
        let (owner, ino) = (self.owner, self.ino);
        if let Body::Dir(children) = &mut self.body {
            for child in children {
                child.owner = child.owner.or(owner);
                child.settle(now, ino, age, given);
            }
        }
    }

    /// What it is.
    pub(super) fn kind(&self) -> Kind {
        match &self.body {
            Body::Dir(_) | Body::Many(_) => Kind::Dir,
            Body::File(_) => Kind::File,
            Body::Link(_) => Kind::Symlink,
            Body::Other(kind) => *kind,
        }
    }

    /// Whether its entries may be read: a directory of this file system without a fault.
    pub(super) fn enterable(&self) -> Result<(), Errno> {
        if let Some(errno) = self.errno {
            return Err(errno);
        }
        if self.other_fs {
            return Err(Errno::XDEV);
        }
        match &self.body {
            Body::Dir(_) | Body::Many(_) => Ok(()),
            Body::Link(_) => Err(Errno::LOOP),
            Body::File(_) | Body::Other(_) => Err(Errno::NOTDIR),
        }
    }

    /// Whether another file system is mounted here.
    pub(super) fn is_other_fs(&self) -> bool {
        self.other_fs
    }

    /// Calls `visit` with each entry of a directory, in no order, until it answers `false`.
    pub(super) fn each_child(&self, visit: &mut dyn FnMut(&Node) -> bool) {
        match &self.body {
            Body::Dir(children) => {
                for child in children {
                    if !visit(child) {
                        return;
                    }
                }
            }
            Body::Many(many) => {
                for index in 0..many.count {
                    if !visit(&self.made(*many, index)) {
                        return;
                    }
                }
            }
            Body::File(_) | Body::Link(_) | Body::Other(_) => {}
        }
    }

    fn made(&self, many: Many, index: u64) -> Node {
        let mut node = (many.make)(index);
        node.owner = node.owner.or(self.owner);
        let age = self.age.unwrap_or(0);
        node.settle(self.mtime + age, self.ino, age, &self.given);
        node
    }

    /// The contents of a regular file.
    pub(super) fn contents(&self) -> Option<&Contents> {
        match &self.body {
            Body::File(contents) => Some(contents),
            Body::Dir(_) | Body::Many(_) | Body::Link(_) | Body::Other(_) => None,
        }
    }

    /// When it changed last, in seconds since the epoch.
    pub(super) fn mtime(&self) -> i64 {
        self.mtime
    }

    /// The group of hard links that it belongs to.
    pub(super) fn link_group(&self) -> Option<u64> {
        self.links.map(|(group, _)| group)
    }

    /// The entry as the protocol tells it.
    pub(super) fn entry(&self) -> Entry {
        let (uid, gid, mode) = self.permissions();
        let grown = self.contents().map_or(0, Contents::grown_seconds);
        Entry {
            name: self.name.clone(),
            kind: self.kind(),
            mode,
            uid,
            gid,
            size: self.size(),
            allocated: self.allocated_bytes(),
            mtime: Time {
                secs: self.mtime + grown,
                nanos: u32::try_from(mix(self.ino) % 1_000_000_000).unwrap_or(0),
            },
            nlink: self.nlink(),
            ino: self.ino,
            target: match &self.body {
                Body::Link(target) => Some(target.clone()),
                Body::Dir(_) | Body::Many(_) | Body::File(_) | Body::Other(_) => None,
            },
            other_fs: self.other_fs,
            errno: None,
        }
    }

    fn permissions(&self) -> (u32, u32, u32) {
        let (uid, gid) = self.owner.unwrap_or((0, 0));
        let given = self.given.0.read().unwrap_or_else(PoisonError::into_inner);
        given.get(&self.ino).copied().unwrap_or((uid, gid, self.mode))
    }

    /// Gives an entry, by all its names, another owner and mode.
    pub(super) fn give(&self, uid: u32, gid: u32, mode: u32) {
        let mut given = self.given.0.write().unwrap_or_else(PoisonError::into_inner);
        given.insert(self.ino, (uid, gid, mode));
    }

    fn size(&self) -> u64 {
        match &self.body {
            // About 32 bytes a name, as ext4 packs them.
            Body::Dir(children) => blocks(children.len() as u64 * 32).max(BLOCK),
            Body::Many(many) => blocks(many.count * 32).max(BLOCK),
            Body::File(contents) => contents.len(),
            Body::Link(target) => target.len() as u64,
            Body::Other(_) => 0,
        }
    }

    fn allocated_bytes(&self) -> u64 {
        match &self.body {
            Body::Dir(_) | Body::Many(_) => self.size(),
            Body::File(_) => self.allocated.unwrap_or_else(|| blocks(self.size())),
            Body::Link(_) | Body::Other(_) => 0,
        }
    }

    fn nlink(&self) -> u64 {
        if let Some((_, count)) = self.links {
            return count;
        }
        match &self.body {
            Body::Dir(children) => 2 + children.iter().filter(|child| child.kind() == Kind::Dir).count() as u64,
            Body::Many(_) => 2,
            Body::File(_) | Body::Link(_) | Body::Other(_) => 1,
        }
    }

    /// Looks up a path beneath this root as the agent does: no `.`, no `..`, no symlink on the way, no other
    /// file system.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Cow<'_, Node>, Fault> {
        let mut at = Cow::Borrowed(self);
        if path.is_empty() {
            return Ok(at);
        }
        let components = || path.split(|&byte| byte == b'/');
        if components().any(|name| matches!(name, b"" | b"." | b"..")) {
            return Err(fault(Errno::INVAL, path, LOOKING));
        }
        for name in components() {
            at.enterable().map_err(|errno| fault(errno, path, LOOKING))?;
            let child = match at {
                Cow::Borrowed(node) => node.child(name),
                Cow::Owned(node) => node.child(name).map(|child| Cow::Owned(child.into_owned())),
            };
            at = child.ok_or_else(|| fault(Errno::NOENT, path, LOOKING))?;
        }
        Ok(at)
    }

    /// An entry of a directory by its name.
    pub(super) fn child(&self, name: &[u8]) -> Option<Cow<'_, Node>> {
        match &self.body {
            Body::Dir(children) => children.iter().find(|child| child.name == name).map(Cow::Borrowed),
            Body::Many(many) => (0..many.count)
                .map(|index| self.made(*many, index))
                .find(|child| child.name == name)
                .map(Cow::Owned),
            Body::File(_) | Body::Link(_) | Body::Other(_) => None,
        }
    }
}

/// A fault about a path, in the agent's words.
pub(super) fn fault(errno: Errno, path: &[u8], tried: &str) -> Fault {
    let code = errno.raw_os_error();
    let why = match errno {
        Errno::LOOP => "a symbolic link stands in the way; they are not followed".to_owned(),
        Errno::XDEV => "another file system is mounted there; it is not entered".to_owned(),
        _ => std::io::Error::from_raw_os_error(code).to_string(),
    };
    Fault {
        errno: Some(code),
        path: path.to_vec(),
        message: format!("{tried}: {why}"),
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

fn name_hash(seed: u64, name: &[u8]) -> u64 {
    name.iter().fold(mix(seed), |hash, &byte| mix(hash ^ u64::from(byte)))
}
