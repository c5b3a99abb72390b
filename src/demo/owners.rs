//! Changes of owner and mode in the demo's trees: counted, made batch by batch as the client confirms, and taken back, as
//! the agent does. Knows nothing of engines.

use std::collections::{BTreeMap, HashMap};

use rustix::io::Errno;
use vole_agent::proto::own::{BATCH_RECORDS, Census, Change, Group, OwnItem, Record, Sampled, Skipped, Undone, Why};
use vole_agent::proto::probe::Owner;
use vole_agent::proto::{Entry, Fault, Kind, Place, Reply};
use vole_agent::serve::{Halt, Sink};

use super::backend::Trees;
use super::tree::{Node, fault};
use super::usage::joined;

/// The device that all of the demo's trees say they are on.
const DEV: (u32, u32) = (8, 1);
/// Bytes that a record takes in a journal beside its name, about.
const RECORD: u64 = 40;

/// Counts what a change would do.
pub(super) fn census(
    trees: &Trees,
    at: &Place,
    change: &Change,
    leave: &[Vec<u8>],
    sink: &Sink,
) -> Result<Vec<Fault>, Halt> {
    let walk = Walk::over(trees, at, change, leave)?;
    sink.send(Reply::Census(walk.finish().0))?;
    Ok(Vec::new())
}

/// Changes what is to change.
pub(super) fn own(
    trees: &Trees,
    at: &Place,
    change: &Change,
    leave: &[Vec<u8>],
    sink: &Sink,
) -> Result<Vec<Fault>, Halt> {
    writable(trees, &at.path)?;
    let (census, groups) = Walk::over(trees, at, change, leave)?.finish();
    for (number, groups) in (1..).zip(batches(groups)) {
        let batch = OwnItem::Batch {
            number,
            groups: groups.clone(),
        };
        sink.send(Reply::Own(batch))?;
        sink.confirmed(number)?;
        let Some(begun) = sink.begin() else {
            return Err(Halt::Cancelled);
        };
        let (mut changed, mut skips) = (0, Vec::new());
        each_record(trees, at.root, &groups, |path, record, node| {
            let was = (record.uid, record.gid, record.mode);
            match turn(node, record, &[was], change.of(record.kind, was.0, was.1, was.2)) {
                Ok(_) => changed += 1,
                Err(why) => skips.push(Skipped { path, why }),
            }
        });
        drop(begun);
        sink.send(Reply::Own(OwnItem::Applied { number, changed, skips }))?;
    }
    sink.send(Reply::Own(OwnItem::Counted(census)))?;
    Ok(Vec::new())
}

/// Puts entries back.
pub(super) fn undo(
    trees: &Trees,
    root: u32,
    change: &Change,
    groups: &[Group],
    sink: &Sink,
) -> Result<Vec<Fault>, Halt> {
    writable(trees, b"")?;
    let mut undone = Undone::default();
    each_record(trees, root, groups, |path, record, node| {
        let was = (record.uid, record.gid, record.mode);
        let made = change.of(record.kind, was.0, was.1, was.2);
        match turn(node, record, &[made, was], was) {
            Ok(true) => undone.restored += 1,
            Ok(false) => undone.already += 1,
            Err(why) => undone.skips.push(Skipped { path, why }),
        }
    });
    sink.send(Reply::Undone(undone))?;
    Ok(Vec::new())
}

fn writable(trees: &Trees, path: &[u8]) -> Result<(), Fault> {
    match trees.writable {
        true => Ok(()),
        false => Err(fault(Errno::ROFS, path, "changing owners")),
    }
}

/// Gives an entry owner and mode if it has one of those expected; whether that changed anything.
fn turn(node: Option<&Node>, record: &Record, expected: &[(u32, u32, u32)], to: (u32, u32, u32)) -> Result<bool, Why> {
    let node = node.ok_or(Why::Gone)?;
    let entry = node.entry();
    let now = (entry.uid, entry.gid, entry.mode);
    if entry.ino != record.ino || entry.kind != record.kind {
        return Err(Why::Replaced);
    }
    if !expected.contains(&now) {
        return Err(Why::Changed);
    }
    if now != to {
        node.give(to.0, to.1, to.2);
    }
    Ok(now != to)
}

/// Calls `visit` with the path of each record, the record, and what stands there now. Directories are gone through once:
/// those of many files are made up anew each time.
fn each_record<'a>(
    trees: &Trees,
    root: u32,
    groups: &'a [Group],
    mut visit: impl FnMut(Vec<u8>, &'a Record, Option<&Node>),
) {
    for group in groups {
        let at = Place {
            root,
            path: group.dir.clone(),
        };
        let dir = trees.node(&at).ok();
        let mut waiting: HashMap<&[u8], &Record> = group.records.iter().map(|one| (one.name.as_slice(), one)).collect();
        if let Some(dir) = &dir {
            if let Some(top) = waiting.remove(b"".as_slice()) {
                visit(group.dir.clone(), top, Some(dir.as_ref()));
            }
            dir.each_child(&mut |child| {
                if let Some(record) = waiting.remove(child.name.as_slice()) {
                    visit(joined(&group.dir, &child.name), record, Some(child));
                }
                !waiting.is_empty()
            });
        }
        for record in waiting.into_values() {
            visit(joined(&group.dir, &record.name), record, None);
        }
    }
}

