//! Walks the tree that is packed: a directory before what is in it, no recursion, one mount. Knows no archive.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::RawDir;

use super::Stop;
use super::packer::Packer;
use crate::fs::leave::{Bid, Leave};
use crate::fs::meta::{Meta, kind};
use crate::fs::node::{Node, descriptor_limit};
use crate::fs::window::DIRENTS;
use crate::proto::Kind;
use crate::proto::archive::Want;

/// Directories found in one directory before those are walked and the rest of it is read later.
const MANY: usize = 1024;

/// What is beneath a directory and is left out.
type Context = Option<Arc<Leave>>;

enum Task {
    Enter {
        parent: Arc<Node>,
        name: CString,
        leave: Context,
    },
    /// A directory that was read in part; its descriptor knows where to go on.
    Continue(Arc<Node>, Context),
}

impl Packer<'_> {
    /// Writes everything below the top.
    pub(super) fn tree(&mut self, top: OwnedFd, leave: Context) -> Result<(), Stop> {
        let limit = descriptor_limit();
        let mut stack = vec![Task::Continue(Node::top(top), leave)];
        let mut buffer = vec![MaybeUninit::uninit(); DIRENTS];
        while let Some(task) = stack.pop() {
            let (node, extra, leave, is_new) = match task {
                Task::Continue(node, leave) => (node, None, leave, false),
                Task::Enter { parent, name, leave } => match Node::enter(&parent, name, self.resolver, limit, true) {
                    Ok((node, extra)) => (node, extra, leave, true),
                    Err((name, errno)) => {
                        self.entry.path = parent.path(b"", name.to_bytes());
                        self.shut(&parent, &name, errno)?;
                        continue;
                    }
                },
            };
            let Some(fd) = extra.as_ref().map(AsFd::as_fd).or(node.fd()) else {
                continue;
            };
            self.entry.path = node.path(b"", b"");
            if is_new && !self.dir(fd)? {
                continue;
            }
            self.read(&node, fd, leave, &mut stack, &mut buffer)?;
        }
        Ok(())
    }

    /// A directory that cannot be opened has an entry all the same, if it is there.
    fn shut(&mut self, parent: &Node, name: &CStr, errno: rustix::io::Errno) -> Result<(), Stop> {
        self.lacks.fail(&self.entry.path, errno);
        let unreadable = !matches!(
            errno,
            rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP | rustix::io::Errno::XDEV
        );
        match parent.fd() {
            Some(dir) if unreadable => self.unopened(dir, name),
            // Its parent's descriptor was not kept: only in a tree that is deeper than descriptors last.
            _ => Ok(()),
        }
    }

    /// Reads a directory and writes what is in it, other directories excepted: those go on the stack.
    fn read(
        &mut self,
        node: &Arc<Node>,
        dir: BorrowedFd<'_>,
        leave: Context,
        stack: &mut Vec<Task>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Result<(), Stop> {
        let base = stack.len();
        let above = self.entry.path.len();
        self.quiet = true;
        let mut entries = RawDir::new(dir, buffer);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => {
                    self.entry.path.truncate(above);
                    self.lacks.fail(&self.entry.path, errno);
                    break;
                }
            };
            let name = entry.file_name();
            if name != c"." && name != c".." {
                self.name_entry(above, name);
                self.look(node, dir, name, kind(entry.file_type()), leave.as_deref(), stack)?;
            }
            if entries.is_buffer_empty() && stack.len() - base >= MANY && node.fd().is_some() {
                stack.insert(base, Task::Continue(Arc::clone(node), leave));
                break;
            }
        }
        Ok(())
    }

    /// Gives the entry whose turn it is its path.
    fn name_entry(&mut self, above: usize, name: &CStr) {
        let path = &mut self.entry.path;
        path.truncate(above);
        if above > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());
    }

    fn look(
        &mut self,
        node: &Arc<Node>,
        dir: BorrowedFd<'_>,
        name: &CStr,
        kind: Kind,
        leave: Option<&Leave>,
        stack: &mut Vec<Task>,
    ) -> Result<(), Stop> {
        let below = match leave.map(|leave| leave.child(name.to_bytes())) {
            None => None,
            Some(Bid::Walk(below)) => below,
            Some(Bid::Left) => {
                self.lacks.add(&self.entry.path, Want::OtherMount);
                return Ok(());
            }
        };
        let kind = match kind {
            Kind::Unknown => match Meta::at(dir, name) {
                Ok(meta) => meta.kind(),
                Err(errno) => {
                    self.lacks.fail(&self.entry.path, errno);
                    return Ok(());
                }
            },
            known => known,
        };
        match kind {
            Kind::Dir => stack.push(Task::Enter {
                parent: Arc::clone(node),
                name: name.to_owned(),
                leave: below,
            }),
            Kind::File => self.file(dir, name)?,
            _ => self.unopened(dir, name)?,
        }
        Ok(())
    }
}
