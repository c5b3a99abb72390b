//! Running totals over the table: sums that say how much of them is not known.

use super::Mounts;
use crate::model::{Orphan, Size};

/// A sum of sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Mounts counted.
    pub mounts: usize,
    /// Bytes of those whose size is known, in part or in full.
    pub bytes: u64,
    /// Mounts whose size is not known at all.
    pub unknown: usize,
    /// Mounts that are being measured.
    pub measuring: usize,
}

impl Sum {
    /// Adds a mount.
    pub fn add(&mut self, size: &Size) {
        self.mounts += 1;
        match size.known_bytes() {
            Some(bytes) => self.bytes = self.bytes.saturating_add(bytes),
            None => self.unknown += 1,
        }
        self.measuring += usize::from(matches!(size, Size::Measuring { .. }));
    }
}

/// The sums that the status line shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Marked mounts.
    pub marked: Sum,
    /// Orphaned volumes.
    pub orphans: Sum,
    /// All mounts.
    pub all: Sum,
    /// Bytes of the largest mount, for the bars.
    pub largest: u64,
}

impl Totals {
    pub(super) fn of(table: &Mounts) -> Self {
        let marks = table.all_marks();
        let mut totals = Self::default();
        for (mount, size) in table.entries() {
            totals.all.add(size);
            totals.largest = totals.largest.max(size.known_bytes().unwrap_or(0));
            if mount.orphan == Orphan::Yes {
                totals.orphans.add(size);
            }
            if marks.contains(&mount.id) {
                totals.marked.add(size);
            }
        }
        totals
    }
}