/// Groups in batches of a bounded size.
fn batches(groups: BTreeMap<Vec<u8>, Vec<Record>>) -> Vec<Vec<Group>> {
    let mut batches: Vec<Vec<Group>> = Vec::new();
    let mut room = 0;
    for (dir, mut records) in groups {
        while !records.is_empty() {
            if room == 0 {
                batches.push(Vec::new());
                room = BATCH_RECORDS;
            }
            let rest = records.split_off(records.len().min(room));
            room -= records.len();
            if let Some(batch) = batches.last_mut() {
                let dir = dir.clone();
                batch.push(Group { dir, records });
            }
            records = rest;
        }
    }
    batches
}

/// A walk over a tree, and what it found.
struct Walk<'a> {
    change: &'a Change,
    leave: &'a [Vec<u8>],
    census: Census,
    groups: BTreeMap<Vec<u8>, Vec<Record>>,
    owners: BTreeMap<(u32, u32), u64>,
    /// Names met, and names there are, of files that change and have several; with the first one's path.
    links: HashMap<u64, (u64, u64, Vec<u8>)>,
}

impl<'a> Walk<'a> {
    fn over(trees: &Trees, at: &Place, change: &'a Change, leave: &'a [Vec<u8>]) -> Result<Self, Fault> {
        let node = trees.node(at)?;
        let mut walk = Self {
            change,
            leave,
            census: Census::default(),
            groups: BTreeMap::new(),
            owners: BTreeMap::new(),
            links: HashMap::new(),
        };
        walk.visit(&node, &at.path);
        Ok(walk)
    }

    fn visit(&mut self, node: &Node, path: &[u8]) {
        let left = |leave: &Vec<u8>| {
            leave.is_empty() || path == leave || path.strip_prefix(&leave[..]).is_some_and(|rest| rest[0] == b'/')
        };
        if self.leave.iter().any(left) {
            return self.skip(path, Why::Left);
        }
        if node.is_other_fs() {
            return self.skip(path, Why::OtherMount);
        }
        self.weigh(&node.entry(), path);
        if node.kind() != Kind::Dir || !self.change.recursive {
            return;
        }
        match node.enterable() {
            Ok(()) => node.each_child(&mut |child| {
                self.visit(child, &joined(path, &child.name));
                true
            }),
            Err(errno) => {
                let errno = errno.raw_os_error();
                self.skip(path, Why::Refused { errno });
            }
        }
    }

    fn skip(&mut self, path: &[u8], why: Why) {
        self.census.skipped += 1;
        self.census.skips.push(Skipped {
            path: path.to_vec(),
            why,
        });
    }

    fn weigh(&mut self, entry: &Entry, path: &[u8]) {
        let census = &mut self.census;
        census.entries += 1;
        *self.owners.entry((entry.uid, entry.gid)).or_default() += 1;
        let now = (entry.uid, entry.gid, entry.mode);
        let changes = self.change.of(entry.kind, now.0, now.1, now.2) != now;
        let mut first = changes;
        if entry.nlink > 1 && entry.kind != Kind::Dir {
            if let Some(names) = self.links.get_mut(&entry.ino) {
                names.0 += 1;
                first = false;
            } else if changes {
                self.links.insert(entry.ino, (1, entry.nlink, path.to_vec()));
            }
        }
        if !first {
            census.unchanged += 1;
            return;
        }
        census.change += 1;
        census.privileged += u64::from(entry.kind == Kind::File && entry.mode & 0o6000 != 0);
        let (dir, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        census.journal_bytes += RECORD + name.len() as u64;
        if census.sample.len() < 20 {
            census.sample.push(Sampled {
                path: path.to_vec(),
                kind: entry.kind,
                uid: entry.uid,
                gid: entry.gid,
                mode: entry.mode,
            });
        }
        self.groups.entry(dir.to_vec()).or_default().push(Record {
            name: name.to_vec(),
            dev: DEV,
            ino: entry.ino,
            kind: entry.kind,
            nlink: entry.nlink,
            uid: entry.uid,
            gid: entry.gid,
            mode: entry.mode,
            capability: None,
            acl: None,
            default_acl: None,
        });
    }

    fn finish(self) -> (Census, BTreeMap<Vec<u8>, Vec<Record>>) {
        let mut census = self.census;
        let mut outside: Vec<Vec<u8>> = Vec::new();
        for (met, links, path) in self.links.into_values() {
            if met < links {
                outside.push(path);
            }
        }
        outside.sort();
        census.linked_outside = outside.len() as u64;
        outside.truncate(10);
        census.linked = outside;
        census.owners = self
            .owners
            .into_iter()
            .map(|((uid, gid), entries)| Owner { uid, gid, entries })
            .collect();
        census.owners.sort_by_key(|owner| std::cmp::Reverse(owner.entries));
        census.owners.truncate(8);
        census.skips.truncate(1000);
        census.complete = true;
        (census, self.groups)
    }
}
