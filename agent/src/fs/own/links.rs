//! Files with several names among those that change: which were met, and whether all their names were. Knows no trees.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::serve::lock;

/// Parts, so that walkers do not wait for each other.
const SHARDS: usize = 64;
/// Paths that are kept at a time, per part, of files that have not shown all their names.
const PATHS: usize = 64;

/// A file: its device and inode number.
pub(super) type File = ((u32, u32), u64);

/// Files with several names.
#[derive(Debug)]
pub(super) struct Links {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    files: HashMap<File, Names>,
    paths: usize,
}

#[derive(Debug)]
struct Names {
    met: u64,
    links: u64,
    /// The first name's path; gone when all were met.
    path: Option<Box<[u8]>>,
}

/// What a name of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// The first that was met of a file that changes.
    First,
    /// Another one of a file that changes: it changes by its first name.
    Another,
    /// One of a file that does not change.
    Unchanged,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Links {
    /// Meets a name.
    pub(super) fn meet(&self, file: File, links: u64, changes: bool, path: impl FnOnce() -> Vec<u8>) -> Name {
        let Some(shard) = self.shards.get(shard_of(file)) else {
            return Name::Unchanged;
        };
        let mut shard = lock(shard);
        let Shard { files, paths } = &mut *shard;
        match files.get_mut(&file) {
            Some(names) => {
                names.met += 1;
                names.links = names.links.max(links);
                if names.met >= names.links && names.path.take().is_some() {
                    *paths -= 1;
                }
                Name::Another
            }
            None if changes => {
                let path = (*paths < PATHS).then(|| path().into_boxed_slice());
                *paths += usize::from(path.is_some());
                files.insert(file, Names { met: 1, links, path });
                Name::First
            }
            None => Name::Unchanged,
        }
    }

    /// How many files have names that were not met, and the first few of them.
    pub(super) fn outside(&self, few: usize) -> (u64, Vec<Vec<u8>>) {
        let (mut count, mut paths) = (0, Vec::new());
        for shard in &self.shards {
            let shard = lock(shard);
            for names in shard.files.values().filter(|names| names.met < names.links) {
                count += 1;
                paths.extend(names.path.as_ref().map(|path| path.to_vec()));
            }
        }
        paths.sort();
        paths.truncate(few);
        (count, paths)
    }
}

/// Spreads files over the parts.
pub(super) fn shard_of(file: File) -> usize {
    (file.1.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize % SHARDS
}

/// One lock for the files of each part.
#[derive(Debug)]
pub(super) struct Locks(Vec<Mutex<()>>);

impl Default for Locks {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Locks {
    /// Keeps others from changing a file that may have other names.
    pub(super) fn hold(&self, file: File) -> Option<std::sync::MutexGuard<'_, ()>> {
        self.0.get(shard_of(file)).map(lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_name_that_was_not_met_is_outside() {
        let links = Links::default();
        let file = |ino| ((8, 1), ino);
        assert_eq!(links.meet(file(1), 2, true, || b"a".to_vec()), Name::First);
        assert_eq!(links.meet(file(2), 3, true, || b"b".to_vec()), Name::First);
        assert_eq!(links.meet(file(3), 2, false, || b"c".to_vec()), Name::Unchanged);
        assert_eq!(links.outside(9), (2, vec![b"a".to_vec(), b"b".to_vec()]));
        assert_eq!(links.meet(file(1), 2, false, || b"d".to_vec()), Name::Another);
        assert_eq!(links.meet(file(2), 3, true, || b"e".to_vec()), Name::Another);
        assert_eq!(links.outside(9), (1, vec![b"b".to_vec()]));
    }
}
