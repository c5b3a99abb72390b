//! One thread's walk: reads directories, looks at entries, keeps what is to be entered on a stack of its own.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use rustix::fs::RawDir;
use rustix::io::Errno;

use super::account::{Account, Tree, count_dir, count_file};
use super::look::{self, Covering, Level};
use super::pool::{Pool, Work};
use crate::fs::Roots;
use crate::fs::meta::Meta;
use crate::fs::node::{Node, descriptor_limit};
use crate::fs::window::DIRENTS;
use crate::proto::{Place, Totals, UsageItem};
use crate::signs::{Finds, Signs};

/// Directories found in one directory before those are walked and the rest of it is read later.
const MANY: usize = 1024;

/// Something to walk.
#[derive(Debug)]
pub(super) struct Task {
    what: What,
    account: Arc<Account>,
    /// Levels below the place.
    depth: u32,
    cover: Covering,
}

#[derive(Debug)]
enum What {
    /// A directory that is not open yet.
    Enter { parent: Arc<Node>, name: CString },
    /// A directory that was read in part; its descriptor knows where to go on.
    Continue(Arc<Node>),
}

/// A walker and its stack.
pub(super) struct Walker<'a> {
    roots: &'a Roots,
    places: &'a [Place],
    depth: u32,
    signs: &'a Signs,
    pool: &'a Pool,
    report: SyncSender<UsageItem>,
    stack: Vec<Task>,
    buffer: Vec<MaybeUninit<u8>>,
    limit: i32,
}

impl<'a> Walker<'a> {
    pub(super) fn new(
        roots: &'a Roots,
        places: &'a [Place],
        depth: u32,
        signs: &'a Signs,
        pool: &'a Pool,
        report: SyncSender<UsageItem>,
    ) -> Self {
        let buffer = vec![MaybeUninit::uninit(); DIRENTS];
        Self {
            roots,
            places,
            depth,
            signs,
            pool,
            report,
            stack: Vec::new(),
            buffer,
            limit: descriptor_limit(),
        }
    }

