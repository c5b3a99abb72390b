//! A directory on the way down a tree: its name, its parent and, as long as descriptors last, its descriptor.
//! Lets walkers go down without recursion, to any depth. Knows nothing of what is done with entries.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::resolve::Resolver;

/// Most descriptors that walkers hold open; more gain nothing.
const MOST_OPEN: u64 = 4096;
/// Every so many levels a descriptor is kept past the limit.
const MILESTONE: u32 = 64;
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NONBLOCK);

/// A directory on the way down.
#[derive(Debug)]
pub(super) struct Node {
    parent: Option<Arc<Node>>,
    name: CString,
    fd: Option<OwnedFd>,
    /// Levels below the top.
    level: u32,
}

impl Node {
    /// The top of a walk.
    pub(super) fn top(fd: OwnedFd) -> Arc<Self> {
        Arc::new(Self {
            parent: None,
            name: CString::default(),
            fd: Some(fd),
            level: 0,
        })
    }

    /// Opens a directory below `parent`. Its descriptor is kept in the node unless `limit` is passed: then it is
    /// returned, to be closed as soon as the directory was read. `quiet` leaves its access time alone where that is allowed.
    pub(super) fn enter(
        parent: &Arc<Self>,
        name: CString,
        resolver: Resolver,
        limit: i32,
        quiet: bool,
    ) -> Result<(Arc<Self>, Option<OwnedFd>), (CString, Errno)> {
        let open = |flags| match &parent.fd {
            Some(fd) => resolver.child(fd, &name, flags),
            None => parent.open_below(&name, resolver, flags),
        };
        let opened = if quiet { quietly(FLAGS, open) } else { open(FLAGS) };
        let fd = match opened {
            Ok(fd) => fd,
            Err(errno) => return Err((name, errno)),
        };
        let level = parent.level.saturating_add(1);
        // Numbers are given from the lowest free one, so a high number means that many are open. Past the limit some
        // levels are kept all the same, so that reopening never starts far away.
        let number = fd.as_raw_fd();
        let keep = number <= limit || (level.is_multiple_of(MILESTONE) && number <= limit + limit / 2);
        let (fd, extra) = if keep { (Some(fd), None) } else { (None, Some(fd)) };
        let parent = Some(Arc::clone(parent));
        Ok((
            Arc::new(Self {
                parent,
                name,
                fd,
                level,
            }),
            extra,
        ))
    }

    /// Opens a child of a directory whose descriptor was not kept: from the nearest one above that was.
    fn open_below(&self, name: &CStr, resolver: Resolver, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut names = vec![name];
        let mut node = self;
        loop {
            match (&node.fd, &node.parent) {
                (Some(fd), _) => {
                    names.reverse();
                    let path: Vec<&[u8]> = names.iter().map(|name| name.to_bytes()).collect();
                    return resolver.open(fd, &path.join(&b'/'), flags);
                }
                (None, Some(parent)) => {
                    names.push(&node.name);
                    node = parent;
                }
                (None, None) => return Err(Errno::BADF),
            }
        }
    }

    /// The descriptor, unless it was not kept.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// The names from this directory up to and without the walk's top.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let above = std::iter::successors(Some(self), |node| node.parent.as_deref());
        above
            .take_while(|node| node.parent.is_some())
            .map(|node| node.name.to_bytes())
    }

    /// The path of an entry below the walk's top, with `prefix` in front.
    pub(super) fn path(&self, prefix: &[u8], name: &[u8]) -> Vec<u8> {
        let mut names = if name.is_empty() { Vec::new() } else { vec![name] };
        let mut node = self;
        while let Some(parent) = &node.parent {
            names.push(node.name.to_bytes());
            node = parent;
        }
        if !prefix.is_empty() {
            names.push(prefix);
        }
        names.reverse();
        names.join(&b'/')
    }
}

impl Drop for Node {
    /// Drops a chain of parents one by one: a tree may be deeper than the stack.
    fn drop(&mut self) {
        let mut parent = self.parent.take();
        while let Some(mut node) = parent.and_then(Arc::into_inner) {
            parent = node.parent.take();
        }
    }
}

/// Opens so that reading leaves the access time alone; only an owner and who may act as one can.
pub(super) fn quietly<T>(flags: OFlags, open: impl Fn(OFlags) -> Result<T, Errno>) -> Result<T, Errno> {
    match open(flags | OFlags::NOATIME) {
        Err(Errno::PERM) => open(flags),
        other => other,
    }
}

/// The highest descriptor number that walkers keep: half of what this process may open.
pub(super) fn descriptor_limit() -> i32 {
    let limit = getrlimit(Resource::Nofile)
        .current
        .unwrap_or(MOST_OPEN)
        .min(2 * MOST_OPEN)
        / 2;
    i32::try_from(limit).unwrap_or(i32::MAX)
}
