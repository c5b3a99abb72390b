//! The first names of files that have several, so that the others become hardlinks to them. Knows no descriptors.

use std::collections::HashMap;

use crate::fs::meta::Meta;

/// A file: its device, as an index, and its inode number.
type File = (u32, u64);

/// Bytes of names in one stretch of memory; a name never stands in two.
const STRETCH: usize = 64 << 10;

/// Where a name stands: stretch, offset, length.
#[derive(Debug, Clone, Copy)]
struct Name {
    dir: u32,
    stretch: u32,
    offset: u32,
    length: u16,
}

/// First names. Each takes some fifty bytes and the length of its last component: the paths of directories are kept once.
#[derive(Debug, Default)]
pub(super) struct Links {
    devices: Vec<(u32, u32)>,
    files: HashMap<File, Name>,
    dirs: Vec<Box<[u8]>>,
    names: Vec<Vec<u8>>,
}

impl Links {
    /// The path under which a file is in the archive already.
    pub(super) fn first(&self, meta: &Meta) -> Option<Vec<u8>> {
        let device = self.devices.iter().position(|&dev| dev == meta.dev)?;
        let name = self.files.get(&(u32::try_from(device).ok()?, meta.ino))?;
        let dir = self.dirs.get(name.dir as usize)?;
        let from = name.offset as usize;
        let base = self
            .names
            .get(name.stretch as usize)?
            .get(from..from + usize::from(name.length))?;
        let mut path = Vec::with_capacity(dir.len() + 1 + base.len());
        path.extend_from_slice(dir);
        if !dir.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(base);
        Some(path)
    }

    /// Keeps a file's path: its directory, and the name in there.
    pub(super) fn keep(&mut self, meta: &Meta, dir: &[u8], base: &[u8]) {
        let device = self.devices.iter().position(|&dev| dev == meta.dev).unwrap_or_else(|| {
            self.devices.push(meta.dev);
            self.devices.len() - 1
        });
        // A directory is read as a whole: its names come one after the other.
        if self.dirs.last().is_none_or(|last| **last != *dir) {
            self.dirs.push(dir.into());
        }
        if self.names.last().is_none_or(|last| last.len() + base.len() > STRETCH) {
            self.names.push(Vec::with_capacity(STRETCH));
        }
        let (dirs, stretches) = (self.dirs.len(), self.names.len());
        let Some(stretch) = self.names.last_mut() else { return };
        let place = (
            u32::try_from(device),
            u32::try_from(dirs - 1),
            u32::try_from(stretches - 1),
            u32::try_from(stretch.len()),
            u16::try_from(base.len()),
        );
        // A file that finds no place is packed once for each of its names: nothing is lost.
        if let (Ok(device), Ok(dir), Ok(at), Ok(offset), Ok(length)) = place {
            stretch.extend_from_slice(base);
            let stretch = at;
            self.files.insert(
                (device, meta.ino),
                Name {
                    dir,
                    stretch,
                    offset,
                    length,
                },
            );
        }
    }
}
