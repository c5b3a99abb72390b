//! Measures the demo's trees as `du` would, and takes a moment over it, so that sizes stream in as they do on
//! a real engine. Knows nothing of engines or screens.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use vole_agent::proto::{Fault, Kind, Place, Reply, Time, Totals, UsageItem};
use vole_agent::serve::{Halt, Sink};

use super::backend::Trees;
use super::tree::{Node, fault};

/// The longest that a measurement takes, in milliseconds.
const LONGEST: u64 = 1_400;
/// How often progress is told.
const STEP: Duration = Duration::from_millis(60);
/// The most faults kept per place.
const FAULTS: usize = 16;
/// The most items in one reply.
const BATCH: usize = 512;

/// Measures all places; each is complete after a time that grows with its number of entries.
pub(super) fn usage(trees: &Trees, places: &[Place], depth: u32, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    let mut waiting = Vec::new();
    for (index, place) in (0u32..).zip(places) {
        match trees.node(place) {
            Err(fault) => sink.send(Reply::Usage(vec![UsageItem::Failed { place: index, fault }]))?,
            Ok(node) => {
                let walk = Walk::over(&node, index, &place.path, depth);
                let millis = 60 + u64::from(index) * 12 + (walk.totals.files + walk.totals.dirs).isqrt() * 8;
                waiting.push((Duration::from_millis(millis.min(LONGEST)), walk));
            }
        }
    }
    let started = Instant::now();
    while !waiting.is_empty() {
        let elapsed = started.elapsed();
        let (ready, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(due, _)| trees.instant || *due <= elapsed);
        let mut items: Vec<UsageItem> = ready.into_iter().flat_map(|(_, walk)| walk.items()).collect();
        items.extend(rest.iter().map(|(due, walk)| walk.progress(elapsed, *due)));
        for batch in items.chunks(BATCH) {
            sink.send(Reply::Usage(batch.to_vec()))?;
        }
        waiting = rest;
        if !waiting.is_empty() {
            sink.pause(STEP)?;
        }
    }
    Ok(Vec::new())
}

/// A walk over one place.
struct Walk {
    place: u32,
    depth: u32,
    totals: Totals,
    dirs: Vec<UsageItem>,
    links: HashSet<u64>,
    other_fs: u64,
    faults: Vec<Fault>,
}

impl Walk {
    fn over(node: &Node, place: u32, path: &[u8], depth: u32) -> Self {
        let mut walk = Self {
            place,
            depth,
            totals: Totals::default(),
            dirs: Vec::new(),
            links: HashSet::new(),
            other_fs: 0,
            faults: Vec::new(),
        };
        walk.totals = walk.sum(node, path, &mut Vec::new(), 0);
        walk
    }

    /// The sums of one entry and what is beneath it; `below` is its path relative to the place.
    fn sum(&mut self, node: &Node, top: &[u8], below: &mut Vec<u8>, level: u32) -> Totals {
        let entry = node.entry();
        let mut totals = Totals::default();
        if node.link_group().is_none_or(|group| self.links.insert(group)) {
            totals.bytes = entry.allocated;
            totals.apparent = entry.size;
        }
        if entry.kind != Kind::Dir {
            totals.files = 1;
            totals.newest = Some(entry.mtime);
            return totals;
        }
        totals.dirs = 1;
        if let Err(errno) = node.enterable() {
            totals.errors = 1;
            if self.faults.len() < FAULTS {
                self.faults
                    .push(fault(errno, &joined(top, below), "opening the directory"));
            }
        } else {
            node.each_child(&mut |child| {
                if child.is_other_fs() {
                    self.other_fs += 1;
                    return true;
                }
                let length = below.len();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(&child.name);
                add(&mut totals, &self.sum(child, top, below, level + 1));
                below.truncate(length);
                true
            });
        }
        if level >= 1 && level <= self.depth {
            self.dirs.push(UsageItem::Dir {
                place: self.place,
                path: below.clone(),
                totals,
            });
        }
        totals
    }

    fn items(self) -> Vec<UsageItem> {
        let mut items = self.dirs;
        items.push(UsageItem::Complete {
            place: self.place,
            totals: self.totals,
            other_fs: self.other_fs,
            faults: self.faults,
        });
        items
    }

    fn progress(&self, elapsed: Duration, due: Duration) -> UsageItem {
        let part = |value: u64| {
            let (elapsed, due) = (elapsed.as_millis(), due.as_millis().max(1));
            u64::try_from(u128::from(value) * elapsed.min(due) / due).unwrap_or(value)
        };
        let totals = Totals {
            bytes: part(self.totals.bytes),
            apparent: part(self.totals.apparent),
            files: part(self.totals.files),
            dirs: part(self.totals.dirs),
            errors: part(self.totals.errors),
            newest: self.totals.newest,
        };
        UsageItem::Progress {
            place: self.place,
            totals,
        }
    }
}

/// The sums of a tree.
pub(super) fn totals(node: &Node) -> Totals {
    Walk::over(node, 0, &[], 0).totals
}

fn add(to: &mut Totals, other: &Totals) {
    to.bytes += other.bytes;
    to.apparent += other.apparent;
    to.files += other.files;
    to.dirs += other.dirs;
    to.errors += other.errors;
    to.newest = later(to.newest, other.newest);
}

fn later(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    a.max(b)
}

/// A path below a place as a path below its root.
pub(super) fn joined(top: &[u8], below: &[u8]) -> Vec<u8> {
    let mut path = top.to_vec();
    if !top.is_empty() && !below.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(below);
    path
}
