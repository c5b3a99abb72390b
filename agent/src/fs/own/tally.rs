//! What a walk has counted, of all its threads. Knows no descriptors.

use std::collections::HashMap;
use std::sync::Mutex;

use super::links::Links;
use crate::fs::shortened;
use crate::proto::own::{Census, Sampled, Skipped, Why};
use crate::proto::probe::Owner;
use crate::serve::lock;

/// Skipped entries that are named.
const SKIPS: usize = 1000;
/// Bytes of paths that a census holds, well below a frame.
const BYTES: usize = 512 << 10;
/// Entries that would change and are named.
const SAMPLE: usize = 20;
/// Files with names outside that are named.
const LINKED: usize = 10;
/// Owners that are told.
const OWNERS: usize = 8;
/// Owners that are counted.
const MOST_OWNERS: usize = 1 << 16;

/// How many entries each owner has.
pub(super) type Owners = HashMap<(u32, u32), u64>;

/// What one reading of a directory counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) entries: u64,
    pub(super) change: u64,
    pub(super) unchanged: u64,
    pub(super) privileged: u64,
    pub(super) journal_bytes: u64,
}

/// The counts of one request.
#[derive(Debug, Default)]
pub(super) struct Tally {
    census: Mutex<(Census, usize)>,
    owners: Mutex<Owners>,
    pub(super) links: Links,
}

impl Tally {
    /// Adds what a thread counted.
    pub(super) fn add(&self, counted: &Counted) {
        let census = &mut lock(&self.census).0;
        census.entries += counted.entries;
        census.change += counted.change;
        census.unchanged += counted.unchanged;
        census.privileged += counted.privileged;
        census.journal_bytes += counted.journal_bytes;
    }

    /// Adds a thread's owners.
    pub(super) fn add_owners(&self, more: Owners) {
        let mut owners = lock(&self.owners);
        for (owner, entries) in more {
            if owners.len() < MOST_OWNERS || owners.contains_key(&owner) {
                *owners.entry(owner).or_default() += entries;
            }
        }
    }

    /// Counts an entry that is left alone.
    pub(super) fn skip(&self, path: &[u8], why: Why) {
        let (census, bytes) = &mut *lock(&self.census);
        census.skipped += 1;
        let path = shortened(path);
        if census.skips.len() < SKIPS && *bytes + path.len() < BYTES {
            *bytes += path.len();
            census.skips.push(Skipped { path, why });
        }
    }

    /// Whether more examples of what changes are wanted.
    pub(super) fn samples(&self) -> bool {
        lock(&self.census).0.sample.len() < SAMPLE
    }

    /// Keeps an example; whether more are wanted.
    pub(super) fn sample(&self, mut sampled: Sampled) -> bool {
        sampled.path = shortened(&sampled.path);
        let census = &mut lock(&self.census).0;
        if census.sample.len() < SAMPLE {
            census.sample.push(sampled);
        }
        census.sample.len() < SAMPLE
    }

    /// The numbers so far, without names.
    pub(super) fn progress(&self) -> Census {
        let census = &lock(&self.census).0;
        Census {
            entries: census.entries,
            change: census.change,
            unchanged: census.unchanged,
            privileged: census.privileged,
            skipped: census.skipped,
            journal_bytes: census.journal_bytes,
            ..Census::default()
        }
    }

    /// Everything, once all was counted.
    pub(super) fn complete(&self) -> Census {
        let mut census = lock(&self.census).0.clone();
        (census.linked_outside, census.linked) = self.links.outside(LINKED);
        census.linked.iter_mut().for_each(|path| *path = shortened(path));
        let owners = lock(&self.owners);
        let told = owners.iter().map(|(&(uid, gid), &entries)| Owner { uid, gid, entries });
        census.owners = told.collect();
        census
            .owners
            .sort_by_key(|owner| (std::cmp::Reverse(owner.entries), owner.uid, owner.gid));
        census.owners.truncate(OWNERS);
        census.complete = true;
        census
    }
}
