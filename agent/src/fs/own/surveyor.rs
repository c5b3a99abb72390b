//! What one thread of a census or of a change does with entries: tells those that are to change from the others.
//! Changes nothing itself.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rustix::io::Errno;

use super::batch::{self, Batch, Begun, Draft};
use super::links::Name;
use super::stamp::Clock;
use super::tally::{Counted, Owners, Tally};
use crate::fs::attributes::{self, Attributes, CAPABILITY, Last};
use crate::fs::leave::{Bid, Leave};
use crate::fs::meta::Meta;
use crate::fs::node::Node;
use crate::fs::parallel::{Pool, Surveyor};
use crate::fs::{Roots, fault};
use crate::proto::own::{Change, Record, Sampled, Why};
use crate::proto::{Kind, Place};

/// Set-id bits.
pub(super) const SET_ID: u32 = 0o6000;

/// What is beneath a directory and is left alone.
pub(super) type Context = Option<Arc<Leave>>;

/// The tree that is walked.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) roots: &'a Roots,
    pub(super) at: &'a Place,
    pub(super) top: Meta,
    pub(super) change: &'a Change,
    /// What is beneath the place and is left alone.
    pub(super) leave: Context,
    pub(super) clock: Clock,
    pub(super) tally: Tally,
}

/// One thread's work.
pub(super) struct Looker<'a> {
    tree: &'a Tree<'a>,
    pool: &'a Pool<Context>,
    batches: SyncSender<Batch>,
    /// Whether what is to change is recorded; else it is only counted.
    records: bool,
    draft: Draft,
    clock: Clock,
    owners: Owners,
    samples: bool,
}

/// What one reading of a directory came upon.
#[derive(Debug, Default)]
pub(super) struct Found {
    counted: Counted,
    begun: Begun,
}

impl<'a> Looker<'a> {
    pub(super) fn new(tree: &'a Tree<'a>, pool: &'a Pool<Context>, batches: SyncSender<Batch>, records: bool) -> Self {
        Self {
            tree,
            pool,
            batches,
            records,
            draft: Draft::default(),
            clock: tree.clock,
            owners: Owners::new(),
            samples: tree.tally.samples(),
        }
    }

    fn hand_on(&self, batch: Batch) {
        // Nobody listens any more: the request was cancelled.
        if !batch.groups.is_empty() && self.batches.send(batch).is_err() {
            self.pool.stop();
        }
    }

    /// Looks at an entry that is not left alone.
    fn weigh(&mut self, entry: &Entry<'_>, found: &mut Found) {
        let Entry { meta, kind, .. } = entry;
        let counted = &mut found.counted;
        counted.entries += 1;
        *self.owners.entry((meta.uid, meta.gid)).or_default() += 1;
        let mode = meta.mode & 0o7777;
        let changes = self.tree.change.of(*kind, meta.uid, meta.gid, mode) != (meta.uid, meta.gid, mode);
        let name = match meta.nlink > 1 && *kind != Kind::Dir {
            // A file changes once, by the first of its names.
            true => self
                .tree
                .tally
                .links
                .meet((meta.dev, meta.ino), meta.nlink, changes, || entry.path()),
            false if changes => Name::First,
            false => Name::Unchanged,
        };
        if name != Name::First {
            counted.unchanged += 1;
            return;
        }
        // Where only a count is wanted, file capabilities count where they can have an effect.
        let attributes = match self.records {
            true => entry.attributes(),
            false => entry.capability(),
        };
        let attributes = match attributes {
            Ok(attributes) => attributes,
            // Removed meanwhile.
            Err(Errno::NOENT) => {
                counted.unchanged += 1;
                return;
            }
            Err(errno) => return self.refuse(&entry.path(), errno),
        };
        counted.change += 1;
        let set_id = *kind != Kind::Dir && *kind != Kind::Symlink && mode & SET_ID != 0;
        counted.privileged += u64::from(set_id || attributes.capability.is_some());
        counted.journal_bytes += (batch::RECORD + entry.name.to_bytes().len() + attributes.len()) as u64;
        if self.samples {
            self.samples = self.tree.tally.sample(Sampled {
                path: entry.path(),
                kind: *kind,
                uid: meta.uid,
                gid: meta.gid,
                mode,
            });
        }
        if self.records {
            self.record(entry, attributes, found);
        }
    }

    fn record(&mut self, entry: &Entry<'_>, attributes: Attributes, found: &mut Found) {
        let Some(dir) = entry.dir_path() else {
            found.counted.change -= 1;
            return self.refuse(&entry.path(), Errno::NAMETOOLONG);
        };
        let meta = &entry.meta;
        let record = Record {
            name: entry.name.to_bytes().to_vec(),
            dev: meta.dev,
            ino: meta.ino,
            kind: entry.kind,
            nlink: meta.nlink,
            uid: meta.uid,
            gid: meta.gid,
            mode: meta.mode & 0o7777,
            capability: attributes.capability,
            acl: attributes.acl,
            default_acl: attributes.default_acl,
        };
        // Taken before the attributes were read: a change since then shows.
        let stamp = self.clock.stamp(meta.ctime);
        if let Some(full) = self.draft.add(record, stamp, &mut found.begun, || dir) {
            self.hand_on(full);
        }
    }

    fn refuse(&self, path: &[u8], errno: Errno) {
        let errno = errno.raw_os_error();
        self.tree.tally.skip(path, Why::Refused { errno });
    }
}

/// An entry that is weighed.
struct Entry<'a> {
    /// Its directory: where it is, and its path.
    dir: BorrowedFd<'a>,
    within: Within<'a>,
    name: &'a CStr,
    meta: Meta,
    kind: Kind,
}

