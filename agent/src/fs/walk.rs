//! Walks a tree on one thread, for searches: every entry once, no recursion, one file system.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::RawDir;
use rustix::io::Errno;

use super::meta::{Meta, kind};
use super::node::{Node, descriptor_limit};
use super::window::DIRENTS;
use super::{Roots, fault};
use crate::proto::{Fault, Kind, Place};
use crate::serve::{Halt, Sink};

/// Directories found in one directory before those are walked and the rest of it is read later.
const MANY: usize = 1024;
/// Notes that are kept.
const NOTES: usize = 16;

/// What could not be read on the way: the first few.
#[derive(Debug, Default)]
pub(super) struct Notes(pub(super) Vec<Fault>);

impl Notes {
    /// Keeps a note; what was removed meanwhile is none.
    pub(super) fn add(&mut self, path: impl FnOnce() -> Vec<u8>, errno: Errno, tried: &str) {
        if errno != Errno::NOENT && self.0.len() < NOTES {
            self.0.push(fault(&path(), errno, tried));
        }
    }
}

/// An entry on the way.
pub(super) struct Visit<'a> {
    pub(super) dir: BorrowedFd<'a>,
    pub(super) name: &'a CStr,
    pub(super) kind: Kind,
    node: &'a Node,
    top: &'a [u8],
}

impl Visit<'_> {
    /// The entry's path beneath its root.
    pub(super) fn path(&self) -> Vec<u8> {
        self.node.path(self.top, self.name.to_bytes())
    }
}

enum Task {
    Enter {
        parent: Arc<Node>,
        name: CString,
    },
    /// A directory that was read in part; its descriptor knows where to go on.
    Continue(Arc<Node>),
}

/// A walk and who is shown its entries.
pub(super) struct Walk<'a, F> {
    roots: &'a Roots,
    at: &'a Place,
    sink: &'a Sink,
    visit: F,
    stack: Vec<Task>,
    limit: i32,
}

impl<'a, F> Walk<'a, F>
where
    F: FnMut(&Visit<'_>, &mut Notes) -> Result<ControlFlow<()>, Halt>,
{
    pub(super) fn new(roots: &'a Roots, at: &'a Place, sink: &'a Sink, visit: F) -> Self {
        Self {
            roots,
            at,
            sink,
            visit,
            stack: Vec::new(),
            limit: descriptor_limit(),
        }
    }

    /// Visits every entry below the place until `visit` breaks off.
    pub(super) fn run(mut self, notes: &mut Notes) -> Result<(), Halt> {
        self.stack.push(Task::Continue(Node::top(self.roots.dir(self.at)?)));
        let mut buffer = vec![MaybeUninit::uninit(); DIRENTS];
        while let Some(task) = self.stack.pop() {
            let (node, extra) = match task {
                Task::Continue(node) => (node, None),
                Task::Enter { parent, name } => {
                    match Node::enter(&parent, name, self.roots.resolver, self.limit, false) {
                        Ok(entered) => entered,
                        // Another file system is mounted there; it is not part of this tree.
                        Err((_, Errno::XDEV)) => continue,
                        Err((name, errno)) => {
                            notes.add(
                                || parent.path(&self.at.path, name.to_bytes()),
                                errno,
                                "opening the directory",
                            );
                            continue;
                        }
                    }
                }
            };
            let Some(fd) = extra.as_ref().map(AsFd::as_fd).or(node.fd()) else {
                continue;
            };
            if self.read(&node, fd, &mut buffer, notes)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read(
        &mut self,
        node: &Arc<Node>,
        fd: BorrowedFd<'_>,
        buffer: &mut [MaybeUninit<u8>],
        notes: &mut Notes,
    ) -> Result<ControlFlow<()>, Halt> {
        let base = self.stack.len();
        let mut entries = RawDir::new(fd, buffer);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => {
                    notes.add(|| node.path(&self.at.path, b""), errno, "reading the directory");
                    break;
                }
            };
            let name = entry.file_name();
            if name != c"." && name != c".." && self.look(node, fd, name, kind(entry.file_type()), notes)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if entries.is_buffer_empty() {
                if self.sink.cancelled() {
                    return Err(Halt::Cancelled);
                }
                if self.stack.len() - base >= MANY && node.fd().is_some() {
                    self.stack.insert(base, Task::Continue(Arc::clone(node)));
                    break;
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn look(
        &mut self,
        node: &Arc<Node>,
        dir: BorrowedFd<'_>,
        name: &CStr,
        kind: Kind,
        notes: &mut Notes,
    ) -> Result<ControlFlow<()>, Halt> {
        let kind = match kind {
            Kind::Unknown => Meta::at(dir, name).map_or(Kind::Unknown, |meta| meta.kind()),
            known => known,
        };
        if kind == Kind::Dir {
            self.stack.push(Task::Enter {
                parent: Arc::clone(node),
                name: name.to_owned(),
            });
        }
        (self.visit)(
            &Visit {
                dir,
                name,
                kind,
                node,
                top: &self.at.path,
            },
            notes,
        )
    }
}
