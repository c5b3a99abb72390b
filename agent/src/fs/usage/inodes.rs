//! A set of inode numbers, for counting multiply-linked files once. Knows nothing of files.

use std::sync::{Mutex, OnceLock};

use crate::serve::lock;

/// Parts that grow one at a time, so that growing does not double the whole; they also share out the lock.
const SHARDS: usize = 64;
/// A shard grows when more than four fifths are taken: 10 B per inode then, 20 B right after growing.
const FULL: (usize, usize) = (4, 5);

/// A set of inode numbers of one file system.
#[derive(Debug, Default)]
pub(super) struct Inodes {
    /// Made when the first multiply-linked file is met: most places have none.
    shards: OnceLock<Vec<Mutex<Shard>>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Open addressing; 0 is a free slot (no file system numbers an inode 0).
    slots: Vec<u64>,
    taken: usize,
}

impl Inodes {
    /// Adds a number; whether it is new.
    pub(super) fn insert(&self, ino: u64) -> bool {
        let hash = ino.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let shards = self
            .shards
            .get_or_init(|| (0..SHARDS).map(|_| Mutex::default()).collect());
        // The top six bits pick the shard, those below the slot.
        shards
            .get((hash >> 58) as usize)
            .is_none_or(|shard| lock(shard).insert(ino, hash << 6))
    }
}

impl Shard {
    fn insert(&mut self, ino: u64, hash: u64) -> bool {
        if (self.taken + 1) * FULL.1 > self.slots.len() * FULL.0 {
            self.grow();
        }
        let new = place(&mut self.slots, ino, hash);
        self.taken += usize::from(new);
        new
    }

    fn grow(&mut self) {
        let mut slots = vec![0; (self.slots.len() * 2).max(16)];
        for &ino in self.slots.iter().filter(|&&ino| ino != 0) {
            place(&mut slots, ino, ino.wrapping_mul(0x9E37_79B9_7F4A_7C15) << 6);
        }
        self.slots = slots;
    }
}

/// Puts a number into a table with free slots; whether it was not there.
fn place(slots: &mut [u64], ino: u64, hash: u64) -> bool {
    let mask = slots.len() - 1;
    let mut at = (hash >> 32) as usize & mask;
    loop {
        match slots[at] {
            0 => {
                slots[at] = ino;
                return true;
            }
            there if there == ino => return false,
            _ => at = (at + 1) & mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let inodes = Inodes::default();
        for ino in (1..=100_000_u64).chain((1..1000).map(|n| n << 40)) {
            assert!(inodes.insert(ino), "{ino}");
        }
        for ino in (1..=100_000_u64).chain((1..1000).map(|n| n << 40)) {
            assert!(!inodes.insert(ino), "{ino}");
        }
    }

    #[test]
    fn memory_stays_below_24_bytes_per_inode_while_growing() {
        let inodes = Inodes::default();
        let (mut held, mut worst) = (0, 0.0_f64);
        for ino in 1..=200_000_u64 {
            inodes.insert(ino * 13);
            if ino > 20_000 && ino % 64 == 0 {
                let shards = inodes.shards.get().unwrap();
                held = shards.iter().map(|shard| lock(shard).slots.len() * 8).sum::<usize>();
                // The largest shard's old table is still there while it grows.
                let growing = shards.iter().map(|shard| lock(shard).slots.len() * 4).max().unwrap();
                #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
                let ratio = (held + growing) as f64 / ino as f64;
                worst = worst.max(ratio);
            }
        }
        assert!(worst <= 24.0, "{worst} B per inode, {held} B at the end");
    }
}
