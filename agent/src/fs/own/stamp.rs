//! Whether an entry is surely as it was when it was looked at, told by the time of its last change. Knows no descriptors.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::proto::Time;

/// File systems that count every change of owner, mode or attribute as one. Others forget some (a tmpfs before
/// Linux 6.0), or tell another machine's time.
const KEEPERS: [&str; 5] = ["ext2", "ext3", "ext4", "xfs", "btrfs"];
/// Seconds that a change must be past: within one tick of a coarse clock a second change would leave the same time.
const SETTLED: i64 = 2;

/// Tells which times are to be trusted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    keeps: bool,
    /// Seconds since the epoch, before the entries that are judged by it were looked at.
    now: i64,
}

impl Clock {
    /// For entries of a file system of this type that are looked at from now on.
    pub(super) fn new(fs_type: &str) -> Self {
        let mut clock = Self {
            keeps: KEEPERS.contains(&fs_type),
            now: 0,
        };
        clock.set();
        clock
    }

    /// Takes the time, which makes entries trusted that settled meanwhile.
    pub(super) fn set(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(0));
    }

    /// The time of an entry's last change, when any later one is sure to have another.
    pub(super) fn stamp(&self, ctime: Time) -> Option<Time> {
        let settled = ctime
            .secs
            .checked_add(SETTLED)
            .is_some_and(|settled| settled < self.now);
        (self.keeps && settled).then_some(ctime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_settled_on_a_file_system_that_keeps_count_is_trusted() {
        let at = |secs| Time { secs, nanos: 5 };
        let clock = |fs_type| Clock {
            now: 100,
            ..Clock::new(fs_type)
        };
        assert_eq!(clock("ext4").stamp(at(97)), Some(at(97)));
        for recent in [98, 99, 100, 101, i64::MAX] {
            assert_eq!(clock("ext4").stamp(at(recent)), None, "{recent}");
        }
        for other in ["tmpfs", "nfs4", "fuse", "overlay", ""] {
            assert_eq!(clock(other).stamp(at(1)), None, "{other}");
        }
    }
}
