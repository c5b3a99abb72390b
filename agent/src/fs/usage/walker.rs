//! What one thread of a measurement does with entries: counts them, and says who speaks for them.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use rustix::io::Errno;

use super::account::{Account, Tree, Trees, count_dir, count_file};
use super::look::{self, Covering, Level};
use crate::fs::Roots;
use crate::fs::meta::Meta;
use crate::fs::node::Node;
use crate::fs::parallel::{Pool, Surveyor};
use crate::proto::{Place, Totals, UsageItem};
use crate::signs::{Finds, Signs};

/// Where a directory that is to be read stands.
#[derive(Debug, Clone)]
pub(super) struct Context {
    account: Arc<Account>,
    level: Level,
}

/// Counts on one thread.
pub(super) struct Counter<'a> {
    pub(super) roots: &'a Roots,
    pub(super) places: &'a [Place],
    pub(super) depth: u32,
    pub(super) signs: &'a Signs,
    pub(super) pool: &'a Pool<Context>,
    pub(super) trees: &'a Trees,
    pub(super) report: SyncSender<UsageItem>,
}

impl Surveyor for Counter<'_> {
    type Context = Context;
    type Found = Found;

    /// Begins a place: a directory, or a single file.
    fn begin(&mut self, index: usize) -> Option<(OwnedFd, Context)> {
        let (at, place) = (self.places.get(index)?, u32::try_from(index).ok()?);
        let meta = match self.roots.meta(at) {
            Ok(meta) => meta,
            Err(fault) => {
                self.send(UsageItem::Failed { place, fault });
                return None;
            }
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
            self.finish(&account);
            return None;
        }
        count_dir(&mut totals, &meta);
        match self.roots.dir(at) {
            Ok(fd) => {
                account.add(&totals);
                self.trees.began(&tree);
                let cover = match looks {
                    true => look::root(self.signs, &tree.finds, fd.as_fd()),
                    false => Covering::UNLOOKED,
                };
                let level = Level { depth: 0, cover };
                Some((fd, Context { account, level }))
            }
            Err(fault) => {
                self.send(UsageItem::Failed { place, fault });
                None
            }
        }
    }

    fn enter(&mut self, node: &Node, dir: BorrowedFd<'_>, context: &mut Context) {
        let finds = &context.account.tree.finds;
        let cover = context.level.cover;
        context.level.cover = cover.settle(self.signs, finds, dir, || node.path(b"", b""));
    }

    /// Counts an entry, and keeps a directory for later.
    fn look(
        &mut self,
        node: &Node,
        dir: BorrowedFd<'_>,
        name: &CStr,
        context: &Context,
        found: &mut Found,
    ) -> Option<Context> {
        let Context { account, level } = context;
        let tree = &account.tree;
        let meta = match Meta::at(dir, name) {
            Ok(meta) => meta,
            // Removed since its name was read: it is part of the tree no more.
            Err(Errno::NOENT) => return None,
            Err(errno) => {
                fail(&mut found.totals, tree, node, name, errno, "looking at the entry");
                return None;
            }
        };
        if meta.mount_root || meta.dev != tree.dev {
            tree.other_fs.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let cover = look::entry(self.signs, &tree.finds, *level, node, dir, name, &meta);
        if !meta.is_dir() {
            count_file(&mut found.totals, &meta, tree);
            return None;
        }
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
        let level = Level { depth, cover };
        Some(Context { account, level })
    }

    fn fail(&mut self, node: &Node, name: &CStr, failure: (Errno, &str), context: &Context, found: &mut Found) {
        let tree = &context.account.tree;
        fail(&mut found.totals, tree, node, name, failure.0, failure.1);
    }

    fn read(&mut self, _node: &Node, context: &Context, found: Found, rest: bool) {
        let Context { account, level } = context;
        account.add(&found.totals);
        if level.cover.counts_stray() {
            account.tree.finds.add_stray(found.totals.files);
        }
        account.open(found.tasks + usize::from(rest));
    }

    fn close(&mut self, context: Context) {
        self.finish(&context.account);
    }
}

impl Counter<'_> {
    /// Ends a task of an account.
    fn finish(&self, account: &Arc<Account>) {
        account.close(|item| {
            if let UsageItem::Complete { place, .. } = item {
                self.trees.ended(place);
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
pub(super) struct Found {
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
