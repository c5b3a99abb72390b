//! One thread's walk: reads directories, shows entries, keeps what is to be entered on a stack of its own.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::RawDir;

use super::pool::{Pool, Work};
use super::{Surveyor, Task, What};
use crate::fs::node::{Node, descriptor_limit};
use crate::fs::resolve::Resolver;
use crate::fs::window::DIRENTS;

/// Directories found in one directory before those are walked and the rest of it is read later.
const MANY: usize = 1024;

/// A walker and its stack.
pub(super) struct Walker<'a, S: Surveyor> {
    surveyor: S,
    pool: &'a Pool<S::Context>,
    resolver: Resolver,
    stack: Vec<Task<S::Context>>,
    buffer: Vec<MaybeUninit<u8>>,
    limit: i32,
}

impl<'a, S: Surveyor> Walker<'a, S> {
    pub(super) fn new(surveyor: S, pool: &'a Pool<S::Context>, resolver: Resolver) -> Self {
        Self {
            surveyor,
            pool,
            resolver,
            stack: Vec::new(),
            buffer: vec![MaybeUninit::uninit(); DIRENTS],
            limit: descriptor_limit(),
        }
    }

    /// Works until there is nothing left.
    pub(super) fn run(mut self) {
        let mut had_work = false;
        while let Some(work) = self.pool.take(had_work) {
            had_work = true;
            match work {
                Work::Place(index) => {
                    if let Some((fd, context)) = self.surveyor.begin(index) {
                        let what = What::Continue(Node::top(fd));
                        self.stack.push(Task { what, context });
                    }
                }
                Work::Tasks(tasks) => self.stack = tasks,
            }
            while let Some(task) = self.stack.pop() {
                if self.pool.stopped() {
                    return;
                }
                self.walk(task);
                self.pool.hand_over(&mut self.stack);
            }
        }
        if !self.pool.stopped() {
            self.surveyor.end();
        }
    }

    fn walk(&mut self, task: Task<S::Context>) {
        let Task { what, mut context } = task;
        match what {
            What::Continue(node) => {
                if let Some(fd) = node.fd() {
                    self.read(&node, fd, &context);
                }
            }
            What::Enter { parent, name } => match Node::enter(&parent, name, self.resolver, self.limit, S::QUIET) {
                Ok((node, extra)) => {
                    if let Some(fd) = extra.as_ref().map(AsFd::as_fd).or(node.fd()) {
                        self.surveyor.enter(&node, fd, &mut context);
                        self.read(&node, fd, &context);
                    }
                }
                Err((name, errno)) => {
                    let mut found = S::Found::default();
                    let failure = (errno, "opening the directory");
                    self.surveyor.fail(&parent, &name, failure, &context, &mut found);
                    self.surveyor.read(&parent, &context, found, false);
                }
            },
        }
        self.surveyor.close(context);
    }

    /// Reads a directory, or the next part of it.
    fn read(&mut self, node: &Arc<Node>, fd: BorrowedFd<'_>, context: &S::Context) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut entries = RawDir::new(fd, &mut buffer);
        let mut found = S::Found::default();
        let base = self.stack.len();
        let mut rest = false;
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => {
                    let name = entry.file_name();
                    if name != c"." && name != c".." {
                        let below = self.surveyor.look(node, fd, name, context, &mut found);
                        self.stack.extend(below.map(|context| Task {
                            what: What::Enter {
                                parent: Arc::clone(node),
                                name: name.to_owned(),
                            },
                            context,
                        }));
                    }
                }
                Err(errno) => {
                    let failure = (errno, "reading the directory");
                    self.surveyor.fail(node, c"", failure, context, &mut found);
                    break;
                }
            }
            if entries.is_buffer_empty() {
                if self.pool.stopped() {
                    break;
                }
                if self.stack.len() - base >= MANY && node.fd().is_some() {
                    rest = true;
                    break;
                }
            }
        }
        self.buffer = buffer;
        self.surveyor.read(node, context, found, rest);
        if rest {
            // Below its children, so that they are walked first and the stack stays small.
            let task = Task {
                what: What::Continue(Arc::clone(node)),
                context: context.clone(),
            };
            self.stack.insert(base, task);
        }
    }
}