/// Where an entry's directory is.
enum Within<'a> {
    /// Below the place.
    Node(&'a Node, &'a [u8]),
    /// It holds the place, or is the place itself when the entry has no name.
    Path(&'a [u8]),
}

impl Entry<'_> {
    fn path(&self) -> Vec<u8> {
        match self.within {
            Within::Node(node, top) => node.path(top, self.name.to_bytes()),
            Within::Path([]) => self.name.to_bytes().to_vec(),
            Within::Path(dir) => [dir, self.name.to_bytes()].join(&b'/'),
        }
    }

    fn dir_path(&self) -> Option<Vec<u8>> {
        match self.within {
            Within::Node(node, top) => batch::path(node, top),
            Within::Path(dir) => (dir.len() <= batch::LONGEST).then(|| dir.to_vec()),
        }
    }

    fn reach(&self) -> (CString, Last) {
        match self.name.is_empty() {
            true => (attributes::path_of(self.dir), Last::Descriptor),
            false => (attributes::path_in(self.dir, self.name), Last::Name),
        }
    }

    fn attributes(&self) -> Result<Attributes, Errno> {
        let (path, last) = self.reach();
        Attributes::read(&path, last)
    }

    /// The capability alone, of a file that may be executed.
    fn capability(&self) -> Result<Attributes, Errno> {
        let mut attributes = Attributes::default();
        if self.kind == Kind::File && self.meta.mode & 0o111 != 0 {
            let (path, last) = self.reach();
            attributes.capability = attributes::read(&path, last, CAPABILITY)?;
        }
        Ok(attributes)
    }
}

impl Surveyor for Looker<'_> {
    type Context = Context;
    type Found = Found;
    const QUIET: bool = true;

    fn begin(&mut self, _index: usize) -> Option<(OwnedFd, Context)> {
        let Tree {
            roots,
            at,
            top,
            change,
            leave,
            ..
        } = self.tree;
        let mut found = Found::default();
        let failed = |errno: Errno| errno.raw_os_error();
        let weighed = (|| {
            let root = roots.root(at)?.fd()?;
            if at.path.is_empty() {
                self.weigh_place(root, b"", c"", &mut found);
                return Ok(());
            }
            let seen = roots.resolver.parent(root, &at.path);
            let (dir, name) = seen.map_err(|errno| fault(&at.path, errno, "looking at the entry"))?;
            let above = at.path.len() - name.to_bytes().len();
            self.weigh_place(dir.as_fd(), &at.path[..above.saturating_sub(1)], &name, &mut found);
            Ok(())
        })();
        let opened = weighed.and_then(|()| match change.recursive && top.is_dir() {
            true => roots.quiet_dir(at).map(Some),
            false => Ok(None),
        });
        self.tree.tally.add(&found.counted);
        match opened {
            Ok(dir) => dir.map(|fd| (fd, leave.clone())),
            Err(fault) => {
                let errno = fault.errno.unwrap_or(failed(Errno::IO));
                self.tree.tally.skip(&at.path, Why::Refused { errno });
                None
            }
        }
    }

    fn enter(&mut self, _node: &Node, _dir: BorrowedFd<'_>, _context: &mut Context) {
        self.clock.set();
    }

    fn look(
        &mut self,
        node: &Node,
        dir: BorrowedFd<'_>,
        name: &CStr,
        context: &Context,
        found: &mut Found,
    ) -> Option<Context> {
        let top = &self.tree.at.path;
        let path = || node.path(top, name.to_bytes());
        let below = match context.as_ref().map(|leave| leave.child(name.to_bytes())) {
            None => None,
            Some(Bid::Walk(below)) => below,
            Some(Bid::Left) => {
                self.tree.tally.skip(&path(), Why::Left);
                return None;
            }
        };
        let meta = match Meta::at(dir, name) {
            Ok(meta) => meta,
            // Removed since its name was read: it is part of the tree no more.
            Err(Errno::NOENT) => return None,
            Err(errno) => {
                self.refuse(&path(), errno);
                return None;
            }
        };
        let moved = matches!((meta.mount, self.tree.top.mount), (Some(here), Some(top)) if here != top);
        if moved || meta.foreign_to(&self.tree.top) {
            self.tree.tally.skip(&path(), Why::OtherMount);
            return None;
        }
        let within = Within::Node(node, top);
        let kind = meta.kind();
        self.weigh(
            &Entry {
                dir,
                within,
                name,
                meta,
                kind,
            },
            found,
        );
        meta.is_dir().then_some(below)
    }

    fn fail(&mut self, node: &Node, name: &CStr, failure: (Errno, &str), _context: &Context, _found: &mut Found) {
        let path = node.path(&self.tree.at.path, name.to_bytes());
        match failure.0 {
            Errno::NOENT => {}
            Errno::XDEV => self.tree.tally.skip(&path, Why::OtherMount),
            errno => self.refuse(&path, errno),
        }
    }

    fn read(&mut self, _node: &Node, _context: &Context, found: Found, _rest: bool) {
        self.tree.tally.add(&found.counted);
    }

    fn end(&mut self) {
        let last = self.draft.take();
        self.hand_on(last);
        self.tree.tally.add_owners(std::mem::take(&mut self.owners));
    }
}

impl Looker<'_> {
    fn weigh_place(&mut self, dir: BorrowedFd<'_>, above: &[u8], name: &CStr, found: &mut Found) {
        let meta = self.tree.top;
        let entry = Entry {
            dir,
            within: Within::Path(above),
            name,
            meta,
            kind: meta.kind(),
        };
        self.weigh(&entry, found);
    }
}
