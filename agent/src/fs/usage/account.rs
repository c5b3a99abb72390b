//! Who a count belongs to: a place, or a directory within the depth asked. Knows no descriptors and no threads.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::inodes::Inodes;
use crate::fs::fault;
use crate::fs::meta::Meta;
use crate::proto::{Fault, Totals, UsageItem};
use crate::serve::lock;
use crate::signs::Finds;

/// Faults that are kept per place.
const FAULTS: usize = 16;
/// Longest path that is reported.
const PATH: usize = 64 << 10;

/// One tree that is measured.
#[derive(Debug)]
pub(super) struct Tree {
    /// Index in the request.
    pub(super) index: u32,
    /// The place's path beneath its root.
    pub(super) path: Vec<u8>,
    pub(super) dev: (u32, u32),
    pub(super) inodes: Inodes,
    pub(super) other_fs: AtomicU64,
    /// What was counted so far, in all accounts.
    live: Mutex<Totals>,
    changed: AtomicBool,
    faults: Mutex<Vec<Fault>>,
    /// What was seen of signs.
    pub(super) finds: Finds,
}

impl Tree {
    pub(super) fn new(index: u32, path: Vec<u8>, dev: (u32, u32), finds: Finds) -> Self {
        Self {
            index,
            path,
            dev,
            inodes: Inodes::default(),
            other_fs: AtomicU64::new(0),
            live: Mutex::default(),
            changed: AtomicBool::new(false),
            faults: Mutex::default(),
            finds,
        }
    }

    /// What was counted so far, when that changed since the last call.
    pub(super) fn progress(&self) -> Option<UsageItem> {
        let changed = self.changed.swap(false, Ordering::Relaxed);
        changed.then(|| UsageItem::Progress {
            place: self.index,
            totals: *lock(&self.live),
        })
    }

    /// Keeps one of the first faults.
    pub(super) fn note(&self, path: impl FnOnce() -> Vec<u8>, errno: Errno, tried: &str) {
        let mut faults = lock(&self.faults);
        if faults.len() < FAULTS {
            faults.push(fault(&path(), errno, tried));
        }
    }
}

/// Trees that are being measured.
#[derive(Debug, Default)]
pub(super) struct Trees(Mutex<Vec<Arc<Tree>>>);

impl Trees {
    /// Reports a tree's progress from now on.
    pub(super) fn began(&self, tree: &Arc<Tree>) {
        lock(&self.0).push(Arc::clone(tree));
    }

    /// The progress of all trees that changed and are not complete.
    pub(super) fn progress(&self) -> Vec<UsageItem> {
        lock(&self.0).iter().filter_map(|tree| tree.progress()).collect()
    }

    /// Ends the progress of a tree.
    pub(super) fn ended(&self, place: u32) {
        lock(&self.0).retain(|tree| tree.index != place);
    }
}

/// What the entries of one subtree add up to.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) tree: Arc<Tree>,
    parent: Option<Arc<Self>>,
    /// Base name; empty for the place.
    name: Box<[u8]>,
    totals: Mutex<Totals>,
    /// Tasks and accounts below that are not finished.
    open: AtomicUsize,
}

impl Account {
    /// The account of a place, with one task open.
    pub(super) fn of_tree(tree: Arc<Tree>) -> Arc<Self> {
        Self::new(tree, None, b"")
    }

    /// The account of a directory, with one task open.
    pub(super) fn below(parent: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        parent.open.fetch_add(1, Ordering::Relaxed);
        Self::new(Arc::clone(&parent.tree), Some(Arc::clone(parent)), name)
    }

    fn new(tree: Arc<Tree>, parent: Option<Arc<Self>>, name: &[u8]) -> Arc<Self> {
        Arc::new(Self {
            tree,
            parent,
            name: name.into(),
            totals: Mutex::default(),
            open: AtomicUsize::new(1),
        })
    }

    /// Adds counts.
    pub(super) fn add(&self, counted: &Totals) {
        merge(&mut lock(&self.totals), counted);
        merge(&mut lock(&self.tree.live), counted);
        self.tree.changed.store(true, Ordering::Relaxed);
    }

    /// Announces tasks before anyone can finish them.
    pub(super) fn open(&self, tasks: usize) {
        self.open.fetch_add(tasks, Ordering::Relaxed);
    }

    /// Ends a task; what that completes is reported, children before parents.
    pub(super) fn close(self: &Arc<Self>, mut report: impl FnMut(UsageItem)) {
        let mut account = Arc::clone(self);
        // AcqRel: whoever closes last sees the counts of all others.
        while account.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let totals = *lock(&account.totals);
            let place = account.tree.index;
            match &account.parent {
                Some(parent) => {
                    if let Some(path) = account.path() {
                        report(UsageItem::Dir { place, path, totals });
                    }
                    merge(&mut lock(&parent.totals), &totals);
                    let parent = Arc::clone(parent);
                    account = parent;
                }
                None => {
                    let other_fs = account.tree.other_fs.load(Ordering::Relaxed);
                    let faults = std::mem::take(&mut *lock(&account.tree.faults));
                    let (seen, stray) = account.tree.finds.take();
                    report(UsageItem::Complete {
                        place,
                        totals,
                        other_fs,
                        faults,
                        seen,
                        stray,
                    });
                    return;
                }
            }
        }
    }

    /// The path below the place; `None` when it is too long to report.
    fn path(&self) -> Option<Vec<u8>> {
        let mut names: Vec<&[u8]> = Vec::new();
        let (mut account, mut len) = (self, 0);
        while let Some(parent) = &account.parent {
            len += account.name.len() + 1;
            if len > PATH {
                return None;
            }
            names.push(&account.name);
            account = parent;
        }
        names.reverse();
        Some(names.join(&b'/'))
    }
}

impl Drop for Account {
    /// Drops a chain of parents one by one: a tree may be deeper than the stack.
    fn drop(&mut self) {
        let mut parent = self.parent.take();
        while let Some(mut account) = parent.and_then(Arc::into_inner) {
            parent = account.parent.take();
        }
    }
}

/// Adds the sums of one set of entries to another's.
fn merge(totals: &mut Totals, more: &Totals) {
    totals.bytes += more.bytes;
    totals.apparent += more.apparent;
    totals.files += more.files;
    totals.dirs += more.dirs;
    totals.errors += more.errors;
    totals.newest = totals.newest.max(more.newest);
}

/// Counts a directory itself.
pub(super) fn count_dir(totals: &mut Totals, meta: &Meta) {
    totals.bytes += meta.allocated;
    totals.apparent += meta.size;
    totals.dirs += 1;
}

/// Counts a name that is no directory; one inode's bytes count once per place.
pub(super) fn count_file(totals: &mut Totals, meta: &Meta, tree: &Tree) {
    totals.files += 1;
    totals.newest = totals.newest.max(Some(meta.mtime));
    if meta.nlink <= 1 || tree.inodes.insert(meta.ino) {
        totals.bytes += meta.allocated;
        totals.apparent += meta.size;
    }
}