    /// Works until there is nothing left.
    pub(super) fn run(mut self) {
        let mut had_work = false;
        while let Some(work) = self.pool.take(had_work) {
            had_work = true;
            match work {
                Work::Place(index) => self.begin(index),
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
    }

    /// Begins a place: a directory, or a single file.
    fn begin(&mut self, index: usize) {
        let (Some(at), Ok(place)) = (self.places.get(index), u32::try_from(index)) else {
            return;
        };
        let meta = match self.roots.meta(at) {
            Ok(meta) => meta,
            Err(fault) => return self.send(UsageItem::Failed { place, fault }),
        };
        let looks = at.path.is_empty() && !self.signs.is_empty();
        let finds = if looks { Finds::of(self.signs) } else { Finds::default() };
        let tree = Arc::new(Tree::new(place, at.path.clone(), meta.dev, finds));
        let account = Account::of_tree(Arc::clone(&tree));
        let mut totals = Totals::default();
        if !meta.is_dir() {
            count_file(&mut totals, &meta, &tree);
            tree.finds.add_stray(u64::from(looks));
            account.add(&totals);
            return self.close(&account);
        }
        count_dir(&mut totals, &meta);
        match self.roots.dir(at) {
            Ok(fd) => {
                account.add(&totals);
                self.pool.began(&tree);
                let cover = match looks {
                    true => look::root(self.signs, &tree.finds, fd.as_fd()),
                    false => Covering::UNLOOKED,
                };
                self.stack.push(Task {
                    what: What::Continue(Node::top(fd)),
                    account,
                    depth: 0,
                    cover,
                });
            }
            Err(fault) => self.send(UsageItem::Failed { place, fault }),
        }
    }

    fn walk(&mut self, task: Task) {
        let Task {
            what,
            account,
            depth,
            cover,
        } = task;
        match what {
            What::Continue(node) => {
                if let Some(fd) = node.fd() {
                    self.read(&node, fd, &account, Level { depth, cover });
                }
            }
            What::Enter { parent, name } => match Node::enter(&parent, name, self.roots.resolver, self.limit) {
                Ok((node, extra)) => {
                    if let Some(fd) = extra.as_ref().map(AsFd::as_fd).or(node.fd()) {
                        let finds = &account.tree.finds;
                        let cover = cover.settle(self.signs, finds, fd, || node.path(b"", b""));
                        self.read(&node, fd, &account, Level { depth, cover });
                    }
                }
                Err((name, errno)) => {
                    let mut totals = Totals::default();
                    fail(
                        &mut totals,
                        &account.tree,
                        &parent,
                        &name,
                        errno,
                        "opening the directory",
                    );
                    account.add(&totals);
                }
            },
        }
        self.close(&account);
    }

    /// Reads a directory, or the next part of it.
    fn read(&mut self, node: &Arc<Node>, fd: BorrowedFd<'_>, account: &Arc<Account>, level: Level) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut entries = RawDir::new(fd, &mut buffer);
        let mut found = Found::default();
        let base = self.stack.len();
        let mut rest = false;
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => self.look(node, fd, entry.file_name(), account, level, &mut found),
                Err(errno) => {
                    fail(
                        &mut found.totals,
                        &account.tree,
                        node,
                        c"",
                        errno,
                        "reading the directory",
                    );
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
        account.add(&found.totals);
        if level.cover.counts_stray() {
            account.tree.finds.add_stray(found.totals.files);
        }
        account.open(found.tasks + usize::from(rest));
        if rest {
            // Below its children, so that they are walked first and the stack stays small.
            let task = Task {
                what: What::Continue(Arc::clone(node)),
                account: Arc::clone(account),
                depth: level.depth,
                cover: level.cover,
            };
            self.stack.insert(base, task);
        }
    }

    /// Counts an entry, and keeps a directory for later.
    fn look(
        &mut self,
        node: &Arc<Node>,
        dir: BorrowedFd<'_>,
        name: &CStr,
        account: &Arc<Account>,
        level: Level,
        found: &mut Found,
    ) {
        if name == c"." || name == c".." {
            return;
        }
        let tree = &account.tree;
        let meta = match Meta::at(dir, name) {
            Ok(meta) => meta,
            // Removed since its name was read: it is part of the tree no more.
            Err(Errno::NOENT) => return,
            Err(errno) => return fail(&mut found.totals, tree, node, name, errno, "looking at the entry"),
        };
        if meta.mount_root || meta.dev != tree.dev {
            tree.other_fs.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let cover = look::entry(self.signs, &tree.finds, level, node, dir, name, &meta);
        if !meta.is_dir() {
            count_file(&mut found.totals, &meta, tree);
        } else {
            let depth = level.depth.saturating_add(1);
            let account = if depth <= self.depth {
                let below = Account::below(account, name.to_bytes());
                let mut own = Totals::default();
                count_dir(&mut own, &meta);
                below.add(&own);
                below
            } else {
                count_dir(&mut found.totals, &meta);
                found.tasks += 1;
                Arc::clone(account)
            };
            let what = What::Enter {
                parent: Arc::clone(node),
                name: name.to_owned(),
            };
            self.stack.push(Task {
                what,
                account,
                depth,
                cover,
            });
        }
    }

    /// Ends a task of an account.
    fn close(&self, account: &Arc<Account>) {
        account.close(|item| {
            if let UsageItem::Complete { place, .. } = item {
                self.pool.ended(place);
            }
            self.send(item);
        });
    }

    fn send(&self, item: UsageItem) {
        // Nobody listens any more: the request was cancelled.
        if self.report.send(item).is_err() {
            self.pool.stop();
        }
    }
}

/// What one reading of a directory came upon.
#[derive(Default)]
struct Found {
    totals: Totals,
    /// Directories for the same account.
    tasks: usize,
}

/// Counts and notes what could not be read; what was removed meanwhile is no fault.
fn fail(totals: &mut Totals, tree: &Tree, node: &Node, name: &CStr, errno: Errno, tried: &str) {
    if errno != Errno::NOENT {
        totals.errors += 1;
        tree.note(|| node.path(&tree.path, name.to_bytes()), errno, tried);
    }
}
