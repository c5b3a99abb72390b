//! Measures the demo's trees as `du` would, and takes a moment over it, so that sizes stream in as they do on
//! a real engine. Knows nothing of engines or screens.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use vole_agent::proto::{Fault, Kind, Place, Reply, Time, Totals, UsageItem};
use vole_agent::serve::{Halt, Sink};
use vole_agent::signs::{Covered, Entry, Finds, Signs, marked};

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
pub(super) fn usage(
    trees: &Trees,
    places: &[Place],
    depth: u32,
    signs: &Signs,
    sink: &Sink,
) -> Result<Vec<Fault>, Halt> {
    let mut waiting = Vec::new();
    for (index, place) in (0u32..).zip(places) {
        match trees.node(place) {
            Err(fault) => sink.send(Reply::Usage(vec![UsageItem::Failed { place: index, fault }]))?,
            Ok(node) => {
                let walk = Walk::over(&node, index, &place.path, depth, signs);
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
struct Walk<'a> {
    place: u32,
    depth: u32,
    signs: &'a Signs,
    finds: Finds,
    totals: Totals,
    dirs: Vec<UsageItem>,
    links: HashSet<u64>,
    other_fs: u64,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn over(node: &Node, place: u32, path: &[u8], depth: u32, signs: &'a Signs) -> Self {
        let looks = path.is_empty() && !signs.is_empty();
        let mut walk = Self {
            place,
            depth,
            signs,
            finds: if looks { Finds::of(signs) } else { Finds::default() },
            totals: Totals::default(),
            dirs: Vec::new(),
            links: HashSet::new(),
            other_fs: 0,
            faults: Vec::new(),
        };
        let covered = if looks { walk.root(node) } else { Covered::Yes };
        walk.totals = walk.sum(node, path, &mut Vec::new(), 0, covered);
        walk
    }

    /// The sums of one entry and what is beneath it; `below` is its path relative to the place.
    fn sum(&mut self, node: &Node, top: &[u8], below: &mut Vec<u8>, level: u32, covered: Covered) -> Totals {
        let entry = node.entry();
        let mut totals = Totals::default();
        if node.link_group().is_none_or(|group| self.links.insert(group)) {
            totals.bytes = entry.allocated;
            totals.apparent = entry.size;
        }
        if entry.kind != Kind::Dir {
            totals.files = 1;
            totals.newest = Some(entry.mtime);
            self.finds.add_stray(u64::from(covered == Covered::No));
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
                let covered = self.look(child, below, level as usize + 1, covered);
                add(&mut totals, &self.sum(child, top, below, level + 1, covered));
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

    /// Who speaks for the whole place.
    fn root(&self, node: &Node) -> Covered {
        let holding = self.signs.of_root(|name, want| head(&*node.child(name)?, want));
        for at in &holding {
            if let Some(sign) = self.signs.get(*at) {
                self.finds.see(*at, sign, Vec::new, |_| None);
            }
        }
        if holding.is_empty() {
            Covered::No
        } else {
            Covered::Claimed
        }
    }

    /// Looks out for signs, as the agent does; says who speaks for what is beneath the entry.
    fn look(&self, node: &Node, path: &[u8], level: usize, covered: Covered) -> Covered {
        if covered == Covered::Yes || !self.signs.reach(level) {
            return covered;
        }
        let entry = Entry {
            name: &node.name,
            kind: node.kind(),
            level,
            covered,
        };
        if self.signs.loose(&entry) {
            self.finds.add_stray(1);
        }
        let mut below = covered;
        let above = || path.rsplit(|byte| *byte == b'/').skip(1);
        self.signs.matching(&entry, above, |at| {
            let Some(sign) = self.signs.get(at) else { return };
            let speaks = match &sign.cover {
                None => true,
                Some(cover) => {
                    let covers =
                        node.enterable().is_ok() && marked(cover, |name, want| head(&*node.child(name)?, want));
                    if covers {
                        below = Covered::Yes;
                    }
                    covers
                }
            };
            if speaks {
                self.finds.see(at, sign, || path.to_vec(), |want| head(node, want));
            }
        });
        below
    }

    fn items(self) -> Vec<UsageItem> {
        let mut items = self.dirs;
        let (seen, stray) = self.finds.take();
        items.push(UsageItem::Complete {
            place: self.place,
            totals: self.totals,
            other_fs: self.other_fs,
            faults: self.faults,
            seen,
            stray,
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

/// The first bytes of a regular file.
fn head(node: &Node, want: usize) -> Option<Vec<u8>> {
    Some(node.contents()?.read(node.mtime(), 0, want))
}

/// The sums of a tree.
pub(super) fn totals(node: &Node) -> Totals {
    Walk::over(node, 0, &[], 0, &Signs::new(Vec::new())).totals
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
