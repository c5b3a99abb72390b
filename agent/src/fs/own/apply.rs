//! Carries out batches: each entry is what it was when it was recorded, or it is left alone.

use rustix::io::Errno;

use super::batch::Batch;
use super::entry::{Dir, Entry, refused};
use super::links::Locks;
use crate::fs::attributes::{Attributes, CAPABILITY};
use crate::fs::resolve::Resolver;
use crate::fs::root::Root;
use crate::fs::{fault, shortened};
use crate::proto::own::{Change, Group, Record, Skipped, Why};
use crate::proto::{Fault, Time};

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) changed: u64,
    pub(super) skips: Vec<Skipped>,
    /// Entries that were changed in part.
    pub(super) faults: Vec<Fault>,
}

/// Changes all entries of a batch.
pub(super) fn apply(resolver: Resolver, root: &Root, change: &Change, locks: &Locks, batch: &Batch) -> Outcome {
    let mut outcome = Outcome::default();
    let mut stamps = batch.stamps.iter();
    for group in &batch.groups {
        let mut dir = Dir::new(resolver, root, &group.dir);
        for record in &group.records {
            // Another name of the same file may be under change on another thread.
            let _held = (record.nlink > 1).then(|| locks.hold((record.dev, record.ino)));
            let stamp = stamps.next().copied().flatten();
            let path = || path_of(group, record);
            match dir
                .open(record)
                .and_then(|entry| one(&entry, record, stamp, change, &path, &mut outcome.faults))
            {
                Ok(true) => outcome.changed += 1,
                Ok(false) => {}
                Err(why) => outcome.skips.push(Skipped { path: path(), why }),
            }
        }
    }
    outcome
}

/// The path of a record relative to the root.
pub(super) fn path_of(group: &Group, record: &Record) -> Vec<u8> {
    let path = match (group.dir.is_empty(), record.name.is_empty()) {
        (true, _) => record.name.clone(),
        (false, true) => group.dir.clone(),
        (false, false) => [group.dir.as_slice(), &record.name].join(&b'/'),
    };
    shortened(&path)
}

/// Changes an entry; `false` when it is changed already.
fn one(
    entry: &Entry,
    record: &Record,
    stamp: Option<Time>,
    change: &Change,
    path: &dyn Fn() -> Vec<u8>,
    faults: &mut Vec<Fault>,
) -> Result<bool, Why> {
    let was = (record.uid, record.gid, record.mode);
    let to = change.of(record.kind, record.uid, record.gid, record.mode);
    if entry.state() == to {
        return Ok(false);
    }
    if entry.state() != was {
        return Err(Why::Changed);
    }
    // What is put back afterwards must be this very file's: a capability that was read under a name that changed hands
    // would be given to another file. Where nothing at all has changed since, there is no need to look.
    if stamp != Some(entry.meta.ctime) && !recorded(&entry.attributes().map_err(refused)?, record) {
        return Err(Why::Changed);
    }
    let capability = record.capability.as_deref();
    let Err(errno) = entry.give(was, to, capability) else {
        return Ok(true);
    };
    // Nothing was changed, or it is taken back: half a change is none.
    if let Err(why) = back(entry, was, capability) {
        faults.push(fault(&path(), why, "taking back what could be changed only in part"));
    }
    Err(refused(errno))
}

/// Makes an entry what it was, after a change of it ended half-way.
fn back(entry: &Entry, was: (u32, u32, u32), capability: Option<&[u8]>) -> Result<(), Errno> {
    let now = entry.now()?;
    if now == was && entry.attributes()?.capability.as_deref() == capability {
        return Ok(());
    }
    entry.give(now, was, capability)?;
    // Without a change of owner, `give` leaves the capability alone.
    match capability {
        Some(capability) => entry.set(CAPABILITY, capability),
        None => Ok(()),
    }
}

/// Whether attributes are those that were recorded.
pub(super) fn recorded(there: &Attributes, record: &Record) -> bool {
    there.capability == record.capability && there.acl == record.acl && there.default_acl == record.default_acl
}
