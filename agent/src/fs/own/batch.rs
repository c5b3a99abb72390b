//! Gathers records of what is to change into batches of a bounded size. Knows no descriptors and no threads.

use crate::fs::node::Node;
use crate::proto::Time;
use crate::proto::own::{BATCH_RECORDS, Group, Record};

/// Bytes of a batch at which it is handed on: half a frame, so that one more record with the longest attributes fits.
const BYTES: usize = 512 << 10;
/// Longest path of a directory that fits a frame along with a batch.
pub(super) const LONGEST: usize = 128 << 10;
/// Bytes that a record takes beside its name and attributes, about.
pub(super) const RECORD: usize = 40;

/// Records that are carried out together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) groups: Vec<Group>,
    /// Of each record, in their order: when the entry last changed, if it is to be trusted. Stays within the agent.
    pub(super) stamps: Vec<Option<Time>>,
}

/// Records that were not handed on yet.
#[derive(Debug, Default)]
pub(super) struct Draft {
    batch: Batch,
    records: usize,
    bytes: usize,
    /// How many were handed on: a group that a directory began may be among them.
    turn: u64,
}

/// Where a directory's records are: in the draft's last group, while the draft is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Begun(Option<u64>);

impl Draft {
    /// Adds a record of a directory; a batch when it is full.
    pub(super) fn add(
        &mut self,
        record: Record,
        stamp: Option<Time>,
        begun: &mut Begun,
        dir: impl FnOnce() -> Vec<u8>,
    ) -> Option<Batch> {
        if *begun != Begun(Some(self.turn)) || self.batch.groups.is_empty() {
            let dir = dir();
            self.bytes += dir.len() + 8;
            self.batch.groups.push(Group {
                dir,
                records: Vec::new(),
            });
            *begun = Begun(Some(self.turn));
        }
        self.bytes += size(&record);
        self.records += 1;
        if let Some(group) = self.batch.groups.last_mut() {
            group.records.push(record);
            self.batch.stamps.push(stamp);
        }
        (self.records >= BATCH_RECORDS || self.bytes >= BYTES).then(|| self.take())
    }

    /// What is left.
    pub(super) fn take(&mut self) -> Batch {
        self.turn += 1;
        self.records = 0;
        self.bytes = 0;
        std::mem::take(&mut self.batch)
    }
}

/// About the bytes that a record takes.
fn size(record: &Record) -> usize {
    let attributes = [&record.capability, &record.acl, &record.default_acl];
    let attributes: usize = attributes.into_iter().flatten().map(Vec::len).sum();
    RECORD + record.name.len() + attributes
}

/// The path of a directory relative to the root; `None` when it is too long to be told.
pub(super) fn path(node: &Node, top: &[u8]) -> Option<Vec<u8>> {
    let mut len = top.len();
    for name in node.names() {
        len += name.len() + 1;
        if len > LONGEST {
            return None;
        }
    }
    Some(node.path(top, b""))
}
